#!/usr/bin/env bash
# A seek to a byte: some containers obey, one refuses, five go elsewhere without a word.
#
# Expected (a guess): `unsupported_byte_offset=True` (FFmpeg's AVSEEK_FLAG_BYTE) at the place of a key
#   frame's packet (`packet.pos`) gives that frame, or an error where a container cannot do it.
# What happens: MPEG-TS, FLV, raw H.264 and MXF obey; MP4 refuses (PermissionError). Matroska and WTV
#   come to the file's end at once, as if there were no frames from there on; AVI begins at the
#   frame after the key frame; ASF at a later key frame; NUT at the second key
#   frame, whatever the byte. None of these five says a word. In MPEG-PS most packets have no place
#   in the file at all (`packet.pos` is None).
# Seen: asked for frames 12, 24, 36, 48, 60 and 72: AVI gives 13, 25, 37, 49, 61, 73, ASF 36, 36, 72,
#   72, 72 and none.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-30.
# Why it matters: where time stamps are broken, a place in the file is the way out. A reader that
#   trusts it is a frame or two seconds off, or takes a recording for finished.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
av.logging.set_level(None)
WANTED = [12, 24, 36, 48, 60, 72]


def write(path, container, codec):
    """96 frames of 25 Hz without B-frames, a key frame every 12; the brightness is the number."""
    with av.open(path, "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.bit_rate = 4_000_000
        if codec == "libx264":
            stream.options = {"x264-params": "bframes=0:keyint=12:min-keyint=12:scenecut=0"}
        else:
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, 0
            stream.options = {"sc_threshold": "1000000000"}
        for number in range(96):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 2 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def shown(place):
    """Number of the first frame after a seek to the byte; "end" or "refused" without one."""
    with av.open("video") as source:
        stream = source.streams.video[0]
        try:
            source.seek(place, stream=stream, unsupported_byte_offset=True)
        except PermissionError:
            return "refused"
        for frame in source.decode(stream):
            return round((frame.to_ndarray()[:64].mean() - 20) / 2)
    return "end"


found = {}
for container, codec in (
    ("mpegts", "libx264"), ("flv", "libx264"), ("h264", "libx264"), ("mxf", "mpeg2video"),
    ("mp4", "libx264"), ("matroska", "libx264"), ("wtv", "mpeg2video"), ("avi", "mpeg4"),
    ("asf", "mpeg4"), ("nut", "mpeg4"), ("vob", "mpeg2video"),
):
    write("video", container, codec)
    with av.open("video") as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    keys = [packet.pos for number, packet in enumerate(packets) if number in WANTED]
    assert all(packets[number].is_keyframe for number in WANTED)
    found[container] = ["no place" if key is None else shown(key) for key in keys]
    print(f"{container} ({codec}): asked for {WANTED}, shows {found[container]}")
for container in ("mpegts", "flv", "h264", "mxf"):
    assert found[container] == WANTED, "the behaviour has changed"
assert found["mp4"] == ["refused"] * 6, "the behaviour has changed"
assert found["matroska"] == found["wtv"] == ["end"] * 6, "the behaviour has changed"
assert found["avi"] == [number + 1 for number in WANTED], "the behaviour has changed"
assert found["asf"] == [36, 36, 72, 72, 72, "end"], "the behaviour has changed"
assert found["nut"] == [12] * 6, "the behaviour has changed"
assert found["vob"].count("no place") >= 3, "the behaviour has changed"
EOF

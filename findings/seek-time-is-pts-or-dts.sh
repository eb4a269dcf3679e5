#!/usr/bin/env bash
# A seek's time is a presentation time in MP4 and Matroska and a decoding time in MPEG-TS.
#
# Expected (a guess): a seek to the time of a key frame lands on it, whichever of its packet's two
#   times is given, at least in one way for all containers.
# What happens: in MP4, MOV and Matroska the time is compared with presentation times: asked for the
#   dts of a key frame, FFmpeg lands one key frame earlier, asked for its pts it is right. In MPEG-TS
#   it is the other way round: asked for the pts, the first frame that can be decoded is the next
#   key frame. In FLV either is right. Without B-frames both times are one, and all is right.
# Seen: H.264 with 2 B-frames, a key frame every 12: asked for frame 36, MP4 gives 24 by dts, TS 48
#   by pts.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-30.
# Why it matters: an index of key frames by dts (the time that always rises) makes readers decode
#   twice as much in MP4, or count frames from the wrong one; one by pts loses half a second in TS.
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
KEYS = range(12, 73, 12)


def write(path, container, between):
    """96 frames of 25 Hz, a key frame every 12; the brightness of each says its number."""
    with av.open(path, "w", format=container) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {
            "x264-params": f"bframes={between}:keyint=12:min-keyint=12:scenecut=0:b-adapt=0"
        }
        for number in range(96):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 2 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


found = {}
for container, between in (
    ("mp4", 2), ("mov", 2), ("matroska", 2), ("mpegts", 2), ("flv", 2), ("mp4", 0), ("mpegts", 0)
):
    write("video", container, between)
    with av.open("video") as source:
        keys = [packet for packet in source.demux(video=0) if packet.size and packet.is_keyframe]
    assert len(keys) == 8
    for kind in ("pts", "dts"):
        shown = []
        for key in keys[1:7]:
            with av.open("video") as source:
                stream = source.streams.video[0]
                source.seek(getattr(key, kind), stream=stream)
                frame = next(source.decode(stream))
                shown.append(round((frame.to_ndarray()[:64].mean() - 20) / 2))
        found[container, between, kind] = shown
        print(f"{container}, {between} B-frames, asked for the {kind} of {list(KEYS)}: {shown}")
right, early, late = list(KEYS), [key - 12 for key in KEYS], [key + 12 for key in KEYS]
for container in ("mp4", "mov", "matroska"):
    assert found[container, 2, "pts"] == right, "the behaviour has changed"
    assert found[container, 2, "dts"] == early, "the behaviour has changed"
assert found["mpegts", 2, "dts"] == right, "the behaviour has changed"
assert found["mpegts", 2, "pts"] == late, "the behaviour has changed"
assert found["flv", 2, "pts"] == found["flv", 2, "dts"] == right, "the behaviour has changed"
assert all(shown == right for (_, between, _), shown in found.items() if not between)
EOF

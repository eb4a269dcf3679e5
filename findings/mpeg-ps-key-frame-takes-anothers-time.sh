#!/usr/bin/env bash
# MPEG program streams written by FFmpeg: some key frames have the time of another frame.
#
# Expected (a guess): a steady 25 Hz that goes in comes out, as it does of MPEG-TS.
# What happens: a packet of a program stream has one time for several small frames, that of the
#   first picture that starts in it. Where a key frame's header is the last thing in one packet and
#   its picture starts in the next, FFmpeg's muxer gives that packet the time of the frame after the
#   key frame. The reader believes it, so the key frame and all up to the next time stamp (now and
#   then the frame before it, too) are off: late by one without B-frames, early by their number with
#   them.
# Seen: 22 of 60 small files have a leap (76 of 7200 frames, 35 of them key frames); of the same
#   frames in MPEG-TS none.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: .mpg is what DVDs and some video-EEG systems hold, and FFmpeg what writes many. A
#   leap of a frame at a key frame, every few seconds, is a jerk that no patient made.
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


def write(path, container, seed):
    """120 frames of 25 Hz, a key frame every 4; 0 to 2 B-frames and 20 to 400 kbit/s by `seed`."""
    noise = np.random.default_rng(seed)
    with av.open(path, "w", format=container) as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.bit_rate = 20_000 * (1 + seed // 3)
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 4, seed % 3
        stream.options = {"sc_threshold": "1000000000"}
        for number in range(120):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = noise.integers(60, 190, (16, 16)).repeat(4, 0).repeat(4, 1)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


files = {}
for container in ("vob", "mpegts"):
    leaps = {}
    for seed in range(60):
        write("video", container, seed)
        with av.open("video") as source:
            frames = list(source.decode(video=0))
        assert len(frames) == 120
        places = [round((frame.time - frames[0].time) * 25, 2) for frame in frames]
        wrong = [number for number, place in enumerate(places) if abs(place - number) > 0.1]
        if wrong:
            leaps[seed] = [(number, frames[number].key_frame, places[number]) for number in wrong]
    files[container] = len(leaps)
    keys = sum(key for each in leaps.values() for _, key, _ in each)
    print(f"{container}: {len(leaps)} of 60 files have a leap;"
          f" {sum(map(len, leaps.values()))} of 7200 frames are off, {keys} of them key frames")
    for seed, each in list(leaps.items())[:3]:
        text = ", ".join(f"{n}{' (key)' if key else ''} at {place:g}" for n, key, place in each[:4])
        print(f"   {seed % 3} B-frames: frame {text}")
assert files["vob"] > 0 and files["mpegts"] == 0, "the behaviour has changed"
EOF

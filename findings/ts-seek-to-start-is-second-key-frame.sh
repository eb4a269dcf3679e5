#!/usr/bin/env bash
# MPEG-TS: a seek to the start lands on the second key frame, and index 0 is frame 12.
#
# Expected (a guess): a seek to the stream's start gives its first frame; reader[0] is frame 0.
# What happens: FFmpeg's seek to stream.start_time lands on the second key frame, if there are
#   B-frames or the codec is MPEG-2. OpenCV after set(POS_FRAMES, 0) and decord's reader[0] give
#   frame 12 and call it 0; decord is off by as much throughout. PyAV's container.seek(0) is right,
#   as the stream starts at 1.4 s. MP4 is right.
# Seen: MPEG-2 and H.264, a key frame every 12: frame 12 in all three; decord's reader[30] is 44 and
#   42.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2), opencv-python-headless 5.0.0.93, decord 0.6.0.
# Date: 2026-11-29.
# Why it matters: camcorders and video-EEG systems record MPEG-TS. A clip cut by such a reader lacks
#   half a second and more at its beginning: where a seizure begins, it is what was asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6 \
  opencv-python-headless==5.0.0.93 decord==0.6.0
env/bin/python - <<'EOF'
import importlib.metadata as metadata
import os

import av
import cv2
import numpy as np

os.environ["DECORD_LOG_LEVEL"] = "quiet"
import decord

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
print(*(f"{name} {metadata.version(name)}" for name in ("opencv-python-headless", "decord")))
av.logging.set_level(None)
decord.logging.set_level(decord.logging.QUIET)


def write(path, codec):
    """60 frames of 25 Hz with 2 B-frames, a key frame every 12; the brightness is the number."""
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.bit_rate = 4_000_000
        if codec == "libx264":
            stream.options = {
                "x264-params": "bframes=2:keyint=12:min-keyint=12:scenecut=0:b-adapt=0"
            }
        else:
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, 2
            stream.options = {"sc_threshold": "1000000000"}
        for number in range(60):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 3 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def number_of(image, ramp):
    """The number of the frame whose brightness it has."""
    return int(np.abs(ramp - image.mean()).argmin())


found = {}
for path, codec in (("a.ts", "mpeg2video"), ("b.ts", "libx264"), ("c.mp4", "libx264")):
    write(path, codec)
    with av.open(path) as source:
        images = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    ramp = np.array([image.mean() for image in images])
    assert len(ramp) == 60 and (np.diff(ramp) > 0).all()
    first = {}
    with av.open(path) as source:
        stream = source.streams.video[0]
        source.seek(stream.start_time, stream=stream)
        image = next(source.decode(stream)).to_ndarray(format="rgb24")
        first["PyAV, seek(start_time)"] = number_of(image, ramp)
    with av.open(path) as source:
        source.seek(0)
        image = next(source.decode(video=0)).to_ndarray(format="rgb24")
        first["PyAV, seek(0)"] = number_of(image, ramp)
    capture = cv2.VideoCapture(path)
    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
    first["OpenCV, set(POS_FRAMES, 0)"] = number_of(capture.read()[1], ramp)
    reader = decord.VideoReader(path)
    first["decord, reader[0]"] = number_of(reader[0].asnumpy(), ramp)
    first["decord, reader[30]"] = number_of(decord.VideoReader(path)[30].asnumpy(), ramp)
    print(f"{path} ({codec}):", "; ".join(f"{name}: {number}" for name, number in first.items()))
    found[path] = list(first.values())
assert found["c.mp4"] == [0, 0, 0, 0, 30]
assert found["a.ts"] == [12, 0, 12, 12, 44], "the behaviour has changed"
assert found["b.ts"] == [12, 0, 12, 12, 42], "the behaviour has changed"
EOF

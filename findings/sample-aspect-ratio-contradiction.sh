#!/usr/bin/env bash
# Where container and codec state different pixel shapes, one PyAV stream contradicts itself.
#
# Expected (a guess): display_aspect_ratio = width / height * sample_aspect_ratio, of one object.
# What happens: stream.sample_aspect_ratio is the container's (as in players and ffprobe),
#   stream.display_aspect_ratio the codec's. Frames carry neither.
# Seen: an MP4 of 64x64 px, 4:3 by the container, 16:15 by the codec: sample_aspect_ratio 4/3,
#   display_aspect_ratio 16/15.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: a shape that is corrected without encoding again (720x576 at 4:3) is corrected in
#   the container alone. Angles of limbs and proportions of a face depend on the property read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import struct
from fractions import Fraction

import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
av.logging.set_level(None)

with av.open("video.mp4", "w") as out:
    stream = out.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
        frame.pts = number
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
with open("video.mp4", "rb") as file:
    data = bytearray(file.read())
at = data.index(b"pasp") + 4
assert struct.unpack_from(">II", data, at) == (16, 15)
struct.pack_into(">II", data, at, 4, 3)
with open("video.mp4", "wb") as file:
    file.write(data)

with av.open("video.mp4") as source:
    stream = source.streams.video[0]
    found = {
        "stream.sample_aspect_ratio": stream.sample_aspect_ratio,
        "stream.display_aspect_ratio": stream.display_aspect_ratio,
        "stream.codec_context.sample_aspect_ratio": stream.codec_context.sample_aspect_ratio,
    }
    frame = next(source.decode(stream))
print(f"{frame.width}x{frame.height} px, container 4:3, codec 16:15")
for name, value in found.items():
    print(f"{name}: {value}")
print("frames have a sample_aspect_ratio:", hasattr(frame, "sample_aspect_ratio"))
ratios = [Fraction(4, 3), Fraction(16, 15), Fraction(16, 15)]
assert list(found.values()) == ratios, "the behaviour has changed"
assert not hasattr(frame, "sample_aspect_ratio"), "the behaviour has changed"
EOF

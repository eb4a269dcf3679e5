#!/usr/bin/env bash
# average_rate is not the frame rate: AVI with empty slots, variable WMV, soft telecine.
#
# Expected (a guess): average_rate is the number of frames by seconds, stream.frames the number.
# What happens: an AVI of 25 Hz whose every second chunk is empty (as copying programs write it) has
#   average_rate 50 and stream.frames 119 for 60 frames. A WMV of variable rate has None, and
#   guessed_rate is 1000, the clock's tick. MPEG-2 of 23.976 Hz that tells the player to repeat
#   fields (soft telecine) has 29.97. The frames' own times are right in all three.
# Seen: 50 for 25 Hz, None for 24.6 Hz on average, 30000/1001 for 23.976 Hz (23.90 over 60 frames).
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: a tremor's frequency scales with the rate that is believed: 5 Hz becomes 10 Hz.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import re
from fractions import Fraction

import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
av.logging.set_level(None)


def write(path, codec, rate, ticks, tick, change=lambda packets: packets):
    """A frame at each of `ticks` (units of `tick` s); `change` gets the coded packets."""
    with av.open(path, "w", format={"mpg": "vob"}.get(path[-3:])) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base = tick
        stream.bit_rate = 4_000_000
        noise, packets = np.random.default_rng(1), []
        for time in ticks:
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = noise.integers(60, 190, (64, 64))
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = time, tick
            packets += stream.encode(frame)
        for packet in change(packets + stream.encode(None)):
            out.mux(packet)


def telecine(packets):
    """23.976 Hz for a screen of 59.94 fields: each frame says whether it is shown for three or for
    two fields."""
    for place, packet in enumerate(packets):
        data = bytearray(bytes(packet))
        at = data.find(b"\x00\x00\x01\xb5\x14")
        if at >= 0:  # sequence extension: not progressive as a whole
            data[at + 5] &= ~0x08
        at = next(m.start() for m in re.finditer(rb"\x00\x00\x01\xb5[\x80-\x8f]", data))
        top_first, repeat = place % 4 in (0, 3), place % 2 == 0
        data[at + 7] = data[at + 7] & 0x7D | top_first << 7 | repeat << 1
        data[at + 8] |= 0x80  # progressive frame
        packet.update(bytes(data))
        packet.time_base = Fraction(1001, 60_000)
        packet.pts = packet.dts = (5 * place + 1) // 2
        packet.duration = 3 if repeat else 2
        yield packet


steps = [30, 40, 50, 33, 67, 40, 40, 25]
varied = [sum(steps) * (n // 8) + sum(steps[: n % 8]) for n in range(60)]
write("slots.avi", "mpeg4", 50, range(0, 120, 2), Fraction(1, 50))
write("varied.wmv", "wmv2", 25, varied, Fraction(1, 1000))
write("film.mpg", "mpeg2video", Fraction(30000, 1001), range(60), Fraction(1001, 30_000), telecine)
found = {}
for path in ("slots.avi", "varied.wmv", "film.mpg"):
    with av.open(path) as source:
        stream = source.streams.video[0]
        stated = stream.average_rate, stream.guessed_rate, stream.frames
        times = [frame.time for frame in source.decode(stream)]
    rate = (len(times) - 1) / (times[-1] - times[0])
    print(f"{path}: average_rate {stated[0]}, guessed_rate {stated[1]}, stream.frames {stated[2]};"
          f" {len(times)} frames at {rate:.2f} Hz by their times")
    found[path] = stated
assert found["slots.avi"] == (50, 50, 119), "the behaviour has changed"
assert found["film.mpg"][0] == Fraction(30000, 1001) and rate < 24, "the behaviour has changed"
assert found["varied.wmv"] == (None, 1000, 0), "the behaviour has changed"
EOF

#!/usr/bin/env bash
# Two MPEG-TS files joined by bytes, the second one from an earlier hour of its clock.
#
# Expected (a guess): times fall back at the joint, or go on.
# What happens: where times fall back by more than a minute, FFmpeg takes it for the wrap of the
#   33-bit clock and adds 2^33 ticks (26.5 hours) to all that follows; the container's duration
#   grows by as much. Where they fall back by less than a minute, they do fall back.
# Seen: 2.4 s from 500 s, then 2.4 s from 20 s: the second part's first frame at 95463.7 s, duration
#   94966 s for 4.8 s of video. 80 s, then 30 s: at 30.0 s, after 82.4 s.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: camcorders (AVCHD) and recorders cut a night into pieces, and "cat" is how they
#   are joined. Grids of features by time then have a day of missing frames, or memory runs out.
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


def recording(start):
    """Bytes of 60 frames of 25 Hz whose first time is `start` s."""
    with av.open("part.ts", "w", format="mpegts") as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        packets = []
        for number in range(60):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 3 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            ticks = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            out.mux(packet)
    with open("part.ts", "rb") as file:
        return file.read()


for first, second, leaps in ((500, 20, True), (90, 10, True), (80, 30, False)):
    with open("joined.ts", "wb") as file:
        file.write(recording(first) + recording(second))
    with av.open("joined.ts") as source:
        duration = source.duration / av.time_base
        times = [frame.time for frame in source.decode(video=0)]
    off = times[60] - times[0] - (second - first)
    print(f"{first} s, then {second} s: {len(times)} frames; the first at {times[0]:.1f} s, number"
          f" 60 at {times[60]:.1f} s: {off * 90000:.0f} ticks too late; duration {duration:.0f} s")
    assert len(times) == 120
    assert round(off * 90000) == (2**33 if leaps else 0), "the behaviour has changed"
EOF

#!/usr/bin/env bash
# Matroska: the header's duration is the time at which the file ends, not how long it lasts.
#
# Expected (a guess): container.duration is the length, as it is for MP4 and MPEG-TS.
# What happens: for a Matroska file whose first frame is at 5.8 s, start_time is 5.8 s and duration
#   8.2 s, where 2.4 s of video are in it. stream.duration is None, so there is nothing else to ask.
#   MP4 and MPEG-TS of the same packets have 2.4 s.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2, its own muxers). Date: 2026-11-29.
# Why it matters: pieces cut out of a long recording with their times kept (-copyts) start late.
#   They look cut off ("ends at 2.4 s of 8.2 s"), and seizures an hour would be counted over a false
#   time.
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

durations = {}
for container in ("matroska", "mp4", "mpegts"):
    with av.open("video", "w", format=container) as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        packets = []
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
            frame.pts = number
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            ticks = round(5.8 / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            out.mux(packet)
    with av.open("video") as source:
        start = source.start_time / av.time_base
        durations[container] = source.duration / av.time_base
        own = source.streams.video[0].duration
        times = [frame.time for frame in source.decode(video=0)]
    print(f"{container}: frames from {times[0]:.2f} to {times[-1]:.2f} s; start_time {start:.2f} s,"
          f" duration {durations[container]:.2f} s, stream.duration {own}")
assert durations == {"matroska": 8.2, "mp4": 2.4, "mpegts": 2.4}, "the behaviour has changed"
EOF

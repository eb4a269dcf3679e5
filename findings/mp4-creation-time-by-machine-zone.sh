#!/usr/bin/env bash
# creation_time of MP4: a time without a zone is stored by the zone of the machine that copies the
# file, and fractions of a second are lost.
#
# Expected (a guess): a time without a zone stays so, or is refused; milliseconds are kept.
# What happens: FFmpeg takes "22:00:00" for the local time of the machine that writes the file, and
#   the file holds UTC: on a server set to UTC it comes back as 22:00:00Z, on one in Berlin (winter)
#   as 21:00:00Z. "22:00:00.75Z" comes back as 22:00:00.000000Z: six decimals, always zero.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: the same step of a pipeline, run in a container and on a desktop, moves a
#   recording by an hour or two against its EEG; and the start is good to a second, 25 frames,
#   although it reads as if good to a microsecond.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import os
import time

import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
found = {}
for machine, name in (("UTC0", "UTC"), ("CET-1", "one hour ahead")):
    os.environ["TZ"] = machine
    time.tzset()
    for text in ("22:00:00", "22:00:00.75Z", "22:00:00+02:00"):
        with av.open("video.mp4", "w") as out:
            out.metadata["creation_time"] = "2026-11-29T" + text
            stream = out.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        with av.open("video.mp4") as source:
            found[machine, text] = source.metadata["creation_time"].removeprefix("2026-11-29T")
        print(f"written on a machine of {name}: {text} is read as {found[machine, text]}")
assert list(found.values()) == [
    "22:00:00.000000Z", "22:00:00.000000Z", "20:00:00.000000Z",
    "21:00:00.000000Z", "22:00:00.000000Z", "20:00:00.000000Z",
], "the behaviour has changed"
EOF

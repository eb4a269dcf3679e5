#!/usr/bin/env bash
# Deinterlacing to field rate (bwdif, yadif): the field before a hole is moved into the hole.
#
# Expected (a guess): the second field of a frame is shown half an interval after the first, always.
# What happens: its time is the middle between its frame and the next one, however far that is. With
#   three frames missing at 25 Hz it is 80 ms late, and a hole of 160 ms looks like two of 80 ms.
#   The only frame of a stream gives two fields of the same time.
# Seen: times in units of 20 ms: 0 1 2 3 4 5 6 10 14 15 ... instead of 0 1 2 3 4 5 6 7 14 15 ...
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: recorders drop frames under load. Speeds by difference of times are a quarter of
#   the true ones at the field that was moved, and the hole is no longer found by its length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
from fractions import Fraction

import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)


def fields(name, times):
    """(number shown, time in units of 20 ms) of the fields of frames at `times` (40 ms)."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=64, format="yuv420p", time_base=Fraction(1, 25))
    graph.link_nodes(
        source,
        graph.add("setfield", "tff"),
        graph.add(name, "mode=send_field:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    found = []
    for number, time in enumerate([*times, None]):
        frame = None
        if time is not None:
            planes = np.full((96, 64), 128, np.uint8)
            planes[0:64:2] = 20 + 6 * number  # upper field: 2 * number
            planes[1:64:2] = 23 + 6 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, 25)
        graph.push(frame)
        try:
            while True:
                field = graph.pull()
                shown = (field.to_ndarray()[20:40].mean() - 20) / 3
                found.append((float(shown), round(field.pts * field.time_base * 50)))
        except (av.error.BlockingIOError, av.error.EOFError):
            pass
    return found


for name in ("bwdif", "yadif"):
    found = fields(name, [0, 1, 2, 3, 7, 8, 9])
    assert [shown for shown, _ in found] == list(range(14))
    times = [time for _, time in found]
    single = [time for _, time in fields(name, [5])]
    print(f"{name}: fields 0 to 13 at {times}; field 7 is true at 7")
    print(f"{name}: the two fields of a single frame at {single}")
    assert times == [0, 1, 2, 3, 4, 5, 6, 10, 14, 15, 16, 17, 18, 19], "the behaviour has changed"
    assert single == [10, 10], "the behaviour has changed"
EOF

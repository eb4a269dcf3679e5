#!/usr/bin/env bash
# Scaling down does not remove the comb of an interlaced frame.
#
# Expected (a guess): halving the height averages each pair of lines, so the two fields of a frame
#   become one and the comb is gone, as people do with interlaced video.
# What happens: where a frame is flagged as interlaced, VideoReformatter scales its two fields one
#   by one and weaves them again: bright and dark lines stay as bright and dark, at any height. The
#   same frame not flagged is averaged.
# Seen: lines of 212 and 26 in turn, after 64 lines became 32 and 16; not flagged: all 119.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: camcorders and video-EEG systems record 50i. Whatever moves has two outlines a
#   fiftieth of a second apart, in the small images too that networks get: deinterlace before
#   scaling.
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


def combed(flag):
    """A frame of 64 lines, bright and dark in turn, flagged "tff" (interlaced) or "prog"."""
    planes = np.full((96, 64), 128, np.uint8)
    planes[0:64:2], planes[1:64:2] = 200, 40
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=64, format="yuv420p", time_base=frame.time_base)
    graph.link_nodes(source, graph.add("setfield", flag), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()


for flag in ("tff", "prog"):
    frame = combed(flag)
    for height in (32, 16):
        lines = frame.reformat(width=64, height=height, format="rgb24").to_ndarray()[4:10, 5, 0]
        print(f"interlaced_frame {frame.interlaced_frame}: 64 lines to {height}: {lines.tolist()}")
        comb = int(lines.max()) - int(lines.min())
        assert comb > 150 if flag == "tff" else comb < 10, "the behaviour has changed"
EOF

#!/usr/bin/env bash
# Filters turn grey of 10 and 12 bits and limited range into another format that is declared full.
#
# Expected (a guess): a filter gives frames of the format and the range that it was given; the
#   detector `idet`, which only looks, gives the very frames.
# What happens: bwdif and yadif do not take gray10le and gray12le, so FFmpeg converts before them,
#   to RGB (gbrp10le, gbrp12le), and before idet to gray16le: the values stay those of limited range
#   (16 and 235 of 255), but the frames declare the full range. `range=tv` at the source of the
#   graph changes nothing. w3fdif and estdif keep format and range; so do all of them with gray,
#   gray16le and colour. `scale` relabels every grey, gray included.
# Seen: black 16 and white 235 of gray10le come out of bwdif as RGB 16 and 235, declared full.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: that the range was limited can no longer be seen after the filter, so nobody can
#   stretch it: black is 16 levels and white 20 levels off, where video was deinterlaced.
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
from av.video.reformatter import ColorRange, VideoReformatter

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
av.logging.set_level(None)
BITS = {"gray": 8, "gray10le": 10, "gray12le": 12, "gray16le": 16, "yuv420p": 8, "yuv420p10le": 10}
SIDE = 64


def filtered(name, level, chain):
    """A frame of one grey level of limited range, of 8 bits, after a filter."""
    graph = av.filter.Graph()
    source = graph.add(
        "buffer", f"video_size={SIDE}x{SIDE}:pix_fmt={name}:time_base=1/25:range=tv"
    )
    kind, _, arguments = chain.partition("=")
    last = graph.add(kind, arguments or None)
    source.link_to(last)
    last.link_to(graph.add("buffersink"))
    graph.configure()
    out = None
    for number in range(6):
        frame = av.VideoFrame(SIDE, SIDE, name)
        for place, plane in enumerate(frame.planes):
            wide = BITS[name] > 8
            values = np.full(
                plane.buffer_size // (2 if wide else 1),
                (128 if place else level) << BITS[name] - 8,
                "<u2" if wide else np.uint8,
            )
            plane.update(values.tobytes())
        frame.color_range = ColorRange.MPEG
        frame.pts, frame.time_base = number, Fraction(1, 25)
        graph.push(frame)
        try:
            out = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            continue
    return out


relabelled = {}
for name in BITS:
    for chain in ("bwdif", "yadif", "w3fdif", "estdif", "idet", "scale=32:32"):
        frames = [filtered(name, level, chain) for level in (16, 235)]
        rgb = [
            int(VideoReformatter().reformat(frame, format="rgb24").to_ndarray()[16, 16, 0])
            for frame in frames
        ]
        declared = ColorRange(frames[0].color_range).name
        made = frames[0].format.name
        print(f"{name} limited, {chain}: {made}, {declared}; RGB of 16 and 235: {rgb}")
        if declared == "JPEG":
            relabelled[name, chain.partition("=")[0]] = made
            assert rgb[0] == 16 and rgb[1] in (235, 236), "the behaviour has changed"
wanted = {
    ("gray10le", "bwdif"): "gbrp10le",
    ("gray10le", "yadif"): "gbrp10le",
    ("gray10le", "idet"): "gray16le",
    ("gray12le", "bwdif"): "gbrp12le",
    ("gray12le", "yadif"): "gbrp12le",
    ("gray12le", "idet"): "gray16le",
    **{(name, "scale"): name for name in BITS if name.startswith("gray")},
}
assert relabelled == wanted, "the behaviour has changed"
EOF

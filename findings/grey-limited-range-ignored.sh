#!/usr/bin/env bash
# Grey video that declares limited range is not stretched on conversion to RGB.
#
# Expected (a guess): limited range (16 to 235) becomes 0 to 255 in RGB, whatever the pixel format.
# What happens: of yuv420p, 16 becomes 0 and 235 becomes 255; of gray, gray10le and ya8 that declare
#   the same range, 16 stays 16 and 235 stays 235. The declared range makes no difference at all.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: cameras for the night and thermal cameras record grey. The same scene has less
#   contrast (219 of 255 levels) than in a colour file, so whoever learns from both learns the
#   format.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)


def red(name, level, declared):
    """Red in RGB of a frame of one grey level, whose range is declared."""
    frame = av.VideoFrame(16, 16, name)
    for place, plane in enumerate(frame.planes):
        if name == "gray10le":
            values = np.full(plane.buffer_size // 2, level * 4, "<u2")
        elif name == "ya8":
            values = np.tile(np.array([level, 255], np.uint8), plane.buffer_size // 2)
        else:
            values = np.full(plane.buffer_size, 128 if place else level, np.uint8)
        plane.update(values.tobytes())
    frame.color_range = declared
    assert frame.color_range == declared
    return int(VideoReformatter().reformat(frame, format="rgb24").to_ndarray()[0, 0, 0])


for name in ("yuv420p", "gray", "gray10le", "ya8"):
    limited = [red(name, level, ColorRange.MPEG) for level in (16, 235)]
    full = [red(name, level, ColorRange.JPEG) for level in (16, 235)]
    print(f"{name}: 16 and 235 become {limited} if declared limited, {full} if declared full")
    assert full == [16, 235]
    assert limited == ([0, 255] if name == "yuv420p" else [16, 235]), "the behaviour has changed"
EOF

#!/usr/bin/env bash
# H.264 without B-frames in AVI: a hole shows one frame too early.
#
# Expected (a guess): without B-frames nothing is reordered, so pts are right, up to a constant.
# What happens: in AVI, FFmpeg's pts of an H.264 frame is the dts of the next packet. Before a hole
#   of ten frames (zero-length chunks, as FFmpeg's muxer writes them) the last frame gets the time
#   at which the hole ends. MPEG-4 in AVI is right, and dts is right in both.
# Seen: frames 18, 19 | 20, 21 and the hole between the bars: H.264 pts 19, 30 | 31, 32, so the hole
#   seems to lie between frames 18 and 19; dts 18, 19 | 30, 31.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: cameras drop frames where the picture changes most. A frame that seems to be held
#   for eleven intervals takes a movement's speed with it, and the frame is off the EEG by 0.4 s.
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
TIMES = [*range(20), *range(30, 70)]


def stamps(codec, options):
    """(pts, dts) in frames of 60 frames with a hole of ten after the 20th."""
    with av.open("video.avi", "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = options
        for number, time in enumerate(TIMES):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 3 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = time
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open("video.avi") as source:
        return [(frame.pts, frame.dts) for frame in source.decode(video=0)]


for codec, options in (("libx264", {"x264-params": "bframes=0"}), ("mpeg4", {})):
    found = stamps(codec, options)
    before = {}
    for kind, values in zip(("pts", "dts"), zip(*found)):
        steps = np.diff([value for value in values if value is not None])
        before[kind] = int(steps.argmax())
        print(f"{codec}: {kind} of frames 17 to 22: {values[17:23]}; the hole is after frame"
              f" {before[kind]} (true: 19)")
    wanted = {"pts": 18 if codec == "libx264" else 19, "dts": 19}
    assert before == wanted, "the behaviour has changed"
EOF

#!/usr/bin/env bash
# H.264 with B-frames in AVI and in ASF: presentation times in decoding order.
#
# Expected (a guess): a frame's pts says when it is shown, so frames sorted by pts are in order.
# What happens: AVI holds no presentation times, and FFmpeg's own ASF is no better; still each frame
#   gets a pts, in decoding order: 1, 4, 3, 5, 2, 8 frames (dts 2, 3, 4, 5, 6, 7). The decoder's own
#   order is right, and frame.dts rises with it, two frames ahead; only pts jumps to and fro.
#   Sorting by it leaves 15 of 60 frames in place. MP4 and Matroska made of the same frames are
#   right.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: AVI is a common export of clinical recorders. The path of a hand that moves 1 px a
#   frame becomes a tremor, without any error.
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


def write(path, container):
    """60 frames of 25 Hz; the brightness of each says its number."""
    with av.open(path, "w", format=container) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"x264-params": "bframes=3:keyint=12:min-keyint=12:scenecut=0:b-adapt=0"}
        for number in range(60):
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = 20 + 3 * number
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


right = {}
for container in ("avi", "asf", "mp4", "matroska"):
    write("video", container)
    with av.open("video") as source:
        frames = list(source.decode(video=0))
    shown = [round((frame.to_ndarray()[:64].mean() - 20) / 3) for frame in frames]
    by_pts = [number for _, number in sorted(zip([frame.pts for frame in frames], shown))]
    right[container] = sum(place == number for place, number in enumerate(by_pts))
    tick = frames[0].time_base * 25
    dts = [frame.dts for frame in frames if frame.dts is not None]
    print(f"{container}: shows 0 to 59 in order: {shown == list(range(60))};",
          "pts in frames", [round(frame.pts * tick) for frame in frames[:6]],
          "dts", [round(stamp * tick) for stamp in dts[:6]])
    print(f"   sorted by pts: {right[container]} of 60 in place")
    assert shown == list(range(60)) and dts == sorted(set(dts))
assert right == {"avi": 15, "asf": 15, "mp4": 60, "matroska": 60}, "the behaviour has changed"
EOF

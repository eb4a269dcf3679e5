#!/usr/bin/env bash
# Bytes overwritten in the middle of an AVI: all later frames come earlier.
#
# Expected (a guess): damage costs the frames it hits; what follows keeps its time, as the file's
#   index, at its end, still lists every chunk.
# What happens: AVI counts time in chunks, and FFmpeg counts those that it finds. After five
#   overwritten chunks every frame is five intervals early to the file's end, although
#   stream.index_entries (read from the same file) has all 60 with the right times. No error.
# Seen: 55 frames; frame 29 at place 24, the last, 59, at place 54; its place by the index: 59.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: bad sectors of a night's disk. Every event after them is early against the EEG, by
#   the sum of all damage before it.
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

with av.open("video.avi", "w") as out:
    stream = out.add_stream("mpeg4", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    stream.bit_rate = 4_000_000
    for number in range(60):
        planes = np.full((96, 64), 128, np.uint8)
        planes[:64] = 20 + 3 * number
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
with av.open("video.avi") as source:
    begins = [entry.pos for entry in source.streams.video[0].index_entries]
with open("video.avi", "rb") as file:
    data = bytearray(file.read())
data[begins[24] : begins[29]] = b"\x5a" * (begins[29] - begins[24])  # chunks 24 to 28
with open("video.avi", "wb") as file:
    file.write(data)

with av.open("video.avi") as source:
    stream = source.streams.video[0]
    index = {entry.pos + 8: entry.timestamp for entry in stream.index_entries}  # 8: chunk's header
    packets = [packet for packet in source.demux(stream) if packet.size]
with av.open("video.avi") as source:
    shown = [
        (round((frame.to_ndarray()[:64].mean() - 20) / 3), frame.pts)
        for frame in source.decode(video=0)
    ]
print(f"index: {len(index)} chunks; found: {len(packets)} packets, {len(shown)} frames")
print("(frame, pts):", *shown[22:27], "...", shown[-1])
print("last packet: dts", packets[-1].dts, "by FFmpeg,", index[packets[-1].pos], "by the index")
assert shown[:24] == [(number, number) for number in range(24)]
early = [(number, number - 5) for number in range(29, 60)]
assert shown[24:] == early and len(index) == 60, "the behaviour has changed"
assert index[packets[-1].pos] == 59, "the behaviour has changed"
EOF

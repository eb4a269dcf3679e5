#!/usr/bin/env bash
# MP4 with two edits, the second starting among reordered frames: all that follows is late.
#
# Expected (a guess): an edit list cuts a film; what the second edit shows follows the first one at
#   once.
# What happens: FFmpeg hides the frames that are decoded after the second edit's first frame but
#   shown before it (B-frames), yet counts their time: everything after is late by as many frames.
#   No warning. From a key frame on (36 here) it is right.
# Seen: 20 frames, then those from 40 on: frame 40 at place 23.0 instead of 20; from 42: 21.0; from
#   43: 22.0; from 36: 20.0.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: phones and editors trim a clip by an edit list, without encoding it again. A
#   seizure cut out of a longer film then starts up to several frames off the EEG, and its last
#   frames too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
env/bin/python - <<'EOF'
import struct

import av
import numpy as np

print("PyAV", av.__version__, "FFmpeg", av.ffmpeg_version_info)
av.logging.set_level(None)


def write(path):
    """60 frames of 25 Hz, 3 B-frames, a key frame every 12; the index stands at the end."""
    with av.open(path, "w") as out:
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


def put_edits(path, edits):
    """Replace the edit list by edits of (duration in the film's ms, media time in ticks)."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    starts, at = [], 0
    for name in (b"moov", b"trak", b"edts", b"elst"):
        while data[at + 4 : at + 8] != name:
            at += int.from_bytes(data[at : at + 4], "big")
        starts.append(at)
        end = at + int.from_bytes(data[at : at + 4], "big")
        at += 8
    content = struct.pack(">II", 0, len(edits))
    content += b"".join(struct.pack(">Iihh", *edit, 1, 0) for edit in edits)
    grown = 8 + len(content) - (end - starts[-1])
    data[starts[-1] + 8 : end] = content
    for start in starts:
        size = int.from_bytes(data[start : start + 4], "big") + grown
        data[start : start + 4] = size.to_bytes(4, "big")
    with open(path, "wb") as file:
        file.write(data)


places = {}
for first in (36, 40, 42, 43):
    write("film.mp4")
    with av.open("film.mp4") as source:
        tick = round(1 / source.streams.video[0].time_base / 25)
    delay = 2  # frames by which x264 delays the first one, so that no decoding time is negative
    put_edits("film.mp4", [(800, delay * tick), (17 * 40, (first + delay) * tick)])
    with av.open("film.mp4") as source:
        shown = [
            (round((frame.to_ndarray()[:64].mean() - 20) / 3), frame.time * 25)
            for frame in source.decode(video=0)
        ]
    assert [number for number, _ in shown[:21]] == [*range(20), first]
    places[first] = round(shown[20][1], 2)
    print(f"20 frames, then from {first} on: frame {first} is shown at place {places[first]},"
          f" expected 20; the last, {shown[-1][0]}, at {shown[-1][1]:.1f}")
assert places == {36: 20.0, 40: 23.0, 42: 21.0, 43: 22.0}, "the behaviour has changed"
EOF

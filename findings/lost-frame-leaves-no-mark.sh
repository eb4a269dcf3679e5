#!/usr/bin/env bash
# A frame lost on its way: the frames predicted from it are wrong, and FFmpeg marks none of them.
#
# Expected (a guess): what cannot be decoded as it was encoded is marked (`frame.is_corrupt`), is an
#   error, or is left out; and in a transport stream, which counts its packets, the mark lies at the
#   hole.
# What happens: of H.264, MPEG-2 and MPEG-4 the 19 frames after the lost one, up to the next key
#   frame, come out with wrong pixels, without a mark and without an error, also where `err_detect=explode`
#   asks for one. Of HEVC these frames are left out, with errors only where explode asks for them.
#   In a transport stream one packet is marked, two before the lost one, and its frame is right;
#   `fflags=+discardcorrupt` drops the packet between them, whose frame was whole as well, and shows
#   the wrong frames as before.
# Seen: frame 10 of 60 lost, key frames 0 and 30: frames 11 to 29 are up to 200 levels off. Packet 8
#   is marked; discardcorrupt drops 9.
# Version: PyAV 18.1.0 (FFmpeg 8.1.2). Date: 2026-11-29.
# Why it matters: recorders and networks lose packets. A hand jumps where the video does not show it
#   jump, and 0.8 s of wrong images enter a measure of movement as if they had been recorded.
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
SIDE, LOST, TS_PACKET, VIDEO = 128, 10, 188, 256
BACKGROUND = np.kron(np.random.default_rng(0).integers(40, 200, (32, 32)), np.ones((4, 4)))


def write(name, codec):
    """60 frames, key frames 0 and 30, no B-frames: a white square moves over a still pattern."""
    with av.open(name, "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.gop_size = 30
        stream.codec_context.max_b_frames = 0
        more = "bframes=0:scenecut=0:keyint=30:min-keyint=30"
        stream.options = {
            "libx264": {"x264-params": more},
            "libx265": {"x265-params": more + ":log-level=none"},
        }.get(codec, {})
        for number in range(60):
            planes = np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)
            planes[:SIDE] = BACKGROUND
            left = 5 * number % (SIDE - 32)
            planes[40:72, left : left + 32] = 230
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def lose(kind):
    """whole.KIND without frame 10: not remuxed into Matroska; all its packets removed from TS."""
    if kind == "mkv":
        with av.open("whole.mkv") as source, av.open("lost.mkv", "w") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            for number, packet in enumerate(source.demux(video=0)):
                if packet.dts is not None and number != LOST:
                    packet.stream = stream
                    out.mux(packet)
        return
    with open("whole.ts", "rb") as source, open("lost.ts", "wb") as out:
        number = -1
        while packet := source.read(TS_PACKET):
            if int.from_bytes(packet[1:3], "big") % 8192 == VIDEO:
                number += packet[1] >> 6 & 1  # a frame starts
                if number == LOST:
                    continue
            out.write(packet)


def read(name, origin=0, options=None, detect="0"):
    """Luma of each frame by its number; frames and packets that are marked; errors."""
    images, frames, packets, errors = {}, [], [], 0
    with av.open(name, options=options or {}) as source:
        stream = source.streams.video[0]
        stream.codec_context.options = {"err_detect": detect}
        for packet in source.demux(stream):
            if packet.is_corrupt:
                packets.append(round(packet.pts * packet.time_base * 25) - origin)
            try:
                for frame in packet.decode():
                    number = round(frame.pts * frame.time_base * 25) - origin
                    images[number] = frame.to_ndarray()[:SIDE].astype(int)
                    if frame.is_corrupt:
                        frames.append(number)
            except av.error.FFmpegError:
                errors += 1
    return images, frames, packets, errors


def text(numbers):
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 2 else ", ".join(map(str, numbers))


for codec in ("libx264", "mpeg2video", "mpeg4", "libx265"):
    for kind in ("mkv", "ts"):
        write(f"whole.{kind}", codec)
        lose(kind)
        origin = min(read(f"whole.{kind}")[0])
        whole = read(f"whole.{kind}", origin)[0]
        assert sorted(whole) == list(range(60))
        for options, detect in (({}, "explode"), ({"fflags": "+discardcorrupt"}, "0")):
            images, marked, packets, errors = read(f"lost.{kind}", origin, options, detect)
            off = {number: int(np.abs(images[number] - whole[number]).max()) for number in images}
            wrong = [number for number, value in off.items() if value > 50]
            gone = sorted(set(whole) - set(images))
            print(
                f"{codec} in {kind}, {options or 'err_detect=explode'}: not there {text(gone)};"
                f" wrong {text(wrong) or 'none'}, by up to {max(off.values())} levels;"
                f" marked frames {marked}, marked packets {packets}, errors {errors}"
            )
            assert not marked, "the behaviour has changed"
            refused = codec == "libx265" and detect == "explode"
            assert errors == (19 if refused else 0), "the behaviour has changed"
            dropped = [LOST - 1] if options and kind == "ts" else []
            assert packets == ([LOST - 2] if kind == "ts" and not options else []), "changed"
            if codec == "libx265":
                assert gone == dropped + list(range(LOST, 30)) and not wrong, "changed"
            else:
                assert gone == [*dropped, LOST], "the behaviour has changed"
                assert {11, 15, 20, 25} <= set(wrong) <= set(range(11, 30)), "changed"
EOF

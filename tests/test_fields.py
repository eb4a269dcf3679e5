"""Interlaced video: bars that move from field to field, woven, flagged and not, by known order."""

from fractions import Fraction

import av
import numpy as np
import pytest

from semiology.video import Reading, every_frame, read_frames, reader, scan_fields
from semiology.video.fields import Scan, deinterlaced

HEIGHT, WIDTH, STEP = 416, 64, 2  # px; the bar moves STEP to the right from field to field


def bar(field):
    """A grey image with a white bar whose left edge is at `8 + STEP * field`."""
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    image[:, 8 + STEP * field : 16 + STEP * field] = 220
    return image


def place(image):
    """Where the bar is in each row: mean column of what is bright, px."""
    bright = image[8:-8, :, 1].astype(float) - 60
    bright[bright < 30] = 0
    return (bright * np.arange(WIDTH)).sum(axis=1) / bright.sum(axis=1)


def interlaced(path, order, count=10, codec="mpeg2video", container="mpeg", flags=True, rate=25):
    """Write `count` frames whose fields show bar 0, 1, 2, ..., in this order."""
    with av.open(str(path), "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj422p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 8_000_000
        if flags:
            stream.options = {"flags": "+ildct+ilme"}
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=WIDTH,
            height=HEIGHT,
            format=av.VideoFormat("yuv444p"),
            time_base=Fraction(1, rate),
        )
        marked = graph.add("setfield", order if flags else "prog")
        kind = graph.add("format", stream.pix_fmt)
        graph.link_nodes(source, marked, kind, graph.add("buffersink")).configure()
        for number in range(count):
            woven = bar(2 * number + (order == "bff"))
            woven[1::2] = bar(2 * number + (order == "tff"))[1::2]
            frame = av.VideoFrame.from_ndarray(woven, "rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            graph.push(frame)
            target.mux(stream.encode(graph.pull()))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_every_field_becomes_a_frame_in_its_order_and_at_its_time(tmp_path, order):
    path = interlaced(tmp_path / "woven.mpg", order)
    frames = list(every_frame(path, Reading(fields="both")))
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx(
        [0.02 * n for n in range(20)], abs=1e-4
    )
    for frame in frames[1:-1]:  # at the ends a field has one neighbour only
        assert np.median(place(frame.image)) == pytest.approx(11.5 + STEP * frame.index, abs=1)
    found = scan_fields(path)
    assert found.interlaced and found.first == {"tff": "top", "bff": "bottom"}[order]
    assert not found.misordered and not found.unflagged


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_a_frame_of_two_fields_shows_the_first_one_without_combs(tmp_path, order):
    path = interlaced(tmp_path / "woven.mpg", order)
    whole, woven = (list(every_frame(path, Reading(fields=how))) for how in ("auto", "off"))
    assert [frame.index for frame in whole] == list(range(10))
    assert [frame.time for frame in whole] == pytest.approx([0.04 * n for n in range(10)], abs=1e-4)
    for frame, combed in list(zip(whole, woven))[1:-1]:
        assert np.abs(np.diff(place(combed.image))).mean() > 1.2  # from line to line, STEP
        assert np.abs(np.diff(place(frame.image))).mean() < 0.6
        assert np.median(place(frame.image)) == pytest.approx(11.5 + 2 * STEP * frame.index, abs=1)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_combs_without_flags_are_found(tmp_path, order):
    path = interlaced(tmp_path / "woven.avi", order, 10, "mjpeg", "avi", flags=False)
    found = scan_fields(path)
    assert found.flagged == 0 and found.unflagged
    assert found.first == {"tff": "top", "bff": "bottom"}[order]
    frames = list(every_frame(path, Reading(fields="both")))
    places = [float(np.median(place(frame.image))) for frame in frames[1:-1]]
    assert places == pytest.approx([11.5 + STEP * n for n in range(1, 19)], abs=1)


def test_progressive_video_is_bit_for_bit_what_it_is_without_looking(tmp_path):
    path = tmp_path / "whole.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(16):
            frame = av.VideoFrame.from_ndarray(bar(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    assert not scan_fields(path).interlaced
    for how in ("auto", "both"):
        read = list(every_frame(path, Reading(fields=how)))
        plain = list(every_frame(path, Reading(fields="off")))
        assert [(a.index, a.time) for a in read] == [(b.index, b.time) for b in plain]
        assert all(np.array_equal(a.image, b.image) for a, b in zip(read, plain))


def test_flags_on_progressive_images_are_false(tmp_path):
    path = tmp_path / "flagged.mpg"
    with av.open(str(path), "w", format="mpeg") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options, stream.bit_rate = {"flags": "+ildct+ilme"}, 8_000_000
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(bar(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    found = scan_fields(path)
    assert found.combed == 0
    if found.flagged:  # the encoder flags what its options state
        assert found.falsely_flagged and not found.interlaced


def test_fifty_frames_a_second_on_the_grid_are_the_fields(tmp_path):
    path = interlaced(tmp_path / "woven.mpg", "tff", 12)
    frames = list(read_frames(path, fps=50, reading=Reading(fields="both")))
    assert [frame.source_index for frame in frames] == list(range(24))


def test_a_hole_is_no_neighbour(tmp_path):
    path, holed = interlaced(tmp_path / "woven.mpg", "tff", 20), tmp_path / "holed.mkv"
    with av.open(str(path)) as source, av.open(str(holed), "w") as target:
        copied = target.add_stream_from_template(source.streams.video[0])
        times = sorted(p.pts for p in source.demux(video=0) if p.pts is not None)
        source.seek(0)
        for packet in source.demux(video=0):
            if packet.pts is None:
                continue
            late = times.index(packet.pts) // 10 * 5 * 3600  # five frames are missing after ten
            packet.pts, packet.dts, packet.stream = packet.pts + late, packet.pts + late, copied
            target.mux(packet)
    frames = list(every_frame(holed, Reading(fields="both")))
    expected = [0.02 * n + (0.2 if n >= 20 else 0) for n in range(40)]
    assert [frame.time for frame in frames] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    ("scan", "interlaced_is", "says"),
    [
        (Scan(35), False, "progressive"),
        (Scan(35, 35, 20, 0, 4, "top", 25.0), True, "interlaced, top field first"),
        (
            Scan(35, 35, 0, 20, 4, "top", 25.0),
            True,
            "interlaced, bottom field first, against its header",
        ),
        (Scan(35, 35, 0, 0, 30, "top", 25.0), False, "progressive, though flagged as interlaced"),
        (Scan(35, 0, 0, 9, 2, None, 25.0), True, "interlaced, bottom field first, not flagged"),
        (Scan(35, 0, 1, 0, 20, None, 25.0), False, "progressive"),
        (Scan(35, 0, 13, 0, 20, None, 29.97), False, "progressive, some frames interlaced (film?)"),
        (Scan(35, 35, 0, 0, 0, "bottom", 25.0), True, "interlaced, bottom field first"),
    ],
)
def test_flags_and_images_decide_together(scan, interlaced_is, says):
    assert scan.interlaced is interlaced_is and str(scan) == says


@pytest.mark.realdata
def test_a_cameras_field_pairs_give_every_field_once_and_can_be_sought(tmp_path, testdata):
    """AVCHD of 1080i, which has a packet for every field."""
    camera = testdata / "decoding/odd/Sony ILCE-7M3 (A7M3).mts"
    assert str(scan_fields(camera)) == "interlaced, top field first"
    times = [frame.time for frame in every_frame(camera, Reading(fields="both"))]
    assert len(times) == 26 and np.diff(times) == pytest.approx(np.full(25, 0.02), abs=1e-4)
    looped = tmp_path / "looped.ts"
    with av.open(str(camera)) as source, av.open(str(looped), "w", format="mpegts") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        packets = [p for p in source.demux(stream) if p.size]
        contents = [(p.pts - p.dts, p.is_keyframe, bytes(p)) for p in packets]
        for number in range(66 * len(contents)):  # 34 s
            delay, key, content = contents[number % len(contents)]
            packet = av.Packet(content)
            packet.stream, packet.time_base, packet.is_keyframe = copied, stream.time_base, key
            packet.dts = 90_000 + number * 1800
            packet.pts = packet.dts + delay
            target.mux(packet)
    found = reader._find_seek_point(looped, 32.0)
    assert found.index == round((found.first - found.origin) * 25) == 775
    frame = next(frame for frame in reader.source_frames(looped, 32.0) if frame.time >= 32)
    assert (frame.index, frame.time) == (800, pytest.approx(32.0))


def test_flags_count_where_a_joined_file_begins_progressive(tmp_path):
    plain, woven = tmp_path / "plain.ts", tmp_path / "woven.ts"
    with av.open(str(plain), "w", format="mpegts") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 8_000_000
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(bar(2 * number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    interlaced(woven, "tff", 12, container="mpegts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(plain.read_bytes() + woven.read_bytes())
    # the scan may miss what comes later in a long file
    missed = Scan(14, 0, 0, 0, 14, None, 25.0)
    for how in ("auto", "both"):
        frames = list(
            deinterlaced(reader.all_frames(joined, reading=Reading(fields="off")), missed, how)
        )
        assert [frame.index for frame in frames] == list(range(32))
        images = [frame.decoded.to_ndarray(format="rgb24") for frame in frames]
        for image in images[21:-1]:
            assert np.abs(np.diff(place(image))).mean() < 0.6
    assert all(
        np.array_equal(a.image, b.image)
        for a, b in zip(
            list(every_frame(joined))[:20], list(every_frame(joined, Reading(fields="off")))[:20]
        )
    )


def test_flags_are_not_false_before_every_place_was_looked_at(tmp_path):
    """All frames are flagged; the first 150 of 200 are progressive."""
    path = tmp_path / "mixed.mpg"
    with av.open(str(path), "w", format="mpeg") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options, stream.bit_rate = {"flags": "+ildct+ilme"}, 8_000_000
        for number in range(200):
            woven = bar(2 * number % 24)
            if number >= 150:
                woven[1::2] = bar((2 * number + 1) % 24)[1::2]
            frame = av.VideoFrame.from_ndarray(woven, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    found = scan_fields(path)
    assert found.flagged and found.combed and found.interlaced


@pytest.mark.realdata
def test_lines_of_a_slow_screen_recording_are_no_fields(testdata):
    path = testdata / "decoding/odd/testWMV.wmv"  # 5 frames a second
    assert str(scan_fields(path)) == "progressive"


def test_interlaced_grey_of_limited_range_is_stretched_as_progressive_is(tmp_path):
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 416, "gray10le"
        stream.options = {"flags": "+ildct+ilme"}
        stream.codec_context.color_range = 1  # 16 to 235
        for number in range(4):
            levels = np.full((416, 64), 16 * 4, np.uint16)  # 10 bits
            levels[0::2, 8 + 4 * number : 24 + 4 * number] = 235 * 4
            levels[1::2, 10 + 4 * number : 26 + 4 * number] = 235 * 4
            frame = av.VideoFrame(64, 416, "gray10le")
            row = frame.planes[0].line_size // 2
            frame.planes[0].update(np.pad(levels, ((0, 0), (0, row - 64))).tobytes())
            frame.color_range, frame.pts = 1, number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    for fields in ("auto", "off"):
        image = list(every_frame(path, Reading(fields=fields)))[1].image
        assert (image[:, 18:22].min(), image[:, 50:].max()) == (255, 0), fields

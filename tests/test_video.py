import gc
import logging
import math
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from semiology.errors import UserError
from semiology.video import VideoError, probe, read_frames, reader, write_video
from semiology.video.decode import in_order, open_video

WIDTH, HEIGHT = 64, 48


def number_image(number: int) -> np.ndarray:
    """An image that carries its frame number: tens as the grey of the left half, ones as that of
    the right half.
    """
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2] = 20 + 20 * (number // 10 % 10)
    image[:, WIDTH // 2 :] = 20 + 20 * (number % 10)
    image[: HEIGHT // 3] = np.random.default_rng(number).integers(
        0, 255, (HEIGHT // 3, WIDTH, 3)
    )  # MPEG times only some of tiny frames
    return image


def number_of(image: np.ndarray) -> int:
    left, right = image[3 * HEIGHT // 4, WIDTH // 4, 0], image[3 * HEIGHT // 4, 3 * WIDTH // 4, 0]
    return round((int(left) - 20) / 20) * 10 + round((int(right) - 20) / 20)


def make(
    path: Path,
    times: list[float],
    container: str = "mp4",
    codec: str = "mpeg4",
    b_frames: int = 0,
    rotation: int = 0,
    gop: int = 12,
) -> Path:
    """A video whose n-th frame shows n and has the n-th of `times` (s, multiples of 1 ms; of 1 / 25
    s in AVI and MPEG) as its timestamp.
    """
    tick = Fraction(1, 25) if container in ("avi", "mpeg") else Fraction(1, 1000)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = (
            WIDTH,
            HEIGHT,
            "yuv420p",
            8_000_000,
        )
        stream.codec_context.time_base = tick
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = b_frames, gop
        stream.options = {
            "sc_threshold": "1000000000"
        }  # a key frame each `gop` frames and nowhere else
        if rotation:
            stream.set_display_rotation(rotation)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(number_image(number), format="rgb24")
            frame.pts, frame.time_base = round(time / tick), tick
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def shown(path: Path, *args, **kwargs) -> list[int | None]:
    """The number that each output frame shows, None where missing; source_index must agree."""
    frames = list(read_frames(path, *args, **kwargs))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    numbers = [None if frame.image is None else number_of(frame.image) for frame in frames]
    assert [-1 if number is None else number for number in numbers] == [
        frame.source_index % 100 if frame.image is not None else -1 for frame in frames
    ]
    assert all(math.isnan(frame.source_time) == (frame.image is None) for frame in frames)
    return numbers


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "mpg", "avi", "asf", "wmv"])
def test_what_is_written_is_read_frame_by_frame(tmp_path, suffix):
    path = tmp_path / f"clip.{suffix}"
    write_video(path, (number_image(number) for number in range(60)), 25)
    assert shown(path) == list(range(60))
    info = probe(path)
    assert (info.width, info.height, info.fps, info.rotation, info.pixel_aspect) == (
        WIDTH,
        HEIGHT,
        25,
        0,
        1,
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_grid_takes_the_nearest_source_frame(tmp_path):
    slow = make(
        tmp_path / "slow.mp4", [n / 10 for n in range(10)]
    )  # 10 Hz; at 25 Hz the times 0.00 0.04 0.08 0.12 0.16 fall nearest to
    assert shown(slow)[:10] == [
        0,
        0,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        4,
    ]  # ... 0.2 is frame 2, and 0.24 0.28 0.32 0.36 go on as 2 3 3 4
    assert len(shown(slow)) == 25
    fast = make(tmp_path / "fast.mp4", [n / 50 for n in range(50)])
    assert shown(fast) == list(range(0, 50, 2))
    assert shown(fast, fps=10) == list(range(0, 50, 5))
    assert [frame.time for frame in read_frames(fast, fps=10)][:3] == [0, 0.1, 0.2]


def test_trim_counts_from_the_first_frame_whatever_its_timestamp(tmp_path):
    late = make(tmp_path / "late.mkv", [7 + n / 25 for n in range(50)], "matroska")
    assert probe(late).start == pytest.approx(7)
    assert shown(late, 1.0, 1.2) == [25, 26, 27, 28, 29]
    frame = next(read_frames(late, 1.0))
    assert (frame.time, frame.source_index) == (0, 25)
    assert frame.source_time == pytest.approx(1.0)


def test_a_hole_stays_a_hole_in_time(tmp_path):
    kept = [n for n in range(50) if not 20 <= n < 30]
    path = make(tmp_path / "hole.mkv", [n / 25 for n in kept], "matroska")
    assert shown(path) == [*range(20), *[None] * 10, *range(20, 40)]


def test_times_that_leap_are_an_error_unless_an_end_bounds_them(tmp_path):
    path = make(tmp_path / "leap.mkv", [0, 0.04, 0.08, 900, 900.04], "matroska")
    with pytest.raises(VideoError, match=r"leap\.mkv: .*0\.08 s to 900\.00 s"):
        list(read_frames(path))
    assert shown(path, 0, 0.2) == [0, 1, 2, None, None]


def test_one_lost_frame_is_one_missing_frame(tmp_path):
    path = make(tmp_path / "lost.mkv", [n / 25 for n in range(50) if n not in (1, 17)], "matroska")
    numbers = shown(path)
    assert [index for index, number in enumerate(numbers) if number is None] == [1, 17]
    assert numbers[2] == 1 and numbers[-1] == 47


def test_variable_rate_without_holes_has_no_missing_frames(tmp_path):
    times, time = [], 0.0
    for n in range(60):
        times.append(time)
        time += (0.030, 0.040, 0.050)[n % 3]
    frames = list(read_frames(make(tmp_path / "vfr.mkv", times, "matroska")))
    for frame in frames:
        assert frame.source_index == min(range(60), key=lambda n: abs(times[n] - frame.time))


def test_b_frames_come_in_order_of_presentation(tmp_path):
    path = make(tmp_path / "b.avi", [n / 25 for n in range(40)], "avi", b_frames=2)
    assert shown(path) == list(range(40))


def test_past_the_end_frames_are_missing_and_it_is_reported(tmp_path, caplog):
    path = make(tmp_path / "short.mp4", [n / 25 for n in range(25)])
    with caplog.at_level(logging.WARNING):
        assert shown(path, 0.8, 1.2) == [20, 21, 22, 23, 24, *[None] * 5]
    [warning] = caplog.records
    assert warning.args == pytest.approx(
        (1.0, 0.2)
    )  # the video's end, and what is missing after it
    assert "short" not in caplog.text  # logs name no file
    with pytest.raises(VideoError, match=r"short\.mp4: .*1\.00 s, .* 3 s"):
        list(read_frames(path, 3, 4))


@pytest.mark.parametrize("end", [1e5, 1e300])
def test_an_end_hours_beyond_the_video_is_a_mistake(tmp_path, end):
    path = make(tmp_path / "short.mp4", [n / 25 for n in range(25)])
    with pytest.raises(VideoError, match=r"ends at 1\.00 s, hours before the requested end"):
        list(read_frames(path, 0, end))


def test_a_truncated_file_gives_the_frames_it_has(tmp_path, caplog):
    whole = make(tmp_path / "whole.avi", [n / 25 for n in range(100)], "avi")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        numbers = shown(cut, 0, 4)
    known = [number for number in numbers if number is not None]
    assert len(numbers) == 100 and 25 < len(known) < 75
    assert numbers[: len(known)] == list(range(len(known)))
    [warning] = caplog.records
    end, missing = warning.args
    assert end == pytest.approx(len(known) / 25) and end + missing == pytest.approx(4)
    caplog.clear()
    whole = make(tmp_path / "whole.mkv", [n / 25 for n in range(100)], "matroska")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    list(read_frames(cut))
    [warning] = caplog.records
    assert warning.args[0] < 4 and warning.args[1] == pytest.approx(
        4
    )  # the end found, the header's


def test_damage_is_missing_up_to_the_next_key_frame(tmp_path):
    path = make(tmp_path / "damaged.mp4", [n / 25 for n in range(48)])
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 12, 24, 36]
    data = bytearray(path.read_bytes())
    middle, end = packets[15].pos + packets[15].size // 2, packets[15].pos + packets[15].size
    data[middle:end] = bytes(end - middle)
    path.write_bytes(data)
    assert shown(path) == [*range(15), *[None] * 9, *range(24, 48)]


def test_joined_recordings_run_on(tmp_path):
    parts = [
        make(tmp_path / f"{n}.mpg", [m / 25 for m in range(50)], "mpeg", "mpeg1video")
        for n in range(2)
    ]
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(read_frames(joined))
    assert [number_of(frame.image) for frame in frames if frame.image is not None] == [
        *range(50),
        *range(50),
    ]
    assert [frame.source_index for frame in frames] == list(range(100))


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "mpeg4"), ("mpeg", "mpeg1video"), ("avi", "mpeg4"), ("asf", "wmv2")],
)
def test_a_seek_gives_what_decoding_from_the_start_gives(tmp_path, container, codec, monkeypatch):
    path = make(
        tmp_path / f"long.{container}",
        [n / 25 for n in range(900)],
        container,
        codec,
        b_frames=0 if codec == "wmv2" else 2,
    )
    assert (
        container == "mpeg" or reader._find_seek_point(path, 32.01) is not None
    )  # FFmpeg's times in MPEG are at times doubled: then no seek
    sought = list(read_frames(path, 32.01, 33))
    monkeypatch.setattr(reader, "SEEK_FROM", math.inf)
    for a, b in zip(sought, read_frames(path, 32.01, 33), strict=True):
        assert (a.source_index, a.source_time) == (
            b.source_index,
            b.source_time,
        ) and np.array_equal(a.image, b.image)
    assert sought[0].source_index == 800 and number_of(sought[0].image) == 0


def test_a_seek_into_joined_recordings_is_not_believed(tmp_path):
    part = make(tmp_path / "part.mpg", [n / 25 for n in range(900)], "mpeg", "mpeg1video")
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(part.read_bytes() * 2)
    for start in (33, 36 + 33):
        assert next(read_frames(joined, start, start + 1)).source_index == start * 25


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path, rotation):
    path = make(tmp_path / "turned.mp4", [n / 25 for n in range(5)], rotation=rotation)
    image = next(read_frames(path)).image
    plain = next(read_frames(make(tmp_path / "plain.mp4", [n / 25 for n in range(5)]))).image
    assert np.array_equal(
        image, np.rot90(plain, rotation // 90)
    )  # the muxer's angle is counter-clockwise, as numpy's
    assert probe(path).rotation == 360 - rotation
    assert (probe(path).width, probe(path).height) == (image.shape[1], image.shape[0])


def test_a_mirroring_display_matrix_is_applied(tmp_path):
    path = tmp_path / "mirrored.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(number_image(19), format="rgb24")))
        output.mux(stream.encode())
    assert number_of(next(read_frames(path)).image) == 91


def test_frames_of_another_size_are_scaled_and_a_turned_one_is_an_error(tmp_path):
    def joined(second: tuple[int, int]) -> Path:
        path = tmp_path / f"{second[0]}.ts"
        data = b""
        for width, height in ((64, 48), second):
            part = tmp_path / "part.ts"
            with av.open(str(part), "w", format="mpegts") as output:
                stream = output.add_stream("mpeg2video", rate=25)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                for n in range(10):
                    frame = av.VideoFrame.from_ndarray(
                        np.full((height, width, 3), 20 * n, np.uint8), format="rgb24"
                    )
                    frame.pts, frame.time_base = n, Fraction(1, 25)
                    output.mux(stream.encode(frame))
                output.mux(stream.encode())
            data += part.read_bytes()
        path.write_bytes(data)
        return path

    images = [frame.image for frame in read_frames(joined((128, 96))) if frame.image is not None]
    assert {image.shape for image in images} == {(48, 64, 3)} and len(images) > 15
    with pytest.raises(VideoError, match=r"64x48 to 48x64 px at 0\.\d\d s"):
        list(read_frames(joined((48, 64))))


def test_repeated_frames_do_not_share_memory(tmp_path):
    frames = list(read_frames(make(tmp_path / "slow.mp4", [n / 10 for n in range(5)])))
    assert frames[0].source_index == frames[1].source_index
    frames[0].image[:] = 0
    assert number_of(frames[1].image) == 0 and frames[1].image.max() > 10


def test_odd_sizes_are_padded_at_the_far_edge(tmp_path):
    image = np.zeros((47, 63, 3), np.uint8)
    image[:, 40:] = 200
    write_video(tmp_path / "odd.mp4", [image] * 3, 25)
    read = next(read_frames(tmp_path / "odd.mp4")).image
    assert read.shape == (48, 64, 3)
    assert np.abs(read[:47, :63].astype(int) - image).mean() < 3


def no_video(tmp_path: Path) -> dict[str, Path]:
    files = {
        kind: tmp_path / f"{kind}.mp4"
        for kind in ("missing", "empty", "text", "folder", "sound", "headless", "picture")
    }
    files["text"] = tmp_path / "notes.txt"
    files["text"].write_text("participant 3, seizure 2\n" * 100)
    files["empty"].touch()
    files["folder"].mkdir()
    files["picture"] = tmp_path / "still.png"
    with av.open(str(files["sound"]), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 8000
        output.mux(stream.encode(sound))
        output.mux(stream.encode())
    whole = make(tmp_path / "whole.mp4", [n / 25 for n in range(50)])
    files["headless"].write_bytes(whole.read_bytes()[:2000])  # an MP4 keeps its index at the end
    with av.open(str(files["picture"]), "w", format="image2") as output:
        stream = output.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb24"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(number_image(3), format="rgb24")))
    return files


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "0 bytes"),
        ("text", "text|cannot be opened"),
        ("folder", "folder"),
        ("sound", "no video stream"),
        ("headless", "cannot be opened"),
        ("picture", "single image"),
    ],
)
def test_what_is_no_video_is_reported_in_one_line(tmp_path, kind, message):
    path = no_video(tmp_path)[kind]
    for read in (probe, lambda path: list(read_frames(path))):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
        assert str(path) not in caught.value.fault


@pytest.mark.parametrize(
    ("start", "end", "fps"),
    [(-1, 2, 25), (2, 2, 25), (3, 2, 25), (0, 1, 0), (math.nan, 1, 25), (0, math.inf, 25)],
)
def test_absurd_ranges_are_refused(tmp_path, start, end, fps):
    path = make(tmp_path / "a.mp4", [0, 0.04])
    with pytest.raises(VideoError, match=rf"a\.mp4: .*{start} s.*{end} s.*{fps} Hz"):
        list(read_frames(path, start, end, fps))


def test_writing_refuses_what_it_cannot_do_and_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match=r"a\.gifv: .*\.mp4, \.mov, \.mkv"):
        write_video(tmp_path / "a.gifv", [number_image(0)], 25)
    with pytest.raises(UserError, match=r"a\.mp4: .*no image"):
        write_video(tmp_path / "a.mp4", [], 25)
    with pytest.raises(UserError, match=r"a\.mpg: mpeg2video .*13 frames"):
        write_video(tmp_path / "a.mpg", [number_image(0)], 13)
    with pytest.raises(ValueError, match=r"image 1 has shape \(10, 10, 3\)"):
        write_video(tmp_path / "a.mp4", [number_image(0), np.zeros((10, 10, 3), np.uint8)], 25)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_colon_is_a_file(tmp_path):
    path = make(tmp_path / "plain.mp4", [0, 0.04, 0.08])
    shutil.copy(path, tmp_path / "http:clip.mp4")
    assert shown(tmp_path / "http:clip.mp4") == [0, 1, 2]


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="Linux lists a process's threads there"
)
def test_reading_gathers_neither_threads_nor_pictures(tmp_path):
    """Also while Python's collector is off: an hour of video has 90,000 frames."""
    write_video(
        tmp_path / "a.mp4", [np.full((64, 64, 3), number, np.uint8) for number in range(120)], 25.0
    )
    gc.collect()
    gc.disable()
    try:
        threads = [
            len(list(Path("/proc/self/task").iterdir()))
            for frame in read_frames(tmp_path / "a.mp4")
            if frame.index % 10 == 0
        ]
    finally:
        gc.enable()
    assert max(threads[1:]) - min(threads[1:]) <= 2


def test_a_stream_that_appears_while_a_damaged_file_is_read_loses_no_frame(tmp_path):
    """PyAV 18.1 raises an IndexError after the last packet of such a file."""
    write_video(tmp_path / "a.mp4", [np.full((48, 64, 3), 9 * n, np.uint8) for n in range(12)], 25)

    class Damaged:
        def __init__(self, container):
            self.format, self._container = container.format, container

        def demux(self, stream):
            yield from (packet for packet in self._container.demux(stream) if packet.size)
            raise IndexError("list index out of range")

    with open_video(tmp_path / "a.mp4") as (container, stream):
        times = [timed.time for timed in in_order(Damaged(container), stream)]
    assert times == pytest.approx([n / 25 for n in range(12)])

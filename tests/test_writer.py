"""The shape of a pixel in the files that are written."""

from fractions import Fraction

import av
import numpy as np
import pytest

from semiology.errors import UserError
from semiology.video import probe, write_video
from semiology.video.writer import WRITERS


def ratio_of(path) -> Fraction:
    """Width of a pixel over its height by the container, read without this project."""
    with av.open(str(path)) as container:
        return Fraction(container.streams.video[0].sample_aspect_ratio)


# the stored sizes of the paper at PAL's 4:3 and one at 16:9
@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (352, 576, Fraction(24, 11)),
        (352, 288, Fraction(12, 11)),
        (704, 576, Fraction(12, 11)),
        (720, 576, Fraction(16, 15)),
        (352, 576, Fraction(32, 11)),
        (1280, 720, Fraction(1)),
    ],
)
def test_every_suffix_keeps_the_ratio(tmp_path, width, height, aspect):
    image = np.full((height, width, 3), 90, np.uint8)
    for suffix in WRITERS:
        path = tmp_path / f"a{suffix}"
        write_video(path, [image] * 3, 25, pixel_aspect=aspect)
        assert ratio_of(path) == aspect, suffix
        assert probe(path).pixel_aspect == pytest.approx(float(aspect))


def test_a_ratio_may_be_a_float_and_below_one(tmp_path):
    image = np.full((48, 64, 3), 90, np.uint8)
    write_video(tmp_path / "a.mp4", [image] * 3, 25, pixel_aspect=16 / 15)
    write_video(tmp_path / "b.avi", [image] * 3, 25, pixel_aspect=0.5)
    assert ratio_of(tmp_path / "a.mp4") == Fraction(16, 15)
    assert ratio_of(tmp_path / "b.avi") == Fraction(1, 2)


def test_a_program_stream_holds_mpeg_2(tmp_path):
    write_video(tmp_path / "a.mpg", [np.full((48, 64, 3), 90, np.uint8)] * 3, 25)
    assert probe(tmp_path / "a.mpg").codec == "mpeg2video"


def test_ratios_that_cannot_be_written_are_refused(tmp_path):
    image = np.full((48, 64, 3), 90, np.uint8)
    with pytest.raises(UserError, match=r"a\.mpg: MPEG-2 .* 64x48 px of 3/2 would be 2\.000:1"):
        write_video(tmp_path / "a.mpg", [image], 25, pixel_aspect=1.5)
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"a\.mp4: a pixel cannot be"):
            write_video(tmp_path / "a.mp4", [image], 25, pixel_aspect=wrong)
    assert list(tmp_path.iterdir()) == []


# each of these had a leap of two frames, and then a step of none: the first three without stuffing,
# the others while key frames were stuffed to one pack
@pytest.mark.parametrize(
    ("height", "width", "part", "rate"),
    [
        (48, 64, 4, None),
        (48, 64, 4, 20_000),
        (144, 176, 4, 400_000),
        (96, 64, 3, 400_000),
        (96, 64, 2, None),
    ],
)
def test_small_frames_of_a_program_stream_keep_their_times(tmp_path, height, width, part, rate):
    images = np.full((60, height, width, 3), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (60, height // part, width, 3))
    images[:, : height // part] = noise
    write_video(tmp_path / "a.mpg", images, 25, bit_rate=rate)
    with av.open(str(tmp_path / "a.mpg")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert np.diff(times) == pytest.approx(np.full(59, 0.04))


def test_the_same_images_give_the_same_file(tmp_path):
    # with x264's macroblock tree a third of such files differed, on a processor with AVX-512
    noise = np.random.default_rng(0).integers(0, 255, (36, 44, 3), np.uint8)
    noise = noise.repeat(16, 0).repeat(16, 1)
    images = [np.roll(noise, 3 * number, 1) for number in range(75)]
    files = set()
    for number in range(6):
        write_video(tmp_path / f"{number}.mp4", images, 25)
        files.add((tmp_path / f"{number}.mp4").read_bytes())
    assert len(files) == 1


def test_images_are_scaled_to_the_size_of_the_file(tmp_path):
    """Left half dark, right half bright: so they are at the file's size, and the ratio is kept."""
    image = np.full((60, 80, 3), 40, np.uint8)
    image[:, 40:] = 200
    for suffix in (".mp4", ".mpg"):
        path = tmp_path / f"a{suffix}"
        write_video(path, [image] * 3, 25, pixel_aspect=Fraction(12, 11), size=(352, 288))
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        assert frame.shape == (288, 352, 3) and ratio_of(path) == Fraction(12, 11)
        assert abs(frame[:, :150] - 40).max() < 12 and abs(frame[:, 200:] - 200).max() < 12

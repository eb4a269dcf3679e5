"""Frames of clips as JPEG by their numbers: the right ones in any order, in a bounded memory."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from made_videos import Coding, number_of, write, x264
from PIL import Image

from semiology import UserError
from semiology.review import frames as module
from semiology.review.frames import ClipVideo, Frames
from semiology.video import Part, Recording, VideoError, read_frames
from semiology.video.recording import source_frames

COUNT = 120
CODING = Coding("mp4", "libx264", options=x264(3, 24))


def image(jpeg):
    return np.asarray(Image.open(BytesIO(jpeg)))


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "night.mp4"
    write(path, CODING, range(COUNT))
    return path


@pytest.fixture
def frames():
    opened = Frames()
    yield opened
    opened.close()


def test_every_frame_forward_backward_and_by_jumps(video, frames):
    clip = ClipVideo("a", video)
    assert frames.numbers(clip).tolist() == list(range(COUNT))
    assert frames.times(clip) == pytest.approx(np.arange(COUNT) / 25, abs=1e-9)
    assert frames.size(clip) == (128, 96)
    jumps = np.random.default_rng(0).permutation(COUNT)
    for toward, numbers in ((1, range(COUNT)), (-1, range(COUNT - 1, -1, -1)), (0, jumps)):
        for number in numbers:
            shown = frames.jpeg(clip, int(number), toward)
            assert number_of(image(shown.jpeg)) == number and not shown.damaged


def test_many_threads_get_their_own_frames(video, frames):
    clip = ClipVideo("a", video)
    numbers = np.random.default_rng(1).integers(0, COUNT, 200).tolist()
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda n: frames.jpeg(clip, n, n % 3 - 1).jpeg, numbers))
    assert [number_of(image(jpeg)) for jpeg in shown] == numbers


def test_a_part_of_a_video_has_its_own_frames_only(video, frames):
    clip = ClipVideo("a", video, 1.0, 2.0)
    assert frames.numbers(clip).tolist() == list(range(25, 50))
    assert frames.times(clip)[[0, -1]] == pytest.approx([0.0, 0.96])
    tracked = [frame.source_index for frame in read_frames(video, 1.0, 2.0)]
    assert tracked == frames.numbers(clip).tolist()
    assert number_of(image(frames.jpeg(clip, 30).jpeg)) == 30
    for number in (24, 50):
        with pytest.raises(UserError, match=f"has no frame {number}"):
            frames.jpeg(clip, number)
    with pytest.raises(VideoError, match="before the clip's start"):
        frames.numbers(ClipVideo("b", video, 60.0))


def test_frames_of_a_recording(tmp_path, frames):
    parts = []
    for number in range(2):
        write(tmp_path / f"{number}.mp4", CODING, range(60), range(60 * number, 60 * number + 60))
        parts.append(Part(tmp_path / f"{number}.mp4", 2.4 * number, number))
    clip = ClipVideo("night", Recording("night", tuple(parts)))
    numbers = frames.numbers(clip).tolist()
    assert numbers == [*range(60), *range(10_000_000, 10_000_060)]
    for place in (0, 59, 60, 61, 119):
        assert number_of(image(frames.jpeg(clip, numbers[place], -1).jpeg)) == place
    assert number_of(image(frames.thumbnail(clip, 7))) is not None


def test_a_damaged_frame_is_the_last_whole_one_darkened(video, frames):
    data = bytearray(video.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    video.write_bytes(data)
    clip = ClipVideo("a", video)
    damaged = [frame.index for frame in source_frames(video) if frame.decoded is None]
    assert damaged and damaged[0] > 0 and damaged[-1] + 1 < COUNT
    for number in damaged[::-1]:
        shown = frames.jpeg(clip, number, -1)
        assert shown.damaged and image(shown.jpeg).max() < 90
    before, after = (frames.jpeg(clip, n) for n in (damaged[0] - 1, damaged[-1] + 1))
    assert not before.damaged and not after.damaged
    assert image(shown.jpeg).mean() == pytest.approx(image(before.jpeg).mean() / 3, abs=2)
    assert number_of(image(after.jpeg)) == damaged[-1] + 1


def test_frames_are_scaled_down_never_up(video, frames):
    clip = ClipVideo("a", video)
    assert image(frames.jpeg(clip, 3, height=48).jpeg).shape == (48, 64, 3)
    assert image(frames.jpeg(clip, 3, height=200).jpeg).shape == (96, 128, 3)


def test_thumbnails_are_spread_over_the_clip(video, frames):
    clip = ClipVideo("a", video)
    shown = [number_of(image(frames.thumbnail(clip, which))) for which in range(8)]
    assert shown == sorted(shown) and len(set(shown)) >= 5  # of as many key frames
    with pytest.raises(UserError, match="no thumbnail 8"):
        frames.thumbnail(clip, 8)
    assert not frames._open  # none of them opened the clip


def test_memory_and_open_files_are_bounded(tmp_path, video):
    limit = 30 * 128 * 96 * 3 // 2  # bytes, of about thirty decoded frames
    frames = Frames(limit)
    clips = [ClipVideo(f"c{number}", video) for number in range(module.OPEN + 3)]
    for clip in clips:
        for number in range(0, COUNT, 7):
            frames.jpeg(clip, number, 1)
            assert frames._kept.size <= limit
    assert list(frames._open) == clips[-module.OPEN :]
    assert number_of(image(frames.jpeg(clips[0], 5).jpeg)) == 5
    frames.close()
    assert frames._kept.size == 0

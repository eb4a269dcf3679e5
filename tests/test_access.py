"""Any frame by its number is the frame that reading from the beginning gives: the same pixels at
the same time, or damaged as there; whatever the file, and in whatever order frames are asked for.
"""

import random
import zlib

import pytest
from made_videos import VIDEOS, Coding, number_of, write, x264
from test_fields import interlaced

from semiology import UserError
from semiology.video import Part, Reading, Recording, VideoError, numbering
from semiology.video.access import open_index
from semiology.video.decode import AS_STATED
from semiology.video.image import Converter
from semiology.video.recording import source_frames

MADE = {video.name: video for video in VIDEOS}


@pytest.fixture(autouse=True)
def few_frames(monkeypatch):
    """Videos of 60 frames are enough to trust packets, as those of an hour are: these codecs hold
    four frames at most.
    """
    for name, value in {"REORDERED": 10, "LEAD": 6, "COMPARED": 3, "SHOWN_LATER": 6}.items():
        monkeypatch.setattr(numbering, name, value)


def pixels(frame, convert):
    """Of a source frame: a digest of its RGB image, None where damaged."""
    if frame.decoded is None:
        return None
    return zlib.crc32(convert(frame.decoded, frame.pixel_aspect).tobytes())


def in_order(source, reading):
    convert = Converter()
    return [(f.index, f.time, pixels(f, convert)) for f in source_frames(source, reading=reading)]


def assert_same_frames(source, reading=AS_STATED, seed=0, requests=8):
    """Ask for frames at random, and for some in turn forward and backward."""
    frames = in_order(source, reading)
    index, convert, dice = open_index(source, reading), Converter(), random.Random(seed)
    try:
        assert index.numbers.tolist() == [number for number, *_ in frames]
        places = [dice.randrange(len(frames)) for _ in range(requests)]
        begin = dice.randrange(len(frames))
        turns = list(range(begin, min(begin + 5, len(frames))))
        for place in (*places, 0, len(frames) - 1, *turns, *turns[::-1]):
            frame = index.frame(frames[place][0])
            assert (frame.index, frame.time, pixels(frame, convert)) == frames[place]
        assert index.times.tolist() == [time for _, time, _ in frames]
        with pytest.raises(UserError, match="has no frame"):
            index.frame(frames[-1][0] + 1)
    finally:
        index.close()
    return index


@pytest.mark.parametrize("name", MADE)
def test_any_frame_of_every_kind_of_file(tmp_path, name):
    path = tmp_path / name
    MADE[name].make(path)
    try:
        whole = any(pixels is not None for *_, pixels in in_order(path, AS_STATED))
    except VideoError:
        whole = False
    if whole:
        assert_same_frames(path)
        return
    with pytest.raises(VideoError):
        open_index(path).frame(0)


TOLD = ("h264_b1.mp4", "h264_b3_open_gop.ts", "h264_b3_pyramid.avi", "mpeg4_b2.avi", "hevc_b3.mkv")


@pytest.mark.parametrize(
    "name", [*TOLD, "mpeg2_b2.ts", "wmv2.wmv", "mjpeg.mov", "h264_b3.flv", "dv.avi"]
)
def test_packets_alone_tell_the_frames_of_a_whole_file(tmp_path, name):
    """All but the last: so that an hour need not be decoded before one can jump in it."""
    MADE[name].make(tmp_path / name)
    index = open_index(tmp_path / name)
    assert len(index.times) == 60
    assert 40 < index.told_by_packets < 60


def test_damage_within_a_frame_is_the_same_after_a_jump(tmp_path):
    """Bytes of one frame of an MP4 are overwritten: no packet tells that."""
    path = tmp_path / "damaged.mp4"
    write(path, Coding("mp4", "libx264", options=x264(3, 12)), range(120))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    assert None in [shown for *_, shown in in_order(path, AS_STATED)]
    for seed in range(3):
        assert_same_frames(path, seed=seed)


@pytest.mark.parametrize("fields", ["auto", "both", "off"])
@pytest.mark.parametrize("container", ["mpegts", "matroska"])
def test_frames_made_of_fields(tmp_path, fields, container):
    path = interlaced(tmp_path / "woven", "tff", count=60, container=container)
    assert_same_frames(path, Reading(fields=fields))


def test_a_recording_of_overlapping_parts(tmp_path):
    coding = Coding("mp4", "libx264", options=x264(3, 12))
    parts = []
    for number, start in enumerate((0.0, 3.9, 12.0)):  # 0.1 s overlap, then a gap
        path = tmp_path / f"{number}.mp4"
        write(path, coding, range(100), range(100 * number, 100 * number + 100))
        parts.append(Part(path, start, number))
    recording = Recording("night", tuple(parts))
    index = assert_same_frames(recording)
    shown = index.frame(2 * 10_000_000 + 7)
    assert shown.time == pytest.approx(12.28)
    assert number_of(Converter()(shown.decoded, shown.pixel_aspect)) == 207
    with pytest.raises(UserError, match="has no frame"):
        index.frame(98)  # shown by the second part


def test_faults_are_one_line(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        open_index(tmp_path / "none.mp4").frame(0)
    path = tmp_path / "h264_b0.mp4"
    MADE["h264_b0.mp4"].make(path)
    for number in (-1, 60, 10**9):
        with pytest.raises(UserError, match=f"has no frame {number}"):
            open_index(path).frame(number)


REAL = (
    *("decord/corrupted.mp4", "decord/unordered.mov", "odd/testASF.asf", "odd/testWMV_WMV2.wmv"),
    *("odd/Sony ILCE-7M3 (A7M3).mts", "odd/with-gps.mov", "torchcodec/nasa_13013.mp4"),
    *("torchcodec/discard_first_keyframe.mp4", "torchcodec/sine_stereo_mp2.mpg"),
    "torchcodec/testsrc2_vp8.webm",
)


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_any_frame_of_real_files(testdata, name):
    assert_same_frames(testdata / "decoding" / name)

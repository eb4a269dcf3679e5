"""Every real clip of the decoding set gives the frames of its truth, or one clear error."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from semiology.video import VideoError, probe, read_frames
from semiology.video.reader import source_frames

pytestmark = pytest.mark.realdata

# Whole frames of each file. All but one are what FFmpeg's own decoding counts (see `raw_times`);
# the odd ones say why.
FRAMES = {
    # the header says 50; FFmpeg shows 49, but from the 29th on they are built on a frame that is
    # damaged
    "decord/corrupted.mp4": 28,
    "decord/unordered.mov": 4,
    "decord/video_0.mov": 3,
    "decord/video_90.mov": 3,
    "decord/video_180.mov": 3,
    "decord/video_270.mov": 3,
    "odd/DV.dv": 1,  # cut off in its first frame
    "odd/Flash.flv": 1,  # cut off after its first frame, the header says 3.1 s
    "odd/Sony ILCE-7M3 (A7M3).mts": 13,  # 26 packets: each holds one field of an interlaced frame
    "odd/big_buck_bunny_432_433.webm": 24,
    "odd/no_duration.webm": 74,
    "odd/sample.3gp": 74,
    # its encoder left out frames, up to 2.9 s of them; it has two video streams, the first is meant
    "odd/testASF.asf": 108,
    "odd/testFLV.flv": 28,
    "odd/testMKV.mkv": 28,
    "odd/testWEBM.webm": 28,
    "odd/testWMV.wmv": 25,
    "odd/testWMV_WMV2.wmv": 166,
    "odd/transparent.webm": 150,
    "odd/webm.webm": 1,
    "odd/with-gps.mov": 120,
    "odd/xmp480qt.mov": 30,
    "torchcodec/av1_video.mkv": 125,
    "torchcodec/bt2020_10bit.mp4": 60,
    "torchcodec/bt601_full_range.mp4": 60,
    "torchcodec/bt601_limited_range.mp4": 60,
    "torchcodec/bt709_full_range.mp4": 30,
    # 30 packets, of which an edit list hides the first 5
    "torchcodec/discard_first_keyframe.mp4": 25,
    "torchcodec/h264_10bits.mp4": 30,
    "torchcodec/h265_10bits.mp4": 30,
    "torchcodec/h265_video.mp4": 10,
    "torchcodec/nasa_13013.mp4": 390,  # two video streams: the larger, stream 3
    "torchcodec/nasa_13013_hdr.mp4": 325,
    "torchcodec/nasa_13013_rotated.mp4": 17,
    "torchcodec/sine_stereo_mp2.mpg": 100,
    "torchcodec/test_non_zero_start.mp4": 12,
    "torchcodec/testsrc2.mp4": 60,
    "torchcodec/testsrc2_12bit_hdr.mp4": 60,
    "torchcodec/testsrc2_444_10bit_hevc.mp4": 25,
    "torchcodec/testsrc2_444_12bit_hevc.mp4": 25,
    "torchcodec/testsrc2_444_8bit_hevc.mp4": 25,
    "torchcodec/testsrc2_av1_10bit.mp4": 25,
    "torchcodec/testsrc2_h265.mp4": 60,
    "torchcodec/testsrc2_hdr.mp4": 60,
    "torchcodec/testsrc2_mpeg4.avi": 30,
    "torchcodec/testsrc2_mpeg4.mp4": 1,
    "torchcodec/testsrc2_odd_height_444.mp4": 25,
    "torchcodec/testsrc2_odd_height_and_width_444.mp4": 25,
    "torchcodec/testsrc2_odd_height_and_width_444_10bit.mp4": 25,
    "torchcodec/testsrc2_odd_height_and_width_mpeg2.mp4": 10,
    "torchcodec/testsrc2_odd_height_and_width_vp9.mp4": 25,
    "torchcodec/testsrc2_odd_height_and_width_vp9_10bit.mp4": 25,
    "torchcodec/testsrc2_odd_height_vp9.mp4": 25,
    "torchcodec/testsrc2_odd_height_vp9_10bit.mp4": 25,
    "torchcodec/testsrc2_odd_width_444.mp4": 25,
    "torchcodec/testsrc2_odd_width_mpeg2.mp4": 10,
    "torchcodec/testsrc2_odd_width_vp9.mp4": 25,
    "torchcodec/testsrc2_odd_width_vp9_10bit.mp4": 25,
    "torchcodec/testsrc2_vp8.webm": 30,
    "torchcodec/testsrc2_vp9.webm": 30,
}

UNREADABLE = "cannot be opened"
UNDECODABLE = "no frame .* decoded"
ERRORS = {
    "odd/ASF.wmv": UNREADABLE,
    "odd/FlashVideo.flv": UNREADABLE,
    "odd/Matroska.mkv": UNREADABLE,
    # these hold a header and no frame: samples of metadata readers
    "odd/AudioVideoInterleave.avi": UNDECODABLE,
    "odd/M2TS.mts": UNDECODABLE,
    "odd/Pentax.avi": UNDECODABLE,
    "odd/QuickTime.mov": UNDECODABLE,  # its second stream is an 8x8 cover image
    "odd/RIFF.avi": UNDECODABLE,
    "odd/WindowsMediaVideo.wmv": UNDECODABLE,
    "odd/testMP4_StillImageTimeZero.mov": "no video stream",
    "torchcodec/sine_mono_mp3.swf": "no video stream",
}


def raw_times(path: Path) -> list[float]:
    """Timestamps in seconds of what FFmpeg decodes on one thread, in order, nothing left out."""
    times = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                times += [frame.time for frame in packet.decode()]
            except av.error.InvalidDataError:
                continue
    return sorted(times)


def test_the_table_names_every_clip(testdata):
    folder = testdata / "decoding"
    clips = {
        f"{path.parent.name}/{path.name}"
        for path in folder.glob("*/*")
        if path.suffix != ".json" and path.name != "LICENSE"
    }
    assert clips == FRAMES.keys() | ERRORS.keys()


@pytest.mark.parametrize("name", FRAMES)
def test_source_frames_are_those_of_the_truth(testdata, name):
    path = testdata / "decoding" / name
    frames = [(frame.time, frame.index) for frame in source_frames(path)]
    assert len(frames) == FRAMES[name]
    assert [index for _, index in frames] == list(range(len(frames)))
    raw = raw_times(path)
    assert [time for time, _ in frames] == pytest.approx(
        [time - raw[0] for time in raw[: len(frames)]], abs=1e-9
    )
    assert len(raw) == len(frames) or name == "decord/corrupted.mp4"
    assert probe(path).start == pytest.approx(raw[0])


@pytest.mark.parametrize("name", FRAMES)
def test_the_grid_shows_the_nearest_of_them(testdata, name):
    path = testdata / "decoding" / name
    times = [frame.time for frame in source_frames(path)]
    info = probe(path)
    frames = list(read_frames(path))
    for frame in frames:
        if frame.image is not None:
            assert (
                frame.image.shape == (info.height, info.width, 3) and frame.image.dtype == np.uint8
            )
            assert frame.source_time == times[frame.source_index]
            assert (
                abs(frame.source_time - frame.time)
                <= min(abs(time - frame.time) for time in times) + 1e-6
            )
    missing = sum(frame.image is None for frame in frames)
    if name == "decord/corrupted.mp4":
        # 10 Hz, 50 frames; damaged from 2.8 s on, and no key frame follows: missing to its end
        assert len(frames) == 125 and [frame.image is None for frame in frames[70:]] == [True] * 55
    else:
        assert (missing > 0) == (name == "odd/testASF.asf")


def test_a_hole_of_real_life(testdata):
    """testASF.asf holds 15 Hz video with gaps of up to 2.9 s: inside them the frames are missing,
    around them none is.
    """
    path = testdata / "decoding/odd/testASF.asf"
    times = np.array([frame.time for frame in source_frames(path)])
    for frame in read_frames(path):
        distance = np.abs(times - frame.time).min()
        if distance <= 0.75 * 0.066:
            assert frame.image is not None
        if distance > 0.3:
            assert frame.image is None and frame.source_index == -1


@pytest.mark.parametrize("name", ERRORS)
def test_the_rest_gives_one_clear_error(testdata, name):
    path = testdata / "decoding" / name
    for read in (probe, lambda path: list(read_frames(path))):
        with pytest.raises(VideoError, match=ERRORS[name]) as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "truth",
    ["nasa_13013.mp4.stream3", "nasa_13013_rotated.mp4.stream0", "test_non_zero_start.mp4.stream0"],
)
def test_times_are_those_of_the_frame_tables(testdata, truth):
    folder = testdata / "decoding/torchcodec"
    table = json.loads((folder / f"{truth}.all_frames_info.json").read_text())
    seconds = [float(Fraction(row["pts_time"])) for row in table]
    times = [frame.time for frame in source_frames(folder / truth.rsplit(".", 1)[0])]
    assert times == pytest.approx(
        [second - seconds[0] for second in seconds], abs=2e-6
    )  # the tables have six decimals


@pytest.mark.parametrize(
    ("name", "turn"),
    [("decord/video_90.mov", 90), ("decord/video_270.mov", 270), ("decord/video_180.mov", 180)],
)
def test_rotation_of_real_phones(testdata, name, turn):
    path = testdata / "decoding" / name
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert probe(path).rotation == turn
    assert np.array_equal(
        next(read_frames(path)).image, np.rot90(stored, -turn // 90)
    )  # numpy turns counter-clockwise

"""Frames come in the order and at the time at which they are shown, whatever container, codec and
accidents; `make bench NAME=frame-order` reads many more files.
"""

import numpy as np
import pytest
from made_videos import VIDEOS, Truth, compare, faults, number_image, number_of

MADE = {video.name: video for video in VIDEOS}
QUICK = [
    "h264_b3_pyramid.avi",  # no presentation times, frames reordered
    "h264_b1.avi",
    "h264_b3_open_gop.mp4",
    "h264_b3.h264",  # no times at all
    "hevc_b3.mkv",
    "mpeg4_b2.avi",
    "mpeg1_b2.avi",
    "mpeg2_b2_tiny.mpg",  # times for some frames only
    "wmv2.wmv",
    "vp9_hidden_frames.webm",  # packets that are not shown
    "hole_h264_b0.avi",
    "hole_h264_b3.avi",
    "slots_half_empty_h264_b3.avi",
    "ntsc_h264_b3.mkv",
    "varied_widely_h264_b3.mp4",
    "starts_at_5_8_s.mkv",
    "starts_below_0.mkv",
    "wraps_h264_b3.ts",
    "wraps_mpeg2_b2.mpg",
    "joined_same_start_mpeg2_b2.mpg",
    "joined_earlier_h264_b3.ts",
    "leaps_5_s_mpeg2_b2.mpg",
    "copied_from_h264_b3_avi.mp4",
    "copied_from_h264_b3_avi_with_holes.mp4",
    "repeats_a_time_thrice.mkv",
    "clock_set_back_200_ms_h264_b3.flv",
    "clock_set_back_500_ms_mpeg2_b2.mpg",
    "half_the_times_missing_h264_b3.ts",
    "frames_of_no_duration.mp4",
    "edit_trims_start_and_end.mp4",
    "edit_waits_and_trims.mov",
    "telecine.mpg",
    "begun_late_h264_b3.ts",
    "cut_off_h264_b3.avi",
    "cut_off.mp4",
    "overwritten_h264_b3.ts",
    "overwritten_h264_b3.avi",
]


@pytest.mark.parametrize("name", QUICK)
def test_every_frame_is_read_in_order_and_at_its_time(tmp_path, name):
    path = tmp_path / name
    assert faults(path, MADE[name].make(path)) == []


@pytest.mark.parametrize("name", ["long_h264_b3.avi", "long_h264_b3.ts"])
def test_a_seek_keeps_order_and_time(tmp_path, name):
    path = tmp_path / name
    assert faults(path, MADE[name].make(path)) == []


def test_the_names_are_unique():
    assert len(MADE) == len(VIDEOS)


def test_an_image_shows_its_number():
    for number in (0, 1, 5, 31, 32, 682, 1023):
        assert number_of(number_image(number)) == number
    mixed = np.where(np.arange(96)[:, None, None] < 60, number_image(5), number_image(900))
    assert number_of(mixed) is None


def test_the_comparison_sees_swaps_gaps_and_late_frames():
    truth = Truth([0, 1, 2, 3], [0, 0.04, 0.08, 0.12])
    right = [(0.0, 0), (0.04, 1), (0.08, 2), (0.12, 3)]
    assert compare(right, truth) == ""
    assert "1 of 4 in place" in compare([(0.0, 0), (0.04, 2), (0.08, 3), (0.12, 1)], truth)
    assert "3 frames, not 4" in compare(right[:3], truth)
    assert "3 of 4 times right; frame 2 is at 0.101 s" in compare(
        [*right[:2], (0.101, 2), right[3]], truth
    )
    assert compare([*right[:2], (0.099, 2), right[3]], truth) == ""

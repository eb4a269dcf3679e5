"""When each frame is shown: times made of a decoder's time stamps, by hand."""

from itertools import pairwise

import pytest

from semiology.video.timestamps import Stamped, presentation_times


def timed(stamps, **how):
    """Times of frames with (pts, dts), in the order of the frames."""
    frames = (Stamped(pts, dts, number) for number, (pts, dts) in enumerate(stamps))
    found = list(presentation_times(frames, **how))
    assert [frame.content for frame in found] == list(range(len(stamps)))  # the decoder's order
    times = [frame.time for frame in found]
    assert all(earlier < later for earlier, later in pairwise(times))
    return times


def same(stamps):
    """Frames whose presentation and decoding times are the same."""
    return [(stamp, stamp) for stamp in stamps]


def test_good_stamps_are_kept():
    assert timed(same([0.5, 0.54, 0.58, 0.7])) == [0.5, 0.54, 0.58, 0.7]


@pytest.mark.parametrize("frames", [7, 40])
def test_a_missing_stamp_lies_between_its_neighbours(frames):
    stamps = same([0.04 * n for n in range(frames)])
    stamps[3] = (None, None)
    assert timed(stamps) == pytest.approx([0.04 * n for n in range(frames)])


def test_a_frame_that_repeats_a_stamp_takes_the_hole_behind_it():
    assert timed(same([0, 1, 2, 2, 4, 5])) == [0, 1, 2, 3, 4, 5]


def test_frames_more_than_stamps_share_the_interval():
    assert timed(same([0, 1, 2, 2, 3, 4])) == [0, 1, 2, 2.5, 3, 4]
    assert timed(same([0, 1, 2, 2, 2, 3, 4])) == pytest.approx(
        [0, 1, 2, 2 + 1 / 3, 2 + 2 / 3, 3, 4]
    )


def test_a_repeated_stamp_before_a_hole_is_no_further_than_one_interval():
    assert timed(same([0, 1, 2, 2, 50, 51])) == [0, 1, 2, 3, 50, 51]


def test_first_frames_without_stamps_come_before_the_first_stamp():
    assert timed([(None, None), (None, None), *same([0.5, 0.54, 0.58])], interval=0.04) == (
        pytest.approx([0.42, 0.46, 0.5, 0.54, 0.58])
    )


def test_a_stream_without_stamps_has_the_stated_interval():
    assert timed([(None, None)] * 30, interval=0.02) == pytest.approx([0.02 * n for n in range(30)])


# what PyAV 18.1 gives for H.264 with B-frames in AVI: (pts, dts) in the decoder's order
AVI = [(1, 2), (4, 3), (3, 4), (5, 5), (2, 6), (8, 7), (7, 8), (9, 9), (6, 10), (10, 11), (11, 12)]


@pytest.mark.parametrize("by_dts", [True, False])
def test_stamps_made_up_in_decoding_order_are_replaced(by_dts):
    times = timed(AVI, by_dts=by_dts)
    assert [time - times[0] for time in times] == list(range(len(AVI)))


def test_decoding_times_go_on_where_b_frames_begin_late():
    quiet = [(n, n + 2) for n in range(20)]
    busy = [(20 + pts, 20 + dts + 1) for pts, dts in AVI]
    assert timed(quiet + busy) == pytest.approx(list(range(20)) + [20 + n + 1 for n in range(11)])


def test_the_last_frames_have_no_decoding_times():
    times = timed([*AVI, (13, None), (12, None)], by_dts=True)
    assert [time - times[0] for time in times] == list(range(len(AVI) + 2))


def test_a_hole_stays_one_in_decoding_times():
    holed = [(pts, dts + 5 if dts > 6 else dts) for pts, dts in AVI]
    times = timed(holed, by_dts=True)
    assert [time - times[0] for time in times] == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15]


def test_a_recording_that_was_joined_on_follows_after_one_interval():
    assert timed(same([10, 11, 12, 3, 4, 5])) == [10, 11, 12, 13, 14, 15]


def test_a_small_step_back_of_both_stamps_is_a_joined_recording():
    first = [0.04 * n for n in range(20)]
    again = [0.4 + 0.04 * n for n in range(20)]  # begins before the first one's end, at 0.76
    assert timed(same(first + again)) == pytest.approx([0.04 * n for n in range(40)])


def test_inferred_stamps_that_fall_back_count_as_absent():
    stamps = [0.0, 0.04, 0.08, 0.04, 0.16, 0.2]
    assert timed(same(stamps), inferred=True) == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])


@pytest.mark.parametrize("back", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("inferred", [True, False])
def test_a_clock_that_is_set_back_loses_no_frame(back, inferred):
    """Of 250 frames, from the 125th on stamped too early, none is squeezed between others."""
    stamps = [0.04 * n - back * (n >= 125) for n in range(250)]
    times = timed(same(stamps), inferred=inferred)
    assert times == pytest.approx([0.04 * n for n in range(250)])


def test_many_repeated_stamps_are_made_up_for():
    times = timed(same([0, 1, 2, *[3] * 15, *range(4, 40)]))
    assert times[-1] == 39  # the last stamp holds again


@pytest.mark.parametrize("late", [4, 5])
@pytest.mark.parametrize("inferred", [True, False])
def test_a_stamp_that_leaps_and_is_taken_back_was_the_wrong_one(late, inferred):
    stamps = [(n, None) for n in (0, 1, 2, late, 4, 5, 6, 7)]  # the fourth is of a later frame
    assert timed(stamps, inferred=inferred) == [0, 1, 2, 3, 4, 5, 6, 7]

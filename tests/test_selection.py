"""Frames to label: the ones that differ, the ones where the tracker is unsure, the ones where it
leaps; and their images.
"""

import numpy as np
import pytest
from PIL import Image

from semiology import make_tracks
from semiology.errors import UserError
from semiology.tracking.labels import selection
from semiology.tracking.labels.labels import HIDDEN, UNLABELLED, VISIBLE
from semiology.tracking.labels.selection import (
    choose_rows,
    diverse_frames,
    jump_rows,
    label_frames,
    low_confidence_rows,
    read_thumbnails,
    rejected_rows,
)
from semiology.video import write_video

SCENES = {
    0: (200, 30, 30),
    30: (30, 30, 200),
    60: (230, 230, 230),
}  # first frame -> colour of the left half


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """90 frames at 25 Hz, 160x96 px, three scenes; the right half is grey n + 60 in frame n."""
    path = tmp_path_factory.mktemp("video") / "three_scenes.mp4"

    def images():
        for number in range(90):
            image = np.zeros((96, 160, 3), np.uint8)
            image[:, :80] = SCENES[number // 30 * 30]
            image[:, 80:] = number + 60
            yield image

    write_video(path, images(), 25)
    return path


def still(frames=100, fps=25.0, **more):
    """A wrist at 100, 50 and an elbow at 20, 80 that tremble by less than half a pixel."""
    position = np.array([[100.0, 50.0], [20.0, 80.0]]) + np.random.default_rng(0).uniform(
        -0.3, 0.3, (frames, 2, 2)
    )
    return make_tracks(position, ["wrist", "elbow"], fps, width=160, height=96, **more)


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_takes_one_frame_of_each_scene(video, seed):
    rows = choose_rows(video, 3, "kmeans", seed=seed)
    assert sorted(rows // 30) == [0, 1, 2]
    assert rows.tolist() == choose_rows(video, 3, "kmeans", seed=seed).tolist()


def test_another_seed_draws_other_frames_and_as_many_are_returned_as_requested(video):
    assert len({tuple(choose_rows(video, 5, "kmeans", seed=seed)) for seed in range(4)}) > 1
    assert [
        len(choose_rows(video, count, method))
        for count in (1, 7, 90, 200)
        for method in ("kmeans", "uniform")
    ] == [1, 1, 7, 7, 90, 90, 90, 90]


def test_a_tenth_of_the_frames(video):
    assert len(choose_rows(video, share=0.1)) == 9
    tracks = still(90, confidence=np.tile(np.linspace(0.2, 1, 90)[:, None], (1, 2)))
    assert choose_rows(video, share=0.1, method="confidence", tracks=tracks).tolist() == [
        0,
        5,
        10,
        15,
        20,
        25,
        30,
        35,
        40,
    ]


def test_equal_frames_still_give_the_requested_number():
    assert len(set(diverse_frames(np.full((20, 6), 7, np.uint8), 4).tolist())) == 4


def test_thumbnails_are_thirty_wide_and_of_a_long_video_only_some_are_kept(video, monkeypatch):
    rows, thumbnails = read_thumbnails(video)
    assert rows.tolist() == list(range(90)) and thumbnails.shape == (90, 30 * 18)
    assert abs(int(thumbnails[10].reshape(18, 30)[9, 25]) - 70) <= 4  # the grey of frame 10
    monkeypatch.setattr(selection, "MAX_THUMBNAILS", 40)
    assert read_thumbnails(video)[0].tolist() == list(
        range(0, 90, 4)
    )  # 40 held -> every second; 40 again (at row 78) -> every fourth


def test_the_frames_with_the_lowest_confidence_are_chosen_apart_from_each_other():
    confidence = np.full((100, 2), 0.9)
    confidence[40:44] = 0.1
    confidence[43, 0] = 0.0
    confidence[70, 1] = 0.2
    tracks = still(confidence=confidence)
    assert low_confidence_rows(tracks, 2).tolist() == [43, 70]  # 40 to 42 look like 43


def test_a_frame_that_the_video_lacks_is_never_chosen():
    confidence = np.full((100, 2), 0.9)
    confidence[[20, 60]] = 0
    index = np.arange(100)
    index[20] = -1
    assert low_confidence_rows(still(confidence=confidence, source_index=index), 1).tolist() == [60]


def test_points_without_a_score_make_no_frame_unsure():
    confidence = np.full((100, 2), 0.9)
    confidence[20] = np.nan  # no score at all: not chosen
    confidence[40] = [np.nan, 0.8]  # mean of what there is: 0.8, the lowest
    confidence[60] = [0.9, 0.75]  # mean 0.825
    tracks = still(confidence=confidence)
    assert low_confidence_rows(tracks, 2).tolist() == [40, 60] and 20 not in low_confidence_rows(
        tracks, 100
    )
    with pytest.raises(UserError, match="jumps"):
        low_confidence_rows(still(confidence=np.full((100, 2), np.nan)), 2)


def test_a_planted_jump_is_found_at_its_row_and_stillness_holds_none():
    tracks = still()
    assert jump_rows(tracks, 10).tolist() == []
    tracks["position"].loc[{"keypoint": "wrist"}][30:, 0] += (
        25.0  # from row 30 on it lies elsewhere: one leap
    )
    tracks["position"].loc[{"keypoint": "elbow"}][77, 1] -= (
        60.0  # there and back: leaps at 77 and 78, which are neighbours
    )
    assert jump_rows(tracks, 10).tolist() == [30, 77]
    assert jump_rows(tracks, 1).tolist() == [77]


def test_the_rows_with_most_rejected_points_are_chosen():
    tracks = still()
    assert rejected_rows(tracks, 3).tolist() == []  # never checked
    rejected = np.zeros((100, 2), np.int8)
    rejected[10, 0] = rejected[50, 0] = 3
    rejected[70] = 3
    tracks["rejected"] = (("time", "keypoint"), rejected)
    assert rejected_rows(tracks, 1).tolist() == [70]
    assert rejected_rows(tracks, 9).tolist() == [10, 50, 70]


def test_steady_fast_movement_is_no_jump():
    position = np.stack([np.arange(100) * 8.0, np.zeros(100)], axis=1)[:, None]
    assert jump_rows(make_tracks(position, ["wrist"], 25.0), 5).tolist() == []


def test_pictures_are_the_frames_of_the_rows_and_labels_hold_the_tracks_there(video, tmp_path):
    position = np.zeros((90, 3, 2))
    position[..., 0] = np.arange(90)[:, None]  # x encodes the row
    position[..., 1] = [10, 20, 200]  # y encodes the joint; the third is below the frame
    tracks = make_tracks(position, ["wrist", "elbow", "hip"], 25.0, width=160, height=96)
    tracks["confidence"].loc[{"keypoint": "elbow"}] = 0  # as fill_gaps leaves it
    labels = label_frames(
        video,
        [70, 12],
        tmp_path,
        name="c1",
        participant_id="p1",
        keypoints=["elbow", "wrist", "hip"],
        tracks=tracks,
    )
    assert [frame.frame_id for frame in labels.frames] == ["c1/img00012.png", "c1/img00070.png"]
    assert [
        (frame.index, frame.width, frame.height, frame.participant_id) for frame in labels.frames
    ] == [(12, 160, 96, "p1"), (70, 160, 96, "p1")]
    assert labels.position[:, :2].tolist() == [[[12, 20], [12, 10]], [[70, 20], [70, 10]]]
    assert (
        labels.visibility.tolist() == [[HIDDEN, VISIBLE, UNLABELLED]] * 2
        and np.isnan(labels.position[:, 2]).all()
    )
    for frame in labels.frames:
        assert abs(int(np.asarray(Image.open(frame.image))[50, 120, 0]) - (frame.index + 60)) <= 4


def test_rows_count_from_the_start_of_the_clip_and_pictures_from_the_start_of_the_video(
    video, tmp_path
):
    labels = label_frames(
        video, [5], tmp_path, name="c1", participant_id="p1", keypoints=["wrist"], start=1.0
    )
    assert labels.frames[0].index == 30 and labels.frames[0].image.name == "img00030.png"
    assert np.isnan(labels.position).all() and (labels.visibility == UNLABELLED).all()


def test_a_frame_that_two_rows_show_is_one_picture(video, tmp_path):
    labels = label_frames(
        video, [0, 1, 2, 3], tmp_path, name="c1", participant_id="p1", keypoints=["wrist"], fps=50.0
    )
    assert [frame.index for frame in labels.frames] == [0, 1]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rows": [95]}, "row 95 lies beyond"),
        ({"keypoints": ["ankle"]}, "hold no 'ankle'"),
        ({"start": 1.0, "end": 3.0}, "row 3 of its tracks is not of this frame"),
    ],
)
def test_frames_that_do_not_fit_are_named(video, tmp_path, change, fault):
    given = {"rows": [3], "keypoints": ["wrist"], "tracks": still(90), **change}
    with pytest.raises(UserError, match=fault):
        label_frames(video, folder=tmp_path, name="c1", participant_id="p1", **given)


def test_what_needs_tracks_reports_it(video):
    with pytest.raises(UserError, match="'jumps'"):
        choose_rows(video, 3, "jumps")
    for wrong in ({"count": 0}, {}, {"count": 3, "share": 0.1}, {"share": 1.5}, {"share": 0.0}):
        with pytest.raises(UserError, match=r"frames: .*share: "):
            choose_rows(video, **wrong)

import numpy as np

from semiology.data.overlay import draw, write_overlay
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks
from semiology.video import read_frames, write_video

SKELETON = load_skeleton("upper_body_11")


def body() -> np.ndarray:
    """All joints at (50, 50) but the patient's left wrist, at (150, 100)."""
    points = np.full((11, 2), 50.0)
    points[SKELETON.names.index("left_wrist")] = 150, 100
    return points


def test_joints_and_bones_are_drawn_in_a_copy_in_the_colour_of_their_side():
    image = np.zeros((200, 300, 3), np.uint8)
    drawn = draw(image, body(), skeleton=SKELETON)
    assert (image == 0).all()
    assert drawn[100, 150].tolist() == [255, 170, 0]
    assert drawn[75, 100].tolist() == [255, 170, 0]  # half-way along the forearm
    assert (drawn[150:] == 0).all()


def test_missing_joints_are_not_drawn_and_unsure_ones_hollow():
    points = body()
    confidence = np.ones(11)
    confidence[SKELETON.names.index("left_wrist")] = 0.1
    drawn = draw(
        np.zeros((200, 300, 3), np.uint8), points, skeleton=SKELETON, confidence=confidence
    )
    assert drawn[75, 100].tolist() == [127, 85, 0]
    confidence[:] = np.nan  # no scores: nothing is unsure
    unscored = draw(
        np.zeros((200, 300, 3), np.uint8), points, skeleton=SKELETON, confidence=confidence
    )
    np.testing.assert_array_equal(
        unscored, draw(np.zeros((200, 300, 3), np.uint8), points, skeleton=SKELETON)
    )
    confidence[SKELETON.names.index("left_wrist")] = (
        0.1  # beside an elbow without a score the bone is dark all the same
    )
    drawn = draw(
        np.zeros((200, 300, 3), np.uint8), points, skeleton=SKELETON, confidence=confidence
    )
    assert drawn[75, 100].tolist() == [127, 85, 0]
    points[:] = np.nan
    assert (draw(np.zeros((200, 300, 3), np.uint8), points, skeleton=SKELETON) == 0).all()


def test_face_landmarks_and_text_are_drawn():
    drawn = draw(
        np.full((200, 300, 3), 60, np.uint8),
        face=np.array([[250.0, 150.0], [np.nan, np.nan]]),
        text=["dystonia 0.83"],
    )
    assert drawn[150, 250].tolist() == [255, 255, 255]
    assert (drawn[2:20, 2:60] > 200).any() and (drawn[2:20, 2:60] == 0).any()


def test_the_copy_of_the_video_has_its_length_and_the_tracks_in_it(tmp_path):
    write_video(tmp_path / "in.mp4", (np.full((200, 300, 3), 30, np.uint8) for _ in range(20)), 25)
    tracks = make_tracks(np.tile(body(), (10, 1, 1)), SKELETON.names, 25)
    out = write_overlay(
        tmp_path / "in.mp4",
        tracks,
        None,
        tmp_path / "out.mp4",
        skeleton=SKELETON,
        start=0.2,
        end=0.6,
        captions=["a", "b"],
    )
    frames = [frame.image for frame in read_frames(out)]
    assert len(frames) == 10
    for frame in (frames[0], frames[9]):
        assert np.abs(frame[100, 150].astype(int) - [255, 170, 0]).max() < 60  # compressed
        assert np.abs(frame[180, 30].astype(int) - 30).max() < 10

import numpy as np
import pytest
import xarray as xr

from semiology.cli.main import main
from semiology.data.keypoint_names import BODY, FACE_68, HANDS
from semiology.data.overlay import draw, draw_tracks, part_of, whole_skeleton, write_overlay
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
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


WRIST = SKELETON.names.index("left_wrist")
ORANGE = np.array([255, 170, 0])


def moving(frames: int = 50) -> np.ndarray:
    """(frame, keypoint, 2) px: the left wrist of frame n at (20 + 4 n, 150), all else missing."""
    position = np.full((frames, 11, 2), np.nan)
    position[:, WRIST] = np.stack([20 + 4 * np.arange(frames), np.full(frames, 150)], axis=1)
    return position


def tagged(path, frames: int = 50, fps: float = 25) -> None:
    """A video in which frame n is marked by a white square of 13 px around (20 + 4 n, 100)."""
    images = np.full((frames, 200, 300, 3), 30, np.uint8)
    for number, image in enumerate(images):
        image[94:107, 14 + 4 * number : 27 + 4 * number] = 255
    write_video(path, images, fps)


def centres(image: np.ndarray) -> tuple[float, float]:
    """x of the white square (in row 100), and of the orange wrist (in row 150); NaN without one."""
    white = np.flatnonzero((image[100] > 180).all(axis=1))
    wrist = np.flatnonzero(np.abs(image[150].astype(int) - ORANGE).max(axis=1) < 90)
    return tuple(x.mean() if len(x) else np.nan for x in (white, wrist))


def whole(start: int, end: int, fps: float = 25, **more) -> xr.Dataset:
    """Tracks of the frames from start to end of the tagged video."""
    index = np.arange(start, end)
    return make_tracks(
        moving()[start:end],
        SKELETON.names,
        fps,
        source_index=index,
        source_time=index / 25,
        width=300,
        height=200,
        **more,
    )


@pytest.mark.parametrize(("start", "end"), [(0, 50), (13, 33)])
def test_each_row_is_drawn_into_its_own_frame_whatever_the_clips_start(tmp_path, start, end):
    tagged(tmp_path / "in.mp4")
    out = draw_tracks(tmp_path / "in.mp4", {"body": whole(start, end)}, tmp_path / "out.mp4")
    frames = [frame.image for frame in read_frames(out)]
    assert len(frames) == end - start
    for number, image in enumerate(frames, start):
        white, wrist = centres(image)
        assert abs(white - (20 + 4 * number)) < 1 and abs(wrist - (20 + 4 * number)) < 1.5


def test_tracks_at_another_rate_are_drawn_into_the_frames_that_they_name(tmp_path):
    tagged(tmp_path / "in.mp4")
    index = np.array([0, 3, 5, 8, 10, 13])  # 10 Hz of 25
    tracks = make_tracks(
        moving()[index], SKELETON.names, 10, source_index=index, source_time=index / 25
    )
    out = draw_tracks(tmp_path / "in.mp4", {"body": tracks}, tmp_path / "out.mp4")
    for number, frame in zip(index, read_frames(out, fps=10), strict=True):
        white, wrist = centres(frame.image)
        assert abs(white - (20 + 4 * number)) < 1 and abs(wrist - (20 + 4 * number)) < 1.5


def test_a_hole_is_dark_and_what_was_not_found_is_not_drawn(tmp_path):
    tagged(tmp_path / "in.mp4")
    tracks = whole(0, 6)
    tracks["source_index"].values[2] = -1
    tracks["source_time"].values[2] = np.nan
    tracks["position"].values[4] = np.nan
    out = draw_tracks(tmp_path / "in.mp4", {"body": tracks}, tmp_path / "out.mp4")
    frames = [frame.image.astype(int) for frame in read_frames(out)]
    assert frames[2][50, 250].max() < 20 < frames[1][50, 250].min()
    assert not np.isfinite(centres(frames[4])[1]) and np.isfinite(centres(frames[5])[1])


def test_blank_shows_the_tracks_and_nothing_of_the_video(tmp_path):
    tagged(tmp_path / "in.mp4")
    tracks = {"body": whole(0, 10)}
    out = draw_tracks(tmp_path / "in.mp4", tracks, tmp_path / "out.mp4", blank=True)
    for number, frame in enumerate(read_frames(out)):
        assert np.abs(frame.image[94:107].astype(int) - 40).max() < 12  # where the squares were
        assert abs(centres(frame.image)[1] - (20 + 4 * number)) < 1.5


def test_another_video_and_parts_of_another_clip_are_refused(tmp_path):
    tagged(tmp_path / "in.mp4")
    write_video(tmp_path / "small.mp4", np.zeros((50, 100, 150, 3), np.uint8), 25)
    tagged(tmp_path / "short.mp4", 10)
    out = tmp_path / "out.mp4"
    with pytest.raises(UserError, match="frames of 150x100 px, and the tracks are of 300x200"):
        draw_tracks(tmp_path / "small.mp4", {"body": whole(0, 50)}, out)
    with pytest.raises(UserError, match="ends before frame 10, which the tracks have"):
        draw_tracks(tmp_path / "short.mp4", {"body": whole(0, 50)}, out)
    with pytest.raises(UserError, match="face: its frames are not those of body"):
        parts = {"body": whole(0, 20), "face": whole(1, 21)}
        draw_tracks(tmp_path / "in.mp4", parts, out)
    assert not list(tmp_path.glob("out*"))


def test_keypoints_of_any_backend_are_joined_where_both_ends_are_there():
    skeleton = whole_skeleton(make_tracks(np.zeros((1, 33, 2)), BODY, 25))
    assert skeleton.names == BODY
    assert ("left_elbow", "left_shoulder") in skeleton.edges
    assert ("right_foot_index", "right_heel") in skeleton.edges
    assert ("left_eye", "nose") in skeleton.edges
    assert ("right_shoulder", "left_shoulder") in skeleton.edges
    few = whole_skeleton(make_tracks(np.zeros((1, 3, 2)), ["left_wrist", "nose", "led"], 25))
    assert few.edges == () and few.names == ["left_wrist", "nose", "led"]


def test_part_of_tracks_by_their_names():
    for part, names in {"body": BODY, "face": FACE_68, "hands": HANDS}.items():
        assert part_of(make_tracks(np.zeros((1, len(names), 2)), names, 25)) == part


def test_a_joint_is_as_opaque_as_its_confidence():
    image = np.zeros((200, 300, 3), np.uint8)
    for confidence, expected in ((0.8, 204), (0.5, 127), (1.0, 255)):
        drawn = draw(image, body(), skeleton=SKELETON, confidence=np.full(11, confidence))
        assert abs(int(drawn[75, 100, 0]) - expected) <= 1  # half-way along the forearm


def test_the_command_line_draws_files_or_a_folder(tmp_path, capsys):
    tagged(tmp_path / "in.mp4")
    save_tracks(whole(0, 10), tmp_path / "found/body.nc")
    (tmp_path / "found/flow.nc").write_bytes(b"movement by region, no tracks")
    out = tmp_path / "out.mp4"
    call = ["tracks", "overlay", str(tmp_path / "in.mp4")]
    assert main([*call, str(tmp_path / "found"), "--out", str(out)]) == 0
    assert "body in 10 frames" in capsys.readouterr().out
    assert abs(centres(next(read_frames(out)).image)[1] - 20) < 1.5
    twice = [str(tmp_path / "found/body.nc")] * 2
    assert main([*call, *twice, "--out", str(out)]) == 2
    assert main([*call, str(tmp_path), "--out", str(out)]) == 2
    assert main([*call, str(tmp_path / "found"), "--out", str(tmp_path / "in.mp4")]) == 2
    assert "is the video itself" in capsys.readouterr().err

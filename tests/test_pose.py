import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semiology.data.keypoint_names import BODY, MESH
from semiology.errors import UserError
from semiology.tracking.blazepose.detectors import Detections
from semiology.tracking.patient import FaceDetector, PatientLocation, follow_patient
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.blazepose import BlazePose, in_infrared, is_patient, likeliest
from semiology.video import Frame, read_frames


def location(face=None, others=(), time=0.0, size=0.0) -> PatientLocation:
    face = None if face is None else np.array(face, float)
    return PatientLocation(
        time,
        np.array([0.0, 0, 640, 360]),
        face,
        0.0 if face is None else 0.99,
        size,
        np.array(others, float).reshape(-1, 4),
    )


def test_names_of_keypoints():
    assert len(BODY) == len(set(BODY)) == 33
    assert (BODY[0], BODY[11], BODY[15], BODY[24], BODY[32]) == (
        "nose",
        "left_shoulder",
        "left_wrist",
        "right_hip",
        "right_foot_index",
    )
    assert (MESH[0], MESH[-1], len(MESH)) == ("mesh_000", "mesh_477", 478)


def test_unknown_backend_is_refused():
    with pytest.raises(UserError, match="there are blazepose, keypoint-rcnn"):
        pose_backend("no-such")


def test_a_head_is_the_patients_where_the_patients_face_was_seen():
    face = [100, 100, 140, 140]
    assert is_patient(np.array([110, 110, 150, 150]), location(face), None)
    assert not is_patient(np.array([400, 100, 440, 140]), location(face), None)


def test_without_the_patients_face_a_head_must_not_be_anothers():
    other = [400, 100, 440, 140]
    assert not is_patient(np.array([400, 105, 440, 145]), location(others=[other]), None)
    assert is_patient(np.array([100, 100, 140, 140]), location(others=[other]), None)


def test_a_lost_head_does_not_come_back_faster_than_heads_move_nor_of_another_size():
    last = (1.0, np.array([100, 100, 140, 140]))
    far = np.array([340, 100, 380, 140])  # six sides away; 1.5 + 4 a second are allowed
    assert not is_patient(far, location(time=1.5), last)
    assert is_patient(far, location(time=2.5), last)
    near = np.array([118, 118, 122, 122])
    assert is_patient(near, location(time=1.1), last) and not is_patient(
        near, location(time=1.1, size=40.0), last
    )


def test_with_other_people_in_view_the_head_is_the_patients_only_if_it_is_nearest_to_the_patients():
    here, other = [100, 100, 140, 140], [160, 100, 200, 140]
    between = np.array([132, 100, 172, 140])  # 32 px from the patient's face, 28 from the other
    assert is_patient(between, location(here), None)
    assert not is_patient(between, location(here, [other]), None)


def test_detected_people_are_compared_by_the_circle_around_the_body_not_by_the_detectors_box():
    # the patient, a person nearby six times as large, and another of the patient's size; all
    # have boxes of 72 px. Heads are 0.18 of the radius of the circle: 36, 216 and 36 px
    middles, radii = np.array([[120.0, 120], [300, 120], [200, 120]]), [200.0, 1200, 200]
    boxes = np.concatenate([middles - 36, middles + 36], axis=1)
    hips = middles + np.array([0, 150])
    keypoints = np.stack([hips, hips - [[0, radius] for radius in radii], hips, hips], axis=1)
    people = Detections(boxes, keypoints, np.array([0.9, 0.8, 0.7]))
    assert likeliest(people, location([100, 100, 140, 140])) == [0]  # 1.5 sides of 40 px around it
    assert likeliest(people, location(size=40.0)) == [0, 2]
    assert likeliest(people, location(size=20.0)) == [0, 2]  # the box alone is more than threefold
    assert likeliest(people, location()) == [0, 1, 2]


def test_night_infrared_is_stretched_and_colour_is_left_alone():
    dark = np.repeat(np.linspace(20, 80, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    bright = in_infrared(dark)
    assert bright.min() == 0 and bright.max() == 255
    assert (np.diff(bright[0, :, 0].astype(int)) >= 0).all()  # no order of brightness changes
    coloured = dark.copy()
    coloured[..., 0] = 200
    assert in_infrared(coloured) is coloured


def beside(left: list[np.ndarray], right: list[np.ndarray], enters: int) -> list[Frame]:
    """Two videos side by side; the right one starts with black."""
    images = [
        np.hstack([a, b if index >= enters else np.zeros_like(b)])
        for index, (a, b) in enumerate(zip(left, right))
    ]
    return [
        Frame(index, index / 25, index / 25, index, image) for index, image in enumerate(images)
    ]


def frames_of(path: Path, count: int, width: int, height: int) -> list[np.ndarray]:
    images = (frame.image for frame in read_frames(path) if frame.image is not None)
    return [
        np.asarray(Image.fromarray(image).resize((width, height)))
        for image in islice(images, count)
    ]


@pytest.mark.realdata
def test_the_pose_stays_with_the_patient_when_another_person_enters(testdata):
    patient = frames_of(testdata / "faces/carphone_176x144.mp4", 60, 352, 288)
    other = [
        np.pad(image, ((72, 72), (88, 88), (0, 0)))
        for image in frames_of(testdata / "faces/WolfgangLanger_Pexels.mp4", 60, 176, 144)
    ]
    frames = beside(patient, other, enters=24)
    for frame in frames[36:42]:
        frame.image[:, :352] = (
            0  # somebody stands before the patient: the model loses the person it follows
        )
    followed = follow_patient(frames[::12], FaceDetector(), 12 / 25)
    assert followed.face is not None and all(box[2] < 352 for box in followed.face.boxes)
    backend = BlazePose()
    found = list(backend.track((frame.image, followed.at(frame.time)) for frame in frames))
    noses = np.array([each["body"].position[0, 0] if "body" in each else np.nan for each in found])
    assert np.isfinite(noses[[*range(36), *range(48, 60)]]).mean() > 0.9
    assert np.nanmax(noses) < 352
    irises = np.array(
        [each["face"].position[468, 0] if "face" in each else np.nan for each in found]
    )
    assert np.isfinite(irises).mean() > 0.8 and np.nanmax(irises) < 352


@pytest.mark.realdata
def test_body_and_face_agree_on_where_the_eyes_are_and_on_left_and_right(testdata):
    image = frames_of(testdata / "faces/WolfgangLanger_Pexels.mp4", 5, 640, 360)[-1]
    backend = BlazePose()
    [found] = backend.track([(image, location())])
    body = dict(zip(BODY, found["body"].position))
    mesh = dict(zip(MESH, found["face"].position))
    eyes = np.linalg.norm(mesh["mesh_473"] - mesh["mesh_468"])
    assert (
        body["left_eye"][0] > body["right_eye"][0]
    )  # the patient's left is at the right of the image
    for eye, iris in [("left_eye", "mesh_473"), ("right_eye", "mesh_468")]:
        assert np.linalg.norm(body[eye] - mesh[iris]) < 0.25 * eyes
    metres = dict(zip(MESH, found["face"].position_3d))
    assert np.linalg.norm(metres["mesh_473"] - metres["mesh_468"]) == pytest.approx(0.063)
    assert (
        metres["mesh_001"][2] < 0 < metres["mesh_152"][1]
    )  # the nose is nearer to the camera than the eyes, the chin below them
    assert (found["body"].confidence >= 0).all() and (found["body"].confidence <= 1).all()


def test_nobody_gives_nothing_and_nothing_is_written_to_standard_error(tmp_path):
    code = (
        "import numpy as np; from semiology.tracking.pose.blazepose import BlazePose; from"
        " semiology.tracking.patient import PatientLocation\nseen = PatientLocation(0,"
        " np.array([0, 0, 160, 90]), None,"
        " 0, 0, np.zeros((0, 4)))\nprint(*BlazePose().track([(np.zeros((90, 160, 3), np.uint8),"
        " seen)]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "{}", "")

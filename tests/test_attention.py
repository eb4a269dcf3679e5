import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from semiology.errors import UserError
from semiology.tracking.blazepose.attention import AttentionMesh, Crop, crop_around, sampled
from semiology.tracking.blazepose.detectors import FACES, NEAR_FACES, Detector
from semiology.tracking.blazepose.landmarks import FACE_SCALE, RIGHT
from semiology.tracking.blazepose.networks import Network, custom_operators
from semiology.tracking.blazepose.regions import Region, direction
from semiology.tracking.boxes import centre
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.video import read_frames

# landmarks of `drawn_face`, (x, y, z) px, by mediapipe 0.10.21:
# FaceMesh(static_image_mode=True, refine_landmarks=True), z times the image's width
MEDIAPIPE = Path(__file__).with_name("attention_mesh.json")
SIDE, TURNED = 240, 20  # px; degrees, clockwise


def drawn_face() -> np.ndarray:
    """A face made of ellipses, turned."""
    image = np.full((SIDE, SIDE, 3), 150, np.uint8)

    def oval(centre, axes, colour, angle=0, arc=(0, 360), thick=-1):
        cv2.ellipse(image, centre, axes, angle, *arc, colour, thick, cv2.LINE_AA)

    oval((120, 110), (74, 92), (60, 40, 30))  # hair
    oval((120, 128), (62, 82), (224, 178, 150))  # head
    for sign in (-1, 1):
        x = 120 + 27 * sign
        oval((x, 112), (13, 6), (245, 245, 245))  # eye
        oval((x, 112), (6, 6), (70, 45, 30))  # iris
        oval((x, 112), (13, 7), (80, 50, 40), 0, (180, 360), 2)  # upper lid
        oval((x, 96), (17, 5), (70, 45, 30), 6 * sign, (180, 360), 4)  # brow
        oval((120 + 8 * sign, 146), (5, 4), (170, 110, 90))  # nostril
    oval((120, 140), (12, 12), (205, 155, 128), 0, (20, 160), 2)  # nose
    oval((120, 172), (25, 8), (180, 80, 80))  # lips
    oval((120, 171), (22, 2), (110, 40, 40))  # between them
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -TURNED, 1)
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), borderValue=(150, 150, 150))


def as_drawn(points: np.ndarray) -> np.ndarray:
    """Points of the turned image as they were before it was turned."""
    x, y = (points - SIDE / 2).T
    cosine, sine = np.cos(np.radians(TURNED)), np.sin(np.radians(TURNED))
    return np.stack([cosine * x + sine * y, cosine * y - sine * x], axis=1) + SIDE / 2


def region(image: np.ndarray) -> Region:
    """MediaPipe's first region of the best face."""
    found = Detector(NEAR_FACES)(image)
    low, high = found.boxes[0].reshape(2, 2)
    right, left = found.keypoints[0, :2]
    return Region((low + high) / 2, FACE_SCALE * max(high - low), direction(right, left, RIGHT))


@pytest.fixture(scope="module")
def mesh() -> AttentionMesh:
    return AttentionMesh()


@pytest.fixture(scope="module")
def face(mesh):
    image = drawn_face()
    return mesh(image, region(image))


def test_landmarks_are_mediapipes(face):
    expected = np.array(json.loads(MEDIAPIPE.read_text())["landmarks"])
    assert face.score > 0.99
    assert_allclose(face.position, expected[:, :2], atol=0.1)
    assert_allclose(face.depth, expected[:, 2], atol=0.1)


def test_irises_and_mouth_are_where_they_were_drawn(face):
    right, left, *corners = as_drawn(face.position[[468, 473, 61, 291]])
    assert_allclose(right, [93, 112], atol=2)
    assert_allclose(left, [147, 112], atol=2)
    assert_allclose(corners, [[95, 172], [145, 172]], atol=4)


def test_an_iris_has_the_mean_depth_of_its_lids(face):
    lids = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173]
    assert_allclose(face.depth[468:473], face.depth[lids].mean())


def test_the_next_region_is_turned_as_the_face_is(face):
    assert np.degrees(face.next.angle) == pytest.approx(TURNED, abs=2)


def test_a_face_upside_down_is_found_by_its_axis():
    image = drawn_face()[::-1, ::-1].copy()
    mesh, box = FaceMesh(), np.array([60.0, 40, 180, 160])
    mesh.start()
    down = np.array([[120.0, 80], [120, 140]])  # from the mouth to the eyes
    found = mesh.find(image, box, 1.0, down)
    right, left = as_drawn(SIDE - 1 - found.position[[468, 473]])
    assert_allclose([right, left], [[93, 112], [147, 112]], atol=2)
    assert np.linalg.norm(found.position_3d[473] - found.position_3d[468]) == pytest.approx(0.063)


def test_no_face_is_found_where_none_is():
    mesh = FaceMesh()
    mesh.start()
    wall = np.full((SIDE, SIDE, 3), 150, np.uint8)
    assert mesh.find(wall, np.array([60.0, 40, 180, 160]), 1.0) is None
    assert mesh.find(drawn_face(), None, 1.0) is None
    # beside the face, further than its side
    assert mesh.find(drawn_face(), np.array([0.0, 0, 30, 30]), 1.0) is None


def test_crops_hold_the_lips_and_either_eye():
    lips, right, left = (
        operator.options["subset_idxs"]
        for operator in custom_operators("face_landmarks_with_attention")[
            "Landmarks2TransformMatrix"
        ]
    )
    assert (len(lips), len(right), len(left)) == (80, 71, 71)
    # corners of the mouth; of either eye, outer and inner
    assert {61, 291} < set(lips) and {33, 133} < set(right) and {263, 362} < set(left)


BOX = np.array([[0.3, 0.5], [0.7, 0.5], [0.5, 0.4], [0.5, 0.6]])  # 0.4 wide and 0.2 high


def test_a_crop_is_a_multiple_of_the_box_around_its_points():
    crop = crop_around(BOX, BOX[0], BOX[1], np.array([1.5, 2.0]))
    assert_allclose(crop.centre, [0.5, 0.5])
    assert_allclose(crop.size, [0.6, 0.4])
    assert crop.angle == 0


def test_a_crop_turns_with_its_points():
    down = np.stack([1 - BOX[:, 1], BOX[:, 0]], axis=1)  # a quarter clockwise
    crop = crop_around(down, down[0], down[1], np.ones(2))
    assert_allclose(crop.centre, [0.5, 0.5])
    assert_allclose(crop.size, [0.4, 0.2])  # width and height of the upright face's
    assert crop.angle == pytest.approx(np.pi / 2)


CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize(
    "crop, corners",
    [
        (Crop(np.array([0.5, 0.5]), np.ones(2), 0.0), CORNERS),
        (Crop(np.array([0.6, 0.3]), np.ones(2), 0.0), CORNERS + np.array([0.1, -0.2])),
        (Crop(np.array([0.5, 0.5]), np.ones(2), np.pi / 2), [[1, 0], [1, 1], [0, 0], [0, 1]]),
        (
            Crop(np.array([0.5, 0.5]), np.array([0.4, 0.2]), np.pi / 2),
            [[0.6, 0.3], [0.6, 0.7], [0.4, 0.3], [0.4, 0.7]],
        ),
    ],
    ids=["the whole", "moved", "turned", "smaller and turned"],
)
def test_landmarks_of_a_crop_are_carried_back(crop, corners):
    assert_allclose(crop.to_face(CORNERS), corners, atol=1e-12)


GRID = np.arange(12, dtype=np.float32).reshape(3, 4, 1)  # rows 0 to 3, 4 to 7, 8 to 11
MIDDLES = np.stack(np.meshgrid((np.arange(4) + 0.5) / 4, (np.arange(3) + 0.5) / 3), axis=-1)


def test_features_at_the_middles_of_cells_are_theirs():
    assert_allclose(sampled(GRID, MIDDLES), GRID)


def test_features_half_a_cell_on_are_means_of_two_and_0_outside():
    half = sampled(GRID, MIDDLES + np.array([0.5 / 4, 0]))[..., 0]
    assert_allclose(half, [[0.5, 1.5, 2.5, 0], [4.5, 5.5, 6.5, 0], [8.5, 9.5, 10.5, 0]])
    # a quarter of a cell to the right, half a cell down
    assert_allclose(sampled(GRID, np.array([[0.75 / 4, 1 / 3]])), [[0.25 + 2]])


def test_features_in_a_crop_turned_by_a_quarter_are_turned():
    square = np.arange(25, dtype=np.float32).reshape(5, 5, 1)
    middles = np.stack(np.meshgrid(*2 * [(np.arange(3) + 0.5) / 3]), axis=-1)
    inner = Crop(np.array([0.5, 0.5]), np.array([0.6, 0.6]), np.pi / 2)  # three by three cells
    # its first row runs down its right edge
    assert_allclose(
        sampled(square, inner.to_face(middles))[..., 0],
        [[8, 13, 18], [7, 12, 17], [6, 11, 16]],
        rtol=1e-6,
    )


def test_a_network_with_labels_at_its_end_is_no_bundle(tmp_path):
    file, labels = tmp_path / "own.tflite", io.BytesIO()
    with zipfile.ZipFile(labels, "w") as bundle:
        bundle.writestr("labels.txt", "face")
    file.write_bytes(b"\0\0\0\0TFL3" + labels.getvalue())
    with pytest.raises(UserError, match=r"own\.tflite: not a network"):
        Network("face_landmarks", (0, 1), file)


@pytest.mark.realdata
def test_landmarks_of_a_photograph_are_where_a_person_marked_them(mesh, testdata):
    image = cv2.imread(str(testdata / "faces" / "takeo.ppm"))[..., ::-1].copy()
    lines = (testdata / "faces" / "takeo.pts").read_text().splitlines()
    marked = np.array([line.split() for line in lines[3:71]], float) - 1  # they count from 1
    # outer and inner corners of either eye, corners of the mouth
    ours = mesh(image, region(image)).position[[33, 133, 362, 263, 61, 291]]
    away = np.linalg.norm(ours - marked[[36, 39, 42, 45, 48, 54]], axis=1)
    assert away.max() < 0.1 * np.linalg.norm(marked[45] - marked[36])


@pytest.mark.realdata
def test_faces_of_35_px_are_found(mesh, testdata):
    detect, scores = Detector(FACES), []
    for frame in read_frames(testdata / "people" / "dance_720x406.mp4", fps=2.0):
        found = detect(frame.image)
        if len(found) and max(found.boxes[0, 2:] - found.boxes[0, :2]) < 40:
            side = FACE_SCALE * max(found.boxes[0, 2:] - found.boxes[0, :2])
            scores.append(mesh(frame.image, Region(centre(found.boxes[0]), side)).score)
    assert len(scores) >= 5 and np.mean(np.array(scores) > 0.5) > 0.8


@pytest.mark.realdata
@pytest.mark.parametrize("video", ["faces/WolfgangLanger_Pexels.mp4", "faces/carphone_176x144.mp4"])
def test_landmarks_of_real_faces_are_mediapipes(mesh, testdata, video):
    solutions = pytest.importorskip("mediapipe.python.solutions.face_mesh")
    with solutions.FaceMesh(static_image_mode=True, refine_landmarks=True) as theirs:
        for frame in list(read_frames(testdata / video, fps=1.0))[:4]:
            height, width = frame.image.shape[:2]
            marks = theirs.process(frame.image).multi_face_landmarks[0].landmark
            expected = np.array(
                [(mark.x * width, mark.y * height, mark.z * width) for mark in marks]
            )
            found = mesh(frame.image, region(frame.image))
            assert_allclose(found.position, expected[:, :2], atol=0.5)
            assert_allclose(found.depth, expected[:, 2], atol=0.5)

"""ONNX body networks as a pose backend, on graphs whose output is known (`onnx_graphs`)."""

import sys

import numpy as np
import onnx_graphs as graphs
import pytest

from semiology.data.keypoint_names import COCO_17, FACE_68, HALPE_26
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import ONNXOptions
from semiology.tracking.pose.onnx import PADDING
from semiology.video import write_video

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
WIDTH, HEIGHT = 320, 240  # of the images, px
SPOTS = np.array([[140.3, 80.6], [185.9, 120.2], [128.4, 171.7]])  # red, green, blue, px


def picture(spots: np.ndarray = SPOTS, sigma: float = 5.0) -> np.ndarray:
    """A dark image with a Gaussian spot of each colour; positions count from the image's corner."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    away = [(x - across) ** 2 + (y - down) ** 2 for across, down in spots]
    return np.round(255 * np.exp(-np.stack(away, axis=-1) / (2 * sigma**2))).astype(np.uint8)


def shifted(across: float, down: float) -> np.ndarray:
    return SPOTS + np.array([across, down])


def place(face=None, others=(), time=0.0) -> PatientLocation:
    face = None if face is None else np.array(face, float)
    size = 0.0 if face is None else float(face[2] - face[0])
    region = np.array([0.0, 0, WIDTH, HEIGHT])
    return PatientLocation(time, region, face, 0.9, size, np.array(others, float).reshape(-1, 4))


def backend(folder, content: bytes, **options):
    path = folder / "network.onnx"
    path.write_bytes(content)
    return pose_backend("onnx", onnx=ONNXOptions(path, face=False, **options))


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (graphs.simcc(192, 256), {}),
        (graphs.simcc(288, 384), {}),
        (graphs.heatmap(192, 256), {}),
        (graphs.heatmap(192, 256, udp=False), {"layout": "heatmap-msra"}),
    ],
    ids=["simcc", "simcc-large", "heatmap", "heatmap-msra"],
)
def test_keypoints_are_where_they_are_to_a_fraction_of_a_pixel(tmp_path, content, options):
    tracker = backend(tmp_path, content, **options)
    assert tracker.keypoints == {"body": COCO_17} and tracker.in_metres == frozenset()
    moved = [shifted(3 * frame, frame) for frame in range(4)]
    frames = [(picture(spots), place(time=frame / 25)) for frame, spots in enumerate(moved)]
    for found, spots in zip(tracker.track(frames), moved, strict=True):
        expected = spots[np.arange(17) % 3]
        assert np.abs(found["body"].position - expected).max() < 0.25
        assert (found["body"].confidence > 0.9).all()


def test_heatmaps_read_in_the_other_way_are_off_by_more_than_a_pixel(tmp_path):
    tracker = backend(tmp_path, graphs.heatmap(192, 256, udp=False))
    [found] = tracker.track([(picture(), place())])
    assert np.abs(found["body"].position - SPOTS[np.arange(17) % 3]).max() > 0.5


def test_missing_frames_and_a_patient_who_left_have_no_keypoints(tmp_path):
    tracker = backend(tmp_path, graphs.simcc(192, 256))
    dark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    images = [picture(), None, dark, dark, picture(shifted(40, 0))]
    frames = [(image, place(time=number)) for number, image in enumerate(images)]
    found = list(tracker.track(frames))
    assert [set(each) for each in found] == [{"body"}, set(), set(), set(), {"body"}]
    assert np.abs(found[-1]["body"].position[0] - shifted(40, 0)[0]).max() < 0.25


def test_the_person_at_the_patients_face_is_tracked_not_the_brighter_one(tmp_path):
    near = np.array([[80.0, 60], [92, 62], [84, 70]])
    far = near + np.array([200.0, 100])
    image = np.maximum(picture(near, 4.0) // 2 + 30, picture(far, 4.0))
    tracker = backend(tmp_path, graphs.simcc(192, 256))
    face, other = [74, 52, 96, 74], [274, 152, 296, 174]
    found = list(
        tracker.track([(image, place(face, [other], 0)), (image, place(None, [other], 1))])
    )
    for each in found:
        assert np.abs(each["body"].position - near[np.arange(17) % 3]).max() < 0.5
    # at another's face it is nobody's
    alone = picture(far, 4.0)
    assert list(tracker.track([(alone, place(None, [other]))])) == [{}]


def test_the_sets_of_26_and_133_have_their_names_in_the_order_of_the_outputs(tmp_path):
    halpe = backend(tmp_path, graphs.simcc(192, 256, 26))
    assert halpe.keypoints == {"body": HALPE_26} and len(set(HALPE_26)) == 26
    tracker = backend(tmp_path, graphs.simcc(192, 256, 133))
    assert {part: len(names) for part, names in tracker.keypoints.items()} == {
        "body": 23,
        "face": 68,
        "hands": 42,
    }
    assert tracker.keypoints["body"][:18] == [*COCO_17, "left_big_toe"]
    assert tracker.keypoints["face"] == FACE_68
    [found] = tracker.track([(picture(), place())])
    # outputs 22 and 23, the right heel and the face's first landmark, look for green and blue
    assert np.abs(found["body"].position[22] - SPOTS[22 % 3]).max() < 0.25
    assert np.abs(found["face"].position[0] - SPOTS[23 % 3]).max() < 0.25
    assert tracker.keypoints["hands"][0] == "left_hand_wrist"
    assert np.abs(found["hands"].position[0] - SPOTS[91 % 3]).max() < 0.25
    named = backend(tmp_path, graphs.simcc(192, 256, 3), keypoints=("a", "b", "c"))
    assert named.keypoints == {"body": ["a", "b", "c"]}


def test_normalisation_is_the_layouts_and_can_be_given(tmp_path):
    """With another one the maps of the graph, and with them the confidence, are others."""
    zero, full = np.zeros(3), np.full(3, 255.0)
    as_made = backend(tmp_path, graphs.simcc(192, 256, mean=zero, std=full))
    # white red is (255 - 123.675) / 58.395 = 2.249 by ImageNet, and a 255th of that as the graph
    # reads it here; dark red is -2.118
    white, dark = np.full((256, 192, 3), 255, np.uint8), np.zeros((256, 192, 3), np.uint8)
    box = np.array([0.0, 0, 192, 256])
    for image, value in ((white, 2.249), (dark, -2.118)):
        values = as_made._values(image)
        assert values.shape == (256, 192, 3) and abs(values[9, 9, 0] - value) < 1e-3
    assert as_made.look(dark, box).confidence.max() == 0
    given = {"mean": (0.0, 0.0, 0.0), "std": (255.0, 255.0, 255.0)}
    other = backend(tmp_path, graphs.simcc(192, 256, mean=zero, std=full), **given)
    [found] = other.track([(picture(), place())])
    assert (found["body"].confidence > 0.9).all()
    assert as_made.parameters() != other.parameters()
    turned = backend(tmp_path, graphs.simcc(192, 256), channels="bgr")
    [found] = turned.track([(picture(), place())])
    assert np.abs(found["body"].position[0] - SPOTS[2]).max() < 1  # red and blue change places


def person(box: list[float], score: float, mark: list[float], corners: bool) -> list[float]:
    """A row of YOLO's for a person whose 17 keypoints all lie at (x, y), px of the input."""
    x0, y0, x1, y1 = box
    place = box if corners else [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
    return [*place, score, *([0.0] if corners else []), *[*mark, 0.8] * 17]


# input 64 px for 320x240: scale 5, and (64 - 48) / 2 = 8 rows of grey above
PEOPLE = [
    ([4, 12, 24, 44], 0.6, [14, 28]),
    ([5, 12, 25, 44], 0.5, [1, 1]),  # the first once more, which NMS removes
    ([40, 12, 60, 44], 0.9, [50, 28]),
    ([20, 20, 44, 44], 0.1, [30, 30]),  # too unlikely
]


@pytest.mark.parametrize("kind", ["yolo", "yolo turned", "yolo-nms", "rtmo"])
def test_of_several_people_the_one_with_the_patients_face_is_taken(tmp_path, kind):
    rows = np.array([person(*each, corners=kind == "yolo-nms") for each in PEOPLE])
    padded = np.concatenate([rows, np.zeros((100, rows.shape[1]))])
    if kind == "rtmo":
        dets = np.array([[*box, score] for box, score, _ in PEOPLE])
        marks = np.array([[[*mark, 0.8]] * 17 for _, _, mark in PEOPLE])
        content = graphs.constant(64, dets=dets[None], keypoints=marks[None])
    else:
        content = graphs.constant(64, out=(padded.T if kind == "yolo" else padded)[None])
    tracker = backend(tmp_path, content)
    assert tracker.parameters()["layout"] == kind.split()[0]
    image = picture()
    face = [60, 50, 80, 70]  # its centre, (70, 60), is (14, 20) of the input: in the first box
    frames = [
        (image, place(face, time=0.0)),
        (image, place(time=0.04)),  # the box that overlaps the last one
        (image, place(face=[5, 5, 9, 9], time=0.08)),  # a face that no body holds
    ]
    first, second, third = tracker.track(frames)
    expected = [14 * 5, (28 - 8) * 5]
    for found in (first, second):
        np.testing.assert_allclose(found["body"].position, np.tile(expected, (17, 1)), atol=1e-3)
        np.testing.assert_allclose(found["body"].confidence, 0.8, atol=1e-6)
    assert third == {}
    # without any face the likeliest
    [found] = tracker.track([(image, place())])
    np.testing.assert_allclose(found["body"].position[0], [250, 100], atol=1e-3)
    if kind.startswith("yolo") and kind != "yolo-nms":
        assert len(tracker.look(image, place().region).boxes) == 2


def test_a_crop_has_the_networks_shape_and_is_not_distorted(tmp_path):
    tracker = backend(tmp_path, graphs.simcc(192, 256))
    box = np.array([100.0, 50, 200, 90])  # wider than 3:4: the height follows
    seen = tracker.look(picture(), box)
    np.testing.assert_allclose(seen.boxes[0], [100, 70 - 200 / 3, 200, 70 + 200 / 3])
    assert PADDING == 1.25


BAD = [
    (b"", {}, "not a network that onnxruntime can run"),
    (b"hello", {}, "not a network that onnxruntime can run"),
    (graphs.simcc(192, 256)[:5000], {}, "not a network that onnxruntime can run"),
    (graphs.simcc(192, 256, 21), {}, "puts out 21 keypoints, and has no names; known are 17, 26"),
    (graphs.simcc(192, 256), {"keypoints": ("nose",)}, "17 keypoints, and onnx.keypoints names 1"),
    (
        graphs.simcc(192, 256),
        {"layout": "heatmap"},
        "for an input of 192x256 px are not those of h",
    ),
    (graphs.simcc(192, 256), {"layout": "openpose"}, "onnx.layout=openpose: unknown; give auto, s"),
    (graphs.simcc(192, 256), {"size": (64, 64)}, r"reads images of \[192, 256\] px"),
    (
        graphs.simcc(192, 256, shape=[1, 3, "height", "width"]),
        {},
        "reads images of any size; give the one",
    ),
    (graphs.simcc(192, 256, shape=[4, 3, 256, 192]), {}, "reads 4 images at once"),
    (
        graphs.model(
            [graphs.node("Identity", ["image"], "out")], {}, {"image": [1, 64, 64, 3]}, ["out"]
        ),
        {},
        r"has to read one image.*\[1, 64, 64, 3\]",
    ),
    (
        graphs.constant(64, out=np.zeros((1, 1000))),
        {},
        r"outputs of \(1, 1000\) for an input of 64x",
    ),
    (graphs.constant(64, out=np.zeros((1, 25200, 57))), {}, "are not those of any of simcc"),
    (
        graphs.model(
            [graphs.node("Add", ["image", "mask"], "out")],
            {},
            {"image": [1, 3, 64, 64], "mask": [1, 3, 64, 64]},
            ["out"],
        ),
        {},
        "has to read one image.*mask",
    ),
]


@pytest.mark.parametrize(("content", "options", "message"), BAD)
def test_another_file_is_refused(tmp_path, content, options, message):
    with pytest.raises(UserError, match=message):
        backend(tmp_path, content, **options)


def test_no_file_and_no_onnxruntime_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"--onnx.weights FILE.onnx"):
        pose_backend("onnx")
    with pytest.raises(UserError, match="no such file"):
        pose_backend("onnx", onnx=ONNXOptions(tmp_path / "none.onnx"))
    for options in ({"std": (0.0, 1.0, 1.0)}, {"size": (0, 3)}, {"keypoints": ("a", "a")}):
        with pytest.raises(UserError, match=r"onnx\."):
            ONNXOptions(**options)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'semiology\[onnx\]'"):
        backend(tmp_path, graphs.simcc(192, 256))


def test_from_video_to_tracks_and_another_network_makes_new_ones(tmp_path):
    write_video(tmp_path / "v.mp4", [picture(shifted(frame, 0)) for frame in range(25)], 25)
    (tmp_path / "n.onnx").write_bytes(graphs.simcc(192, 256))
    options = ExtractOptions(pose="onnx", onnx=ONNXOptions(tmp_path / "n.onnx", face=False))
    call = {"options": options, "progress": False}
    assert extract_videos([tmp_path / "v.mp4"], tmp_path / "out", **call).done == ["v"]
    tracks = read_tracks(tmp_path / "out/v/body.nc")
    assert tracks.attrs["backend"] == "onnx" and tracks.keypoint.values.tolist() == COCO_17
    nose = tracks.position.sel(keypoint="nose").values
    expected = SPOTS[0] + np.stack([np.arange(25), np.zeros(25)], axis=1)
    assert np.abs(nose - expected).max() < 1  # lossy video
    assert extract_videos([tmp_path / "v.mp4"], tmp_path / "out", **call).skipped == ["v"]
    other = ExtractOptions(pose="onnx", onnx=ONNXOptions(tmp_path / "m.onnx", face=False))
    (tmp_path / "m.onnx").write_bytes(graphs.simcc(288, 384))
    call = {"options": other, "progress": False}
    assert extract_videos([tmp_path / "v.mp4"], tmp_path / "out", **call).done == ["v"]

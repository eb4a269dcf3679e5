"""Tracks of other programs: real files and small ones written manually, in and out; faults in one
line.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from semiology import UserError, load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data import formats
from semiology.data.formats.deeplabcut import read_table
from semiology.data.formats.image_names import frame_numbers
from semiology.data.formats.pandas_h5 import literal
from semiology.data.keypoint_names import BODY, BODY_25, COCO_17, FACE_68, MESH
from semiology.data.preprocessing import fill_gaps, select
from semiology.data.tracks import read_tracks, save_tracks, steps
from semiology.tracking.tracking_error import as_labels, tracking_error

NAN = np.nan

SUFFIX = {
    "netcdf": ".nc",
    "long_csv": ".csv",
    "sleap": ".slp",
    "coco": ".json",
    "openface": ".csv",
    "movement": ".nc",
    "mediapipe": ".npz",
}


def tagged(names, frames=4, size=(640, 480)):
    """x = 100 t + k + 1/8, y = x + 1/2; keypoint 1 is missing in frame 2."""
    x = 100.0 * np.arange(frames)[:, None] + np.arange(len(names)) + 0.125
    position = np.stack([x, x + 0.5], axis=2)
    position[2, 1] = np.nan
    return make_tracks(
        position,
        list(names),
        25.0,
        confidence=np.full(x.shape, 0.75),
        width=size[0],
        height=size[1],
    )


def assert_same(one, other):
    assert list(one.keypoint.values) == list(other.keypoint.values)
    np.testing.assert_array_equal(
        one.position.transpose("time", "space", "keypoint"),
        other.position.transpose("time", "space", "keypoint"),
    )
    np.testing.assert_array_equal(one.confidence, other.confidence)


def in_and_out(tracks, format, path):
    """Through our own file first, as `tracks import` and `export` go."""
    ours = path.with_name("ours.nc")
    save_tracks(tracks, ours)
    formats.write(read_tracks(ours), path, format)
    return formats.read(path, fps=None if format == "netcdf" else tracks.attrs["fps"])


@pytest.mark.parametrize(
    ("format", "file", "names"),
    [
        ("netcdf", "a.nc", ["nose", "left_wrist"]),
        ("long_csv", "a.csv", ["nose", "left_wrist"]),
        ("deeplabcut", "a.csv", ["nose", "left_wrist"]),
        ("deeplabcut", "a.h5", ["nose", "Händchen"]),
        ("sleap", "a.slp", ["nose", "left_wrist"]),
        ("coco", "a.json", ["nose", "left_wrist"]),
        ("movement", "a.nc", ["nose", "left_wrist"]),
        ("openpose", "folder", BODY_25),
        ("openface", "a.csv", FACE_68),
        ("mediapipe", "a.npz", BODY),
    ],
)
def test_tagged_tracks_come_back_the_same_and_the_format_is_recognised(
    tmp_path, format, file, names
):
    tracks = tagged(names)
    again = in_and_out(tracks, format, tmp_path / file)
    assert_same(tracks, again)
    assert float(again.position.sel(keypoint=names[1], space="y")[3]) == 301.625
    if format != "netcdf":
        assert steps(again)[-1]["format"] == format


def test_metres_come_back_where_the_format_has_them(tmp_path):
    position_3d = np.random.default_rng(0).normal(0, 1, (4, 68, 3)).astype(np.float32)
    tracks = tagged(FACE_68).assign(
        position_3d=(("time", "space_3d", "keypoint"), position_3d.transpose(0, 2, 1))
    )
    for format in ("openface", "long_csv", "netcdf"):
        again = in_and_out(tracks, format, tmp_path / f"{format}{SUFFIX[format]}")
        there = again.position_3d.transpose("time", "keypoint", "space_3d").values
        seen = np.isfinite(there).all(axis=2)
        np.testing.assert_array_equal(there[seen], position_3d[seen])
        assert seen.sum() >= 4 * 68 - 1


# Small files by hand


def test_deeplabcut_three_cells_name_a_row_and_gaps_between_labels_stay(tmp_path):
    path = tmp_path / "CollectedData_me.csv"
    path.write_text(
        "scorer,,,me,me\nbodyparts,,,hand,hand\ncoords,,,x,y\n"
        "labeled-data,v,img001.png,1,2\nlabeled-data,v,img003.png,3,4\n"
    )
    assert read_table(path).rows == ["labeled-data/v/img001.png", "labeled-data/v/img003.png"]
    tracks = formats.read(path, fps=10)
    np.testing.assert_array_equal(
        tracks.position.sel(keypoint="hand", space="x"), [np.nan, 1, np.nan, 3]
    )
    np.testing.assert_array_equal(tracks.source_index, [-1, 1, -1, 3])


# two people of 30 px who walk past each other: 0, 10, ... and 40, 30, ...
PASSING = [(10 * frame, 40 - 10 * frame) for frame in range(5)]


def openpose_frame(folder, frame, *people):
    """Each of the people stands at an x, all 25 points within 20 px; confidence 0.5."""
    points = [[value for k in range(25) for value in (x + k % 5, 100 + 4 * k, 0.5)] for x in people]
    content = {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_2d": flat} for flat in points],
    }
    folder.mkdir(exist_ok=True)
    (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps(content))


def test_openpose_a_gap_in_the_frame_numbers_stays_a_gap(tmp_path):
    for frame in (0, 1, 4):
        openpose_frame(tmp_path / "out", frame, 50)
    tracks = formats.read(tmp_path / "out", fps=25)
    np.testing.assert_array_equal(
        tracks.position.sel(keypoint="nose", space="x"), [50, 50, np.nan, np.nan, 50]
    )
    np.testing.assert_array_equal(tracks.source_index, [0, 1, -1, -1, 4])


def test_openpose_the_patient_is_who_is_there_longest_whatever_the_order(tmp_path):
    for frame, people in enumerate([(300, 50), (52, 302), (304,), (306,), (308,)]):
        openpose_frame(tmp_path / "out", frame, *people)
    tracks = formats.read(tmp_path / "out", fps=25)
    np.testing.assert_array_equal(
        tracks.position.sel(keypoint="nose", space="x"), [300, 302, 304, 306, 308]
    )
    noted = {
        "step": "choose_person",
        "people": 2,
        "chosen": "in the most frames of the people linked by distance",
        "frames": 5,
    }
    assert steps(tracks)[0] == noted
    other = formats.read(tmp_path / "out", fps=25, individual="person_1")
    np.testing.assert_array_equal(
        other.position.sel(keypoint="nose", space="x"), [50, 52, np.nan, np.nan, np.nan]
    )


def test_openpose_1_0_and_the_files_that_a_mac_puts_beside(tmp_path):
    """Version 1.0 names its keys without _2d, and its bodies have 18 points."""
    folder = tmp_path / "out"
    folder.mkdir()
    for frame in range(3):
        flat = [v for k in range(18) for v in (50 + frame + k, 2 * k + 1, 0.5)]
        content = {"version": 1.0, "people": [{"pose_keypoints": flat, "face_keypoints": []}]}
        name = f"clip_{frame:012d}_keypoints.json"
        (folder / name).write_text(json.dumps(content))
        (folder / f"._{name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    tracks = formats.read(folder, fps=25)
    assert tracks.position.sel(keypoint="neck", space="x").values.tolist() == [51, 52, 53]
    assert tracks.sizes["keypoint"] == 18


def test_openpose_people_of_its_tracking_and_some_that_it_lost(tmp_path):
    """1 and 2 pass each other; in frame 2, 2's number is -1."""
    for frame, (one, two) in enumerate(PASSING):
        openpose_frame(tmp_path / "out", frame, one, two)
        path = tmp_path / "out" / f"clip_{frame:012d}_keypoints.json"
        content = json.loads(path.read_text())
        content["people"][0]["person_id"] = [1]
        content["people"][1]["person_id"] = [-1 if frame == 2 else 2]
        path.write_text(json.dumps(content))
    tracks = formats.read(tmp_path / "out", fps=25, individual="2")
    assert tracks.position.sel(keypoint="nose", space="x").values.tolist() == [40, 30, 20, 10, 0]


def test_openpose_is_written_as_body_25_with_all_its_keys(tmp_path):
    """Place 9 of BODY_25 is the right hip, 12 the left, 8 between them; in the body of 18 they are
    8 and 11.
    """
    formats.write(tagged(COCO_17), tmp_path / "out", "openpose")
    files = sorted((tmp_path / "out").iterdir())
    person = json.loads(files[1].read_text())["people"][0]
    assert set(person) == {
        "person_id",
        *(
            f"{part}_keypoints_{dimensions}"
            for part in ("pose", "face", "hand_left", "hand_right")
            for dimensions in ("2d", "3d")
        ),
    }
    points = np.reshape(person["pose_keypoints_2d"], (25, 3))
    for place, joint in (
        (9, "right_hip"),
        (12, "left_hip"),
        (13, "left_knee"),
        (11, "right_ankle"),
    ):
        assert points[place].tolist() == pytest.approx(
            [100.125 + COCO_17.index(joint), 100.625 + COCO_17.index(joint), 0.75]
        )
    assert points[[1, 8, 19, 24]].tolist() == [[0, 0, 0]] * 4  # what the tracks do not have
    assert all(person[key] == [] for key in person if key not in ("person_id", "pose_keypoints_2d"))


def test_coco_results_are_the_17_joints_at_the_images_number(tmp_path):
    flat = [value for k in range(17) for value in (10 * k, 5 * k + 1, 0.9)]
    (tmp_path / "r.json").write_text(
        json.dumps([{"image_id": 2, "category_id": 1, "keypoints": flat, "score": 1}])
    )
    tracks = formats.read(tmp_path / "r.json", fps=25)
    assert list(tracks.keypoint.values) == COCO_17 and tracks.sizes["time"] == 3
    assert tracks.position.sel(keypoint="left_wrist").values[2].tolist() == [90, 46]


def test_coco_points_that_are_not_labelled_are_missing_and_two_people_need_a_name(tmp_path):
    image = [{"id": 7, "file_name": "v/img0001.png", "width": 64, "height": 48}]
    people = [
        {"id": n, "image_id": 7, "category_id": 1, "track_id": n, "keypoints": [n, 2, 2, 0, 0, 0]}
        for n in (1, 2)
    ]
    category = [{"id": 1, "keypoints": ["a", "b"]}]
    (tmp_path / "d.json").write_text(
        json.dumps({"images": image, "annotations": people, "categories": category})
    )
    with pytest.raises(UserError, match=r"2 individuals.*1, 2"):
        formats.read(tmp_path / "d.json", fps=25)
    tracks = formats.read(tmp_path / "d.json", fps=25, individual="2")
    assert tracks.position.values[1].tolist() == [
        [2.0, pytest.approx(np.nan, nan_ok=True)],
        [2.0, pytest.approx(np.nan, nan_ok=True)],
    ]
    assert (tracks.attrs["width"], tracks.attrs["height"]) == (64, 48)


HASHES = ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", "f93e17c20b5d4a6880917263544e3d2c", "9Kx2mQ7rT4")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["img0012.png", "img9.png"], [12, 9]),
        (["img0012.png"], [12]),
        (["labeled-data/video7/img012.png", "labeled-data/video7/img100.png"], [12, 100]),
        (["img00012_cam2.png", "img00024_cam2.png", "img00030_cam2.png"], [12, 24, 30]),
        (["img00012_640x300.png", "img00024_640x300.png"], [12, 24]),
        (["clip2_frame_000012.png", "clip2_frame_000100.png"], [12, 100]),
        ([f"img{n:05d}_png.rf.{code}.jpg" for n, code in zip((12, 24, 36), HASHES)], [12, 24, 36]),
        (["img00012_png.rf.0a1b2c3d4e5f60718293a4b5c6d7e8f9.jpg"], [12]),
        (["1f3a9c02-img00012.png", "77b0e4d1-img00024.png"], [12, 24]),  # Label Studio's uploads
        (["frame_000012.PNG", "frame_000013.PNG"], [12, 13]),
        (["img0012_0012.png", "img0013_0013.png"], [12, 13]),  # one number, written twice
        (["2024-03-05_0001.png", "2024-03-05_0002.png"], [1, 2]),
        ([], []),
    ],
)
def test_the_frame_of_an_image_is_the_number_that_varies_over_the_names(names, expected):
    assert frame_numbers(names, Path("labels.json")) == expected


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["img00012_cam2.png"], "img00012_cam2.png.*several numbers.*name images by their frame"),
        (["a12_3.png", "a13_4.png"], "a12_3.png.*a13_4.png.*several vary"),
        (["img12_cam1.png", "img12_cam2.png"], "only the camera's varies"),
        (
            ["2024-03-05_0001.png", "2024-03-06_0001.png"],
            "only that of a date or time of day varies",
        ),
        (["2024-03-05 10.00.01.png", "2024-03-05 10.00.02.png"], "only that of a date or time"),
        (["img01_1.png", "img1_1.png"], "img01_1.png.*img1_1.png.*none varies"),
        (["a12_3.png", "b12.png"], "a12_3.png.*b12.png.*not built alike"),
        (["a.png", "img12.png"], "'a.png' names no frame"),
        (["img" + "9" * 30 + ".png"], "names no frame"),
        (["img12.png", "still_012.png"], "img12.png and still_012.png are both frame 12"),
        (
            [f"img00012_png.rf.{code}.jpg" for code in HASHES],
            f"{HASHES[0]}.jpg and .*{HASHES[1]}.jpg are both frame 12",
        ),
    ],
)
def test_names_that_do_not_tell_the_frame_are_refused(names, fault):
    with pytest.raises(UserError, match=fault):
        frame_numbers(names, Path("labels.json"))


def coco_set(path, people, **image):
    """Data set of two points; `people` has for each frame (x, extra keys) of each person."""
    images = [{"id": n, "file_name": f"img{n:04d}.png", **image} for n in range(len(people))]
    annotations = [
        {"id": 1, "image_id": n, "category_id": 1, "keypoints": [x, 10, 2, x + 9, 40, 2], **keys}
        for n, there in enumerate(people)
        for x, keys in there
    ]
    categories = [{"id": 1, "name": "person", "keypoints": ["a", "b"]}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return path


def test_coco_frames_by_the_programs_own_number_and_not_twice(tmp_path):
    path = coco_set(tmp_path / "d.json", [[(5, {})], [(6, {})]])
    raw = json.loads(path.read_text())
    for image, number in zip(raw["images"], (12, 24)):
        image |= {"file_name": f"img{number}_cam2_{number + 1}.png", "frame_index": number}
    path.write_text(json.dumps(raw))
    tracks = formats.read(path, fps=25)
    assert np.flatnonzero(np.isfinite(tracks.position[:, 0, 0])).tolist() == [12, 24]
    raw["images"][1]["frame_index"] = 12
    path.write_text(json.dumps(raw))
    with pytest.raises(UserError, match=r"img12_cam2_13.png and img24_cam2_25.png are both.* 12"):
        formats.read(path, fps=25)


@pytest.mark.parametrize(
    "key",
    [
        lambda n: {"track_id": n},
        lambda n: {"attributes": {"track_id": n, "occluded": False, "keyframe": True}},  # CVAT
        lambda n: {"attributes": {"object_id": n}},  # sleap-io
        lambda n: {"idx": [[float(n)], [float(n)]]},  # AlphaPose, of two merged detections
    ],
)
def test_coco_who_is_who_is_what_the_tracker_wrote(tmp_path, key):
    people = [[(x, key(1)), (y, key(2))][:: 1 - 2 * (n % 2)] for n, (x, y) in enumerate(PASSING)]
    path = coco_set(tmp_path / "d.json", people)
    with pytest.raises(UserError, match=r"2 individuals.*1, 2"):
        formats.read(path, fps=25)
    for name, column in (("1", 0), ("2", 1)):
        tracks = formats.read(path, fps=25, individual=name)
        assert tracks.position[:, 0, 0].values.tolist() == [pair[column] for pair in PASSING]


def test_alphapose_results_with_and_without_tracking(tmp_path):
    def results(idx):
        return [
            {
                "image_id": f"{n}.jpg",
                "category_id": 1,
                "keypoints": [v for k in range(17) for v in (x + k, 100 + 4 * k, 0.5)],
                "score": 2.5,
                "box": [x, 100, 17, 64],
                "idx": idx(who),
            }
            for n, pair in enumerate(PASSING)
            for who, x in enumerate(pair, start=1)
        ]

    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(results(float)))
    tracks = formats.read(path, fps=25, individual="2")
    assert tracks.position[:, 0, 0].values.tolist() == [40, 30, 20, 10, 0]
    path.write_text(json.dumps(results(lambda who: [[0.0], [0.0]])))  # as it writes without
    far = json.loads(path.read_text())
    for entry in far[1::2]:
        entry["keypoints"][::3] = [x + 300 for x in entry["keypoints"][::3]]
    path.write_text(json.dumps(far))
    tracks = formats.read(path, fps=25, individual="person_1")
    assert tracks.position[:, 0, 0].values.tolist() == [340, 330, 320, 310, 300]


def test_a_number_that_is_there_twice_in_a_frame_is_refused(tmp_path):
    people = [
        [(0, {"track_id": 1}), (90, {"track_id": 2})],
        [(0, {"track_id": 1}), (90, {"track_id": 1})],
    ]
    with pytest.raises(UserError, match="frame 1 has track_id 1 twice"):
        formats.read(coco_set(tmp_path / "d.json", people), fps=25, individual="1")


def test_an_annotation_without_a_number_is_whose_pose_is_near(tmp_path):
    """Frame 1: 2's is drawn by hand without a track; frame 2: somebody far from both."""
    one, two = {"track_id": 1}, {"track_id": 2}
    people = [[(0, one), (90, two)], [(92, {}), (1, one)], [(2, one), (900, {})]]
    path = coco_set(tmp_path / "d.json", people)
    tracks = formats.read(path, fps=25, individual="2")
    np.testing.assert_array_equal(tracks.position[:, 0, 0], [90, 92, np.nan])
    note = {"step": "choose_person", "people": 3, "chosen": "track_id 2", "frames": 2, "unnamed": 1}
    assert steps(tracks)[0] == note
    tracks = formats.read(path, fps=25, individual="1")
    np.testing.assert_array_equal(tracks.position[:, 0, 0], [0, 1, 2])


def test_mmpose_results_of_an_inferencer_and_of_a_demo(tmp_path):
    def frame(number, *people):
        return {
            "frame_id": number,
            "instances": [
                {
                    "keypoints": [[x + k, 100 + 4 * k] for k in range(17)],
                    "keypoint_scores": [0.5] * 17,
                    "bbox": [[x, 100, x + 17, 164]],
                    "bbox_score": 0.9,
                }
                for x in people
            ],
        }

    path = tmp_path / "clip.json"
    path.write_text(json.dumps([frame(0, 50), frame(1), frame(2, 54)]))
    tracks = formats.read(path, fps=25)
    np.testing.assert_array_equal(tracks.position[:, 0, 0], [50, np.nan, 54])
    np.testing.assert_array_equal(tracks.confidence[:, 0], [0.5, 0, 0.5])
    assert list(tracks.keypoint.values) == COCO_17
    names = {str(k): f"point {k}" for k in range(17)}
    demo = {
        "meta_info": {"keypoint_id2name": names},
        "instance_info": [frame(1, 50), frame(2), frame(3, 54)],
    }
    path.write_text(json.dumps(demo))
    tracks = formats.read(path, fps=25)  # MMPose's demos count frames from 1
    np.testing.assert_array_equal(tracks.position[:, 0, 0], [50, np.nan, 54])
    assert list(tracks.keypoint.values)[10] == "point 10"
    demo["instance_info"][0]["instances"][0]["keypoints"] = [[0.1, 0.2, 0.3]] * 17
    path.write_text(json.dumps(demo))
    with pytest.raises(UserError, match="not those in space"):
        formats.read(path, fps=25)


def test_mediapipe_shares_of_the_picture_become_px_and_zeros_are_nobody(tmp_path):
    landmarks = np.full((3, 33, 5), [0.25, 0.5, -0.1, 0.9, 1.0])
    landmarks[1] = 0
    np.save(tmp_path / "l.npy", landmarks)
    with pytest.raises(UserError, match="width and height"):
        formats.read(tmp_path / "l.npy", fps=25)
    tracks = formats.read(tmp_path / "l.npy", fps=25, width=640, height=480)
    np.testing.assert_array_equal(
        tracks.position.sel(keypoint="left_wrist"), [[160, 240], [np.nan, np.nan], [160, 240]]
    )
    np.testing.assert_array_equal(tracks.confidence[:, 0], np.float32([0.9, 0, 0.9]))


def test_mediapipe_a_frame_rate_that_contradicts_the_files_is_refused(tmp_path):
    formats.write(tagged(BODY), tmp_path / "a.npz", "mediapipe")
    with pytest.raises(UserError, match="has 25 frames per second, not 50"):
        formats.read(tmp_path / "a.npz", fps=50)


def test_sleap_a_label_takes_the_place_of_the_prediction_and_old_files_count_from_the_corner(
    tmp_path,
):
    formats.write(tagged(["a", "b"]), tmp_path / "a.slp", "sleap")
    with h5py.File(tmp_path / "a.slp", "r+") as file:
        instances, frames = file["instances"][:], file["frames"][:]
        label = instances[:1].copy()
        label["instance_id"], label["instance_type"], label["from_predicted"] = (
            9,
            0,
            0,
        )  # of frame 0, made from its prediction
        frames["instance_id_start"][1:] += 1
        frames["instance_id_end"] += 1
        for name, rows in {
            "instances": np.concatenate([instances[:1], label, instances[1:]]),
            "frames": frames,
        }.items():
            del file[name]
            file[name] = rows
        dtype = file["points"].dtype
        del file["points"]
        file["points"] = np.array([(7, 8, True, True), (9, 10, True, True)], dtype=dtype)
    tracks = formats.read(tmp_path / "a.slp", fps=25)
    assert tracks.position.values[0].tolist() == [[7, 9], [8, 10]] and tracks.confidence.values[
        0
    ].tolist() == [1, 1]
    assert tracks.position.values[1].tolist() == [
        [100.125, 101.125],
        [100.625, 101.625],
    ] and tracks.confidence.values[1].tolist() == [0.75, 0.75]
    with h5py.File(tmp_path / "a.slp", "r+") as file:
        file["metadata"].attrs["format_id"] = 1.0
    assert formats.read(tmp_path / "a.slp", fps=25).position.values[0].tolist() == [
        [6.5, 8.5],
        [7.5, 9.5],
    ]


def slp(path, frames):
    """Two nodes, tracks A and B; each frame has instances (x, track, label, from_predicted)."""
    formats.write(tagged(["a", "b"]), path, "sleap")
    with h5py.File(path, "r+") as file:
        rows, points = file["instances"].dtype, {0: [], 1: []}
        instances, about = [], []
        for frame, there in frames.items():
            first = len(instances)
            for x, track, label, origin in there:
                kind = 0 if label else 1
                start = len(points[kind])
                score = () if label else (0.75,)
                points[kind] += [(x, 10, True, True, *score), (x, 60, True, True, *score)]
                instances.append(
                    (len(instances), kind, frame, 0, track, origin, 0.5, start, start + 2, 0)
                )
            about.append((len(about), 0, frame, first, len(instances)))
        tables = {
            "instances": np.array(instances, rows),
            "frames": np.array(about, file["frames"].dtype),
            "points": np.array(points[0], file["points"].dtype),
            "pred_points": np.array(points[1], file["pred_points"].dtype),
            "tracks_json": [np.bytes_(json.dumps([0, name]).encode()) for name in "AB"],
        }
        for name, table in tables.items():
            del file[name]
            file[name] = table
    return path


@pytest.mark.parametrize("origin", [2, -1])
def test_sleap_a_label_without_a_track_is_read_in_its_frame(tmp_path, origin):
    """Frame 1 has A's prediction at 101 (instance 2), a label at 110 that was made from it or from
    nothing, and B's; frame 2 a label alone, next to B.
    """
    frames = {
        0: [(100, 0, False, -1), (300, 1, False, -1)],
        1: [(101, 0, False, -1), (110, -1, True, origin), (299, 1, False, -1)],
        2: [(290, -1, True, -1), (102, 0, False, -1)],
    }
    path = slp(tmp_path / "a.slp", frames)
    tracks = formats.read(path, fps=25, individual="A")
    assert tracks.position[:, 0, 0].values.tolist() == [100, 110, 102]
    assert tracks.confidence[:, 0].values.tolist() == [0.75, 1, 0.75]
    tracks = formats.read(path, fps=25, individual="B")
    assert tracks.position[:, 0, 0].values.tolist() == [300, 299, 290]


def test_sleap_a_label_near_no_track_is_refused_and_of_one_track_is_its(tmp_path):
    frames = {0: [(100, 0, False, -1), (300, 1, False, -1)], 1: [(900, -1, True, -1)]}
    with pytest.raises(UserError, match=r"frame 1 has a label without a track.* A, B; set its"):
        formats.read(slp(tmp_path / "a.slp", frames), fps=25, individual="A")
    frames[0].pop()
    tracks = formats.read(slp(tmp_path / "b.slp", frames), fps=25)
    assert tracks.position[:, 0, 0].values.tolist() == [100, 900]


def test_sleap_a_label_takes_the_place_of_a_prediction_without_tracks(tmp_path):
    frames = {0: [(100, -1, False, -1)], 1: [(101, -1, False, -1), (110, -1, True, -1)]}
    tracks = formats.read(slp(tmp_path / "a.slp", frames), fps=25)
    assert tracks.position[:, 0, 0].values.tolist() == [100, 110]


@pytest.mark.parametrize("order", ["sleap", "standard"])
def test_sleaps_analysis_h5(tmp_path, order):
    """x = 100 track + 10 node + frame; track B is missing in frame 1, A's node b in frame 2."""
    track, node, frame = np.meshgrid([1.0, 2], [0.0, 1], [0.0, 1, 2], indexing="ij")
    x = 100 * track + 10 * node + frame
    x[1, :, 1], x[0, 1, 2] = np.nan, np.nan
    found = np.stack([x, x + 0.5], axis=1)  # (track, 2, node, frame)
    scores = np.where(np.isnan(x), np.nan, 0.5)
    with h5py.File(tmp_path / "a.analysis.h5", "w") as file:
        if order == "sleap":
            file["tracks"], file["point_scores"] = found, scores
        else:
            file["tracks"] = found.transpose(3, 0, 2, 1)
            file["tracks"].attrs["dims"] = '["frame", "track", "node", "xy"]'
            file["point_scores"] = scores.transpose(2, 0, 1)
            file["point_scores"].attrs["dims"] = '["frame", "track", "node"]'
        file["node_names"], file["track_names"] = np.bytes_(["a", "b"]), np.bytes_(["A", "B"])
    with pytest.raises(UserError, match=r"2 individuals.*A, B"):
        formats.read(tmp_path / "a.analysis.h5", fps=25)
    one = formats.read(tmp_path / "a.analysis.h5", fps=25, individual="A")
    np.testing.assert_array_equal(
        one.position.transpose("keypoint", "time", "space")[:, :, 0],
        [[100, 101, 102], [110, 111, np.nan]],
    )
    np.testing.assert_array_equal(one.confidence[:, 1], [0.5, 0.5, 0])
    two = formats.read(tmp_path / "a.analysis.h5", fps=25, individual="B")
    np.testing.assert_array_equal(two.position[:, 0, 0], [200, np.nan, 202])
    np.testing.assert_array_equal(two.source_index, [0, 1, 2])


def test_sleaps_analysis_csv(tmp_path):
    """Frame 3 is not there, frame 2 has a row by hand: no track, no score."""
    rows = [
        "track,frame_idx,instance.score,b.score,b.x,b.y,a.score,a.x,a.y",
        "A,1,0.9,0.5,101,80,1.25,111,10",
        "B,1,0.9,0.5,301,80,0.5,311,10",
        "A,2,0.9,0.5,102,80,0.5,112,10",
        ",2,,,105,80,,115,10",
        "A,4,0.9,0.5,,,0.5,114,10",
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    tracks = formats.read(tmp_path / "a.csv", fps=25, individual="A")
    assert list(tracks.keypoint.values) == ["b", "a"]
    nan = np.nan
    np.testing.assert_array_equal(tracks.position[:, 0, 0], [nan, 101, 105, nan, nan])
    np.testing.assert_array_equal(tracks.position[:, 0, 1], [nan, 111, 115, nan, 114])
    np.testing.assert_array_equal(tracks.confidence[:, 1], [0, 1, 1, 0, 0.5])
    np.testing.assert_array_equal(tracks.source_index, [-1, 1, 2, -1, 4])


def test_a_csv_with_a_row_a_frame_of_sleap_io_is_refused(tmp_path):
    """inst0 is the first of the frame's list, who may be another person in each frame."""
    rows = ["frame_idx,inst0.track,inst0.a.x,inst0.a.y,inst1.track,inst1.a.x,inst1.a.y"]
    rows += ["0,carer,100,10,patient,480,10", "1,patient,460,10,carer,120,10"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match="are no people"):
        formats.read(tmp_path / "a.csv", fps=25)


@pytest.mark.parametrize(
    ("format", "file", "names"),
    [
        ("netcdf", "a.nc", ["nose", "left_wrist"]),
        ("long_csv", "a.csv", ["nose", "left_wrist"]),
        ("deeplabcut", "a.csv", ["nose", "left_wrist"]),
        ("deeplabcut", "a.h5", ["nose", "left_wrist"]),
        ("sleap", "a.slp", ["nose", "left_wrist"]),
        ("coco", "a.json", ["nose", "left_wrist"]),
        ("movement", "a.nc", ["nose", "left_wrist"]),
        ("mediapipe", "a.npz", BODY),
    ],
)
@pytest.mark.parametrize("scored", [False, True])
def test_a_point_without_a_score_comes_back_present_and_without_a_score(
    tmp_path, format, file, names, scored
):
    tracks = tagged(names)
    confidence = np.where(np.isfinite(tracks.position.values[:, 0]), np.float32(np.nan), 0)
    if scored:
        confidence[:, 1] = [0.75, 0.5, 0, 0.25]
    tracks["confidence"] = (("time", "keypoint"), confidence)
    assert_same(tracks, in_and_out(tracks, format, tmp_path / file))


def test_no_score_where_a_format_scores_frames_or_has_no_place_for_it(tmp_path):
    confidence = np.full((4, 68), np.nan)
    confidence[0, :2] = [0.5, 1.0]
    face = make_tracks(
        tagged(FACE_68).position.values.transpose(0, 2, 1), FACE_68, 25.0, confidence=confidence
    )
    openface = in_and_out(face, "openface", tmp_path / "a.csv")
    np.testing.assert_array_equal(
        openface.confidence[:, 0], np.float32([0.75, np.nan, np.nan, np.nan])
    )  # mean of 0.5 and 1
    np.testing.assert_array_equal(openface.position, face.position)
    body = tagged(BODY_25)
    body["confidence"] = body.confidence * np.nan
    openpose = in_and_out(body, "openpose", tmp_path / "folder")
    np.testing.assert_array_equal(openpose.position, body.position)
    assert openpose.confidence.values[0, 0] == 1 and openpose.confidence.values[2, 1] == 0


def test_json_stays_json_without_scores(tmp_path):
    tracks = tagged(["nose", "left_wrist"])
    tracks["confidence"] = tracks.confidence * np.nan
    formats.write(tracks, tmp_path / "a.json", "coco")
    document = json.loads(
        (tmp_path / "a.json").read_text(),
        parse_constant=lambda name: pytest.fail(f"{name} is not JSON"),
    )
    assert document["annotations"][0]["keypoint_scores"] == [None, None]


@pytest.mark.parametrize(
    ("keypoint", "individual"), [("keypoints", "individuals"), ("keypoint", "individual")]
)
def test_movement_dimensions_in_plural_and_singular(tmp_path, keypoint, individual):
    position = np.arange(2 * 2 * 3 * 2.0).reshape(2, 2, 3, 2)
    coords = {"space": ["x", "y"], keypoint: ["a", "b", "c"], individual: ["p", "q"]}
    data = xr.Dataset(
        {"position": (("time", "space", keypoint, individual), position)},
        coords,
        {"ds_type": "poses", "fps": 50.0},
    )
    data.to_netcdf(tmp_path / "m.nc", engine="h5netcdf")
    with pytest.raises(UserError, match="p, q"):
        formats.read(tmp_path / "m.nc")
    tracks = formats.read(tmp_path / "m.nc", individual="q")
    assert tracks.attrs["fps"] == 50
    np.testing.assert_array_equal(tracks.position, position[..., 1])


def test_scores_that_are_heights_of_peaks_are_cut_and_the_steps_say_so(tmp_path):
    (tmp_path / "a.csv").write_text(
        "scorer,s,s,s,s,s,s\nbodyparts,a,a,a,b,b,b\ncoords,x,y,likelihood,x,y,likelihood\n"
        "0,1,2,1.5,3,4,0.5\n1,5,6,-0.25,,,7\n2,7,8,1.25,9,9,1.0000002\n"
    )
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    np.testing.assert_array_equal(tracks.confidence, [[1, 0.5], [0, 0], [1, 1]])
    cut = {
        "step": "cut_confidence",
        "points": 3,
        "lowest": -0.25,
        "highest": 1.5,
    }  # neither rounding nor a missing point is counted
    assert steps(tracks)[0] == cut


DLC = "scorer,s,s,s,s,s,s\nbodyparts,a,a,a,b,b,b\ncoords,x,y,likelihood,x,y,likelihood\n"


@pytest.mark.parametrize("lost", ["-1,-1,-1", "0,0,0", ",,", "430,350,0", ",,0", "-1.0,-1.0,-1.0"])
def test_deeplabcut_a_point_that_was_not_found_has_no_place(tmp_path, lost):
    rows = f"0,430,350,0.95,1,2,0.5\n1,{lost},1,2,0.5\n2,430,350,0.95,1,2,0.5\n"
    (tmp_path / "a.csv").write_text(DLC + rows)
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert np.isnan(tracks.position.sel(keypoint="a").values[1]).all()
    assert tracks.confidence.values.tolist() == [
        pytest.approx([0.95, 0.5]),
        [0, 0.5],
        pytest.approx([0.95, 0.5]),
    ]
    assert tracks.position.sel(keypoint="b", space="x").values.tolist() == [1, 1, 1]
    had_a_place = 0 if lost.startswith(",") else 1
    noted = [step["points"] for step in steps(tracks) if step["step"] == "not_found"]
    assert noted == [1] * had_a_place
    assert not [step for step in steps(tracks) if step["step"] == "cut_confidence"]


def test_deeplabcut_without_likelihoods_everything_is_there(tmp_path):
    (tmp_path / "a.csv").write_text(DLC + "0,430,350,,1,2,\n1,430,350,nan,,,\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    np.testing.assert_array_equal(tracks.confidence, np.float32([[NAN, NAN], [NAN, 0]]))
    assert np.isfinite(tracks.position.values[:, :, 0]).all()


def test_scores_that_are_all_0_are_none(tmp_path):
    """As sleap-io writes points whose scores it does not know, and movement passes them on."""
    (tmp_path / "a.csv").write_text(DLC + "0,430,350,0,1,2,0\n1,0,0,0,-1,-1,-1\n2,431,350,0,,,\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    np.testing.assert_array_equal(tracks.confidence, np.float32([[NAN, NAN], [0, 0], [NAN, 0]]))
    assert tracks.position.values[0].tolist() == [[430, 1], [350, 2]]
    assert np.isnan(tracks.position.values[1]).all()
    assert {"step": "no_scores", "points": 3} in steps(tracks)


def test_scores_that_are_all_0_of_one_of_two_are_scores(tmp_path):
    """The other one's scores show that the file has some: this one was never found."""
    head = ["scorer" + ",s" * 6, "individuals" + ",A" * 3 + ",B" * 3, "bodyparts" + ",nose" * 6]
    lines = [*head, "coords" + ",x,y,likelihood" * 2, "0,430,350,0.9,1,2,0", "1,431,350,0.9,1,2,0"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25, individual="B")
    assert np.isnan(tracks.position.values).all() and (tracks.confidence.values == 0).all()


@pytest.mark.parametrize("cell", ["", "nan", "0", "-1"])
@pytest.mark.parametrize("place", ["-1,-1", "0,0"])
def test_the_place_of_what_was_not_found_is_none_without_a_score(tmp_path, cell, place):
    rows = f"0,430,350,0.9,1,2,0.9\n1,{place},{cell},1,2,0.9\n"
    (tmp_path / "a.csv").write_text(DLC + rows)
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert np.isnan(tracks.position.values[1, :, 0]).all() and tracks.confidence.values[1, 0] == 0
    assert tracks.position.values[0, :, 0].tolist() == [430, 350]
    assert tracks.position.values[1, :, 1].tolist() == [1, 2]


def test_a_place_of_padding_is_none_in_a_file_that_has_no_scores(tmp_path):
    header = "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n"
    (tmp_path / "a.csv").write_text(header + "0,430,350\n1,-1,-1\n2,431,350\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert np.isnan(tracks.position.values[1]).all()
    assert tracks.confidence.values[:, 0].tolist() == [1, 0, 1]


def test_confidences_in_percent_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(DLC + "0,430,350,95,1,2,50\n1,431,350,90,1,2,60\n")
    with pytest.raises(UserError, match=r"frame 0, a: confidence 95 is outside of 0 to 1"):
        formats.read(tmp_path / "a.csv", fps=25)


def test_a_patient_who_was_never_found_is_not_there(tmp_path):
    (tmp_path / "a.csv").write_text(DLC + "0,0,0,0,-1,-1,-1\n1,0,0,0,-1,-1,-1\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert np.isnan(tracks.position.values).all() and (tracks.confidence.values == 0).all()


def test_a_huge_frame_number_in_a_table_is_named_and_takes_no_memory(tmp_path):
    names = [f"k{number}" for number in range(33)]
    header = [["scorer", *["s"] * 66], ["bodyparts", *(n for n in names for _ in "xy")]]
    rows = [*header, ["coords", *["x", "y"] * 33], ["0", *["1"] * 66], ["9999999", *["1"] * 66]]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in rows))
    with pytest.raises(UserError, match=r"a\.csv: the frame 9999999 .* the file has 2"):
        formats.read(tmp_path / "a.csv", fps=25)


def test_a_still_patient_who_is_not_found_in_ten_frames_does_not_move(tmp_path):
    """The figures by hand: nobody moves, so the error is 0 px; found is half of the points."""
    rows = [
        f"{t},0,0,0,430,350,0.9" if t % 2 else f"{t},430,350,0.9,430,350,0.9" for t in range(20)
    ]
    (tmp_path / "a.csv").write_text(DLC + "\n".join(rows))
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    moved = np.linalg.norm(np.diff(fill_gaps(tracks, 0.2).position.values, axis=0), axis=1)
    assert np.nanmax(moved) == 0
    true = make_tracks(np.full((20, 2, 2), [430.0, 350.0]), ["a", "b"], 25.0)
    table = tracking_error({"v": tracks}, as_labels(true, "v"))
    assert (table.keypoints["a"].mean.value, table.keypoints["a"].predicted.value) == (0, 0.5)
    assert table.keypoints["b"].predicted.value == 1


LIGHTNING_POSE = (
    "scorer,t,t,t,set\nbodyparts,a,a,a,{0}\ncoords,x,y,likelihood,{0}\n"
    "labeled-data/v/img0003.png,1,2,0.5,train\nlabeled-data/v/img0005.png,3,4,0.75,unused\n"
)
EKS = (
    f"scorer{',ensemble-kalman_tracker' * 9}\nbodyparts{',a' * 9}\ncoords,x,y,likelihood,"
    "x_ens_median,y_ens_median,x_ens_var,y_ens_var,x_posterior_var,y_posterior_var\n"
    "3,1,2,0.5,91,92,93,94,95,96\n5,3,4,0.75,91,92,93,94,95,96\n"
)


@pytest.mark.parametrize(
    ("text", "aside"),
    [
        (LIGHTNING_POSE.format(""), ["set"]),
        (LIGHTNING_POSE.format("Unnamed: 4_level_2"), ["set"]),
        (EKS, EKS.split("likelihood,")[1].split("\n")[0].split(",")),
    ],
)
def test_deeplabcut_columns_that_other_programs_add_are_set_aside_and_named(tmp_path, text, aside):
    (tmp_path / "a.csv").write_text(text)
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert tracks.position.values[[3, 5], :, 0].tolist() == [[1, 2], [3, 4]]
    assert tracks.confidence.values[:, 0].tolist() == [0, 0, 0, 0.5, 0, 0.75]
    assert steps(tracks)[0] == {"step": "set_aside", "columns": aside}


def test_a_label_that_is_not_labelled_has_no_place(tmp_path):
    (tmp_path / "a.csv").write_text(
        "scorer,t,t,t,t,t,t\nbodyparts,a,a,a,b,b,b\ncoords,x,y,visible,x,y,visible\n"
        "labeled-data/v/img0000.png,1,2,2,3,4,1\nlabeled-data/v/img0001.png,0,0,0,,,0\n"
    )
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert tracks.position.values[0].tolist() == [[1, 3], [2, 4]]
    assert np.isnan(tracks.position.values[1]).all()
    assert tracks.confidence.values.tolist() == [[1, 1], [0, 0]]


def test_deeplabcut_a_third_coordinate_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("scorer,t,t,t\nbodyparts,a,a,a\ncoords,x,y,z\n0,1,2,3\n")
    with pytest.raises(UserError, match="coords 'z' in its header"):
        formats.read(tmp_path / "a.csv", fps=25)


def test_tables_between_semicolons_are_recognised_and_read(tmp_path):
    rows = "0;430,5;350;0,95;1;2;1e-3\n1;;;;1,25;2;1\n"
    (tmp_path / "a.csv").write_text("\ufeff" + DLC.replace(",", ";") + rows, encoding="utf-8")
    tracks = formats.read(tmp_path / "a.csv", fps=25)
    assert tracks.position.sel(space="x").values[0].tolist() == [430.5, 1]
    assert tracks.confidence.values.tolist() == [pytest.approx([0.95, 0.001]), [0, 1]]
    assert np.isnan(tracks.position.values[1, :, 0]).all()


@pytest.mark.parametrize(
    "cell", ["-nan(ind)", "nan(ind)", "-nan", "-1.#IND", "1.#QNAN00", "-1.#IND000000"]
)
def test_openface_writes_not_a_number_as_the_machine_does(tmp_path, cell):
    path = openface_table(tmp_path / "o.csv")
    lines = path.read_text().splitlines()
    lines[2] = ", ".join([*lines[2].split(", ")[:4], *[cell] * (5 * 68 + 1)])
    path.write_text("\n".join(lines))
    tracks = formats.read(path)
    assert (
        np.isnan(tracks.position.values[1]).all() and np.isfinite(tracks.position.values[2]).all()
    )
    path.write_text("\n".join(lines).replace(cell, "-nan(banana)"))
    with pytest.raises(UserError, match=r"row 3, column .*'-nan\(banana\)' is not a number"):
        formats.read(path)


def movement_file(path, times, unit, fps=None, position=None):
    x = np.arange(len(times), dtype=float)[:, None, None, None] if position is None else position
    data = xr.Dataset(
        {"position": (("time", "space", "keypoint", "individual"), x + np.zeros((1, 2, 1, 1)))},
        {"time": times, "space": ["x", "y"], "keypoint": ["a"], "individual": ["p"]},
        {"ds_type": "poses", "time_unit": unit} | ({} if fps is None else {"fps": fps}),
    )
    data.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize(
    ("times", "unit", "fps", "given", "rate", "rows", "source"),
    [  # the cases by movement 0.17.0: sel(time=slice(...)), isel(time=slice(None, None, 2)), dropna
        (np.arange(500, 510) / 50, "seconds", 50.0, None, 50, range(500, 510), range(500, 510)),
        (np.arange(0, 20, 2) / 50, "seconds", 50.0, None, 25, range(10), range(0, 20, 2)),
        (np.arange(500, 520, 2) / 50, "seconds", 50.0, 25, 25, range(250, 260), range(500, 520, 2)),
        (np.arange(500, 510), "frames", None, 50, 50, range(500, 510), range(500, 510)),
        (np.arange(500, 530, 3), "frames", None, 50, 50, range(500, 530, 3), range(500, 530, 3)),
        (
            np.array([0, 1, 2, 4, 5]) / 50,
            "seconds",
            50.0,
            None,
            50,
            [0, 1, 2, 4, 5],
            [0, 1, 2, 4, 5],
        ),
        (np.array([1, 3, 5, 7]) / 50, "seconds", 50.0, None, 50, [1, 3, 5, 7], [1, 3, 5, 7]),
        (np.arange(10, 20) / 29.97, "seconds", None, None, 29.97, range(10, 20), range(10, 20)),
        (np.arange(10, 20) / 29.97, "seconds", None, 29.97, 29.97, range(10, 20), range(10, 20)),
    ],
)
def test_movement_a_row_stays_at_its_time(tmp_path, times, unit, fps, given, rate, rows, source):
    tracks = formats.read(movement_file(tmp_path / "m.nc", times, unit, fps), fps=given)
    assert tracks.attrs["fps"] == pytest.approx(rate, rel=1e-9)
    seconds = np.array(times) / (1 if unit == "seconds" else given)
    np.testing.assert_allclose(tracks.time.values[list(rows)], seconds, atol=1e-9)
    np.testing.assert_allclose(tracks.source_time.values[list(rows)], seconds, atol=1e-9)
    assert tracks.source_index.values[list(rows)].tolist() == list(source)
    x = tracks.position.sel(space="x", keypoint="a").values
    assert x[list(rows)].tolist() == list(range(len(times)))
    others = np.setdiff1d(np.arange(tracks.sizes["time"]), list(rows))
    assert np.isnan(x[others]).all() and (tracks.source_index.values[others] == -1).all()


@pytest.mark.parametrize(
    ("times", "unit", "fps", "given", "message"),
    [
        (np.arange(10) / 50, "seconds", 50.0, 25, "of 50 frames per second, not 25"),
        (np.arange(10) / 50, "seconds", None, 25, "row 1: time 0.02 seconds is no frame at 25"),
        (np.arange(10) / 25, "seconds", 30.0, None, "row 2: time 0.08 seconds is no frame at 30"),
        (np.arange(10), "frames", None, None, "has no frame rate"),
        (np.arange(10.0), "ms", 50.0, None, "float64 in ms"),
        (np.arange(-2, 8) / 50, "seconds", 50.0, None, "row 0: time -0.04"),
        (np.array([0, 0.04, 0.02]), "seconds", 50.0, None, "row 2: time does not rise from 0.04"),
        (
            1.7e9 + np.arange(9) / 50,
            "seconds",
            50.0,
            None,
            "row 0: time 1.7e.09 seconds is too far",
        ),
        (np.arange(10) / 50, "seconds", -50.0, None, r"frame rate \(fps\) is"),
    ],
)
def test_movement_times_that_contradict_the_rate_are_refused(
    tmp_path, times, unit, fps, given, message
):
    with pytest.raises(UserError, match=message):
        formats.read(movement_file(tmp_path / "m.nc", times, unit, fps), fps=given)


def test_movement_one_movement_a_second_stays_one_when_every_second_frame_is_left_out(tmp_path):
    times = np.arange(0, 200, 2) / 50
    wave = np.sin(2 * np.pi * times)[:, None, None, None]
    tracks = formats.read(movement_file(tmp_path / "m.nc", times, "seconds", 50.0, wave))
    power = np.abs(np.fft.rfft(tracks.position.values[:, 0, 0]))
    assert np.fft.rfftfreq(tracks.sizes["time"], 1 / tracks.attrs["fps"])[power.argmax()] == 1


def test_two_tracks_of_one_name_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:  # SLEAP's analysis
        file["tracks"] = np.full((2, 2, 1, 4), 100.0)
        file["node_names"], file["track_names"] = [b"nose"], [b"A", b"A"]
    with pytest.raises(UserError, match="two individuals are called 'A'"):
        formats.read(tmp_path / "a.h5", fps=25, individual="A")


def test_pyfeat_half_a_frame_is_no_frame(tmp_path):
    names = ["frame", "FaceScore", *(f"{axis}_{n}" for axis in "xy" for n in range(68))]
    rows = [",".join([str(frame), "0.9", *["10"] * 136]) for frame in (0, 1.5)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    with pytest.raises(UserError, match=r"1\.5 is not the number of a frame"):
        formats.read(tmp_path / "a.csv", fps=25)


@pytest.mark.parametrize("from_end", range(1, 400, 57))
def test_a_flipped_bit_in_landmarks_is_one_sentence(tmp_path, from_end):
    np.savez(tmp_path / "a.npz", fps=25.0, landmarks=np.full((2, 33, 4), 0.5))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    end = content.index(b"PK\1\2")  # of the arrays' bytes
    content[end - from_end] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz: not a readable array"):
        formats.read(tmp_path / "a.npz", width=640, height=480)


def test_a_score_outside_0_to_1_where_none_can_be_is_named_by_frame_and_keypoint(tmp_path):
    landmarks = np.full((3, 33, 4), 0.5)
    landmarks[1, 15, 3] = 95  # left_wrist
    np.save(tmp_path / "a.npy", landmarks)
    with pytest.raises(UserError, match=r"a\.npy: frame 1, left_wrist: confidence 95 "):
        formats.read(tmp_path / "a.npy", fps=25, width=640, height=480)


@pytest.mark.realdata
def test_real_sleap_scores_above_1_are_cut(testdata):
    file = testdata / "keypoints/sleap/tracks/clip.predictions.slp"
    with h5py.File(file) as content:
        above = content["pred_points"]["score"][:] > 1
    read = [formats.read(file, fps=30, individual=name) for name in ("male", "female")]
    cut = [step for tracks in read for step in steps(tracks) if step["step"] == "cut_confidence"]
    assert sum(step["points"] for step in cut) == above.sum() == 1930
    assert max(step["highest"] for step in cut) == pytest.approx(1.7432, abs=1e-4)
    assert all(tracks.confidence.max() == 1 and tracks.confidence.min() >= 0 for tracks in read)


def test_movement_is_written_as_movement_makes_its_datasets_since_0_17(tmp_path):
    formats.write(tagged(["nose", "left_wrist"]), tmp_path / "m.nc", "movement")
    with xr.open_dataset(tmp_path / "m.nc", engine="h5netcdf") as data:
        assert data.position.dims == (
            "time",
            "space",
            "keypoint",
            "individual",
        ) and data.confidence.dims == ("time", "keypoint", "individual")
        assert {name: coordinate.values.tolist() for name, coordinate in data.coords.items()} == {
            "time": [0, 0.04, 0.08, 0.12],
            "space": ["x", "y"],
            "keypoint": ["nose", "left_wrist"],
            "individual": ["patient"],
        }
        assert data.attrs == {
            "ds_type": "poses",
            "fps": 25,
            "time_unit": "seconds",
            "source_software": "semiology",
        }


def test_movements_confidence_of_an_individual_is_that_of_its_keypoints(tmp_path):
    dims, coords = (
        ("time", "space", "keypoint", "individual"),
        {"space": ["x", "y"], "keypoint": ["a", "b"], "individual": ["p", "q"]},
    )
    position = np.ones((2, 2, 2, 2))
    position[1, :, 1] = np.nan
    data = xr.Dataset({"position": (dims, position)}, coords, {"ds_type": "poses", "fps": 50.0})
    data.assign(confidence=(("time", "individual"), [[0.25, 0.5], [0.75, 1]])).to_netcdf(
        tmp_path / "m.nc", engine="h5netcdf"
    )
    np.testing.assert_array_equal(
        formats.read(tmp_path / "m.nc", individual="p").confidence, [[0.25, 0.25], [0.75, 0]]
    )
    np.testing.assert_array_equal(
        formats.read(tmp_path / "m.nc", individual="q").confidence, [[0.5, 0.5], [1, 0]]
    )
    data.assign(confidence=(("time", "space"), np.ones((2, 2)))).to_netcdf(
        tmp_path / "m.nc", engine="h5netcdf"
    )
    with pytest.raises(UserError, match="time, space"):
        formats.read(tmp_path / "m.nc", individual="p")


def openface_table(path, success=(1, 0, 1), timestamps=("0.000", "0.033", "0.067")):
    header = [
        "frame",
        "timestamp",
        "confidence",
        "success",
        *(f"{a}_{k}" for a in "xyXYZ" for k in range(68)),
        "AU01_r",
    ]
    rows = [
        [
            str(t + 1),
            timestamps[t],
            "0.98",
            str(ok),
            *(str(t * 1000 + n) for n in range(5 * 68)),
            "1.5",
        ]
        for t, ok in enumerate(success)
    ]
    path.write_text("\n".join(", ".join(row) for row in [header, *rows]) + "\n")
    return path


def test_openface_without_success_is_missing_mm_become_metres_and_the_rate_is_the_timestamps(
    tmp_path,
):
    tracks = formats.read(openface_table(tmp_path / "o.csv"))
    assert tracks.attrs["fps"] == 30  # 0, 33 and 67 ms
    assert tracks.position.sel(keypoint="landmark_03").values.tolist()[2] == [2003, 2068 + 3]
    assert np.isnan(tracks.position.values[1]).all() and (tracks.confidence.values[1] == 0).all()
    assert tracks.position_3d.sel(keypoint="landmark_00").values[0].tolist() == pytest.approx(
        [0.136, 0.204, 0.272]
    )
    assert "action units" in steps(tracks)[0]["left_out"]


def pyfeat_table(path, rows, count=68, depth=False):
    """rows: (frame, FaceScore, Identity, x); landmark k lies at x + k, 2 k."""
    names = [f"{axis}_{k}" for k in range(count) for axis in ("xyz" if depth else "xy")]
    lines = [",".join(["FaceScore", *names, "Identity", "Identity_1", "FrameWidth", "frame"])]
    for frame, score, identity, x in rows:
        points = [
            str(value)
            for k in range(count)
            for value in ((x + k, 2 * k, -0.1) if depth else (x + k, 2 * k))
        ]
        lines.append(",".join([str(score), *points, identity, "0.25", "640", str(frame)]))
    path.write_text("\n".join(lines))
    return path


def test_pyfeat_frames_without_a_face_are_nobodys(tmp_path):
    """Frame 1 has no face; frame 2 another person alone; frame 3 was not analysed."""
    rows = [(0, 0.75, "Person_0", 10), (1, 0.0, "", 0), (4, 0.5, "Person_0", 14)]
    path = pyfeat_table(tmp_path / "t.csv", rows)
    tracks = formats.read(path, fps=25)
    np.testing.assert_array_equal(tracks.position[:, 0, 3], [13, np.nan, np.nan, np.nan, 17])
    np.testing.assert_array_equal(tracks.confidence[:, 3], [0.75, 0, 0, 0, 0.5])
    np.testing.assert_array_equal(tracks.source_index, [0, 1, -1, -1, 4])
    rows += [(2, 0.5, "Person_1", 300), (4, 0.5, "Person_1", 300)]
    path = pyfeat_table(tmp_path / "t.csv", rows)
    with pytest.raises(UserError, match=r"2 individuals.*Person_0, Person_1"):
        formats.read(path, fps=25)
    tracks = formats.read(path, fps=25, individual="Person_0")
    np.testing.assert_array_equal(tracks.position[:, 0, 3], [13, np.nan, np.nan, np.nan, 17])
    np.testing.assert_array_equal(tracks.source_index, [0, 1, 2, -1, 4])


def test_pyfeats_mesh_is_named_as_mediapipes(tmp_path):
    """MPDetector of 2.1.5: x, y, z of 478 points. Where it finds no face it writes FaceScore 0, and
    points and an identity that its networks made of a black image.
    """
    rows = [(0, 0.75, "Person_0", 10), (1, 0.0, "Person_1", 0), (2, 0.75, "Person_0", 12)]
    path = pyfeat_table(tmp_path / "t.csv", rows, count=478, depth=True)
    tracks = formats.read(path, fps=25)
    assert list(tracks.keypoint.values) == MESH and tracks.sizes["keypoint"] == 478
    point = tracks.position.sel(keypoint="mesh_477").transpose("time", "space")
    np.testing.assert_array_equal(point, [[487, 954], [np.nan, np.nan], [489, 954]])
    alone = path.read_text().replace("x_", "mesh_x_").replace("y_", "mesh_y_")
    path.write_text(alone.replace("Identitmesh_y_", "Identity_"))  # of Detectorv2, without the 68
    xr.testing.assert_identical(formats.read(path, fps=25).drop_attrs(), tracks.drop_attrs())
    pyfeat_table(tmp_path / "t.csv", rows, count=100)
    with pytest.raises(UserError, match="100 landmarks; known are 68 and 478"):
        formats.read(path, fps=25)


def test_openface_irregular_timestamps_are_refused_until_the_rate_is_given(tmp_path):
    path = openface_table(tmp_path / "o.csv", timestamps=("0.000", "0.033", "1.900"))
    with pytest.raises(UserError, match=r"row 3: timestamps .* frames"):
        formats.read(path)
    assert formats.read(path, fps=30).attrs["fps"] == 30


def test_the_23_joints_from_68_points_are_those_of_face_23():
    points, mesh = load_skeleton("face_23_from_68"), load_skeleton("face_23")
    assert (points.names, points.edges, points.origin, points.scale) == (
        mesh.names,
        mesh.edges,
        mesh.origin,
        mesh.scale,
    )
    joints = select(tagged(FACE_68), points)
    assert float(joints.position.sel(keypoint="left_eye_upper", space="x")[0]) == pytest.approx(
        (43 + 44) / 2 + 0.125
    )


# Names


def test_names_are_mapped_by_a_file_and_an_absent_one_is_reported(tmp_path):
    formats.write(tagged(["Hand", "Tongue"]), tmp_path / "a.csv", "deeplabcut")
    (tmp_path / "names.yaml").write_text("Hand: left_wrist\n")
    tracks = formats.read(tmp_path / "a.csv", fps=25, names=tmp_path / "names.yaml")
    assert list(tracks.keypoint.values) == ["left_wrist", "Tongue"]
    with pytest.raises(UserError, match=r"no keypoint 'Elbow'.*Hand, Tongue"):
        formats.read(tmp_path / "a.csv", fps=25, names={"Elbow": "left_elbow"})
    with pytest.raises(UserError, match="'Tongue'"):
        formats.read(tmp_path / "a.csv", fps=25, names={"Hand": "Tongue"})


# Faults


def test_a_format_without_frame_rate_requires_it(tmp_path):
    formats.write(tagged(["a", "b"]), tmp_path / "a.csv", "deeplabcut")
    with pytest.raises(UserError, match="no frame rate"):
        formats.read(tmp_path / "a.csv")


def test_text_among_numbers_is_reported_by_file_row_and_column(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("scorer,me,me\nbodyparts,hand,hand\ncoords,x,y\n0,1,2\n1,oops,4\n")
    with pytest.raises(
        UserError, match=r'a\.csv: row 5, column "hand x": \'oops\' is not a number'
    ):
        formats.read(path, fps=25)


@pytest.mark.parametrize("suffix", [".h5", ".slp", ".nc", ".npz", ".json", ".csv"])
def test_a_file_cut_in_half_gives_one_line(tmp_path, suffix):
    format = {
        ".h5": "deeplabcut",
        ".csv": "deeplabcut",
        ".slp": "sleap",
        ".nc": "movement",
        ".npz": "mediapipe",
        ".json": "coco",
    }[suffix]
    path = tmp_path / f"a{suffix}"
    formats.write(tagged(BODY), path, format)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 3])
    with pytest.raises(UserError) as caught:
        formats.read(path, fps=25)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".h5", ".slp", ".nc"])
def test_flipped_bytes_in_the_structure_give_one_line(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    formats.write(
        tagged(["a", "b"]), path, {".h5": "deeplabcut", ".slp": "sleap", ".nc": "movement"}[suffix]
    )
    whole = path.read_bytes()
    path.write_bytes(
        bytes(byte ^ 0xFF if 48 <= place < 200 else byte for place, byte in enumerate(whole))
    )
    with pytest.raises(UserError) as caught:
        formats.read(path, fps=25)
    assert "\n" not in str(caught.value)


def test_a_pickle_in_an_h5_is_followed_as_far_as_names_go_and_never_run(tmp_path):
    assert literal(b"(lp0\n(VPranav\np1\nVsnout\np2\nVx\np3\ntp4\na(g1\ng2\nVy\np5\ntp6\na.") == [
        ("Pranav", "snout", "x"),
        ("Pranav", "snout", "y"),
    ]
    trap, path = tmp_path / "ran", tmp_path / "trap.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = "frame_table"
        table = group.create_dataset(
            "table", data=np.zeros(2, [("index", "i8"), ("values_block_0", "f8", (2,))])
        )
        table.attrs["values_block_0_kind"] = np.bytes_(
            f"cos\nsystem\n(S'touch {trap}'\ntR.".encode()
        )
    with pytest.raises(UserError, match="opcode GLOBAL"):
        formats.read(path, fps=25)
    assert not trap.exists()


def test_what_a_format_cannot_hold_is_reported(tmp_path):
    with pytest.raises(UserError, match="'tail'"):
        formats.write(tagged(["nose", "tail"]), tmp_path / "o", "openpose")
    with pytest.raises(UserError, match=r"pyfeat .*deeplabcut"):
        formats.write(tagged(FACE_68), tmp_path / "o.csv", "pyfeat")
    with pytest.raises(UserError, match="metres only"):
        formats.write(
            make_tracks(None, ["a"], 25.0, position_3d=np.zeros((2, 1, 3))),
            tmp_path / "o.csv",
            "deeplabcut",
        )
    with pytest.raises(UserError, match=r"'c3d'.*openpose"):
        formats.read(tmp_path, "c3d")


def test_the_verb_imports_and_exports(tmp_path, capsys):
    save_tracks(tagged(["nose", "left_wrist"]), tmp_path / "a.nc")
    assert (
        main(
            [
                "tracks",
                "export",
                str(tmp_path / "a.nc"),
                "--out",
                str(tmp_path / "a.h5"),
                "--format",
                "deeplabcut",
            ]
        )
        == 0
    )
    assert (
        main(
            [
                "tracks",
                "import",
                str(tmp_path / "a.h5"),
                "--out",
                str(tmp_path / "b.nc"),
                "--fps",
                "25",
            ]
        )
        == 0
    )
    assert_same(read_tracks(tmp_path / "a.nc"), read_tracks(tmp_path / "b.nc"))
    assert "left_out" in capsys.readouterr().out
    assert main(["tracks", "import", str(tmp_path / "a.h5"), "--out", str(tmp_path / "b.nc")]) == 2
    assert "no frame rate" in capsys.readouterr().err


# Real files


@pytest.mark.realdata
@pytest.mark.parametrize("project", ["openfield", "reaching/labeled-data/reachingvideo1"])
def test_real_deeplabcut_csv_and_h5_agree(testdata, project):
    folder = testdata / "keypoints/dlc" / project
    csv, h5 = (
        read_table(next(folder.glob(f"CollectedData_*{suffix}"))) for suffix in (".csv", ".h5")
    )
    assert (csv.scorer, csv.keypoints, csv.rows) == (h5.scorer, h5.keypoints, h5.rows)
    np.testing.assert_allclose(csv.values, h5.values, rtol=1e-12)
    if "reaching" in project:
        assert csv.values.shape == (55, 1, 5, 2) and np.isnan(csv.values).sum() == 84


@pytest.mark.realdata
def test_real_tables_in_sleaps_three_forms(testdata):
    folder = testdata / "keypoints/sleap"
    one, three = (formats.read(folder / f"dlc_testdata{form}.csv", fps=10) for form in ("", "_v2"))
    assert_same(one, three)
    with pytest.raises(UserError, match="Animal1, Animal2"):
        formats.read(folder / "madlc_testdata.csv", fps=10)
    second = formats.read(folder / "madlc_testdata.csv", fps=10, individual="Animal2")
    assert second.position.values[0].tolist() == [[6, 8, 10], [7, 9, 11]]


@pytest.mark.realdata
@pytest.mark.parametrize("file", ["clip.slp", "clip.2node.slp", "clip.predictions.slp"])
def test_real_slp_goes_through_every_format_that_can_hold_it(testdata, tmp_path, file):
    tracks = formats.read(
        testdata / "keypoints/sleap/tracks" / file, fps=30, individual="male"
    ).isel(time=slice(0, 300))
    assert np.isfinite(tracks.position.values).mean() > 0.8 and list(tracks.keypoint.values)[
        :2
    ] == ["head", "thorax"]
    for format in ("sleap", "coco", "movement", "long_csv"):
        assert_same(tracks, in_and_out(tracks, format, tmp_path / f"{format}{SUFFIX[format]}"))


@pytest.mark.realdata
def test_real_openface_and_pyfeat_landmarks_lie_on_a_face(testdata, tmp_path):
    openface = formats.read(testdata / "faces/OpenFace_Test.csv", fps=30)
    pyfeat = formats.read(testdata / "keypoints/news/001.csv", fps=30)
    assert openface.sizes["time"] == 100 and openface.position_3d.sel(
        space_3d="z"
    ).mean() == pytest.approx(0.6, abs=0.1)  # 60 cm away
    assert (
        pyfeat.sizes["time"] == 39 and (pyfeat.source_index.values[1::2] == -1).all()
    )  # every second frame was looked at
    assert (pyfeat.attrs["width"], pyfeat.attrs["height"]) == (1080, 1080)
    for tracks in (openface, pyfeat):
        face = select(tracks, load_skeleton("face_23_from_68")).position.isel(time=0)
        where = {name: face.sel(keypoint=name).values for name in face.keypoint.values}
        assert (
            where["right_eye_outer"][0]
            < where["right_eye_inner"][0]
            < where["left_eye_inner"][0]
            < where["left_eye_outer"][0]
        )
        assert (
            where["left_brow_middle"][1]
            < where["left_eye_upper"][1]
            < where["left_eye_lower"][1]
            < where["nose_tip"][1]
        )
        assert where["nose_base"][1] < where["mouth_upper_outer"][1] < where["mouth_lower_outer"][1]
        assert_same(tracks, in_and_out(tracks, "openface", tmp_path / "o.csv"))

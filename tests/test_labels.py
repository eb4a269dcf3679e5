"""Labelled frames in and out: tagged positions (x encodes frame and joint, y the joint), real
projects, and each fault reported in one line.
"""

import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from semiology import load_skeleton
from semiology.errors import UserError
from semiology.tracking.labels.coco import write_coco
from semiology.tracking.labels.deeplabcut import write_project
from semiology.tracking.labels.io import read_labels, write_labels
from semiology.tracking.labels.labels import LabelledFrame, Labels, concatenate_labels, read_image

JOINTS = ["wrist", "elbow", "hip"]


def tagged(folder, *, boxes=True):
    """Four frames of two videos, 64x48 px; x is 10 times the frame's place plus the joint's, y 10
    times the joint's place plus 0.25.

    The elbow of the second frame is hidden, the hip of the third is not labelled.
    """
    frames = []
    for place, (video, index) in enumerate([("v1", 3), ("v1", 12), ("v2", 3), ("v2", 100)]):
        image = folder / "stills" / video / f"img{index:03d}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((48, 64, 3), 50 * place, np.uint8)).save(image)
        regions = (
            {"patient": (1.0, 2.0, 60.0, 40.0), "face": (5.0, 5.0, 15.5, 20.0)}
            if boxes and place == 1
            else {}
        )
        frames.append(
            LabelledFrame(
                f"{video}/{image.name}", image, video, f"p_{video}", index, 64, 48, regions
            )
        )
    x = 10.0 * np.arange(4)[:, None] + np.arange(3)
    y = np.broadcast_to(10.0 * np.arange(3) + 0.25, (4, 3))
    position, visibility = np.stack([x, y], axis=2), np.full((4, 3), 2)
    position[2, 2], visibility[2, 2], visibility[1, 1] = np.nan, 0, 1
    return Labels(JOINTS, frames, position, visibility)


def same(labels, expected):
    """Everything but where the images are."""
    assert labels.keypoints == expected.keypoints
    place = expected.frames[0].image
    assert [replace(frame, image=place) for frame in labels.frames] == [
        replace(frame, image=place) for frame in expected.frames
    ]
    np.testing.assert_array_equal(labels.position, expected.position)
    np.testing.assert_array_equal(labels.visibility, expected.visibility)


def test_coco_and_back(tmp_path):
    labels = tagged(tmp_path)
    content = json.loads(write_coco(labels, tmp_path / "labels.json").read_text())
    assert content["images"][1] == {
        "id": 2,
        "file_name": "stills/v1/img012.png",
        "width": 64,
        "height": 48,
        "video": "v1",
        "frame_index": 12,
        "participant_id": "p_v1",
        "frame_id": "v1/img012.png",
    }
    body = next(
        entry for entry in content["annotations"] if entry["image_id"] == 2 and "keypoints" in entry
    )
    assert body["keypoints"] == [10, 0.25, 2, 11, 10.25, 1, 12, 20.25, 2] and body["bbox"] == [
        10,
        0.25,
        2,
        20,
    ]
    lacking = next(entry for entry in content["annotations"] if entry["image_id"] == 3)
    assert lacking["keypoints"][6:] == [0, 0, 0] and lacking["num_keypoints"] == 2
    same(read_labels(tmp_path / "labels.json"), labels)


def test_deeplabcut_and_back(tmp_path):
    labels = tagged(tmp_path, boxes=False)
    folder = write_project(labels, tmp_path / "project", scorer="anna")
    table = (folder / "labeled-data/v2/CollectedData_anna.csv").read_text().splitlines()
    assert table[:3] == [
        "scorer,anna,anna,anna,anna,anna,anna",
        "bodyparts,wrist,wrist,elbow,elbow,hip,hip",
        "coords,x,y,x,y,x,y",
    ]
    assert table[3] == "labeled-data/v2/img003.png,20.0,0.25,21.0,10.25,,"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["bodyparts"] == JOINTS and [
        path.split("/")[-1] for path in config["video_sets"]
    ] == ["v1.mp4", "v2.mp4"]
    participants = tmp_path / "participants.tsv"
    participants.write_text("video\tparticipant_id\nv1\tp_v1\nv2\tp_v2\n")
    visible = Labels(
        JOINTS, labels.frames, labels.position, np.where(labels.visibility > 0, 2, 0)
    )  # DeepLabCut knows no hidden points
    same(read_labels(folder, participants), visible)
    lone = read_labels(folder / "labeled-data/v2/CollectedData_anna.csv", participants)
    same(lone, visible.take([2, 3]))
    same(read_labels(folder / "labeled-data/v2/CollectedData_anna.h5", participants), lone)
    assert read_image(lone.frames[1])[0, 0, 0] == 150


def test_label_studio_and_back(tmp_path):
    """Our predictions become what a person submitted: the same marks under "annotations"."""
    labels = tagged(tmp_path)
    path = write_labels(labels, tmp_path / "tasks for anna", "label-studio")
    tasks = json.loads(path.read_text())
    assert (
        tasks[1]["data"]["image"] == "/data/local-files/?d=tasks%20for%20anna/images/v1/img012.png"
    )
    wrist, _, hidden = tasks[1]["predictions"][0]["result"][:3]
    assert wrist["value"] == {
        "x": 10 / 64 * 100,
        "y": 0.25 / 48 * 100,
        "width": 0.5,
        "keypointlabels": ["wrist"],
    }
    assert (wrist["original_width"], wrist["original_height"]) == (64, 48) and hidden["value"][
        "choices"
    ] == ["hidden"]
    with pytest.raises(UserError, match=re.escape(f"{path}: nothing is labelled")):
        read_labels(path)  # nobody has looked at predictions
    for task in tasks:
        result = task["predictions"][0]["result"]
        moved = [
            {**mark, "value": {**mark["value"], "x": 0}}
            for mark in result
            if mark["type"] == "keypointlabels"
        ]
        task["annotations"] = [
            {"updated_at": "2026-01-03T00:00:00Z", "was_cancelled": True, "result": moved},
            {
                "updated_at": "2026-01-02T00:00:00Z",
                "was_cancelled": False,
                "result": result,
            },  # the last that was not skipped
            {"updated_at": "2026-01-01T00:00:00Z", "was_cancelled": False, "result": moved},
        ]
    path.write_text(json.dumps(tasks))
    back = read_labels(path)
    np.testing.assert_allclose(back.position, labels.position, atol=1e-9)
    regions = back.frames[1].regions
    assert regions == {name: pytest.approx(box) for name, box in labels.frames[1].regions.items()}
    exact = [
        replace(frame, regions=given.regions) for frame, given in zip(back.frames, labels.frames)
    ]
    same(Labels(back.keypoints, exact, labels.position, back.visibility), labels)
    elsewhere = tmp_path / "downloads/export.json"
    elsewhere.parent.mkdir()
    elsewhere.write_text(path.read_text())
    with pytest.raises(UserError, match=r"4 of 4 images .*v1/img003.png"):
        read_labels(elsewhere)
    assert len(read_labels(elsewhere, images=path.parent)) == 4


def test_cvat_and_back(tmp_path):
    labels = tagged(tmp_path)
    path = write_labels(labels, tmp_path / "task", "cvat")
    assert (
        '<points label="elbow" source="auto" occluded="1" points="11.0000,10.2500" z_order="0" />'
        in path.read_text()
    )
    assert [label["name"] for label in json.loads((path.parent / "labels.json").read_text())] == [
        *JOINTS,
        "patient",
        "face",
    ]
    participants = tmp_path / "participants.tsv"
    participants.write_text("video\tparticipant_id\nv1\tp_v1\nv2\tp_v2\n")
    same(read_labels(path, participants), labels)


CVAT_EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><mode>annotation</mode><labels>
    <label><name>body</name><type>skeleton</type></label>
    <label><name>hip</name><type>points</type><parent>body</parent></label>
    <label><name>wrist</name><type>points</type><parent>body</parent></label>
  </labels></task></meta>
  <image id="0" name="c1/img00007.png" width="64" height="48">
    <skeleton label="body" source="manual" z_order="0">
      <points label="wrist" source="manual" outside="0" occluded="1" points="10.50,20.25"></points>
      <points label="hip" source="manual" outside="1" occluded="0" points="30.00,40.00"></points>
    </skeleton>
  </image>
  <image id="1" name="c1/img00009.png" width="64" height="48">
  </image>
</annotations>
"""


def test_a_skeleton_of_cvat(tmp_path):
    """Written by hand after CVAT's exporter: an occluded point, one that is outside, and an image
    that nobody marked.
    """
    (tmp_path / "annotations.xml").write_text(CVAT_EXPORT)
    labels = read_labels(tmp_path / "annotations.xml", check_images=False)
    assert labels.keypoints == ["hip", "wrist"] and [frame.frame_id for frame in labels.frames] == [
        "c1/img00007.png"
    ]
    assert labels.visibility.tolist() == [[0, 1]] and labels.position[0, 1].tolist() == [
        10.5,
        20.25,
    ]
    assert labels.frames[0].index == 7


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'label="hip" source',
            'label="wrist" source',
            r"annotations\.xml: c1/img00007\.png: wrist .*twice",
        ),
        ("10.50,20.25", "10.50,20.25;1,2", r"c1/img00007\.png: .*20\.25;1"),
        ('width="64"', "", r"c1/img00007\.png: .*width"),
        ("</annotations>", "", r"annotations\.xml: .*XML .*line \d+"),
        (
            "<annotations>",
            "<!DOCTYPE annotations><annotations>",
            r"annotations\.xml: .*document type",
        ),
        ("<version>", '<track id="0"/><version>', 'annotations.xml: .*"CVAT for images 1.1"'),
    ],
)
def test_cvat_faults_are_named(tmp_path, old, new, fault):
    (tmp_path / "annotations.xml").write_text(CVAT_EXPORT.replace(old, new))
    with pytest.raises(UserError, match=fault):
        read_labels(tmp_path / "annotations.xml", check_images=False)


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (
            [{"type": "keypointlabels", "value": {"x": 1, "y": 2, "keypointlabels": ["wrist"]}}],
            "original_width",
        ),
        (
            [
                {
                    "type": "keypointlabels",
                    "original_width": 9,
                    "original_height": 9,
                    "value": {"x": 1, "y": 2, "keypointlabels": []},
                }
            ],
            r"export\.json: .*a\.png: .*one label",
        ),
        (
            [
                {
                    "type": "keypointlabels",
                    "original_width": 9,
                    "original_height": 9,
                    "value": {"x": 1, "y": 2, "keypointlabels": ["w"]},
                }
            ]
            * 2,
            r"export\.json: .*a\.png: w .*twice",
        ),
    ],
)
def test_label_studio_faults_are_named(tmp_path, result, fault):
    path = tmp_path / "export.json"
    path.write_text(
        json.dumps(
            [{"data": {"image": "/data/upload/1/a.png"}, "annotations": [{"result": result}]}]
        )
    )
    with pytest.raises(UserError, match=fault):
        read_labels(path)
    path.write_text(json.dumps([{"image": "/data/upload/1/a.png", "joint": []}]))  # JSON-MIN
    with pytest.raises(UserError, match=r"export\.json: .*data\.image"):
        read_labels(path)


@pytest.mark.parametrize("program", ["deeplabcut", "coco", "label-studio", "cvat"])
def test_an_export_brings_its_pictures_and_is_never_overwritten(tmp_path, program):
    labels = tagged(tmp_path, boxes=False)
    path = write_labels(labels, tmp_path / "export", program)
    stills = sorted(
        file.relative_to(tmp_path / "export").as_posix().split("/", 1)[1]
        for file in path.parent.rglob("*.png")
    )
    assert stills == sorted(frame.frame_id for frame in labels.frames)
    assert (
        str(tmp_path) not in path.read_text() or program == "deeplabcut"
    )  # which wants its own folder's path
    before = path.read_bytes()
    with pytest.raises(UserError, match=re.escape(path.name)):
        write_labels(labels, tmp_path / "export", program)
    assert path.read_bytes() == before
    with pytest.raises(UserError, match=r"'word'.*deeplabcut, coco, label-studio, cvat"):
        write_labels(labels, tmp_path / "other", "word")


@pytest.mark.realdata
def test_the_real_reaching_project(testdata, tmp_path):
    """55 frames, five parts, 42 points that nobody marked; two image sizes; csv and h5 say the
    same.
    """
    project = testdata / "keypoints/dlc/reaching"
    labels = read_labels(project)
    assert len(labels) == 55 and labels.keypoints == [
        "Hand",
        "Finger1",
        "Tongue",
        "Joystick1",
        "Joystick2",
    ]
    assert np.isnan(labels.position).sum() == 84 and (labels.visibility == 0).sum() == 42
    assert labels.frames[0].frame_id == "reachingvideo1/img005.png" and labels.frames[0].index == 5
    assert labels.position[0, 0].tolist() == [185.25173502386923, 610.3622760638572]
    assert {(frame.width, frame.height) for frame in labels.frames} == {(832, 747), (640, 470)}
    folder = project / "labeled-data/reachingvideo1"
    np.testing.assert_array_equal(
        read_labels(folder / "CollectedData_Mackenzie.h5").position, labels.position
    )
    same(read_labels(write_project(labels, tmp_path / "out", scorer="Mackenzie")), labels)
    lines = [
        (path / "CollectedData_Mackenzie.csv").read_text().split()
        for path in (folder, tmp_path / "out/labeled-data/reachingvideo1")
    ]
    assert lines[0] == lines[1]
    same(
        read_labels(tmp_path / "out/labeled-data/reachingvideo1/CollectedData_Mackenzie.h5"), labels
    )
    again = read_labels(write_coco(labels, tmp_path / "labels.json"))
    np.testing.assert_allclose(again.position, labels.position, atol=5e-5)  # written to 1/10000 px


@pytest.mark.realdata
def test_a_real_project_whose_pictures_are_elsewhere(testdata):
    table = testdata / "keypoints/dlc/openfield/CollectedData_Pranav.csv"
    labels = read_labels(table, check_images=False)
    assert len(labels) == 116 and set(labels.videos) == {"m4s1"}
    with pytest.raises(UserError, match=r"116 of 116 .*img0000.png"):
        read_labels(table)


@pytest.fixture
def coco(tmp_path):
    """A COCO file of the tagged labels, and a call that changes its content and reads it."""
    path = write_coco(tagged(tmp_path), tmp_path / "labels.json")

    def changed(change):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return read_labels(path)

    return changed


def people(content):
    return [entry for entry in content["annotations"] if entry["keypoints"]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda c: c["annotations"].append(people(c)[2]),
            r"labels\.json: stills/v2/img003\.png: two people",
        ),
        (lambda c: c["images"][0].update(width=128), r"img003\.png: 64x48 px.* 128x48"),
        (
            lambda c: people(c)[1].update(keypoints=[70, 5, 2] * 3),
            r"wrist of v1/img012\.png .*70\.0, 5\.0.* 64x48 px; 3 ",
        ),
        (
            lambda c: people(c)[0].update(keypoints=[1, 1, 2] * 2),
            r"v1/img003\.png: .*keypoints .*3 times",
        ),
        (
            lambda c: people(c)[0].update(keypoints=[1, 1, 3] * 3),
            r"v1/img003\.png: .*visibility .*0, 1 or 2",
        ),
        (
            lambda c: people(c)[0].update(keypoints=["left"] * 9),
            r"v1/img003\.png: .*keypoints .*3 times",
        ),
        (lambda c: people(c)[0].update(image_id=99), r"labels\.json: .*image 99 and category 1"),
        (lambda c: c["images"][0].update(frame_index="third"), r"v1/img003\.png: .*frame_index"),
        (lambda c: c["categories"][0].pop("keypoints"), r"labels\.json: 0 categories"),
        (lambda c: c.update(annotations=[]), r"labels\.json: nothing is labelled"),
        (lambda c: c.pop("images"), r'labels\.json: "images"'),
        (lambda c: c["images"][0].update(id=[1]), r"labels\.json: .*COCO or Label Studio"),
        (
            lambda c: c["categories"][0].update(keypoints=True),
            r"labels\.json: .*COCO or Label Studio",
        ),
        (lambda c: people(c)[0].update(attributes=None), r"labels\.json: .*COCO or Label Studio"),
        (lambda c: c["images"][0].update(video="../v1"), r"v1/img003\.png.* cannot name a file"),
        (lambda c: c["annotations"][2].update(bbox=[1, 2]), r"labels\.json: .*bbox .*\[1, 2\]"),
    ],
)
def test_coco_faults_are_named(coco, change, fault):
    with pytest.raises(UserError, match=fault) as caught:
        coco(change)
    assert "\n" not in str(caught.value)


def test_coco_of_others_has_no_keys_of_ours(coco, caplog):
    def foreign(content):
        for image in content["images"]:
            for key in ("video", "frame_index", "participant_id", "frame_id"):
                del image[key]
        for entry in people(content):
            entry["bbox"] = [1, 1, 40, 40]
            del entry["attributes"]

    labels = coco(foreign)
    assert [(frame.video, frame.participant_id, frame.index) for frame in labels.frames[:2]] == [
        ("v1", "v1", 3),
        ("v1", "v1", 12),
    ]
    assert labels.frames[0].regions == {"patient": (1, 1, 41, 41)}
    [warning] = caplog.records
    assert warning.args[1] == 2  # videos, each of which counts as a participant


def test_a_box_that_is_only_the_points_hull_is_no_region(coco):
    """Label Studio's own export to COCO: whole px, a box around the points in the points' category,
    the box that was drawn in one of its own, listed before.
    """

    def exported(content):
        for entry in people(content):
            del entry["attributes"]
            entry["bbox"] = [round(value) for value in entry["bbox"]]
            content["annotations"].append(entry | {"id": 90 + entry["id"]})
            content["annotations"].remove(entry)

    labels = coco(exported)
    assert labels.frames[1].regions["patient"] == (1, 2, 60, 40) and not labels.frames[0].regions


def test_what_others_ask_of_our_exports(tmp_path):
    """datumaro 1.13: keypoints and skeleton of every category, keypoints of every annotation; Label
    Studio's own export to COCO: the place of each joint.
    """
    labels = tagged(tmp_path)
    content = json.loads(write_coco(labels, tmp_path / "labels.json").read_text())
    assert [category["keypoints"] for category in content["categories"]] == [JOINTS, [], []]
    assert all(category["skeleton"] == [] for category in content["categories"])
    assert all({"keypoints", "num_keypoints"} <= set(one) for one in content["annotations"])
    write_labels(labels, tmp_path / "ls", "label-studio")
    interface = ET.parse(tmp_path / "ls" / "labeling_config.xml").getroot()
    places = {
        label.get("value"): label.get("model_index")
        for label in interface.findall("KeyPointLabels/Label")
    }
    assert places == {"wrist": "0", "elbow": "1", "hip": "2"}


def test_pictures_that_moved(tmp_path):
    labels = tagged(tmp_path)
    path = write_coco(labels, tmp_path / "labels.json")
    shutil.move(tmp_path / "stills", tmp_path / "moved")
    with pytest.raises(UserError, match=r"labels\.json: 4 of 4 .*v1/img003\.png"):
        read_labels(path)
    assert [frame.image for frame in read_labels(path, images=tmp_path / "moved").frames] == [
        tmp_path / "moved" / frame.frame_id for frame in labels.frames
    ]
    (tmp_path / "moved/v2/img100.png").unlink()
    with pytest.raises(UserError, match=r"labels\.json: 1 of 4 .*v2/img100\.png"):
        read_labels(path, images=tmp_path / "moved")


def test_one_picture_does_not_stand_for_two_frames(tmp_path):
    path = write_coco(tagged(tmp_path), tmp_path / "labels.json")
    for image in (tmp_path / "stills").glob("*/*.png"):
        shutil.copy(image, tmp_path / image.name)
    shutil.rmtree(tmp_path / "stills")  # the two img003.png are one file now
    with pytest.raises(UserError, match=r"v2/img003\.png and v1/img003\.png .*img003\.png"):
        read_labels(path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("labels.json", b'{"images": [', r"labels\.json: .*JSON .*line 1"),
        ("labels.json", b"3", r"labels\.json: .*DeepLabCut.*COCO"),
        ("labels.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), r"labels\.h5: .*table"),
        ("labels.csv", b"time,x,y\n1,2,3\n", r"labels\.csv: .*DeepLabCut"),
        (
            "labels.csv",
            b"scorer,a,a\nbodyparts,wrist,wrist\ncoords,x,y\n",
            r"labels\.csv: nothing is labelled",
        ),
        (
            "labels.csv",
            b"scorer,a,a\nbodyparts,wrist,wrist\ncoords,x,y\nlabeled-data/v/i1.png,5,\n",
            r"labels\.csv: .*i1\.png: wrist .*x or y",
        ),
        (
            "labels.csv",
            b"scorer,n,n,n\nbodyparts,w,w,w\ncoords,x,y,likelihood\n0,5,5,1\n",
            r"labels\.csv: .*semiology tracks import",
        ),
        ("labels.txt", b"", r"labels\.txt: .*DeepLabCut.*COCO"),
        ("project/config.yaml", b"scorer: [", r"config\.yaml: .*YAML"),
        ("project/config.yaml", b"name: x", r"config\.yaml: .*scorer"),
        (
            "project/config.yaml",
            b"scorer: a\nbodyparts: [wrist]",
            r"project: .*labeled-data/\*/CollectedData_a",
        ),
        ("project/other.txt", b"", r"project: no config\.yaml"),
    ],
)
def test_files_that_are_no_labels(tmp_path, name, content, fault):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=fault) as caught:
        read_labels(path.parent if "/" in name else path)
    assert "\n" not in str(caught.value)


def test_a_bodypart_that_the_project_does_not_name(tmp_path):
    folder = write_project(tagged(tmp_path), tmp_path / "project")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("- elbow\n", ""))
    with pytest.raises(UserError, match=r"'elbow'.*config\.yaml.* wrist, hip"):
        read_labels(folder)


def test_joints_that_skeleton_and_labels_do_not_share(tmp_path):
    labels = tagged(tmp_path)
    with pytest.raises(
        UserError,
        match=(
            "skeleton upper_body_11: its joint 'head' is not labelled; labelled are wrist,"
            " elbow, hip"
        ),
    ):
        labels.match(load_skeleton("upper_body_11"))
    names = ["knee", *load_skeleton("upper_body_11").names]
    wide = Labels(names, labels.frames, np.zeros((4, 12, 2)), np.full((4, 12), 2))
    with pytest.raises(
        UserError, match="skeleton upper_body_11: has no joint 'knee', which is labelled"
    ):
        wide.match(load_skeleton("upper_body_11"))
    with pytest.raises(UserError, match="no keypoint 'knee'"):
        labels.select(["knee"])
    assert labels.select(["hip", "wrist"]).position[1].tolist() == [[12, 20.25], [10, 0.25]]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("video,participant_id\nv1,p1\n", "no participant is given for video 'v2'"),
        ("video,who\nv1,p1\n", "needs the columns video and participant_id"),
        ("video,participant_id\nv1,p1\nv1,p2\n", "row 3: 'v1' has two participants, 'p1' and 'p2'"),
        ("video,participant_id\nv1,\n", "row 2: video or participant_id is empty"),
    ],
)
def test_tables_of_participants(tmp_path, table, fault):
    path = write_coco(tagged(tmp_path), tmp_path / "labels.json")
    (tmp_path / "participants.csv").write_text(table)
    with pytest.raises(UserError, match=fault):
        read_labels(path, tmp_path / "participants.csv")


def test_labels_of_two_sources_become_one(tmp_path):
    labels = tagged(tmp_path)
    both = concatenate_labels(
        [labels.take([0, 1]), labels.take([2, 3]).select(["hip", "elbow", "wrist"])]
    )
    same(both, labels)
    with pytest.raises(UserError, match=r"frame 'v1/img003\.png'"):
        concatenate_labels([labels, labels])

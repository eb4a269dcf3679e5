import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from semiology import load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data import formats
from semiology.data.tracks import read_tracks, save_tracks
from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.tracking.labels.coco import write_coco
from semiology.tracking.labels.io import read_labels
from semiology.tracking.labels.labels import LabelledFrame, Labels, concatenate_labels
from semiology.tracking.tracking_error import (
    RESAMPLES,
    as_labels,
    distance,
    error_table,
    thinned,
    tracking_error,
)
from semiology.tracking.tracking_error import distances as distances_to_truth

NAN = np.nan


def table(apart, confidence=None, labelled=None, participants=None, **options):
    apart = np.asarray(apart, float)
    return error_table(
        apart,
        np.ones(apart.shape) if confidence is None else np.asarray(confidence),
        labelled=np.ones(apart.shape, bool) if labelled is None else np.asarray(labelled, bool),
        keypoints=["wrist", "elbow"][: apart.shape[1]],
        participants=participants or ["P1"] * len(apart),
        **options,
    )


def some_labels(
    position, indices, video="v", participant="P1", keypoints=("wrist", "elbow"), size=(640, 480)
):
    """Labels of one video: (frame, keypoint, 2) px in the frames of these numbers; NaN is not
    labelled.
    """
    position = np.asarray(position, float)
    frames = [
        LabelledFrame(f"{video}/{n}", Path(f"{video}/img{n}.png"), video, participant, index, *size)
        for n, index in enumerate(indices)
    ]
    return Labels(
        list(keypoints), frames, position, np.where(np.isfinite(position).all(axis=2), 2, 0)
    )


def test_the_distance_is_euclidean_and_nan_where_either_is_missing():
    predicted = np.array([[3.0, 4.0], [6.0, 8.0], [NAN, NAN], [1.0, 1.0]])
    labelled = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [NAN, NAN]])
    np.testing.assert_array_equal(distance(predicted, labelled), [5, 10, NAN, NAN])


def test_mean_median_shares_and_cm_by_hand():
    """Four labelled points: 5, 10 and 0 px off, one not predicted; a confidence of just 0.8 is not
    above 0.8.
    """
    found = table(
        [[5, 10], [0, NAN]], np.array([[0.9, 0.8], [0.7, 0.0]], np.float32), cm_per_px=0.4
    )
    row = found.overall
    assert (row.labelled, row.predicted.value, row.kept.value) == (4, 0.75, 0.25)
    assert (row.mean.value, row.median.value, row.mean_kept.value, row.median_kept.value) == (
        5,
        5,
        5,
        5,
    )
    wrist, elbow = found.keypoints["wrist"], found.keypoints["elbow"]
    assert (wrist.mean.value, wrist.kept.value, wrist.mean_kept.value) == (2.5, 0.5, 5)
    assert (elbow.mean.value, elbow.predicted.value, elbow.kept.value) == (10, 0.5, 0)
    assert np.isnan(elbow.mean_kept.value)
    written = found.to_dict()
    assert (
        written["overall"]["mean_cm"]["value"] == 2
        and written["keypoints"]["wrist"]["mean_cm"]["value"] == 1
    )
    assert written["keypoints"]["elbow"]["mean_kept_px"]["value"] is None
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_the_cutoff_keeps_two_of_four_and_takes_the_wrong_ones_out():
    found = table([[1, 100], [3, 60]], [[0.95, 0.2], [0.85, 0.6]])
    assert (found.overall.mean.value, found.overall.mean_kept.value, found.overall.kept.value) == (
        41,
        2,
        0.5,
    )
    assert (
        table([[1, 100], [3, 60]], [[0.95, 0.2], [0.85, 0.6]], cutoff=0.5).overall.kept.value
        == 0.75
    )


def test_a_cutoff_keeps_points_without_a_score():
    found = table(
        [[1, 100], [3, NAN]], [[NAN, 0.2], [0.85, NAN]]
    )  # kept: 1 and 3 px off; the last was not predicted
    assert (found.overall.kept.value, found.overall.mean_kept.value) == (0.5, 2)


def test_what_is_not_labelled_counts_nowhere():
    found = table([[4, NAN], [6, NAN]], labelled=[[1, 0], [1, 0]])
    assert (found.overall.labelled, found.overall.predicted.value, found.overall.mean.value) == (
        2,
        1,
        5,
    )
    assert found.keypoints["elbow"].labelled == 0 and np.isnan(
        found.keypoints["elbow"].predicted.value
    )
    assert "-" in found.text()


def test_intervals_resample_whole_participants():
    """P1 has 1, 2, 3 px, P2 has 10 px. The cohorts that can be drawn have means 2, 4, 10 and
    medians 2, 2.5, 10.
    """
    row = table([[1], [2], [3], [10]], participants=["P1", "P1", "P1", "P2"]).overall
    assert (row.mean.value, row.mean.low, row.mean.high) == (4, 2, 10)
    assert (row.median.value, row.median.low, row.median.high) == (2.5, 2, 10)


def test_the_resampled_median_is_that_of_the_repeated_values():
    rng = np.random.default_rng(1)
    people = [f"P{number // 5}" for number in range(20)]
    apart = rng.gamma(2, 3, (20, 1))
    row = table(apart, participants=people, seed=4).overall
    drawn = draw_participants(4, RESAMPLES, 4)
    medians = [
        np.median(np.repeat(apart[:, 0], np.repeat(times, 5).astype(int))) for times in drawn
    ]
    means = [np.mean(np.repeat(apart[:, 0], np.repeat(times, 5).astype(int))) for times in drawn]
    np.testing.assert_allclose(
        [row.median.low, row.median.high], np.percentile(medians, [2.5, 97.5])
    )
    np.testing.assert_allclose([row.mean.low, row.mean.high], np.percentile(means, [2.5, 97.5]))


def test_one_participant_has_no_interval_and_the_table_states_it():
    alone = table([[5, 10]])
    assert np.isnan(alone.overall.mean.low) and "no intervals: one participant only" in alone.text()
    assert alone.to_dict()["intervals"] == "no intervals: one participant only"
    wrist_in_one = table(
        [[5, 10], [1, 2], [3, NAN]],
        labelled=[[0, 1], [1, 1], [1, 1]],
        participants=["P1", "P2", "P2"],
    )
    assert np.isnan(wrist_in_one.keypoints["wrist"].mean.low) and np.isfinite(
        wrist_in_one.keypoints["elbow"].mean.low
    )
    assert "95 % intervals by resampling 2 participants" in wrist_in_one.text()


def test_the_scale_is_always_stated():
    assert "no scale given, so px only" in table([[5, 10]]).text()
    summary = table([[5, 10]], cm_per_px=0.4).text()
    assert (
        "scale 0.4 cm a px" in summary and "mean, cm" in summary and "3.00" in summary
    )  # (5 + 10) / 2 * 0.4


def test_a_table_of_nothing_is_refused():
    with pytest.raises(UserError, match=r"confidence has shape \(1, 1\), expected \(2, 2\)"):
        table([[5, 10], [1, 2]], [[1.0]])
    with pytest.raises(UserError, match="tracking error: no point"):
        table([[5, 10]], labelled=[[0, 0]])
    with pytest.raises(UserError, match=r"scale .*got 0"):
        table([[5, 10]], cm_per_px=0)


def test_tracks_and_labels_meet_by_name_and_frame_number():
    """Tracks of frames 100 to 149; the keypoint's place says its name and frame. The labels know
    more frames, in another order.
    """
    time = np.arange(50)
    position = np.stack(
        [np.stack([time, 0 * time], 1), np.stack([time, 200 + 0 * time], 1)], 1
    ).astype(float)  # wrist at y 0, elbow at 200
    tracks = make_tracks(
        position, ["wrist", "elbow"], 25, source_index=time + 100, width=640, height=480
    )
    true = [[[49, 200], [49 + 3, 4]], [[0, 200 + 7], [0, 0]], [[0, 0], [0, 0]]]  # elbow first
    labels = some_labels(true, [149, 100, 7], keypoints=("elbow", "wrist"))
    found = tracking_error({"v": tracks}, labels)
    assert list(found.keypoints) == ["elbow", "wrist"]
    assert (found.keypoints["wrist"].mean.value, found.keypoints["elbow"].mean.value) == (
        2.5,
        3.5,
    )  # (5 + 0) / 2, (0 + 7) / 2
    assert (found.frames, found.left_out, found.overall.labelled) == (2, 1, 4)
    assert found.left_out == 1 and "\n1 more labelled frames" in found.text()


def test_a_frame_in_which_the_tracker_found_nobody_counts_as_not_predicted():
    position = np.zeros((10, 2, 2))
    position[4] = NAN  # tracked, nothing found
    index = np.arange(10)
    position[5], index[5] = NAN, -1  # the format has no entry for the frame
    tracks = make_tracks(position, ["wrist", "elbow"], 25, source_index=index)
    found = tracking_error({"v": tracks}, some_labels(np.zeros((3, 2, 2)), [3, 4, 5]))
    assert (found.overall.labelled, found.overall.predicted.value, found.left_out) == (
        6,
        pytest.approx(1 / 3),
        0,
    )
    every_second = make_tracks(
        np.zeros((5, 2, 2)), ["wrist", "elbow"], 12.5, source_index=np.arange(0, 10, 2)
    )
    found = tracking_error({"v": every_second}, some_labels(np.zeros((3, 2, 2)), [3, 4, 5]))
    assert (found.frames, found.left_out, found.overall.predicted.value) == (
        1,
        2,
        1,
    )  # frames 3 and 5 were never looked at


def test_a_skeletons_joints_are_made_from_what_was_tracked():
    """The neck is labelled; the tracker knows shoulders, at x 100 and 200. Their middle is 3, 4
    off.
    """
    skeleton = load_skeleton("upper_body_11")
    sources = sorted({source for names in skeleton.joints.values() for source in names})
    position = np.zeros((1, len(sources), 2))
    (
        position[0, sources.index("left_shoulder"), 0],
        position[0, sources.index("right_shoulder"), 0],
    ) = 100, 200
    tracks = make_tracks(position, sources, 25)
    labels = some_labels([[[150 + 3, 4]]], [0], keypoints=["neck"])
    assert tracking_error({"v": tracks}, labels, skeleton=skeleton).overall.mean.value == 5
    with pytest.raises(UserError, match=r"'neck'.*tracks have"):
        tracking_error({"v": tracks}, labels)


def test_labels_and_tracks_that_do_not_fit_are_named():
    tracks = make_tracks(np.zeros((10, 1, 2)), ["wrist"], 25, width=640, height=480)
    both = np.zeros((1, 2, 2))
    with pytest.raises(UserError, match=r"'elbow'.*tracks have wrist"):
        tracking_error({"v": tracks}, some_labels(both, [0]))
    assert (
        tracking_error({"v": tracks}, some_labels(both, [0]), keypoints=["wrist"]).overall.labelled
        == 1
    )
    unmarked = np.array(
        [[[0.0, 0.0], [NAN, NAN]]]
    )  # a name in the labels' scheme that nobody used does no harm
    assert list(tracking_error({"v": tracks}, some_labels(unmarked, [0])).keypoints) == ["wrist"]
    with pytest.raises(UserError, match=r"'nose'.* wrist"):
        tracking_error({"v": tracks}, some_labels(both, [0]), keypoints=["nose"])
    one = np.zeros((1, 1, 2))
    with pytest.raises(UserError, match=r"'v/0'.*320x240 px.*640x480 px"):
        tracking_error({"v": tracks}, some_labels(one, [0], keypoints=["wrist"], size=(320, 240)))
    assert (
        tracking_error(
            {"v": tracks}, some_labels(one, [0], keypoints=["wrist"], size=(0, 0))
        ).frames
        == 1
    )  # a size that nobody knows
    with pytest.raises(UserError, match=r"frame 'v/0'.*img0042"):
        tracking_error({"v": tracks}, some_labels(one, [None], keypoints=["wrist"]))
    with pytest.raises(UserError, match="none of the 1 labelled frames"):
        tracking_error({"v": tracks}, some_labels(one, [10], keypoints=["wrist"]))
    with pytest.raises(UserError, match=r"video 'w'.* v$"):
        tracking_error({"w": tracks}, some_labels(one, [0], keypoints=["wrist"]))
    metres = make_tracks(None, ["wrist"], 25, position_3d=np.zeros((10, 1, 3)))
    with pytest.raises(UserError, match="px"):
        tracking_error({"v": metres}, some_labels(one, [0], keypoints=["wrist"]))


def test_tracks_become_labels_where_a_point_was_marked():
    position = np.zeros((4, 2, 2))
    position[1] = NAN
    confidence = np.array([[1, 1], [0, 0], [1, 0], [1, 1]])
    made = as_labels(
        make_tracks(
            position, ["wrist", "elbow"], 25, confidence=confidence, source_index=[5, 6, 7, 7]
        ),
        "v",
    )
    assert [frame.index for frame in made.frames] == [5, 7]  # nothing in 6; 7 was shown twice
    np.testing.assert_array_equal(made.visibility, [[2, 2], [2, 0]])
    assert np.isnan(made.position[1, 1]).all()


def test_points_of_tracks_without_a_score_are_labelled():
    position = np.zeros((1, 3, 2))
    position[0, 1] = NAN
    made = as_labels(
        make_tracks(
            position, ["wrist", "elbow", "hip"], 25, confidence=np.array([[NAN, NAN, 0.5]])
        ),
        "v",
    )
    np.testing.assert_array_equal(made.visibility, [[2, 0, 2]])


def test_distances_to_a_phantoms_truth_leave_hidden_joints_out():
    skeleton = load_skeleton("left_arm_4")
    true, found = np.zeros((3, 4, 2)), np.zeros((2, 4, 2))
    found[0, 1] = 3, 4
    found[1, 2] = NAN
    hidden = np.ones((3, 4))
    hidden[1, 3] = 0
    truth = make_tracks(true, skeleton.names, 25, confidence=hidden)
    apart = distances_to_truth(make_tracks(found, skeleton.names, 25), truth, skeleton)
    np.testing.assert_array_equal(apart, [[0, 5, 0, 0], [0, 0, NAN, NAN]])


def test_the_verb_on_one_video_and_on_a_folder(tmp_path, capsys):
    """Two videos of two people, 5 and 10 px off; labelled in COCO's format."""
    labels = concatenate_labels(
        [
            some_labels([[[10, 10], [20, 20]]], [3], "one"),
            some_labels([[[10, 10], [20, 20]]], [8], "two", "P2"),
        ]
    )
    coco = write_coco(labels, tmp_path / "labels.json")
    position = np.tile([[10.0, 10.0], [20.0, 20.0]], (10, 1, 1))
    for video, off in {"one": [3, 4], "two": [6, 8]}.items():
        save_tracks(
            make_tracks(position + off, ["wrist", "elbow"], 25, width=640, height=480),
            tmp_path / f"tracks/{video}.nc",
        )
    out = tmp_path / "error.json"
    both = ["tracking", "error", str(tmp_path / "tracks"), str(coco), "--pictures", "false"]
    assert main([*both, "--cm_per_px", "0.4", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert (
        "7.50 [5.00, 10.00]" in printed
        and "3.00 [2.00, 4.00]" in printed
        and "scale 0.4 cm a px" in printed
    )
    written = json.loads(out.read_text())
    assert written["participants"] == 2 and written["keypoints"]["wrist"]["mean_px"] == {
        "value": 7.5,
        "low": 5,
        "high": 10,
    }
    alone = ["tracking", "error", str(tmp_path / "tracks/two.nc"), str(coco), "--pictures", "false"]
    assert main(alone) == 2
    assert "2 videos are labelled, one, two; say by --video" in capsys.readouterr().err
    assert main([*alone, "--video", "two"]) == 0
    assert "10.00" in capsys.readouterr().out
    (tmp_path / "tracks/one.nc").unlink()
    assert main(both) == 2
    assert "no tracks of the labelled video 'one'" in capsys.readouterr().err
    assert (
        main(
            ["tracking", "error", str(tmp_path / "tracks/two.nc"), str(tmp_path / "tracks/two.nc")]
        )
        == 0
    )  # tracks against themselves
    assert "0.00" in capsys.readouterr().out


NAMES = {
    "camera": "img{:05d}_cam2.png",
    "size": "img{:05d}_640x300.png",
    "roboflow": "img{:05d}_png.rf.{}.jpg",
}
HASHES = ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", "f93e17c20b5d4a6880917263544e3d2c", "9Kx2mQ7rT4")


def labels_named(path, program, name):
    """A wrist at x = 100 + frame in frames 12, 24 and 36, as a program's labels."""
    frames = [(n, name.format(n, code)) for n, code in zip((12, 24, 36), HASHES)]
    if program == "coco":
        size = {"width": 640, "height": 480}
        images = [{"id": n, "file_name": f"v/{file}", **size} for n, file in frames]
        points = [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": [100 + n, 50, 2]}
            for n, _ in frames
        ]
        category = {"id": 1, "name": "person", "keypoints": ["wrist"]}
        content = {"images": images, "annotations": points, "categories": [category]}
        path = path.with_suffix(".json")
        path.write_text(json.dumps(content))
    elif program == "cvat":
        marks = [
            f'<image id="{n}" name="v/{file}" width="640" height="480"><points label="wrist"'
            f' occluded="0" points="{100 + n},50"/></image>'
            for n, file in frames
        ]
        path = path.with_suffix(".xml")
        path.write_text(f"<annotations>{''.join(marks)}</annotations>")
    elif program == "label-studio":
        value = {"y": 10, "width": 1, "keypointlabels": ["wrist"]}
        size = {"type": "keypointlabels", "original_width": 640, "original_height": 500}
        tasks = [
            {
                "data": {"image": f"/data/upload/1/v/{code[:8].lower()}-{file}"},
                "annotations": [{"result": [{**size, "value": value | {"x": (100 + n) / 6.4}}]}],
            }
            for (n, file), code in zip(frames, (HASHES[0], HASHES[1], "1f3a9c02"))
        ]
        path = path.with_suffix(".json")
        path.write_text(json.dumps(tasks))
    else:
        rows = [f"labeled-data/v/{file},{100 + n},50" for n, file in frames]
        head = ["scorer,anna,anna", "bodyparts,wrist,wrist", "coords,x,y"]
        path = path.parent / "v" / "CollectedData_anna.csv"
        path.parent.mkdir()
        path.write_text("\n".join([*head, *rows]))
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", ["coco", "cvat", "label-studio", "deeplabcut"])
def test_labels_stand_at_their_frames_whatever_else_the_names_of_images_hold(
    tmp_path, capsys, program, name
):
    """The tracks' wrist is at x = 100 + frame: the error is 0 where each image is at its frame."""
    position = np.stack([100.0 + np.arange(40), np.full(40, 50.0)], axis=1)[:, None]
    tracks = tmp_path / "tracks.nc"
    save_tracks(make_tracks(position, ["wrist"], 25), tracks)
    labels = labels_named(tmp_path / "labels", program, NAMES[name])
    out = tmp_path / "error.json"
    verb = ["tracking", "error", str(tracks), str(labels), "--pictures", "false"]
    assert main([*verb, "--out", str(out)]) == 0
    error = json.loads(out.read_text())
    assert error["frames"] == 3 and error["overall"]["mean_px"]["value"] < 1e-3


def test_corrections_go_to_their_frames_whatever_else_the_names_hold(tmp_path, capsys):
    tracks = tmp_path / "t.nc"
    save_tracks(make_tracks(np.full((40, 1, 2), 5.0), ["wrist"], 25, width=640, height=480), tracks)
    path = labels_named(tmp_path / "labels", "coco", NAMES["camera"])
    (tmp_path / "v").mkdir()
    for frame in (12, 24, 36):
        Image.new("L", (640, 480)).save(tmp_path / "v" / NAMES["camera"].format(frame))
    verb = ["tracking", "correct", str(path), "--tracks", str(tracks), "--who", "AB"]
    assert main([*verb, "--skeleton", "upper_body_11", "--out", str(tmp_path / "c.nc")]) == 0
    assert "3 new corrections in 3 frames" in capsys.readouterr().out
    x = read_tracks(tmp_path / "c.nc")["position"].sel(keypoint="wrist", space="x").values
    assert {int(row): x[row] for row in np.flatnonzero(x != 5)} == {12: 112, 24: 124, 36: 136}


def test_labels_of_which_the_frame_is_not_known_are_refused_where_it_is_needed(tmp_path, capsys):
    tracks = tmp_path / "tracks.nc"
    save_tracks(make_tracks(np.zeros((40, 1, 2)), ["wrist"], 25), tracks)
    for name, fault in (
        ("img{:05d}_{}.png", "not built alike"),
        ("img00012_png.rf.{1}.jpg", "are both frame 12"),
    ):
        path = labels_named(tmp_path / "labels", "coco", name)
        assert len(read_labels(path, check_images=False)) == 3  # for training
        assert main(["tracking", "error", str(tracks), str(path), "--pictures", "false"]) == 2
        assert fault in capsys.readouterr().err
    raw = json.loads(path.read_text())
    for image, number in zip(raw["images"], (3, 3, 4)):
        image["frame_index"] = number
    path.write_text(json.dumps(raw))
    assert main(["tracking", "error", str(tracks), str(path), "--pictures", "false"]) == 2
    assert f"{HASHES[0]}.jpg and img00012_png.rf.{HASHES[1]}.jpg are both frame 3" in (
        capsys.readouterr().err
    )


@pytest.mark.realdata
def test_predictions_and_labels_of_two_real_flies(testdata):
    """A small network's predictions (head, thorax) against the labels (13 points) of the same 1500
    frames, two animals.
    """
    folder = testdata / "keypoints/sleap/tracks"
    tracks, labels = {}, []
    for fly in ("female", "male"):
        tracks[fly] = formats.read(folder / "clip.predictions.slp", individual=fly, fps=25)
        labels.append(as_labels(formats.read(folder / "clip.slp", individual=fly, fps=25), fly))
    found = tracking_error(tracks, concatenate_labels(labels), keypoints=["head", "thorax"])

    apart, sure = [], []  # the same by hand, from the tables in the two files
    with (
        h5py.File(folder / "clip.slp") as marked,
        h5py.File(folder / "clip.predictions.slp") as predicted,
    ):
        about = [json.loads(file["metadata"].attrs["json"]) for file in (marked, predicted)]
        nodes = [
            [content["nodes"][node["id"]]["name"] for node in content["skeletons"][0]["nodes"]]
            for content in about
        ]
        points, places = marked["points"][:], {}
        for entry in marked["instances"][:]:
            own = points[entry["point_id_start"] : entry["point_id_end"]]
            places[entry["frame_id"], entry["track"]] = dict(zip(nodes[0], own, strict=True))
        points = predicted["pred_points"][:]
        for entry in predicted["instances"][:]:
            own = points[entry["point_id_start"] : entry["point_id_end"]]
            for name, point in zip(nodes[1], own, strict=True):
                there = places[entry["frame_id"], entry["track"]][name]
                if np.isfinite(point["x"]):
                    apart.append(np.hypot(point["x"] - there["x"], point["y"] - there["y"]))
                    sure.append(point["score"] > 0.8)
    row = found.overall
    assert (row.labelled, found.frames, found.participants) == (6000, 3000, 2)
    assert row.predicted.value == len(apart) / 6000 and row.kept.value == pytest.approx(
        sum(sure) / 6000, abs=1e-3
    )
    assert row.mean.value == pytest.approx(np.mean(apart), rel=1e-5)
    assert row.median.value == pytest.approx(np.median(apart), rel=1e-5)
    assert row.mean_kept.value == pytest.approx(np.mean(np.array(apart)[sure]), rel=1e-3)
    assert row.mean_kept.value < row.mean.value  # the network is less sure where it is wrong


def test_truth_is_thinned_to_a_whole_part_of_its_rate():
    """Ten frames of 25 Hz hold five of 12.5 Hz, every other one; 10 Hz is no whole part of it."""
    position = np.arange(20.0).reshape(10, 1, 2)
    truth = make_tracks(position, ["nose"], 25.0)
    half = thinned(truth, 12.5)
    assert half["position"].values.ravel().tolist() == position[::2].ravel().tolist()
    assert half.attrs["fps"] == 12.5
    assert thinned(truth, 10.0) is truth

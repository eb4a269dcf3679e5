"""Corrections lie over the predictions: the tracks' file stays as it is, and what a fold reads
changes, and its key with it.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from semiology import load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data.corrections import (
    Correction,
    corrections_file,
    read_corrected,
    read_corrections,
    with_corrections,
    write_corrections,
)
from semiology.data.store import Store
from semiology.data.tracks import read_tracks, save_tracks, steps
from semiology.errors import UserError
from semiology.experiments.fold import clips_digest
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.tracking.labels.corrections import import_corrections
from semiology.tracking.labels.labels import LabelledFrame, Labels
from semiology.video import write_video

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


def predicted():
    """Ten rows at 25 Hz from source frame 100 on; x is 10 times the row, y 10 times the keypoint's
    place; the hip is lost in row 4.
    """
    names = ["left_shoulder", "right_shoulder", "left_wrist", "left_hip"]
    position = np.zeros((10, 4, 2))
    position[..., 0], position[..., 1] = 10 * np.arange(10)[:, None], 10 * np.arange(4)
    position[4, 3] = np.nan
    space = np.concatenate([position, np.ones((10, 4, 1))], axis=2) / 100
    confidence = np.full((10, 4), 0.6)
    index = np.arange(100, 110)
    return make_tracks(
        position,
        names,
        25.0,
        confidence=confidence,
        position_3d=space,
        source_index=index,
        width=640,
        height=480,
    )


def labels_of(tracks, rows, **moved):
    """Labels as a person gets them, filled from the tracks; `moved` says joint -> (place among the
    rows, x, y).
    """
    names = tracks.keypoint.values.tolist()
    frames = [
        LabelledFrame(
            f"c1/img{100 + row:05d}.png",
            Path(f"img{100 + row:05d}.png"),
            "c1",
            "p1",
            100 + row,
            640,
            480,
        )
        for row in rows
    ]
    position = tracks["position"].transpose("time", "keypoint", "space").values[rows].astype(float)
    for joint, (place, x, y) in moved.items():
        position[place, names.index(joint)] = (x, y)
    return Labels(names, frames, position, np.where(np.isfinite(position).all(axis=2), 2, 0))


def imported(labels, tracks, known=(), who="AB", when=NOON, **more):
    return [
        *known,
        *import_corrections(
            labels, tracks, known, who=who, origin="export.json", when=when, **more
        ),
    ]


def test_only_what_was_moved_is_a_correction():
    tracks = predicted()
    labels = labels_of(tracks, [2, 4], left_wrist=(0, 25.5, 21.25), left_hip=(1, 41, 31))
    labels.position[0, 0] += 0.01  # as a program that rounds would
    assert imported(labels, tracks) == [
        Correction(
            102, "left_wrist", (), 25.5, 21.25, 2, "AB", "2026-03-01T12:00:00Z", "export.json"
        ),
        Correction(104, "left_hip", (), 41, 31, 2, "AB", "2026-03-01T12:00:00Z", "export.json"),
    ]


def test_corrected_tracks_are_new_and_say_what_was_done():
    tracks = predicted()
    rows = imported(
        labels_of(tracks, [2, 4], left_wrist=(0, 25.5, 21.25), left_hip=(1, 41, 31)), tracks
    )
    corrected = with_corrections(tracks, rows)
    at = corrected.isel(time=2).sel(keypoint="left_wrist")
    assert (
        at["position"].values.tolist() == [25.5, 21.25]
        and float(at["confidence"]) == 1
        and np.isnan(at["position_3d"].values).all()
    )
    assert corrected["position"].isel(time=4).sel(keypoint="left_hip").values.tolist() == [41, 31]
    untouched = np.ones((10, 4), bool)
    untouched[[2, 4], [2, 3]] = False
    for name, axes in {
        "position": (0, 2, 1),
        "position_3d": (0, 2, 1),
        "confidence": (0, 1),
    }.items():
        np.testing.assert_array_equal(
            corrected[name].values.transpose(axes)[untouched],
            tracks[name].values.transpose(axes)[untouched],
        )
    assert tracks["position"].isel(time=2).sel(keypoint="left_wrist").values.tolist() == [20, 20]
    assert steps(corrected) == [
        {"step": "with_corrections", "points": 2, "frames": 2, "who": ["AB"], "elsewhere": 0}
    ]
    assert with_corrections(tracks, []) is tracks


def test_the_file_of_tracks_keeps_its_bytes(tmp_path):
    tracks = predicted()
    path = save_tracks(tracks, tmp_path / "body.nc")
    before = path.read_bytes()
    rows = imported(labels_of(tracks, [2], left_wrist=(0, 25.5, 21.25)), tracks)
    write_corrections(rows, corrections_file(path))
    assert (tmp_path / "body.corrections.csv").read_text() == (
        "source_index,keypoint,mean_of,x,y,visibility,who,when,from,video\n"
        "102,left_wrist,,25.5000,21.2500,2,AB,2026-03-01T12:00:00Z,export.json,\n"
    )
    assert read_corrected(path)["position"].isel(time=2).sel(
        keypoint="left_wrist"
    ).values.tolist() == [25.5, 21.25]
    assert path.read_bytes() == before and read_tracks(path).identical(read_tracks(path))
    assert read_corrections(corrections_file(path)) == rows


def test_importing_twice_adds_nothing_and_putting_a_point_back_takes_it_back():
    tracks = predicted()
    moved, back = labels_of(tracks, [2], left_wrist=(0, 25.5, 21.25)), labels_of(tracks, [2])
    once = imported(moved, tracks)
    assert imported(moved, tracks, once, when=LATER) == once
    taken_back = imported(back, tracks, once, when=LATER)
    assert len(taken_back) == 2 and imported(back, tracks, taken_back, when=LATER) == taken_back
    assert with_corrections(tracks, taken_back)["position"].isel(time=2).sel(
        keypoint="left_wrist"
    ).values.tolist() == [20, 20]


def test_of_two_people_both_are_kept_and_the_later_holds():
    tracks = predicted()
    first = imported(labels_of(tracks, [2], left_wrist=(0, 25, 21)), tracks, who="AB", when=LATER)
    both = imported(
        labels_of(tracks, [2], left_wrist=(0, 30, 22)), tracks, first, who="CD", when=NOON
    )
    assert [(row.who, row.x) for row in both] == [("AB", 25), ("CD", 30)]
    for rows in (both, both[::-1]):
        assert with_corrections(tracks, rows)["position"].isel(time=2).sel(
            keypoint="left_wrist"
        ).values.tolist() == [25, 21]
    silent = imported(labels_of(tracks, [2]), tracks, first, who="CD")
    assert silent == first  # CD looked and moved nothing: that is no word against AB


def test_a_point_that_was_taken_away():
    tracks = predicted()
    labels = labels_of(tracks, [2])
    labels.position[0, 2], labels.visibility[0, 2] = np.nan, 0
    assert imported(labels, tracks) == []  # not labelled says nothing
    rows = imported(labels, tracks, removed=True)
    assert [(row.keypoint, row.visibility) for row in rows] == [("left_wrist", 0)]
    at = with_corrections(tracks, rows).isel(time=2).sel(keypoint="left_wrist")
    assert np.isnan(at["position"].values).all() and float(at["confidence"]) == 0
    assert imported(labels, tracks, rows, removed=True, when=LATER) == rows


def test_a_joint_that_is_a_mean_becomes_a_keypoint_and_follows_what_was_corrected_in_its_sources():
    tracks = predicted()
    skeleton = load_skeleton("upper_body_11")
    frames = labels_of(tracks, [2, 6]).frames
    neck = Labels(
        ["neck", "left_shoulder"],
        frames,
        np.array([[[22.0, 7.0], [20, 0]], [[60, 5], [64, 4]]]),
        np.full((2, 2), 2),
    )
    rows = imported(neck, tracks, skeleton=skeleton)
    assert [(row.source_index, row.keypoint, row.mean_of) for row in rows] == [
        (102, "neck", ("left_shoulder", "right_shoulder")),
        (106, "left_shoulder", ()),
    ]
    at = (
        with_corrections(tracks, rows)["position"]
        .sel(keypoint="neck")
        .transpose("time", "space")
        .values
    )
    assert at[2].tolist() == [22, 7]  # as it was corrected
    assert at[6].tolist() == [
        62,
        7,
    ]  # the mean of the corrected left shoulder, 64, 4, and the right one, 60, 10
    assert at[7].tolist() == [70, 5]
    with pytest.raises(UserError, match=r"'neck'.*skeleton"):
        imported(neck, tracks)
    with pytest.raises(UserError, match=r"'head'.*'left_ear'"):
        imported(
            Labels(["head", "left_shoulder"], frames, neck.position, neck.visibility),
            tracks,
            skeleton=skeleton,
        )


def test_a_correction_holds_in_each_row_that_shows_its_frame():
    """Tracks of twice the rate show every frame twice; tracks of a later part do not show it at
    all.
    """
    row = Correction(102, "wrist", (), 5, 6, 2, "AB", "2026-03-01T12:00:00Z", "x")
    twice = make_tracks(
        np.zeros((8, 1, 2)), ["wrist"], 50.0, source_index=np.repeat([100, 101, 102, 103], 2)
    )
    assert with_corrections(twice, [row])["position"].values[:, 0, 0].tolist() == [
        0,
        0,
        0,
        0,
        5,
        5,
        0,
        0,
    ]
    later = make_tracks(np.zeros((2, 1, 2)), ["wrist"], 25.0, source_index=np.array([110, 111]))
    assert (with_corrections(later, [row])["position"] == 0).all()
    assert steps(with_corrections(later, [row]))[0]["elsewhere"] == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"index": 99}, "frame number .*99.* c1"),
        ({"index": None}, "frame number .*None"),
        ({"width": 1280, "height": 960}, "1280x960 px.* 640x480 px"),
    ],
)
def test_labels_of_other_frames_are_named(change, fault):
    labels = labels_of(predicted(), [2])
    other = Labels(
        labels.keypoints, [replace(labels.frames[0], **change)], labels.position, labels.visibility
    )
    with pytest.raises(UserError, match=fault):
        imported(other, predicted())


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("102,left_wrist,,5,,2,AB,2026-03-01T12:00:00Z,x,", r"corrections\.csv: row 2: visibility"),
        (
            "102,left_wrist,,5,6,7,AB,2026-03-01T12:00:00Z,x,",
            r"corrections\.csv: row 2: visibility",
        ),
        (
            "102,left_wrist,,5,6,2,AB,01/03/2026 12:00,x,",
            r"corrections\.csv: row 2: .*when a time like 2026-03-01T12:00:00Z",
        ),
        (
            "two,left_wrist,,5,6,2,AB,2026-03-01T12:00:00Z,x,",
            r"corrections\.csv: row 2: source_index",
        ),
    ],
)
def test_a_damaged_table_is_an_error(tmp_path, row, fault):
    path = tmp_path / "body.corrections.csv"
    path.write_text(f"source_index,keypoint,mean_of,x,y,visibility,who,when,from,video\n{row}\n")
    with pytest.raises(UserError, match=fault):
        read_corrections(path)
    path.write_bytes(b"\xff\xfes\x00")
    with pytest.raises(UserError, match=r"body\.corrections\.csv: .*table"):
        read_corrections(path)
    path.write_text("frame,x,y\n")
    with pytest.raises(UserError, match=r'body\.corrections\.csv: .*"source_index"'):
        read_corrections(path)


def test_the_store_reads_tracks_with_their_corrections_whatever_key_they_have(tmp_path):
    store = Store(tmp_path)
    tracks = predicted()
    for key in ("0" * 16, "1" * 16):  # extracted again with other parameters: the corrections stay
        store.write("c1", "body", key, tracks)
        store.note("c1", {"sha256": "ab" * 32}, {"body": {"key": key, "depends": {}, "found": 1.0}})
        rows = imported(labels_of(tracks, [2], left_wrist=(0, 25.5, 21.25)), tracks, video="ab" * 8)
        write_corrections(rows, store.corrections_file("c1", "body"))
        assert store.tracks("c1", "body")["position"].isel(time=2).sel(
            keypoint="left_wrist"
        ).values.tolist() == [25.5, 21.25]
        assert store.predicted("c1", "body")["position"].isel(time=2).sel(
            keypoint="left_wrist"
        ).values.tolist() == [20, 20]
    store.note(
        "c1", {"sha256": "cd" * 32}, {"body": {"key": "1" * 16, "depends": {}, "found": 1.0}}
    )
    with pytest.raises(UserError, match=r"body\.corrections\.csv: .*clip c1"):
        store.tracks("c1", "body")


def test_what_a_fold_reads_is_corrected_and_its_key_changes(cohort):
    """The cohort of tracks: a correction beside p0_0 moves one joint in one frame, and the digest
    that every fold's key holds.
    """
    reading = Reading("swing", rate=25.0, window=20)
    before = ClipSource(str(cohort), reading)
    digest = clips_digest.__wrapped__(
        before
    )  # reads the clips; as another process would, without what this one remembers
    tracks = read_tracks(cohort / "tracks/p0_0.nc")
    row = Correction(7, "left_wrist", (), 1.0, 2.0, 2, "AB", "2026-03-01T12:00:00Z", "x")
    write_corrections([row], corrections_file(cohort / "tracks/p0_0.nc"))
    after = ClipSource(str(cohort), reading)
    moved = [
        np.argwhere((old.joints != new.joints).any(axis=2))
        for old, new in zip(before.clips, after.clips)
    ]
    wrist = reading.graph.names.index("left_wrist")
    assert moved[0].tolist() == [[7, wrist]] and all(len(places) == 0 for places in moved[1:])
    assert digest != clips_digest.__wrapped__(after)
    assert json.loads(read_corrected(cohort / "tracks/p0_0.nc").attrs["steps"])[0]["points"] == 1
    assert read_tracks(cohort / "tracks/p0_0.nc").identical(tracks)


@pytest.fixture
def clinic(tmp_path):
    """A cohort of two clips of one video, in each a wrist that leaps once, and its store; the
    second clip begins at 1 s.
    """
    write_video(
        tmp_path / "named_after_nobody.mp4",
        (np.full((48, 64, 3), 3 * n, np.uint8) for n in range(60)),
        25,
    )
    (tmp_path / "participants.tsv").write_text("participant_id\np1\n")
    clips = "c1\tp1\tnamed_after_nobody.mp4\t0\t1\nc2\tp1\tnamed_after_nobody.mp4\t1\t2\n"
    (tmp_path / "clips.tsv").write_text("clip_id\tparticipant_id\tvideo\tstart\tend\n" + clips)
    (tmp_path / "clips.json").write_text("{}")
    store = Store(tmp_path / "store")
    for clip_id, first, leap in (("c1", 0, 10), ("c2", 25, 20)):
        position = np.full((25, 2, 2), 20.0) + np.random.default_rng(1).uniform(
            -0.2, 0.2, (25, 2, 2)
        )
        position[leap:, 0, 0] += 15
        tracks = make_tracks(
            position,
            ["wrist", "elbow"],
            25.0,
            source_index=first + np.arange(25),
            width=64,
            height=48,
        )
        store.write(clip_id, "body", "0" * 16, tracks)
        store.note(
            clip_id, {"sha256": "ab" * 32}, {"body": {"key": "0" * 16, "depends": {}, "found": 1.0}}
        )
    arm = [
        "name: arm",
        "part: body",
        "joints: [wrist, elbow]",
        "edges: [[wrist, elbow]]",
        "root: elbow",
        "origin: [elbow]",
    ]
    (tmp_path / "arm.yaml").write_text("\n".join([*arm, "scale: [wrist, elbow]"]))
    return tmp_path


def test_from_a_cohort_to_a_labelling_program_and_back(clinic, capsys):
    """select, a person moves one point in one image, correct: twice the same labels, the store,
    the bytes, nobody's file name.
    """
    out, store = clinic / "check", Store(clinic / "store")
    before = {path: path.read_bytes() for path in (clinic / "store").rglob("*.nc")}
    choose = [
        "tracking",
        "select",
        str(clinic),
        "--store",
        str(clinic / "store"),
        "--method",
        "jumps",
        "--share",
        "0.1",
    ]
    assert (
        main(
            [*choose, "--format", "coco", "--skeleton", str(clinic / "arm.yaml"), "--out", str(out)]
        )
        == 0
    )
    assert "2 frames of 2 clips" in capsys.readouterr().out
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        "images/c1/img00010.png",
        "images/c2/img00045.png",
    ]
    assert "named_after_nobody" not in (out / "labels.json").read_text()
    content = json.loads((out / "labels.json").read_text())
    mark = next(entry for entry in content["annotations"] if entry["image_id"] == 2)
    assert abs(mark["keypoints"][0] - 35) < 0.3  # filled with where the tracker saw the wrist
    mark["keypoints"][:2] = [21.0, 22.0]
    (out / "labels.json").write_text(json.dumps(content))
    correct = [
        "tracking",
        "correct",
        str(out / "labels.json"),
        "--store",
        str(clinic / "store"),
        "--who",
        "AB",
    ]
    for new in (1, 0):
        assert main([*correct, "--skeleton", str(clinic / "arm.yaml")]) == 0
        assert (
            f"{new} new corrections in 2 frames of 2 clips\nc1: 0\nc2: {new}\n"
            in capsys.readouterr().out
        )
    wrist = (
        store.tracks("c2", "body")["position"]
        .sel(keypoint="wrist")
        .transpose("time", "space")
        .values
    )
    assert wrist[20].tolist() == [21, 22] and abs(wrist[21, 0] - 35) < 0.3
    assert not store.corrections_file("c1", "body").exists()
    (row,) = read_corrections(store.corrections_file("c2", "body"))
    assert (row.source_index, row.keypoint, row.who, row.origin, row.video) == (
        45,
        "wrist",
        "AB",
        "labels.json",
        "ab" * 8,
    )
    assert abs(datetime.now(UTC) - datetime.fromisoformat(row.when)).total_seconds() < 600
    assert {path: path.read_bytes() for path in (clinic / "store").rglob("*.nc")} == before
    again = [*choose[:-3], "confidence", "--frames", "25", "--format", "coco"]
    assert (
        main([*again, "--skeleton", str(clinic / "arm.yaml"), "--out", str(out)]) == 2
    )  # a person worked there
    assert "labels.json is there already" in capsys.readouterr().err


def test_corrections_of_one_file_and_corrected_tracks_in_another(clinic, tmp_path, capsys):
    arm = ["--skeleton", str(clinic / "arm.yaml")]
    assert (
        main(
            [
                "tracking",
                "select",
                str(clinic),
                "--frames",
                "2",
                "--out",
                str(tmp_path / "dlc"),
                *arm,
            ]
        )
        == 0
    )  # to label from nothing
    tables = [
        tmp_path / f"dlc/labeled-data/{clip_id}/CollectedData_semiology.csv"
        for clip_id in ("c1", "c2")
    ]
    for table in tables:
        lines = table.read_text().splitlines()
        assert lines[3].endswith(".png,,,,")
        table.write_text("\n".join([*lines[:3], lines[3].replace(",,,,", ",5.5,6.5,,")]) + "\n")
    source = Store(clinic / "store").path("c1", "body")
    about = ["--tracks", str(source), "--who", "AB", *arm]
    assert (
        main(
            ["tracking", "correct", str(tables[0]), *about, "--out", str(tmp_path / "corrected.nc")]
        )
        == 0
    )
    assert "1 new corrections in 1 frames" in capsys.readouterr().out
    wrist = (
        read_tracks(tmp_path / "corrected.nc")["position"]
        .sel(keypoint="wrist")
        .transpose("time", "space")
        .values
    )
    assert (
        Store(clinic / "store")
        .tracks("c1", "body")["position"]
        .sel(keypoint="wrist")
        .transpose("time", "space")
        .values
        == wrist
    ).all()
    assert np.flatnonzero((wrist == [5.5, 6.5]).all(axis=1)).tolist() == [
        read_corrections(corrections_file(source))[0].source_index
    ]
    for labels, more, message in (
        (tables[0], ["--out", str(source)], "these are the predicted tracks"),
        (tables[1], [], "which the tracks of c2 do not show"),
        (tmp_path / "dlc", [], "labels of 2 videos"),
        (tables[0], ["--store", str(clinic / "store")], "give --store DIR, or --tracks FILE"),
    ):
        assert (
            main(["tracking", "correct", str(labels), *about, *more]) == 2
            and message in capsys.readouterr().err
        )


def test_a_clip_without_a_video_is_left_out_and_reported(clinic, capsys):
    (clinic / "named_after_nobody.mp4").rename(clinic / "away.mp4")
    words = [
        "tracking",
        "select",
        str(clinic),
        "--frames",
        "1",
        "--out",
        str(clinic / "out"),
        "--format",
        "cvat",
    ]
    assert (
        main(words) == 2
        and "no frame was chosen: c1: there is no such file" in capsys.readouterr().err
    )
    (clinic / "c2.mp4").write_bytes((clinic / "away.mp4").read_bytes())
    table = (clinic / "clips.tsv").read_text()
    (clinic / "clips.tsv").write_text(
        "".join(
            line.replace("named_after_nobody", "c2") if "c2" in line else line
            for line in table.splitlines(True)
        )
    )
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert (
        "1 frames of 1 clips" in printed
        and "left out: c1: there is no such file" in printed
        and "named_after_nobody" not in printed
    )

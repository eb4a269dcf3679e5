"""What the audit finds in a run's folder and cohort: copies, confounds, networks trained elsewhere,
tampering, missing records.
"""

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_leaks import (
    JOINTS,
    TASK,
    add_clip,
    filmed,
    moving_cohort,
    quick_run,
    read_clips,
    wandering,
    write_clips,
)
from PIL import Image

from semiology import UserError, make_tracks, read_tracks
from semiology.cli.main import main
from semiology.data.tracks import save_tracks
from semiology.evaluation.audit import Check, Finding, audit, verdict, write_sources
from semiology.evaluation.audit.check import answer, text
from semiology.evaluation.audit.fingerprint import (
    Changes,
    changes,
    from_text,
    positions,
    similarity,
    to_text,
)
from semiology.evaluation.audit.sources import used_weights
from semiology.evaluation.run.settings import Split
from semiology.files import content_hash, read_json, write_json
from semiology.models.pretraining import pretrain
from semiology.tracking.extraction import ExtractOptions
from semiology.tracking.extraction.keys import trained_on
from semiology.tracking.pose.base import KeypointRCNNOptions
from semiology.tracking.pose.detectors import DetectorSetup
from semiology.video import read_frames, write_video

CHECK_KEYS = ["name", "question", "result", "found", "details"]  # of audit.json


def found(run: Path, name: str) -> Check:
    return {check.name: check for check in audit(run)}[name]


def facts(check: Check) -> list[tuple[str, tuple[str, ...]]]:
    """The findings of a check by code, and the names that they are about."""
    return [(finding.code, finding.about) for finding in check.findings]


def failed(run: Path) -> set[str]:
    return {check.name for check in audit(run) if check.result == "failed"}


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    return moving_cohort(tmp_path_factory.mktemp("moving"))


@pytest.fixture(scope="module")
def honest(moving, tmp_path_factory):
    return quick_run(moving, tmp_path_factory.mktemp("honest") / "run")


@pytest.fixture
def run(honest, tmp_path):
    return Path(shutil.copytree(honest, tmp_path / "run"))


@pytest.fixture
def cohort(moving, tmp_path):
    return Path(shutil.copytree(moving, tmp_path / "cohort"))


def resourced(run: Path, cohort: Path) -> Path:
    """The run with the sources of another cohort of the same clips, and of added clips."""
    write_sources(cohort, None, read_clips(cohort)["clip_id"], run / "sources.json")
    return run


def test_the_verb_prints_a_line_a_check_and_exits_with_zero_one_or_two(run, tmp_path, capsys):
    assert main(["audit", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    written = json.loads((run / "audit.json").read_text())
    assert written["verdict"] == "passed"
    assert [line.split()[0] for line in lines[: len(written["checks"])]] == [
        check["result"] for check in written["checks"]
    ]
    assert all(list(check) == CHECK_KEYS for check in written["checks"])
    (run / "sources.json").unlink()
    assert main(["audit", str(run)]) == 1
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .endswith(
            "INCOMPLETE: not possible from the records: same stretch, copies, outside, confounds"
        )
    )
    assert main(["audit", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_folds_split_by_seizure_answer_another_question(moving, tmp_path):
    cohort = Path(shutil.copytree(moving, tmp_path / "cohort"))
    table = read_clips(cohort)
    table["participant_id"] = [f"p{number // 2}" for number in range(len(table))]
    write_clips(cohort, table)
    run = quick_run(cohort, tmp_path / "by_seizure", split=Split("recording", folds=3))
    check = found(run, "participants")
    assert check.result == "failed" and {code for code, _ in facts(check)} == {"both-sides"}
    assert check.found.startswith(f"{TASK}: other seizures of known patients were evaluated")


def test_an_unseen_test_set_beside_folds_passes_and_is_in_no_training_set(moving, tmp_path):
    run = quick_run(moving, tmp_path / "run", split=Split("grouped", folds=2, test=["p1", "p4"]))
    assert verdict(audit(run)) == "passed"
    path = next(
        path
        for path in (run / "folds").rglob("*.json")
        if json.loads(path.read_text())["fold"] != "test"
    )
    record = read_json(path)
    record["models"]["agcn"]["seen"]["weights"].append("c4")
    write_json(path, record, checksummed=True)
    assert ("test-set-in-training", ("p4",)) in facts(found(run, "participants"))
    path.with_name("test.json").unlink()
    assert found(run, "table").result == "not possible"


def test_one_part_of_a_file_under_two_clips_is_found_and_a_later_part_is_a_copy_of_the_file(
    run, cohort
):
    add_clip(cohort, "c1", clip_id="other", participant_id="p99", start="2", end="8")
    resourced(run, cohort)
    table = read_clips(cohort)
    cohort_run = quick_run(cohort, run.parent / "planted", split=Split("participant"))
    check = found(cohort_run, "same stretch")
    assert check.result == "failed" and facts(check) == [("shared-part", ("c1", "other", "6.0"))]
    assert "c1 (p1)" in check.found and "other (p99)" in check.found
    table.loc[table["clip_id"] == "c1", "end"] = "2"  # now they touch, and do not overlap
    write_clips(cohort, table)
    write_sources(cohort, None, table["clip_id"], cohort_run / "sources.json")
    assert found(cohort_run, "same stretch").result == "passed"
    assert facts(found(cohort_run, "copies")) == [("copy", ("c1", "other", "file"))]


@pytest.mark.parametrize("shift", [0, 33])
def test_tracks_copied_with_noise_to_another_participant_are_found(run, cohort, shift):
    copied = (
        read_tracks(cohort / "tracks/c1.nc")
        .position.transpose("time", "keypoint", "space")
        .values[shift:]
    )
    noisy = (
        1.2 * copied + 40 + np.random.default_rng(5).normal(0, 1.5, copied.shape)
    )  # nearer to the camera, and elsewhere in the image
    save_tracks(make_tracks(noisy, JOINTS, 25.0), cohort / "tracks/c4.nc")
    check = found(resourced(run, cohort), "copies")
    assert check.result == "failed" and facts(check) == [("copy", ("c1", "c4", "movement"))]
    assert "c1 (p1) and c4 (p4)" in check.found


def test_a_video_encoded_again_under_another_participant_is_found_though_all_rooms_look_alike(
    run, cohort
):
    store = filmed(cohort, trained_on=[], again=(1, 4))
    ids = read_clips(cohort)["clip_id"]
    write_sources(cohort, store, ids, run / "sources.json")
    check = found(run, "copies")
    assert check.result == "failed" and facts(check) == [("copy", ("c1", "c4", "pictures"))]
    assert ".mp4" not in (run / "sources.json").read_text()
    made = {path: path.stat().st_mtime_ns for path in store.rglob("pictures-*.json")}
    write_sources(cohort, store, ids, run / "again.json")
    assert (run / "again.json").read_bytes() == (run / "sources.json").read_bytes()
    assert len(made) == 12 and all(path.stat().st_mtime_ns == stamp for path, stamp in made.items())
    shutil.rmtree(cohort / "videos")  # archived since
    write_sources(cohort, store, ids, run / "again.json")
    clips = json.loads((run / "again.json").read_text())["clips"]
    assert all("pictures" not in clip and "movement" in clip for clip in clips.values())


def test_a_label_that_the_centre_predicts_fails_and_is_named(run, cohort):
    table = read_clips(cohort)
    table["centre"] = np.where(table["swing"] == "present", "north", "south")
    write_clips(cohort, table)
    check = found(resourced(run, cohort), "confounds")
    assert check.result == "failed" and check.found.startswith("swing by centre alone: AUC 1.00")
    assert facts(check)[0] == ("confound-test", ("swing", "centre"))
    lens = next(one for one in check.findings if one.about == ("swing", "lens"))
    assert float(re.search(r"([\d.]+) after correction", lens.text)[1]) > 0.05


def test_duration_alone_is_reported_and_does_not_fail(run, cohort):
    for row in read_clips(cohort).itertuples():
        seconds = 6 if row.swing == "present" else 9
        save_tracks(
            make_tracks(wandering(int(row.clip_id[1:]), seconds), JOINTS, 25.0), cohort / row.tracks
        )
    check = found(resourced(run, cohort), "confounds")
    assert check.result == "passed" and "swing by duration alone: AUC 1.00" in check.found
    assert facts(check)[0] == ("confound-test", ("swing", "duration"))


def weights(run: Path, **entries) -> Path:
    sources = json.loads((run / "sources.json").read_text())
    sources["weights"] = entries
    (run / "sources.json").write_text(json.dumps(sources))
    return run


def test_a_detector_trained_on_a_held_out_participant_fails_and_an_unknown_one_is_not_passed(
    run, capsys
):
    weights(
        run,
        abcdef0123={
            "what": "keypoint-rcnn joints",
            "origin": None,
            "participants": ["p3", "somebody"],
        },
    )
    check = found(run, "outside")
    assert check.result == "failed" and facts(check) == [("weights-leak", ("abcdef0123", "p3"))]
    weights(run, abcdef0123={"what": "face_vgg", "origin": None, "participants": None})
    check = found(run, "outside")
    assert check.result == "not possible"
    assert facts(check) == [("weights-unknown", ("abcdef0123",))]
    stated = {check.name: check for check in audit(run, elsewhere=["abcdef01"])}["outside"]
    assert stated.result == "passed" and stated.found.startswith("1 stated by the user")
    assert main(["audit", str(run), "--elsewhere", "abcdef01"]) == 0
    unknown = {"what": "face_vgg", "origin": None, "participants": None}
    weights(run, **{"abcdef0123": unknown, "1e23456789": unknown})  # to YAML, one is a number
    assert main(["audit", "--elsewhere", '["abcdef01", "1e234567"]', str(run)]) == 0
    weights(run, **{"1e23456789": unknown})
    assert main(["audit", "--elsewhere", "1e234567", str(run)]) == 0
    assert {check.name: check for check in audit(run, elsewhere="1e234567")}["outside"].result == (
        "passed"
    )
    assert main(["audit", str(run), "--elsewhere", "abcdef0"]) == 2
    assert "give the first digits" in capsys.readouterr().err
    weights(run, abcdef0123={"what": "face_vgg", "origin": None, "participants": ["somebody"]})
    assert found(run, "outside").result == "passed"


def test_what_made_the_tracks_is_read_from_the_stores_record():
    vgg, joints, mtcnn = "1" * 64, "2" * 64, "3" * 64
    # torchvision's Keypoint R-CNN
    coco = "fc266e953d2b302cdcbb9ae66f71f6b0d4649928bf02dc573961e361e4918926"
    body = {
        "detector": {"detector": "mtcnn", "weights": {"pnet.pt": mtcnn}},
        "pose": {"name": "keypoint-rcnn", "weights": {"joints": joints}},
    }
    used = used_weights(
        {
            "body": {"depends": body, "trained_on": {joints: ["p1"]}},
            "face": {"depends": {"pose": {"name": "keypoint-rcnn", "weights": {"joints": coco}}}},
            "face_vgg": {"depends": {"vgg": vgg}},
        }
    )
    assert {digest: entry["participants"] for digest, entry in used.items()} == {
        mtcnn: [],
        joints: ["p1"],
        coco: [],
        vgg: None,
    }


def test_weights_hold_their_training_participants_and_the_store_records_them(tmp_path):
    for name in ("sad", "happy"):
        (tmp_path / f"images/{name}").mkdir(parents=True)
        for number in range(4):
            Image.fromarray(np.full((48, 48), 30 * number, np.uint8)).save(
                tmp_path / f"images/{name}/{number}.png"
            )
    recorded = {}
    for name, participants in (("own", ["p2", "p1"]), ("public", []), ("silent", None)):
        path = tmp_path / f"{name}.safetensors"
        pretrain(
            "expression",
            tmp_path / "images",
            path,
            width=0.03125,
            epochs=1,
            participants=participants,
            progress=False,
        )
        recorded[name] = trained_on(ExtractOptions(face_weights=path))
    assert list(recorded["own"].values()) == [["p1", "p2"]] and list(recorded["own"]) == [
        content_hash(tmp_path / "own.safetensors")
    ]
    assert list(recorded["public"].values()) == [[]] and recorded["silent"] == {}


@pytest.mark.parametrize("start, known", [("coco", True), ("runs/earlier", False)])
def test_fine_tuned_detectors_hold_their_training_participants(tmp_path, start, known):
    setup = DetectorSetup(["nose"], "mobilenet_v3_large", 64)
    about = {"participants": ["p1"], "options": {"start": start}}
    description = {"setup": asdict(setup), "sha256": {"joints": "ab" * 32}, "about": about}
    write_json(tmp_path / "detectors.json", description, checksummed=True)
    options = ExtractOptions(
        pose="keypoint-rcnn", keypoint_rcnn=KeypointRCNNOptions(weights=tmp_path)
    )
    assert trained_on(options) == ({"ab" * 32: ["p1"]} if known else {})


def edited(run: Path, change) -> Path:
    """The run with the record of the fold that held c3 out changed."""
    path = fold_of_c3(run)
    record = read_json(path)
    change(record)
    write_json(path, record, checksummed=True)
    return run


def read_table(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "predictions.csv", dtype=str, keep_default_na=False)


def add_prediction(record: dict) -> None:
    """Of a clip that another fold held out."""
    other = next(clip_id for clip_id in record["clips"] if clip_id not in record["held_out_clips"])
    record["predictions"].append({**record["predictions"][0], "clip_id": other})


def fold_of_c3(run: Path) -> Path:
    return next(
        path
        for path in (run / "folds").rglob("*.json")
        if "c3" in json.loads(path.read_text())["held_out_clips"]
    )


def test_a_changed_score_in_the_table_is_found(run):
    table = read_table(run)
    row = table.index[table["clip_id"] == "c3"][0]
    table.loc[row, ["score", "predicted", "scores"]] = [
        "0.9",
        "present",
        '{"absent": 0.1, "present": 0.9}',
    ]
    table.to_csv(run / "predictions.csv", index=False)
    check = found(run, "table")
    assert check.result == "failed" and facts(check) == [("row-differs", ("agcn", "c3", "scores"))]


def test_a_missing_record_and_a_missing_note_are_incomplete_not_passed(run):
    edited(run, lambda record: record["models"]["agcn"]["seen"].pop("class_weights"))
    check = found(run, "class weights")
    assert check.result == "not possible" and facts(check) == [("fit-unrecorded", ("agcn",))]
    clips = json.loads(fold_of_c3(run).read_text())["held_out_clips"]
    fold_of_c3(run).unlink()
    checks = audit(run)
    assert verdict(checks) == "incomplete"
    assert {"predicted once", "table"} <= {
        check.name for check in checks if check.result == "not possible"
    }
    by_name = {check.name: facts(check) for check in checks}
    unrecorded = [("agcn", clip_id) for clip_id in sorted(clips)]
    assert by_name["predicted once"] == [("prediction-unrecorded", about) for about in unrecorded]
    assert by_name["table"] == [("row-unrecorded", about) for about in unrecorded]
    assert "c3" in text(checks)


@pytest.mark.parametrize(
    "change, name, result, fact",
    [
        (
            lambda record: record["models"]["agcn"]["seen"]["batch_norm"].append("c3"),
            "batch norm",
            "failed",
            ("leak", ("agcn", "c3")),
        ),
        (
            lambda record: record["models"]["agcn"].update(teacher="tcn"),
            "teacher",
            "not possible",
            ("teacher-unrecorded", ("agcn", "tcn")),
        ),
        (add_prediction, "predicted once", "failed", ("not-held-out", ("agcn", "c0"))),
        (
            lambda record: record["clips"].update(c5="p4"),
            "participants",
            "failed",
            ("two-participants", ("c5", "p4", "p5")),
        ),
        (
            lambda record: record.update(held_out=["p4"]),
            "participants",
            "failed",
            ("held-out-differs", ("p4",)),
        ),
        (
            lambda record: record["models"]["agcn"]["seen"]["weights"].append("nobody"),
            "weights",
            "failed",
            ("unknown-clip", ("agcn", "nobody")),
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_found(run, change, name, result, fact):
    check = found(edited(run, change), name)
    assert check.result == result and fact in facts(check)


def test_a_teacher_the_record_does_not_hold_is_not_passed(run):
    edited(run, lambda record: record["models"]["agcn"].update(teacher="tcn"))
    assert found(run, "teacher").result == "not possible"


def test_a_fusion_that_is_not_the_mean_of_its_members_is_found(run):
    table = read_table(run)
    wrong = table.assign(model="fused")
    pd.concat([table, wrong]).to_csv(run / "predictions.csv", index=False)
    assert found(run, "table").result == "not possible"  # nothing says what these rows are
    config = (
        (run / "config.yaml")
        .read_text()
        .replace(
            "fusions: []", f"fusions:\n- task: {TASK}\n  model: fused\n  members: [{TASK}/agcn]"
        )
    )
    (run / "config.yaml").write_text(config)
    assert found(run, "table").result == "passed"
    wrong.loc[0, ["score", "predicted", "scores"]] = [
        "0.9",
        "present",
        '{"absent": 0.1, "present": 0.9}',
    ]
    pd.concat([table, wrong]).to_csv(run / "predictions.csv", index=False)
    assert found(run, "table").result == "failed"


def test_records_of_an_older_run_and_damaged_ones_are_named(run):
    path = fold_of_c3(run)
    path.write_text('{"key": "x", "task": "swing (pose)"}')
    name = path.relative_to(run).as_posix()
    [(code, about)] = facts(found(run, "weights"))
    assert code == "record-incomplete" and about[0] == name and "predictions" in about
    path.write_text('{"key')
    assert facts(found(run, "weights")) == [("damaged", (name,))]


def test_similarity_is_one_for_a_shifted_copy_and_survives_text():
    course = np.random.default_rng(0).normal(size=(80, 6)).cumsum(axis=0)
    kept = from_text(to_text(course, 1000), 1000)
    assert np.abs(kept - course).max() <= 0.0005 + 1e-12
    whole, part = Changes(changes(kept, 0.5), 5.0), Changes(changes(course[20:], 0.5), 5.0)
    value, shift = similarity(whole, part)
    assert value == pytest.approx(1, abs=0.02) and shift == 4.0  # 20 rows at 5 Hz
    other = Changes(changes(np.random.default_rng(1).normal(size=(80, 6)).cumsum(axis=0), 0.5), 5.0)
    assert similarity(whole, other)[0] < 0.4


def test_positions_do_not_depend_on_place_and_size_in_the_image():
    position = wandering(3, 4)
    first, second = (positions(make_tracks(p, JOINTS, 25.0)) for p in (position, 2 * position - 70))
    assert first.shape == (20, 2 * len(JOINTS)) and np.abs(first - second).max() < 1e-5
    holes = position.copy()
    holes[10:15] = np.nan
    assert np.isnan(positions(make_tracks(holes, JOINTS, 25.0))[2]).all()


def test_sources_name_a_clip_that_is_not_in_the_cohort(moving, tmp_path):
    with pytest.raises(UserError, match=r"clips\.tsv has no clip gone\b"):
        write_sources(moving, None, ["c1", "gone"], tmp_path / "sources.json")


@pytest.mark.realdata
def test_a_real_video_encoded_again_is_recognised_and_another_view_of_the_room_is_not(
    testdata, tmp_path
):
    from semiology.evaluation.audit.fingerprint import IMAGE_RATE, small_images

    def seen(path: Path, end: float) -> Changes:
        return Changes(
            changes(small_images(read_frames(path, 0, end, IMAGE_RATE))[0], 4), IMAGE_RATE
        )

    dance, room, other_view = (
        testdata / f"people/{name}.mp4"
        for name in ("dance_720x406", "room_cam01_portrait", "room_cam03_portrait")
    )
    images = [
        np.asarray(Image.fromarray(frame.image).resize((180, 320)))
        for frame in read_frames(dance, 1.3, 7, 25)
    ]
    write_video(tmp_path / "again.avi", images, 25, bit_rate=250_000)
    assert similarity(seen(dance, 7), seen(tmp_path / "again.avi", 5.6))[0] > 0.6
    assert similarity(seen(room, 1.6), seen(other_view, 1.6))[0] < 0.4
    assert similarity(seen(room, 1.6), seen(tmp_path / "again.avi", 5.6))[0] < 0.4


def test_a_check_is_failed_by_a_fault_and_not_possible_where_something_is_missing():
    fault, gap = Finding("leak", "c1 leaks", ("c1",)), Finding("no-record", "no record")
    results = [
        answer("weights", "?", faults, missing, "good", "bad")
        for faults, missing in (([fault, fault], [gap]), ([], [gap]), ([], []))
    ]
    assert [check.result for check in results] == ["failed", "not possible", "passed"]
    assert results[0].found == "bad: c1 leaks (2 in total)" and results[2].found == "good"
    assert [verdict(results[first:]) for first in range(3)] == ["failed", "incomplete", "passed"]
    assert list(results[0].as_json()) == CHECK_KEYS and results[0].details == ["c1 leaks"] * 2


def test_many_faults_of_one_kind_are_told_once_with_their_number():
    faults = [
        Finding("row-differs", f"row {number} differs", (f"c{number}",)) for number in range(40)
    ]
    faults.append(Finding("row-missing", "c99 is missing", ("c99",)))
    check = answer("table", "?", faults, [], "good", "differs")
    printed = text([check]).splitlines()
    assert printed[0].endswith("differs: row 0 differs (41 in total)")
    assert [line.strip() for line in printed[1:3]] == [
        "row 0 differs (and 39 more like this)",
        "c99 is missing",
    ]
    details = check.as_json()["details"]
    assert len(details) == 13 and details[11] == "row 11 differs (and 28 more like this)"
    assert len(check.findings) == 41  # all of them from Python
    few = text([answer("table", "?", faults[38:], [], "good", "differs")]).splitlines()
    assert [line.strip() for line in few[1:3]] == ["row 39 differs", "c99 is missing"]

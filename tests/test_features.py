"""The table of features: values against the measures that it is made of, what is missing and why,
resumed runs, bad clips; and the table in `semiology table` and in `loso`.
"""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_face import filmed, own_face
from test_flow_measures import moving
from test_loso import protocol

import semiology
from semiology import UserError
from semiology.cli.main import main
from semiology.data.cohort.table import read_table
from semiology.data.corrections import Correction, write_corrections
from semiology.data.keypoint_names import HANDS
from semiology.data.preprocessing import drop_low_confidence
from semiology.data.result import allowing
from semiology.data.store import Store
from semiology.data.tracks import save_tracks
from semiology.evaluation.run.settings import Model
from semiology.experiments.loso import run_loso
from semiology.files import read_json
from semiology.models.networks import Network
from semiology.phantom import make_myoclonus
from semiology.phantom.drawing.hand import FINGERS, hand_landmarks
from semiology.severity.features import FAMILIES
from semiology.severity.kinematics import kinematic_table

NOON = "2026-03-01T12:00:00Z"


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", na_values="n/a").set_index("clip_id")


@pytest.fixture(scope="module")
def measured(shared_cohort, tmp_path_factory):
    """The table of the small cohort: bodies alone, of which odd people swing their left wrist."""
    out = tmp_path_factory.mktemp("features") / "features.tsv"
    assert main(["features", str(shared_cohort), "--out", str(out)]) == 0
    return out


def test_a_row_holds_labels_and_the_measures_of_the_parts_that_make_them(measured, shared_cohort):
    table = read(measured)
    assert list(table.columns[:3]) == ["participant_id", "swing", "side"]
    assert len(table) == 12 and table.loc["p5_1", "swing"] != table.loc["p5_1", "swing"]  # n/a
    assert (table["seconds"] == 1.6).all()
    tracks = semiology.read_tracks(shared_cohort / "tracks/p1_0.nc")
    rows = kinematic_table(drop_low_confidence(tracks, 0.5)).set_index("name")
    for measure in ("speed", "excursion", "share"):
        found = table.loc["p1_0", f"kinematics_left_arm_{measure}"]
        assert found == pytest.approx(rows.loc["left_arm", measure], rel=1e-5)
    assert np.isnan(table.loc["p1_0", "kinematics_left_leg_speed"])  # knees and feet are not there
    assert table.loc["p1_0", "kinematics_arm_speed_asymmetry"] > 0.3
    assert abs(table.loc["p0_0", "kinematics_arm_speed_asymmetry"]) < 0.2


def test_every_column_is_described_and_none_of_what_no_clip_has_is_there(measured):
    columns = read_table(measured, [], [], []).columns
    described = read_json(measured.with_suffix(".json"))
    assert list(described) == list(columns)
    assert not any(name.startswith(("face_", "hands_", "flow_")) for name in columns)
    measures = {name for name in columns if described[name]["Role"] == "measure"}
    own = {*FAMILIES["kinematics"].columns, *FAMILIES["jerks"].columns, "seconds"}
    assert measures == own
    assert described["swing"] == {
        "Description": "of the cohort",
        "Role": "label",
        "Levels": {"absent": "", "present": ""},
    }
    assert described["kinematics_left_arm_speed"]["Units"] == "torso lengths/s"


def test_an_amplitude_of_blinks_is_a_fraction_of_the_aperture():
    """As measures.face_summary has it: 0.8 of the outer eye corners' distance is no eye's."""
    columns = FAMILIES["face"].columns
    assert columns["face_left_blink_amplitude"].units == ""
    assert columns["face_left_eye_aperture_median"].units.startswith("distances")


def test_rates_of_jerks_need_five_seconds_of_tracks(measured):
    """The clips last 1.6 s: one jerk would be 37 a minute."""
    table = read(measured)
    assert table["jerks_left_arm_rate"].isna().all() and table["jerks_rate"].isna().all()
    assert (table["jerks_right_arm_seconds"] > 1).all()


def test_finished_clips_are_not_measured_again_and_changed_ones_are(
    measured, cohort, tmp_path, capsys
):
    out = tmp_path / "f.tsv"
    main(["features", str(cohort), "--out", str(out)])
    before = out.read_bytes()
    assert before == measured.read_bytes()
    out.unlink()
    shutil.copy(cohort / "tracks/p0_0.nc", cohort / "tracks/p1_1.nc")
    capsys.readouterr()
    main(["features", str(cohort), "--out", str(out)])
    assert "1 measured, 11 were there already" in capsys.readouterr().out
    table = read(out)
    wrist = "kinematics_left_arm_speed"
    assert table.loc["p1_1", wrist] == table.loc["p0_0", wrist]


def test_a_clip_that_cannot_be_read_is_listed_and_the_others_go_on(cohort, tmp_path, capsys):
    (cohort / "tracks/p2_0.nc").write_bytes(b"no tracks")
    out = tmp_path / "f.tsv"
    assert main(["features", str(cohort), "--out", str(out), "--jobs", "2"]) == 1
    assert "failed: p2_0: its tracks: not a readable netCDF" in capsys.readouterr().out
    assert "p2_0" not in read(out).index and len(read(out)) == 11


def test_a_clip_without_shoulders_has_no_lengths_and_says_why(cohort, tmp_path):
    tracks = semiology.read_tracks(cohort / "tracks/p0_0.nc")
    position = tracks["position"].copy()
    position.loc[{"keypoint": ["left_shoulder", "right_shoulder"]}] = np.nan
    save_tracks(tracks.assign(position=position), cohort / "tracks/p0_0.nc")
    result = semiology.features(cohort, out=tmp_path / "f.tsv", progress=False)
    row = result.table.set_index("clip_id").loc["p0_0"]
    assert row["kinematics_missing"].startswith("the shoulders were not seen")
    assert np.isnan(row["kinematics_left_arm_speed"]) and row["seconds"] == 1.6
    assert set(result.absent) == {"face", "hands", "flow"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--out", "f.csv"], "ends in .tsv"),
        (["--out", "f.tsv", "--measures", "gait"], "there are kinematics, face"),
        (["--out", "f.tsv", "--measures", "face"], "no clip has it"),
        (["--out", "f.tsv", "--confidence", "2"], "give 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    cohort, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["features", str(cohort), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "f.tsv").exists()


def test_a_label_with_the_name_of_a_measure_is_refused(cohort, tmp_path):
    for name in ("clips.tsv", "clips.json"):
        text = (cohort / name).read_text().replace("swing", "jerks_rate")
        (cohort / name).write_text(text)
    with pytest.raises(UserError, match="'jerks_rate' has the name of a measure"):
        semiology.features(cohort, out=tmp_path / "f.tsv", progress=False)


def test_the_table_goes_into_semiology_table_and_no_other_label_is_a_feature(measured, tmp_path):
    """`side` names the arm that swings: it would tell the class."""
    run = tmp_path / "run"
    arguments = ["--participant", "participant_id", "--target", "swing", "--id", "clip_id"]
    quick = ["--models", "linear", "--permutations", "0", "--out", str(run)]
    assert main(["table", str(measured), *arguments, *quick]) == 0
    made = read_json(run / "table.json")
    assert made["levels"] == ["absent", "present"] and made["categories"] == []
    assert "kinematics_left_arm_speed" in made["numbers"] and "side" not in made["numbers"]
    assert any(": side" in note for note in read_json(run / "notes.json", list))
    table = pd.read_csv(run / "predictions.csv")
    assert len(table) == 11 and (table["predicted"] == table["truth"]).all()


def test_a_phantoms_jerks_tell_its_patients_from_its_controls(tmp_path):
    """Tracks without videos; `severity_true` and the raters' scores, whose role is score, are no
    features.
    """
    recipe = {"visits": 1, "seconds": 6.0, "panels": ("rest",), "controls": 0.5, "seed": 1}
    make_myoclonus(tmp_path / "cohort", subjects=6, render=False, progress=False, **recipe)
    out, run = tmp_path / "f.tsv", tmp_path / "run"
    semiology.features(tmp_path / "cohort", out=out, progress=False, measures=["jerks"])
    most = read(out).groupby("group")["jerks_rate"].max()
    assert most["control"] == 0 < most["patient"]
    arguments = ["--participant", "participant_id", "--target", "group", "--models", "linear"]
    assert main(["table", str(out), *arguments, "--permutations", "0", "--out", str(run)]) == 0
    numbers = read_json(run / "table.json")["numbers"]
    assert "jerks_rate" in numbers
    assert not {"severity_true", "umrs_rater_1", "umrs_rater_2"} & set(numbers)


def test_loso_reads_the_table_in_the_folds_of_the_networks(measured, shared_cohort, tmp_path):
    """The held-out person's row is not seen, and the predictions are those of the measures."""
    options = {"model": "sklearn.linear_model:LogisticRegression", "table": str(measured)}
    run = tmp_path / "run"
    with allowing(["sklearn.linear_model"]):
        models = {"measures": Model(Network("estimator", options | {"inner": 2}))}
        result = run_loso(protocol(shared_cohort, models=models, out=str(run), final=False))
    assert (result.refused, result.failed) == ({}, {})
    table = pd.read_csv(run / "predictions.csv")
    own = table[table["model"] == "measures"]
    assert len(own) == 11 and (own["predicted"] == own["truth"]).all()
    record = read_json(run / "folds/swing-pose/seed-0/p0.json", checksummed=True)
    assert not [clip for clip in record["models"]["measures"]["seen"]["weights"] if "p0" in clip]


def test_a_table_that_lacks_a_clip_or_its_description_is_refused(measured, shared_cohort, tmp_path):
    short = tmp_path / "short.tsv"
    short.write_text("".join(measured.read_text().splitlines(keepends=True)[:-3]))
    models = {"m": Model(Network("estimator", {"table": str(short)}))}
    with pytest.raises(UserError, match="describes as a measure"):
        run_loso(protocol(shared_cohort, models=models, out=str(tmp_path / "run")))
    shutil.copy(measured.with_suffix(".json"), short.with_suffix(".json"))
    with pytest.raises(UserError, match="has no row of clip p4_1"):
        run_loso(protocol(shared_cohort, models=models, out=str(tmp_path / "run")))


def test_the_page_names_every_measure_with_its_unit():
    """The last part of each column's name, after family and segment, side or region."""
    page = (Path(__file__).resolve().parents[1] / "docs/features.md").read_text(encoding="utf-8")
    table = page[page.index("## Columns") : page.index("From Python")]
    named = set(re.findall(r"`(?:SIDE_|_)?([a-z0-9_.]+)`", table))
    for family in FAMILIES.values():
        for column in family.columns:
            parts = column.split("_")
            assert named & {"_".join(parts[start:]) for start in range(len(parts))}, column


@pytest.fixture
def extracted(cohort, tmp_path):
    """The cohort as videos, and a store: of p1_0 all parts, of p0_0 the body alone, of p5_1
    nothing.
    """
    clips = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    clips = clips[clips["clip_id"].isin(["p0_0", "p1_0", "p5_1"])].rename(
        columns={"tracks": "video"}
    )
    clips.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    store, waves = Store(tmp_path / "store"), 2 * np.pi * 2.5 * np.arange(250) / 25
    opened = 0.5 - 0.5 * np.cos(waves)
    points = hand_landmarks(0.19, {finger: np.zeros(250) for finger in FINGERS}, opened)
    hands = semiology.make_tracks(1000 * points[..., :2], HANDS[:21], 25.0, position_3d=points)
    body = {clip: semiology.read_tracks(cohort / f"tracks/{clip}.nc") for clip in ("p0_0", "p1_0")}
    parts = {
        "face": filmed([own_face()] * 100),
        "hands": hands,
        "flow": moving(0.5 * np.sin(2 * np.pi * 2 * np.arange(150) / 25), ("left_arm", "grid_3_2")),
    }
    for clip, part, content in [
        ("p0_0", "body", body["p0_0"]),
        ("p1_0", "body", body["p1_0"]),
        *(("p1_0", part, content) for part, content in parts.items()),
    ]:
        store.write(clip, part, "0" * 16, content)
        store.note(clip, {}, {part: {"key": "0" * 16, "depends": {}}})
    return cohort, store


def test_what_was_extracted_is_measured_and_what_was_not_says_so(extracted, tmp_path, capsys):
    cohort, store = extracted
    out = tmp_path / "f.tsv"
    assert main(["features", str(cohort), "--store", str(store.folder), "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "failed: p5_1: was not extracted; run semiology extract" in printed
    table = read(out)
    assert list(table.index) == ["p0_0", "p1_0"]
    whole = table.loc["p1_0"]
    assert whole["hands_left_finger_tapping_rate"] == pytest.approx(2.5, abs=0.05)
    assert whole["hands_left_share"] == 1 and np.isnan(whole["hands_right_share"])
    assert whole["face_assessable"] == 1 and abs(whole["face_eye_aperture_asymmetry"]) < 1e-6
    assert whole["flow_left_arm_frequency"] == pytest.approx(2, abs=0.1)
    assert whole["flow_moving"] > 0.9 and np.isnan(whole["flow_right_arm_speed"])
    other = table.loc["p0_0"]
    assert other["hands_missing"] == "was not extracted; run semiology extract --hands true"
    assert np.isnan(other["face_assessable"]) and other["kinematics_left_arm_share"] > 0
    assert {name for name in table if not name.endswith("_missing")} >= {
        column for family in FAMILIES.values() for column in family.columns
    }


def test_a_correction_of_the_store_is_measured_again(extracted, tmp_path):
    cohort, store = extracted
    options = {"store": store.folder, "progress": False, "measures": ["kinematics"]}
    before = semiology.features(cohort, out=tmp_path / "f.tsv", **options).table
    places = [
        Correction(frame, "left_wrist", (), 100.0 + 800 * (frame % 2), 200.0, 2, "r", NOON, "")
        for frame in range(10, 30)
    ]
    write_corrections(places, store.corrections_file("p0_0", "body"))
    again = semiology.features(cohort, out=tmp_path / "f.tsv", **options)
    assert set(again.failed) == {"p5_1"}, again.failed
    after = again.table
    speeds = [own.set_index("clip_id")["kinematics_left_arm_speed_peak"] for own in (before, after)]
    assert (speeds[0] != speeds[1]).to_dict() == {"p0_0": True, "p1_0": False}

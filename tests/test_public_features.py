"""The public features of GESTURES by `semiology loso`: made in the published layout, to a report;
and what folds by seizure promise.
"""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from published_layout import write_people

from semiology.cli.experiments import read_protocol
from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.gestures import import_gestures
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Fusion, Protocol, Split, Task
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SEIZURE, SUBJECT = "TCS (by seizure)", "TCS (by subject)"
KINDS = ["attention", "blstm", "lstm", "mean"]
FEATURES = "features_fpc_2_fps_1"


def config(published: Path, out: Path, models=("mean",), epochs: int = 8) -> Path:
    """configs/gestures.yaml made small: snippets of 2 frames at 1 Hz, four segments, four folds."""
    raw = yaml.safe_load((CONFIGS / "gestures.yaml").read_text())
    for task in raw["tasks"].values():
        task["reading"] |= {"window": 2, "rate": 1, "segments": 4}
        task["split"]["folds"] = 4
    raw["models"] = {name: raw["models"][name] for name in models}
    for model in raw["models"].values():
        model["schedule"] |= {"epochs": epochs, "device": "cpu"}
    raw |= {"cohort": str(published), "out": str(out)}
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Who it is, is all that the features tell: twelve subjects of one type of seizure each, three
    seizures, two views.
    """
    return write_people(tmp_path_factory.mktemp("people"), seizures=3)


@pytest.fixture(scope="module")
def run(people, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("loso") / "run"
    assert main(["loso", "--config", str(config(people, out))]) == 0
    return out


@pytest.fixture
def own(tmp_path) -> Path:
    """Four subjects with two seizures each, to be damaged."""
    return write_people(tmp_path / "published", subjects=4, seizures=2)


def test_where_only_the_person_can_be_identified_new_subjects_are_not_classified(run):
    metrics = json.loads((run / "metrics.json").read_text())
    by = {
        task: found["models"]["mean"]["by"]["recording"]["metrics"]["accuracy"]["value"]
        for task, found in metrics["tasks"].items()
    }
    assert by[SEIZURE] > 0.9 and by[SUBJECT] < 0.65
    assert {task: found["unseen"] for task, found in metrics["tasks"].items()} == {
        SEIZURE: False,
        SUBJECT: True,
    }
    lost = {each["metric"]: each for each in metrics["splits"]}
    assert set(lost) == {"accuracy", "f1", "auc"} and {
        (each["a"], each["b"]) for each in lost.values()
    } == {(SUBJECT, SEIZURE)}
    assert (
        lost["accuracy"]["value"] == pytest.approx(by[SUBJECT] - by[SEIZURE])
        and lost["accuracy"]["high"] < 0
    )
    assert (
        lost["accuracy"]["unit"] == "recording"
        and lost["accuracy"]["n"] == 36
        and lost["accuracy"]["participants"] == 12
    )


def test_the_difference_by_hand_from_the_table(run):
    table = read_predictions(run / "predictions.csv")
    right = {}
    for task, rows in table.groupby("task"):
        seizures = rows.groupby("recording_id")
        right[task] = (
            seizures["score"].mean().gt(0.5) == seizures["truth"].first().eq("TCS")
        ).mean()
    found = next(
        each
        for each in json.loads((run / "metrics.json").read_text())["splits"]
        if each["metric"] == "accuracy"
    )
    assert found["value"] == pytest.approx(right[SUBJECT] - right[SEIZURE])


def test_the_report_shows_what_the_folds_do_and_recordings_first(run):
    page = (run / "report.html").read_text()
    text = re.sub(r"<[^>]+>", " ", page)
    assert f"{SUBJECT} − {SEIZURE}: the same models on the same 36 recordings with" in text
    assert "36 recordings, 72 clips, 12 participants" in " ".join(text.split())
    assert f"In {SEIZURE} folds are split by seizure" in text
    assert f"{SEIZURE}: Cross-validation with 4 folds of recordings" in text
    assert f"{SUBJECT}: Cross-validation with 4 folds of whole participants" in text
    assert f"{SEIZURE}: models were trained on other clips of the same participants" in text
    assert "of 36 recordings classified correctly" in text
    assert "hold for patients in the training data, those of the others for new patients" in text


def test_the_audit_names_the_task_whose_participants_are_on_both_sides(run, capsys):
    assert main(["audit", str(run)]) == 1
    checks = {
        check["name"]: check for check in json.loads((run / "audit.json").read_text())["checks"]
    }
    assert [name for name, check in checks.items() if check["result"] != "passed"] == [
        "participants"
    ]
    check = checks["participants"]
    assert check["found"].startswith(
        f"{SEIZURE}: other seizures of known patients were evaluated, not new patients"
    )
    assert f"nobody is on both sides in {SUBJECT}" in check["found"]
    assert all(detail.startswith(f"{SEIZURE}, seed 0, fold") for detail in check["details"])
    assert checks["outside"]["found"].startswith("72 clips came with their tracks or features")


def test_the_terminal_shows_recordings_and_the_difference(run, capsys):
    assert main(["report", str(run)]) == 0
    printed = capsys.readouterr().out
    assert f"accuracy, {SUBJECT} minus {SEIZURE}, 36 recordings: mean" in printed
    assert (
        sum(line.startswith("36 recordings, 12 participants") for line in printed.splitlines()) == 2
    )


def test_both_views_of_a_seizure_stay_on_one_side(run):
    for path in (run / "folds").glob("*/seed-0/*.json"):
        record = json.loads(path.read_text())
        held = set(record["held_out_clips"])
        assert held and {clip[:-1] + view for clip in held for view in "LS"} == held
        taught = set(record["models"]["mean"]["seen"]["weights"])
        assert not held & taught and held | taught == set(record["clips"])


def test_a_second_call_trains_nothing_and_writes_no_features(people, run, tmp_path):
    before = {
        path: path.stat().st_mtime_ns
        for path in [*run.glob("folds/*/*/*.json"), *run.glob("cohort/store/*/*")]
    }
    assert len(before) == 8 + 72 * 2
    assert main(["loso", "--config", str(run.with_suffix(".yaml"))]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_nothing_is_written_into_the_download(people, run):
    assert {path.name for path in people.iterdir()} == {"seizures.csv", FEATURES}
    assert {path.suffix for path in (people / FEATURES).rglob("*") if path.is_file()} == {".pth"}


def test_the_vectors_come_through_as_they_are(own, tmp_path):
    store = Store(import_gestures(own, tmp_path / "cohort", 2, 1))
    features, time = store.features("001_02_S", "snippets")
    written = torch.load(own / FEATURES / "001_02_S/001_02_S_000007.pth", weights_only=True).numpy()
    assert (
        features.shape == (16, 512)
        and np.array_equal(features[7], written)
        and time.tolist() == list(range(16))
    )
    cohort = Cohort.read(tmp_path / "cohort")
    clip = next(clip for clip in cohort.clips if clip.clip_id == "001_02_S")
    assert (clip.participant_id, clip.labels, clip.end) == ("001", {"seizure_type": "TCS"}, 17.0)
    assert clip.covariates == {"recording_id": "001_02", "view": "small"}
    reading = Reading(
        "seizure_type", "frame", channels=(), appearance="snippets", rate=1, window=2, segments=4
    )
    source = ClipSource(str(tmp_path / "cohort"), reading, str(store.folder))
    assert (
        len(source.clips) == 16
        and source.levels == ["FOS", "TCS"]
        and source.clips[0].starts.tolist() == list(range(16))
    )


def test_a_subject_called_na_is_a_person(own):
    table = pd.read_csv(own / "seizures.csv", dtype=str, keep_default_na=False)
    table["Subject"] = table["Subject"].replace(table.loc[0, "Subject"], "NA")
    table.to_csv(own / "seizures.csv", index=False)
    for path in sorted((own / FEATURES).rglob("000_*"), reverse=True):  # files before folders
        path.rename(path.with_name(path.name.replace("000_", "NA_")))
    import_gestures(own, own.parent / "cohort", snippet=2, rate=1)
    cohort = Cohort.read(own.parent / "cohort")
    assert "NA" in {person.participant_id for person in cohort.participants}


def test_the_verb_makes_the_same_cohort_and_reports_what_was_left_out(own, tmp_path, capsys):
    table = pd.read_csv(own / "seizures.csv", dtype=str)
    table.loc[0, "Discard"] = "Yes"
    table.loc[1, "Discard"] = "Large"
    table.to_csv(own / "seizures.csv", index=False)
    out = tmp_path / "cohort"
    assert (
        main(
            [
                "cohort",
                "import",
                "gestures",
                str(own),
                "--out",
                str(out),
                "--snippet",
                "2",
                "--rate",
                "1",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert (
        "1 seizures left out, both views discarded" in printed
        and "1 seizures read from one view" in printed
    )
    assert main(["cohort", "check", str(out)]) == 0
    clips = {clip.clip_id for clip in Cohort.read(out).clips}
    assert (
        len(clips) == 13
        and "000_02_S" in clips
        and not {"000_01_L", "000_01_S", "000_02_L"} & clips
    )


def test_a_seizure_of_one_view_counts_with_that_one(own, tmp_path):
    table = pd.read_csv(own / "seizures.csv", dtype=str)
    table.loc[2, "Discard"] = "Small"
    table.to_csv(own / "seizures.csv", index=False)
    path = config(own, tmp_path / "run", epochs=1)
    raw = yaml.safe_load(path.read_text())
    raw["tasks"] = {SEIZURE: raw["tasks"][SEIZURE]}
    path.write_text(yaml.safe_dump(raw))
    assert main(["loso", "--config", str(path)]) == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())["tasks"][SEIZURE]
    assert metrics["clips"] == 15 and metrics["models"]["mean"]["by"]["recording"]["n"] == 8
    rows = read_predictions(tmp_path / "run/predictions.csv").set_index("clip_id")
    alone = rows.loc["001_01_L", "score"] > 0.5
    others = rows[rows["recording_id"] != "001_01"].groupby("recording_id")
    right = int((others["score"].mean().gt(0.5) == others["truth"].first().eq("TCS")).sum()) + int(
        alone
    )
    assert metrics["models"]["mean"]["by"]["recording"]["metrics"]["accuracy"][
        "value"
    ] == pytest.approx(right / 8)
    notes = json.loads((tmp_path / "run/notes.json").read_text())
    assert any(
        "1 seizures read from one view, the other is discarded or missing: 001_01" in note
        for note in notes
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda view: (view / f"{view.name}_000003.pth").write_bytes(b"PK"),
            "000003.pth: (damaged|refused)",
        ),
        (
            lambda view: torch.save(Planted(), view / f"{view.name}_000003.pth"),
            "000003.pth: refused: it holds more than a tensor",
        ),
        (
            lambda view: torch.save(torch.zeros(511), view / f"{view.name}_000003.pth"),
            "holds a tensor of shape",
        ),
        (lambda view: [path.unlink() for path in view.glob("*")], "holds no .pth file"),
        (
            lambda view: (view.parent.parent / "seizures.csv").write_text("Subject\n000\n"),
            "column Seizure, Discard, OnsetClonic missing",
        ),
    ],
)
def test_a_damaged_set_is_named_in_one_line(own, tmp_path, damage, message, capsys):
    damage(own / FEATURES / "002_01_S")
    assert main(["loso", "--config", str(config(own, tmp_path / "run"))]) == 2
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("semiology loso:")
    ]
    assert re.search(message, line)
    assert not Path("planted").exists() and not (tmp_path / "run/cohort/clips.tsv").exists()


class Planted:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return (eval, ("open('planted', 'w')",))


def test_an_import_that_stopped_goes_on_where_it_was(own, tmp_path):
    broken = own / FEATURES / "003_02_S/003_02_S_000000.pth"
    content = broken.read_bytes()
    broken.write_bytes(b"PK")
    with pytest.raises(UserError):
        import_gestures(own, tmp_path / "cohort", 2, 1)
    done = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "cohort/store").rglob("*.safetensors")
    }
    assert len(done) == 15
    broken.write_bytes(content)
    import_gestures(own, tmp_path / "cohort", 2, 1)
    assert {path: path.stat().st_mtime_ns for path in done} == done and len(
        Cohort.read(tmp_path / "cohort").clips
    ) == 16


@pytest.mark.parametrize("subject", ["../../x", "a b", "a_b"])
def test_a_name_that_leads_elsewhere_is_refused(own, tmp_path, subject):
    table = pd.read_csv(own / "seizures.csv", dtype=str)
    table.loc[1, "Subject"] = subject
    table.to_csv(own / "seizures.csv", index=False)
    with pytest.raises(UserError, match=r"seizures\.csv, row 3: .* names folders; letters, digits"):
        import_gestures(own, tmp_path / "cohort", 2, 1)


@pytest.mark.parametrize("name", ["gestures", "seizure_type"])
def test_the_shipped_configs_are_the_papers_two_protocols(name):
    protocol = read_protocol(["--config", str(CONFIGS / f"{name}.yaml")])
    by = {task: protocol.split_of(task) for task in protocol.tasks}
    assert {task: (split.by, split.folds) for task, split in by.items()} == {
        SEIZURE: ("recording", 10),
        SUBJECT: ("grouped", 10),
    }
    assert protocol.tasks[SEIZURE].reading == protocol.tasks[SUBJECT].reading
    reading = protocol.tasks[SEIZURE].reading
    assert (reading.rate, reading.window, reading.segments, reading.gamma) == (15, 8, 16, 4)
    kinds = {
        model.network.options["kind"]: model.network.options.get("width")
        for model in protocol.models.values()
    }
    assert kinds == {"mean": None, "lstm": 64, "blstm": 64, "attention": None}
    assert {
        (model.learning_rate, model.schedule.epochs, model.schedule.patience)
        for model in protocol.models.values()
    } == {(0.01, 400, None)}
    assert protocol.batch_size == 64


def test_the_config_for_own_videos_runs_all_its_models_on_snippets_of_its_length(tmp_path):
    rng, store, rows = np.random.default_rng(0), Store(tmp_path / "store"), []
    for subject in range(6):
        for view in "ab":
            clip_id, key = f"s{subject}_{view}", "0" * 16
            store.write(
                clip_id, "snippets", key, (rng.normal(size=(30, 16)), np.arange(30) * 8 / 15)
            )
            store.note(
                clip_id, {}, {"snippets": {"key": key, "depends": {"rate": 15.0, "frames": 8}}}
            )
            file = store.file(clip_id, "snippets", key).relative_to(tmp_path)
            rows.append(
                [
                    clip_id,
                    f"s{subject}",
                    file,
                    0,
                    "n/a",
                    f"s{subject}_1",
                    ("FOS", "TCS")[subject % 2],
                ]
            )
    columns = [
        "clip_id",
        "participant_id",
        "features",
        "start",
        "end",
        "recording_id",
        "seizure_type",
    ]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    (tmp_path / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"s{subject}\n" for subject in range(6))
    )
    (tmp_path / "clips.json").write_text(
        json.dumps({"seizure_type": {"Role": "label", "Levels": {"FOS": "", "TCS": ""}}})
    )
    raw = yaml.safe_load((CONFIGS / "seizure_type.yaml").read_text())
    for task in raw["tasks"].values():
        task["split"]["folds"] = 2
    for model in raw["models"].values():
        model["schedule"] |= {"epochs": 1, "device": "cpu"}
    raw |= {
        "cohort": str(tmp_path),
        "store": str(store.folder),
        "out": str(tmp_path / "run"),
        "seeds": [0],
        "final": False,
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(raw))
    assert main(["loso", "--config", str(tmp_path / "small.yaml")]) == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert {
        task: list(found["models"]) for task, found in metrics["tasks"].items()
    } == dict.fromkeys((SEIZURE, SUBJECT), KINDS)
    assert {each["model"] for each in metrics["splits"]} == set(KINDS)


def protocol(**changes) -> Protocol:
    return Protocol(
        "cohort",
        "run",
        **(
            {"tasks": {"a": Task(Reading("x")), "b": Task(Reading("x"), split=Split("recording"))}}
            | changes
        ),
    )


def test_a_fusion_of_tasks_that_hold_out_other_clips_is_refused():
    models = read_protocol(["--config", str(CONFIGS / "demo.yaml")]).models
    name = next(iter(models))
    with pytest.raises(UserError, match="hold out different clips"):
        protocol(models=models, fusions=[Fusion("both", "mean", (f"a/{name}", f"b/{name}"))])


def test_a_model_reads_its_own_number_of_segments():
    model = next(
        iter(read_protocol(["--config", str(CONFIGS / "seizure_type.yaml")]).models.values())
    )
    reading = Reading("x", segments=16)
    assert model.read(reading) == reading
    changed = replace(model, segments=4, gamma=1.0).read(reading)
    assert asdict(changed) | {"segments": 16, "gamma": 4.0} == asdict(reading) and (
        changed.segments,
        changed.gamma,
    ) == (4, 1.0)

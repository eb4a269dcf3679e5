"""Runs with a leak planted, one a kind, and honest ones: the audit has to name every leak, and to
pass every honest run.

The leaks of training and of the cohort are those of the tests (tests/audit_leaks.py): code that
really fits on somebody who is held out, tracks really copied, videos really encoded again. The
phantom of configs/demo_phantom.yaml, as far as runs/demo holds it, is audited too.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from record import record

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import audit_leaks as planted
from conftest import write_cohort

from semiology import make_tracks, read_tracks, write_tracks
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Split
from semiology.experiments.fold import Fold, run_fold
from semiology.experiments.loso import run_loso
from semiology.experiments.splits import split_clips, task_source

DEMO = Path("runs/demo")


def main() -> int:
    figures: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what, wanted, run in chain(
            in_training(Path(folder) / "a"),
            in_the_cohort(Path(folder) / "b"),
            in_the_files(Path(folder) / "b"),
        ):
            check(figures, what, wanted, run)
        if (DEMO / "sources.json").is_file():
            kept = shutil.ignore_patterns("store*", "cohort*", "models", "kept")
            check(
                figures,
                "none (the demo)",
                (),
                Path(shutil.copytree(DEMO, Path(folder) / "demo", ignore=kept)),
            )
    leaks = [figure for figure in figures.values() if figure["planted"]]
    honest = [figure for figure in figures.values() if not figure["planted"]]
    caught, passed = (
        sum(bool(figure["right"]) for figure in leaks),
        sum(bool(figure["right"]) for figure in honest),
    )
    return record(
        "audit",
        {"runs": figures},
        "every planted leak named, every honest run passed",
        caught == len(leaks) and passed == len(honest),
        headline=(
            f"{caught} of {len(leaks)} leaks named, {passed} of {len(honest)} honest runs passed"
        ),
    )


def check(
    figures: dict[str, dict[str, object]], what: str, wanted: tuple[str, ...], run: Path
) -> None:
    """Audit a run and print a line. `wanted`: the checks that have to fail or, after "?", must not
    pass; none for an honest run.
    """
    checks = audit(run)
    results = {check.name: check.result for check in checks}
    if wanted:
        right = all(
            results[name.lstrip("?")] == "failed"
            or (name[0] == "?" and results[name[1:]] == "not possible")
            for name in wanted
        )
    else:
        right = verdict(checks) == "passed"
    others = [f"{name} {result}" for name, result in results.items() if result != "passed"]
    figures[what] = {
        "planted": bool(wanted),
        "wanted": list(wanted),
        "not passed": others,
        "verdict": verdict(checks),
        "right": right,
    }
    print(
        f"{'ok  ' if right else 'MISS'}  {what:<62}{verdict(checks):<12}{', '.join(others)}",
        flush=True,
    )


def in_training(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """Leaks in the code that trains, each in a copy of an honest run."""
    cohort = write_cohort(folder)
    planted.add_features(cohort, folder / "store")
    requested = planted.protocol(cohort, folder)
    run_loso(requested)
    yield "none (everything that can be fitted is fitted)", (), folder / "run"
    parts = split_clips(
        requested.split, task_source(requested, planted.TASK).clips, requested.cohort, 0
    )
    for number, leak in enumerate(planted.LEAKS):
        run = Path(shutil.copytree(folder / "run", folder / f"leak-{number}"))
        with leak.plant():
            for part in parts[:3] if leak.several_folds else parts[2:3]:
                run_fold(requested, Fold(planted.TASK, 0, part), run)
        yield leak.what, leak.caught_by, run


def in_the_cohort(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """Leaks that lie in the data or in the protocol, each a run of its own."""
    honest = planted.moving_cohort(folder / "honest")
    run = planted.quick_run(
        honest, folder / "run", split=Split("participant"), permutations=1, baseline=True
    )
    yield "none (leave one participant out, with its null)", (), run

    def changed(name: str) -> Path:
        return Path(shutil.copytree(honest, folder / name))

    cohort = changed("seizures")
    table = planted.read_clips(cohort)
    table["participant_id"] = [f"p{number // 2}" for number in range(len(table))]
    planted.write_clips(cohort, table)
    run = planted.quick_run(cohort, cohort / "run", split=Split("recording", folds=3))
    yield "a participant on both sides (folds by seizure)", ("participants",), run

    cohort = changed("stretch")
    planted.add_clip(cohort, "c1", clip_id="other", participant_id="p99", start="2", end="8")
    run = planted.quick_run(cohort, cohort / "run", split=Split("participant"))
    yield "one stretch of a file under two clips and participants", ("same stretch",), run

    for shift in (0, 33):
        cohort = changed(f"copy-{shift}")
        position = (
            read_tracks(cohort / "tracks/c1.nc")
            .position.transpose("time", "keypoint", "space")
            .values[shift:]
        )
        noisy = 1.2 * position + 40 + np.random.default_rng(5).normal(0, 1.5, position.shape)
        write_tracks(make_tracks(noisy, planted.JOINTS, 25.0), cohort / "tracks/c4.nc")
        yield (
            f"tracks copied with noise, {shift / 25:.1f} s later",
            ("copies",),
            planted.quick_run(cohort, cohort / "run"),
        )

    cohort = changed("centre")
    table = planted.read_clips(cohort)
    table["centre"] = np.where(table["swing"] == "present", "north", "south")
    planted.write_clips(cohort, table)
    yield (
        "a label that the centre predicts",
        ("confounds",),
        planted.quick_run(cohort, cohort / "run"),
    )

    for what, trained_on, wanted in (
        ("a detector trained on a participant held out", ["p3"], "outside"),
        ("a detector of which nobody says who taught it", None, "?outside"),
    ):
        cohort = changed(f"detector-{wanted.strip('?')}-{trained_on is None}")
        store = planted.filmed(cohort, trained_on=trained_on)
        run = planted.quick_run(cohort, cohort / "run", store=str(store))
        yield what, (wanted,), run

    cohort = changed("videos")
    store = planted.filmed(cohort, trained_on=[])
    yield (
        "none (videos of one room)",
        (),
        planted.quick_run(cohort, cohort / "run", store=str(store)),
    )
    cohort = changed("again")
    store = planted.filmed(cohort, trained_on=[], again=(1, 4))
    run = planted.quick_run(cohort, cohort / "run", store=str(store))
    yield "a video encoded again (later, smaller, brighter, MPEG-4)", ("copies",), run


def in_the_files(folder: Path) -> Iterator[tuple[str, tuple[str, ...], Path]]:
    """An honest run whose files were changed afterwards."""

    def changed(name: str) -> Path:
        return Path(shutil.copytree(folder / "run", folder / name))

    run = changed("tampered")
    text = (run / "predictions.csv").read_text().splitlines()
    scores = '0.9,"{""absent"": 0.1, ""present"": 0.9}"'
    cells = text[4].split(",")
    cells[9] = "present"
    text[4] = ",".join(cells[:10]) + "," + scores + "," + ",".join(cells[-3:])
    (run / "predictions.csv").write_text("\n".join(text) + "\n")
    yield "predictions.csv changed by hand", ("table",), run

    run = changed("missing")
    sorted((run / "folds").rglob("seed-0/*.json"))[3].unlink()
    yield "the record of a fold taken away", ("?predicted once", "?table"), run

    run = changed("silent")
    path = sorted((run / "folds").rglob("seed-0/*.json"))[3]
    kept = json.loads(path.read_text())
    del kept["models"]["agcn"]["seen"]["batch_norm"]
    path.write_text(json.dumps(kept))
    yield "a record that does not note the batch norms", ("?batch norm",), run

    run = changed("no-entry")
    for path in (run / "folds").rglob("*.json"):
        kept = json.loads(path.read_text())
        del kept["models"]["agcn"]
        path.write_text(json.dumps(kept))
    yield "records that hold nothing of a model that predicted", ("?weights", "?batch norm"), run

    run = changed("null")
    null = json.loads((run / "null.json").read_text())
    null[planted.TASK]["agcn"]["auc"] = [0.0] * 999
    (run / "null.json").write_text(json.dumps(null))
    yield "a null invented by hand", ("chance",), run

    run = changed("numbered-centres")
    sources = json.loads((run / "sources.json").read_text())
    truths = read_predictions(run / "predictions.csv").set_index("clip_id")["truth"]
    for number, (clip_id, clip) in enumerate(sources["clips"].items()):
        clip["covariates"]["centre"] = (
            2 if truths[clip_id].iloc[0] == "present" else 1 + 2 * (number % 4 // 2)
        )
    (run / "sources.json").write_text(json.dumps(sources))
    yield "a label that the second of three numbered centres predicts", ("confounds",), run

    run = changed("bare-sources")
    sources = json.loads((run / "sources.json").read_text())
    for clip in sources["clips"].values():
        del clip["movement"]
    (run / "sources.json").write_text(json.dumps(sources))
    yield "sources.json without anything to compare", ("?copies",), run

    run = changed("without-sources")
    (run / "sources.json").unlink()
    yield "sources.json taken away", ("?same stretch", "?copies", "?outside", "?confounds"), run


if __name__ == "__main__":
    sys.exit(main())

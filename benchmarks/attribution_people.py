"""Attribution on forty phantom people whose joints are given, not tracked: what the demo's five
people with dystonia are too few to tell.

Nothing is rendered: the cohort holds the true joints of the same recipe as the demo's, as tracks.
Five folds of whole participants.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import yaml
from attribution import above
from phantom_run import step
from record import record

from semiology.data.tracks import save_tracks
from semiology.phantom.drawing.clip import perform
from semiology.phantom.dystonia_emotion.recipe import (
    DYSTONIA_EMOTION_JSON,
    DystoniaEmotionRecipe,
    clip_row,
    plan_clip,
)
from semiology.phantom.shared.truth import body_truth, clip_facts

RUN, PEOPLE, SEED = Path("runs/attribution-people"), 40, 1
TARGET = (
    "joint share and hit rate above chance, above the other arm and above random networks (95 %"
    " over participants)"
)


def make_cohort(folder: Path, people: int = PEOPLE) -> None:
    demo = yaml.safe_load(Path("configs/demo_phantom.yaml").read_text(encoding="utf-8"))
    recipe = DystoniaEmotionRecipe(
        demo["clips_per_subject"], tuple(demo["seconds"]), SEED, difficulty=demo["difficulty"]
    )
    rows = []
    for subject in range(people):
        for clip in range(recipe.clips_per_subject):
            plan, scored = plan_clip(recipe, subject, clip)
            performance = perform(plan)
            row = clip_row(recipe, subject, clip, plan, scored, performance)
            tracks = f"tracks/{row['clip_id']}.nc"
            save_tracks(body_truth(plan, performance), folder / tracks)
            truth = folder / "truth" / f"{row['clip_id']}.json"
            truth.parent.mkdir(parents=True, exist_ok=True)
            truth.write_text(json.dumps(clip_facts(plan, performance)), encoding="utf-8")
            rows.append(
                {key: row[key] for key in ("clip_id", "participant_id", "dystonia")}
                | {"tracks": tracks, "start": "0", "end": "n/a"}
            )
    table = pd.DataFrame(rows)
    table[["participant_id"]].drop_duplicates().to_csv(
        folder / "participants.tsv", sep="\t", index=False
    )
    (folder / "clips.json").write_text(
        json.dumps({"dystonia": DYSTONIA_EMOTION_JSON["dystonia"]}), encoding="utf-8"
    )
    table.to_csv(folder / "clips.tsv", sep="\t", index=False)


def protocol() -> Path:
    config = yaml.safe_load(Path("configs/demo.yaml").read_text(encoding="utf-8"))
    reading = config["tasks"]["dystonia (pose)"]["reading"]
    reading = {key: value for key, value in reading.items() if key not in ("appearance", "centred")}
    settings = {key: config[key] for key in ("seeds", "validation", "batch_size", "augmentation")}
    settings |= {
        "cohort": str(RUN / "cohort"),
        "out": str(RUN),
        "tasks": {"dystonia (pose)": {"reading": reading}},
        "jobs": 1,
    }
    settings |= {
        "models": {"agcn": config["models"]["agcn"]},
        "keep": True,
        "final": False,
        "split": {"by": "grouped", "folds": 5},
    }
    path = RUN / "protocol.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def main() -> int:
    if not (RUN / "cohort/clips.tsv").is_file():
        make_cohort(RUN / "cohort")
    step("loso", "--config", str(protocol()))
    return evaluate()


def evaluate() -> int:
    """Explain the kept models and hold the maps against the truth."""
    step("explain", str(RUN), "--model", "agcn")
    document = json.loads((RUN / "explanation/dystonia-pose-agcn.json").read_text(encoding="utf-8"))
    truth = document["truth"]
    differences = {
        "joint share above chance": truth["joint_share_above_chance"],
        "hit rate above chance": truth["hit_above_chance"],
        "joint share above the other arm": truth["joint_share_above_mirror"],
        "joint share above random networks": truth["above_random_network"]["joint_share"],
    }
    for name, interval in differences.items():
        print(f"{name:<36}{interval}")
    return record(
        "attribution-people",
        {
            name: document[name]
            for name in ("shown", "joints", "completeness", "sanity", "deletion", "truth")
        },
        TARGET,
        all(above(interval) for interval in differences.values()),
        headline=(
            f"{truth['clips']} clips of {truth['participants']} people: joint share"
            f" {truth['joint_share']:.2f} (chance {truth['joint_chance']:.2f}), hit rate"
            f" {truth['hit']:.2f} ({truth['hit_chance']:.2f}), time share {truth['time_share']:.2f}"
            f" ({truth['time_chance']:.2f}), random weights' correlation"
            f" {document['sanity']['correlation']:.2f}"
        ),
        seed=SEED,
    )


if __name__ == "__main__":
    sys.exit(main())

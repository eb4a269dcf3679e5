"""Where the AGCN looks on the demo's phantom, whose truth is known: joints, times, sanity check,
deletion; each clip by a model without it.

Leave-one-subject-out over the demo's cohort with every fold's AGCN kept, then `semiology explain`
by integrated gradients. The targets were fixed before the first map was looked at; chance is that
of a map spread evenly over what was tracked.
"""

import json
import sys
from pathlib import Path

import yaml
from phantom_run import extracted_cohort, step, trained_vgg
from record import record

DEMO, RUN = Path("runs/demo"), Path("runs/attribution")
WEIGHTS = Path("runs/weights")
TARGET = (
    "joint share and hit rate above chance (95 % over participants), random weights' correlation <"
    " 0.5, deletion above random, both tasks"
)
FIGURES = ("joint_share", "hit", "time_share", "time_hit")


def protocol() -> Path:
    """The demo's config with the AGCN alone, its folds kept."""
    config = yaml.safe_load(Path("configs/demo.yaml").read_text(encoding="utf-8"))
    settings = {
        key: config[key]
        for key in ("tasks", "seeds", "validation", "batch_size", "augmentation", "jobs")
    }
    for task in settings["tasks"].values():
        task.pop("models", None)
    data = DEMO if (DEMO / "store").is_dir() else RUN
    settings |= {"cohort": str(data / "cohort"), "store": str(data / "store"), "out": str(RUN)}
    settings |= {"models": {"agcn": config["models"]["agcn"]}, "keep": True, "final": False}
    path = RUN / "protocol.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def main() -> int:
    if not (DEMO / "store").is_dir():
        weights = {
            part: trained_vgg(WEIGHTS, part, Path(f"configs/demo_{part}_vgg.yaml"), stills=200)
            for part in ("face", "body")
        }
        extracted_cohort(RUN, Path("configs/demo_phantom.yaml"), weights)
    step("loso", "--config", str(protocol()))
    return evaluate()


def evaluate() -> int:
    """Explain the kept models and hold the maps against the truth."""
    step("explain", str(RUN), "--model", "agcn")
    figures, missed = {}, []
    for path in sorted((RUN / "explanation").glob("*-agcn.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        truth, deletion, sanity = document["truth"], document["deletion"], document["sanity"]
        figures[document["task"]] = {
            name: document[name]
            for name in (
                "shown",
                "joints",
                "regions",
                "completeness",
                "sanity",
                "deletion",
                "truth",
            )
        }
        reached = {
            "joint share": above(truth["joint_share_above_chance"]),
            "hit rate": above(truth["hit_above_chance"]),
            "sanity": sanity["passed"],
            "deletion": above(deletion["area_interval"]),
        }
        missed += [f"{document['task']}: {name}" for name, met in reached.items() if not met]
        print(
            f"\n{document['task']}: {truth['clips']} clips with the sign, {truth['participants']}"
            " participants"
        )
        for name in FIGURES:
            chance = truth[name.removesuffix("_share") + "_chance"]
            print(
                f"  {name:<12}{truth[name]:.3f} {truth[f'{name}_interval']}, by chance {chance:.3f}"
            )
    return record(
        "attribution",
        figures,
        TARGET,
        not missed,
        headline="; ".join(
            f"{task}: joint share {found['truth']['joint_share']:.2f} (chance"
            f" {found['truth']['joint_chance']:.2f}), hit rate {found['truth']['hit']:.2f}"
            f" ({found['truth']['hit_chance']:.2f}), random weights' correlation"
            f" {found['sanity']['correlation']:.2f}, deletion {found['deletion']['area']:+.2f}"
            for task, found in figures.items()
        )
        + (f"; short: {', '.join(missed)}" if missed else ""),
        seed=0,
    )


def above(interval: list[float | None]) -> bool:
    """Whether the interval lies above 0; without an interval nothing is shown."""
    return interval[0] is not None and interval[0] > 0


if __name__ == "__main__":
    sys.exit(main())

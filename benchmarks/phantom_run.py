"""From a phantom recipe to a store, by the command line, as a user would; each step goes on where
it was.
"""

import json
from pathlib import Path
from typing import Any

from semiology.cli.main import main as semiology

KINDS = {"face": "expression", "body": "posture"}
ONE_CLIP = ("--subjects", "1", "--clips_per_subject", "1", "--seconds", "[2,2]")


def extracted_cohort(run: Path, phantom: Path, weights: dict[str, Path]) -> None:
    """Render the cohort of a recipe (YAML) under `run` and extract it with the VGGs of `weights`
    (part -> file).
    """
    step("phantom", str(run / "cohort"), "--config", str(phantom))
    options = [text for part, path in weights.items() for text in (f"--{part}_weights", str(path))]
    step("extract", str(run / "cohort"), "--store", str(run / "store"), "--jobs", "-1", *options)


def trained_vgg(folder: Path, part: str, config: Path, stills: int, *options: str) -> Path:
    """A VGG for "face" or "body", trained once on `stills` images a class of phantom people who
    are in no cohort; `options` of `semiology phantom` say how they look.
    """
    path = folder / f"{part}_vgg.safetensors"
    if not path.is_file():
        step("phantom", str(folder / "people"), *ONE_CLIP, "--stills", str(stills), *options)
        step(
            "pretrain",
            KINDS[part],
            str(folder / "people_stills" / KINDS[part]),
            "--config",
            str(config),
            "--out",
            str(path),
        )
    return path


def metrics(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def step(*arguments: str) -> None:
    status = semiology(list(arguments))
    if status:
        raise SystemExit(f"semiology {' '.join(arguments)}: exit status {status}")

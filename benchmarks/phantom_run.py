"""From a phantom recipe to a run, by the command line, as a user would; each step goes on where it was."""

import json
from pathlib import Path
from typing import Any

from semiology.cli import main as semiology


def extracted_cohort(run: Path, phantom: Path, weights: Path) -> None:
    """Render the cohort of a recipe (YAML) under `run` and extract it, appearance included; the VGGs are trained once, into `weights`."""
    step("phantom", str(run / "cohort"), "--config", str(phantom))
    for kind, part in (("expression", "face"), ("posture", "body")):
        if not (weights / f"{part}_vgg.safetensors").is_file():
            if not (weights / "stills").is_dir():
                step(
                    "phantom",
                    str(weights / "people"),
                    "--subjects",
                    "1",
                    "--clips_per_subject",
                    "1",
                    "--seconds",
                    "[2,2]",
                    "--stills",
                    "200",
                )
                (weights / "people_stills").rename(weights / "stills")
            images, out = str(weights / "stills" / kind), str(weights / f"{part}_vgg.safetensors")
            step("pretrain", kind, images, "--config", f"configs/demo_{part}_vgg.yaml", "--out", out)
    options = [text for part in ("face", "body") for text in (f"--{part}_weights", str(weights / f"{part}_vgg.safetensors"))]
    step("extract", str(run / "cohort"), "--store", str(run / "store"), "--jobs", "-1", *options)


def metrics(run: Path) -> dict[str, Any]:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def step(*arguments: str) -> None:
    status = semiology(list(arguments))
    if status:
        raise SystemExit(f"semiology {' '.join(arguments)}: exit status {status}")

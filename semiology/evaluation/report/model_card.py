"""A model card for every trained model (Mitchell et al. 2019): use, training data, performance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semiology.errors import UserError
from semiology.evaluation.report.rendering import cell, plain, render
from semiology.evaluation.run.files import run_json
from semiology.evaluation.statistics.metrics import NAMES
from semiology.files import write_text

# how clips are read: key in model.json -> words of the card
READING = {
    "part": "part of the body",
    "skeleton": "skeleton",
    "channels": "channels of each joint",
    "dimensions": "dimensions",
    "origin": "origin of the coordinates",
    "upright": "every frame rotated upright",
    "min_confidence": "joints dropped below confidence",
    "min_found": "clips not assessable below this fraction of frames",
    "longest_gap": "gaps filled up to (s)",
    "smoothing": "smoothing (s)",
    "appearance": "appearance features",
    "centred": "appearance minus its median over the clip",
    "rate": "frames read each second (Hz)",
    "window": "frames of one example",
    "whole": "whole clip in one example",
    "segments": "segments of a clip, a window from each",
    "gamma": "position of a window in its segment, Beta(gamma, gamma) in training",
}


def write_card(model: str | Path, run: str | Path | None = None) -> Path:
    """Write card.md into the folder of a trained model; returns its path.

    Performance is the out-of-fold performance of the same configuration, with its interval, and the
    card says that this model itself was not evaluated. Without a run (or a run without this model
    in its metrics) the card says that nothing was measured. Participants are counted, not named.

    Args:
        model: folder with `model.json`, named after the model ("agcn_kd").
        run: folder with `metrics.json` and `notes.json` (for the note on a synthetic cohort); both
            optional.

    Raises:
        UserError: no model there, or one of these files cannot be read.
    """
    model = Path(model)
    described = run_json(model / "model.json", "loso")
    if not described:
        raise UserError(
            f"{model}: holds no trained model (model.json); `semiology loso` or `semiology train"
            " fit` makes one"
        )
    metrics = run_json(Path(run) / "metrics.json", "report") if run else {}
    notes = run_json(Path(run) / "notes.json", "loso", list) if run else []
    about = described.get("about", {})
    task = metrics.get("tasks", {}).get(about.get("task"), {})
    measured = task.get("models", {}).get(model.name, {})
    text = render(
        "card.md.jinja",
        name=plain(model.name),
        sign=about.get("label") or described.get("reading", {}).get("label", "unknown"),
        stream=described.get("network", {}).get("stream", "unknown"),
        levels=described.get("levels", []),
        about=about,
        task=task,
        measured=measured,
        rows=[
            (NAMES[name], found)
            for name, found in measured.get("metrics", {}).items()
            if name in NAMES
        ],
        reading=[
            (words, cell(described.get("reading", {})[key]))
            for key, words in READING.items()
            if key in described.get("reading", {})
        ],
        options=_options(described.get("network", {})),
        synthetic=[str(note) for note in notes if str(note).lower().startswith("synthetic")],
        method=metrics.get("method", {}),
        versions=about.get("versions") or metrics.get("versions", {}),
        software=about.get("software"),
    )
    write_text(model / "card.md", text)
    return model / "card.md"


def write_cards(run: str | Path) -> list[Path]:
    """Write a card beside every model in RUN/models/<task>/<model>/; returns their paths.

    Raises as `write_card`.
    """
    return [
        write_card(description.parent, run)
        for description in sorted(Path(run).glob("models/*/*/model.json"))
    ]


def _options(network: Mapping[str, Any]) -> str:
    options = network.get("options") or {}
    return ", ".join(f"{plain(name)} {cell(value)}" for name, value in options.items())

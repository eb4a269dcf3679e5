"""The TRIPOD+AI checklist for papers on prediction models: 27 items in 52 parts, filled in from the
run where it holds the information; and a model card for every trained model.

Sources: Collins et al., BMJ 2024;385:e078378, Table 2 (TRIPOD+AI): every part is abridged in our
own words, for submission use the original form. Mitchell et al. 2019 (model cards): use, training
data, performance.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semiology.errors import UserError
from semiology.evaluation.report.rendering import cell, listed, plain, render
from semiology.evaluation.run.files import run_json, split_of
from semiology.evaluation.run.judged import UNKNOWABLE, judged_of
from semiology.evaluation.run.unanswered import HOW
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import model_name
from semiology.files import write_text

YOURS = "to be written by you"

# part -> (topic, requirement)
ITEMS = {
    "1": (
        "Title",
        "say that a prediction model is developed or evaluated, for whom, and what it predicts",
    ),
    "2": ("Abstract", "structured, by the checklist for abstracts"),
    "3a": (
        "Background",
        "medical setting, diagnosis or prognosis, why this model, which others exist",
    ),
    "3b": ("Background", "for which patients, for what purpose, and for which users"),
    "3c": ("Background", "known inequalities between groups"),
    "4": ("Objectives", "aims; development, evaluation or both"),
    "5a": ("Data", "where the data come from, why these, whom they represent"),
    "5b": ("Data", "dates of recruitment and follow-up"),
    "6a": ("Participants", "setting, number and place of centres"),
    "6b": ("Participants", "who was eligible"),
    "6c": ("Participants", "treatments, and how they were handled"),
    "7": (
        "Data preparation",
        "processing and quality control, and whether the same for all groups",
    ),
    "8a": ("Outcome", "what is predicted, how and when it was assessed, why"),
    "8b": ("Outcome", "who assessed it, with what training"),
    "8c": ("Outcome", "were assessors blinded"),
    "9a": ("Predictors", "how inputs were chosen before modelling"),
    "9b": ("Predictors", "what each input is, how and when it was measured"),
    "9c": ("Predictors", "who assessed inputs, if people did"),
    "10": ("Sample size", "how it was determined, whether it suffices"),
    "11": ("Missing data", "how handled; why data were left out"),
    "12a": ("Analysis", "which data served to develop, which to evaluate"),
    "12b": ("Analysis", "how inputs were scaled or transformed"),
    "12c": (
        "Analysis",
        "type of model, steps of building, choice of settings, internal validation",
    ),
    "12d": ("Analysis", "differences between clusters such as hospitals"),
    "12e": ("Analysis", "measures and figures of performance, and how models are compared"),
    "12f": ("Analysis", "updating of the model after evaluation"),
    "12g": ("Analysis", "how the evaluated predictions were computed"),
    "13": ("Class imbalance", "how rare classes were handled, and recalibration after it"),
    "14": ("Fairness", "what was done for fairness, and why"),
    "15": ("Model output", "what the model gives; thresholds and their reason"),
    "16": ("Training versus evaluation", "how development and evaluation data differ"),
    "17": ("Ethical approval", "which committee approved; consent"),
    "18a": ("Funding", "who paid, and their part"),
    "18b": ("Conflicts of interest", "of all authors"),
    "18c": ("Protocol", "where it is, or that there is none"),
    "18d": ("Registration", "register and number, or that there is none"),
    "18e": ("Data sharing", "whether and how data can be had"),
    "18f": ("Code sharing", "whether and how the analysis code can be had"),
    "19": ("Patients and public", "their part in the study, or that they had none"),
    "20a": ("Participants", "flow of participants; how many with and without the outcome"),
    "20b": ("Participants", "characteristics, by source of data and group"),
    "20c": ("Participants", "evaluation beside development data: how inputs are distributed"),
    "21": ("Model development", "participants and outcomes in each analysis"),
    "22": ("Model specification", "the whole model, so that others can use it; restrictions"),
    "23a": ("Performance", "with intervals, also by group"),
    "23b": ("Performance", "differences between clusters"),
    "24": ("Model updating", "results of updating"),
    "25": ("Interpretation", "what the results mean, fairness included"),
    "26": ("Limitations", "and what they do to bias, certainty and generality"),
    "27a": ("Usability", "poor or missing input when the model is used"),
    "27b": ("Usability", "what users have to do and to know"),
    "27c": ("Usability", "next steps of research"),
}


def checklist(
    metrics: Mapping[str, Any],
    config: Mapping[str, Any],
    protocol: list[str],
    limits: list[str],
    notes: list[str],
    lost: int,
    seeds: int,
    synthetic: bool,
    versions: str,
) -> list[dict[str, Any]]:
    """The 52 parts in order: number, topic, requirement, text of the run, whether it is filled in.

    The text is `YOURS` where the run does not hold the information. What a run cannot know
    (approval, funding, recruitment, annotators ...) is never filled in.

    Args:
        metrics: content of metrics.json.
        config: the run's configuration; empty where it is not there.
        protocol: sentences of `protocol.sentences`.
        limits: sentences of `limits.limits`.
        notes: what was left out and why.
        lost: clips that could not be assessed.
        seeds: how often training was repeated.
        synthetic: the cohort is synthetic.
        versions: of the software, in one line.
    """
    known = {
        **_objectives(metrics, synthetic),
        **_inputs(config),
        **_data(metrics, notes, lost),
        **_analysis(metrics, config, protocol, seeds),
        **_limits(limits),
        **_of_table(config, notes),
        **_of_outsider(config, notes),
        "18f": f"Analysed with {versions}. Availability of your own code: {YOURS}.",
    }
    return _filled(known)


def checklist_of_numbers(
    metrics: Mapping[str, Any], config: Mapping[str, Any], notes: list[str]
) -> list[dict[str, Any]]:
    """The same of a run that predicts a rating or a number from a table (`report.scored`)."""
    tasks = metrics["tasks"]
    counts = "; ".join(
        f"{task}: {found['rows']} rows of {found['participants']} participants"
        for task, found in tasks.items()
    )
    first = next(iter(tasks.values()))
    measures = listed(next(iter(first["models"].values()))["metrics"])
    method = metrics["method"]
    kind = "an ordered rating" if metrics["rating"] else "a number"
    known = {
        "8a": f"{plain(first['label'])}, {kind}. How, when and why it was assessed: {YOURS}.",
        "10": (
            f"{counts}; the width of the intervals shows what that allows. How the number was"
            f" determined: {YOURS}."
        ),
        "12e": (
            f"{measures}, with {method['interval']}; chance: {method['chance']}; beside the"
            " agreement of raters where there are several."
        ),
        "15": (
            "A number; of ratings kept within the scale and rounded to its points for kappa; no"
            " threshold was fitted."
        ),
        "20a": f"{counts}. Recruitment before that: {YOURS}.",
        "21": f"In every fold all but the held-out rows: {counts}.",
        "23a": f"Main table, with intervals. By group: {YOURS}.",
        **_of_table(config, notes),
        "18f": (
            f"Analysed with {listed(f'{name} {of}' for name, of in metrics['versions'].items())}."
            f" Availability of your own code: {YOURS}."
        ),
    }
    return _filled(known)


def _filled(known: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "item": item,
            "topic": topic,
            "requirement": required,
            "content": known.get(item, YOURS),
            "filled": known.get(item, YOURS) != YOURS,
        }
        for item, (topic, required) in ITEMS.items()
    ]


def _of_table(config: Mapping[str, Any], notes: list[str]) -> dict[str, str]:
    """What differs where a table was read instead of videos (`semiology table`)."""
    table = config.get("table")
    if not table:
        return {}
    by = (config.get("split") or {}).get("by", "none")
    unseen = bool((config.get("split") or {}).get("test"))
    splits = {
        "participant": "leave-one-participant-out cross-validation",
        "grouped": f"{table.get('folds')}-fold cross-validation by participant",
        "centre": f"cross-validation that leaves one value of {plain(table.get('column'))} out",
    }
    parts = [splits[by]] if by in splits else []
    parts += ["an unseen set, scored once"] if unseen else []
    target = plain(table.get("target"))
    return {
        "1": f"Outcome: {target}, from a table of measurements. Population and title: {YOURS}.",
        "4": (
            "This run develops models and evaluates them on held-out participants of the same"
            f" table. Aims: {YOURS}."
        ),
        "7": (
            "In every fold, on its training rows: medians in place of missing numbers, mean and"
            " standard deviation, a column for each category. How the table was made, and whether"
            f" that works equally well for all groups: {YOURS}."
        ),
        "9a": (
            f"Columns: {listed(table.get('features') or ['all of numbers'])}"
            + (f"; of names: {listed(table['categories'])}" if table.get("categories") else "")
            + f". No column was chosen by the target. Why these: {YOURS}."
        ),
        "9b": f"Columns of a table. What each is, how and when it was measured: {YOURS}.",
        "11": (
            "Missing numbers are the median of the training rows (histogram gradient boosting takes"
            f" them as they are); missing names are a category. {len(notes)} notes under “Method"
            " and notes” or “Left out, and notes”."
        ),
        "12a": f"{' and '.join(parts).capitalize()}; nobody is on both sides.",
        "12b": "Mean and standard deviation of the training rows of each fold.",
        "12c": (
            f"Models side by side; parameters chosen on {table.get('inner')} inner folds of the"
            f" training participants. Why these models: {YOURS}."
        ),
        "12g": "By the models of each fold.",
        "22": (
            "Settings and SHA-256 of the table are kept, from which the same model is fitted again"
            f" (`semiology table predict`). Restrictions to use: {YOURS}."
        ),
        "27a": "Missing numbers as in training; text in a column of numbers is refused.",
    }


def _of_outsider(config: Mapping[str, Any], notes: list[str]) -> dict[str, str]:
    """What differs where the predictions are not ours (`semiology judge`)."""
    if not (judged := judged_of(config)):
        return {}
    how = HOW[judged.unanswered]
    return {
        "4": f"This run evaluates predictions of models that were made elsewhere. Aims: {YOURS}.",
        "11": (
            f"Clips without an answer are {how}, and their share is stated; rows without a truth"
            f" are left out. {len(notes)} notes under “Left out, and notes”."
        ),
        "12c": f"Made elsewhere: {YOURS}.",
        "12g": "As they stand in the table; no model was run or trained here.",
        "15": (
            f"{' '.join(judged.sentences()[1:])} The most probable class is predicted (of two, the"
            " one above one half)."
        ),
        "16": f"{UNKNOWABLE[0].upper()}{UNKNOWABLE[1:]}. How the data differ: {YOURS}.",
        "21": f"Model development elsewhere: {YOURS}.",
        "27a": YOURS,
    }


def _objectives(metrics: Mapping[str, Any], synthetic: bool) -> dict[str, str]:
    tasks = metrics["tasks"].values()
    labels = listed(dict.fromkeys(found["label"] for found in tasks))
    classes = "; ".join(
        dict.fromkeys(f"{plain(found['label'])}: {listed(found['levels'])}" for found in tasks)
    )
    source = (
        {
            "5a": (
                "Synthetic videos, rendered by a program: no patients. For a study of patients:"
                f" {YOURS}."
            )
        }
        if synthetic
        else {}
    )
    return {
        "1": f"Outcome: {labels}, in video. Population and title: {YOURS}.",
        "4": (
            "This run develops models and evaluates them on held-out clips of the same cohort."
            f" Aims: {YOURS}."
        ),
        "8a": f"{classes}. How, when and why it was annotated: {YOURS}.",
        **source,
    }


def _inputs(config: Mapping[str, Any]) -> dict[str, str]:
    readings = {
        name: (task or {}).get("reading") or {}
        for name, task in (config.get("tasks") or {}).items()
    }
    if not readings:
        return {}
    prepared, inputs, scaled = [], [], []
    for task, reading in readings.items():
        if reading.get("part") == "frame" and reading.get("appearance") == "flow":
            prepared.append(f"{task}: movement of the camera and changes of light taken out")
            inputs.append(f"{task}: movement by region from optical flow")
            scaled.append(f"{task}: in sides of the patient's box a second")
            continue
        if reading.get("part") == "frame":
            prepared.append(f"{task}: images cropped, padded to a square and resized")
            inputs.append(
                f"{task}: snippets of {reading.get('window', '?')} frames,"
                f" {reading.get('rate', '?')} a second, by a frozen network"
            )
            scaled.append(f"{task}: features of the network without scaling")
            continue
        prepared.append(
            f"{task}: joints below confidence {reading.get('min_confidence', 'not recorded')}"
            f" dropped, gaps up to {reading.get('longest_gap', '?')} s filled, smoothing"
            f" {reading.get('smoothing', '?')} s"
        )
        looks = (
            f" and appearance ({plain(reading['appearance'])})" if reading.get("appearance") else ""
        )
        inputs.append(
            f"{task}: {listed(reading.get('channels') or [])} of"
            f" {plain(reading.get('skeleton', 'joints'))}, {reading.get('dimensions', '?')}D,"
            f" {reading.get('rate', '?')} frames a second{looks}"
        )
        scaled.append(
            f"{task}: positions in body units about the origin of each"
            f" {reading.get('origin', 'clip')}"
        )
    return {
        "7": f"{'; '.join(prepared)}. Whether this works equally well for all groups: {YOURS}.",
        "9b": f"{'; '.join(inputs)}. Cameras and recording: {YOURS}.",
        "12b": f"{'; '.join(scaled)}. Mean and standard deviation of features from training clips.",
    }


def _data(metrics: Mapping[str, Any], notes: list[str], lost: int) -> dict[str, str]:
    tasks = metrics["tasks"]
    counts = "; ".join(
        f"{task}: {found['participants']} participants, "
        + ", ".join(
            f"{plain(name)} in {of['participants']} ({of['clips']} clips)"
            for name, of in found["prevalence"].items()
        )
        for task, found in tasks.items()
    )
    left_out = (
        f"{len(notes)} notes under “Left out, and notes”"
        if notes
        else "no clip was left out for a missing label"
    )
    participants = max(found["participants"] for found in tasks.values())
    return {
        "10": (
            f"{participants} participants; the width of the intervals shows what that allows. How"
            f" the number was determined: {YOURS}."
        ),
        "11": (
            f"Missing parts of a clip are masked; only short gaps are interpolated. {lost} clips"
            f" not assessable; {left_out}."
        ),
        "20a": f"{counts}. {lost} clips not assessable. Recruitment before that: {YOURS}.",
        "21": f"In every fold all but the held-out clips: {counts}.",
    }


def _analysis(
    metrics: Mapping[str, Any], config: Mapping[str, Any], protocol: list[str], seeds: int
) -> dict[str, str]:
    method = metrics.get("method", {})
    models = config.get("models") or {}
    names = dict.fromkeys(
        model_name(name) for found in metrics["tasks"].values() for name in found["models"]
    )
    balanced = [model_name(name) for name, model in models.items() if model.get("balance")]
    calibrated = (config.get("calibration") or {}).get("method", "none") != "none"
    measures = listed(
        dict.fromkeys(
            NAMES.get(name, name)
            for task in metrics["tasks"].values()
            for model in task["models"].values()
            for name in model["metrics"]
        )
    )
    known = {
        "12a": protocol[0],
        "12c": (
            f"{listed(names)}, trained in each fold; steps under “Participants and method”. Why"
            f" these models: {YOURS}."
        ),
        "12e": (
            f"{measures}, with {method.get('interval', 'intervals')}; chance:"
            f" {method.get('chance', 'not recorded')}."
        ),
        "12g": (
            f"By the networks of each fold; metrics are means over {seeds} seeds."
            if seeds > 1
            else "By the networks of each fold."
        ),
        "15": (
            "A probability for each class; the most probable class is predicted (of two, the one"
            f" above 0.5); {_threshold(config)}."
        ),
    }
    if balanced:
        after = (
            "Probabilities were recalibrated."
            if calibrated
            else "Probabilities were not recalibrated."
        )
        known["13"] = (
            f"Rare classes have higher weights in training ({listed(balanced)}); class weights from"
            f" training clips."
            f" {after}"
        )
    splits = [split_of(config, task) for task in metrics["tasks"]]
    if all(
        split.get("by", "participant") != "centre" and not split.get("test") for split in splits
    ):
        known["16"] = "None by design: both are parts of the same cohort."
    if config.get("final"):
        known["22"] = (
            "Saved with the run: weights, settings and a card for each model. Restrictions to use:"
            f" {YOURS}."
        )
    if calibrated:
        known["12f"] = (
            f"Probabilities recalibrated ({config['calibration']['method']}) on training"
            " participants; no updating by group."
        )
    return known


def _threshold(config: Mapping[str, Any]) -> str:
    coverage = (config.get("calibration") or {}).get("coverage")
    if coverage is None:
        return "no threshold was fitted"
    return (
        "the only threshold, fitted on training participants, defines prediction sets that contain"
        f" the true class in {100 * coverage:.0f} % of clips; where a set does not hold exactly one"
        " class, the model abstains"
    )


def _limits(limits: list[str]) -> dict[str, str]:
    return {
        "23a": f"Main table and “All metrics”, with intervals. By group: {YOURS}.",
        "26": f"{len(limits)} under “Limits”. Further ones: {YOURS}.",
        "27a": (
            "A clip that cannot be tracked well enough is not assessable and gets no prediction."
        ),
    }


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

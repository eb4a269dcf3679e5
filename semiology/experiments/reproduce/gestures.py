"""GESTURES (Pérez-García et al., MICCAI 2021) on its public features: aggregators by segments,
folds by seizure and by subject.

The settings are in configs/gestures_table.yaml. An aggregator is trained on the snippets of many
recordings and scores the held-out ones. Seizures are assigned to folds as the authors did, or by
subject, so that all seizures of a subject are in one fold; the difference between the two is the
optimism of folds by seizure. The result is compared with the published table.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor
from tqdm import tqdm

from semiology.data.gestures import CHANNELS, LEVELS, FeatureSet, View, read_feature_set
from semiology.data.result import from_options
from semiology.errors import UserError
from semiology.evaluation.published import GESTURES, GESTURES_ACCURACY, GESTURES_SEIZURES
from semiology.evaluation.report import write_report
from semiology.evaluation.run.files import places_from
from semiology.evaluation.run.predictions import COLUMNS, read_predictions
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import evaluate
from semiology.evaluation.statistics.units import split_differences
from semiology.experiments.reproduce.comparison import (
    CORRELATION,
    Reproduction,
    Row,
    check_correlation,
    compare,
    wilson_of_clips,
)
from semiology.experiments.reproduce.settings import constants, departures, protocol_file, read_tags
from semiology.files import atomic_path, begin_folder, read_json, read_yaml, write_json, write_text
from semiology.models.device import choose_device
from semiology.models.networks.segments import Aggregator, Kind
from semiology.models.training.windows import segment_starts
from semiology.parallel import Workers, run_parallel


@dataclass(frozen=True)
class GesturesProtocol(Workers):
    """GESTURES on its public feature set. Defaults are the paper's; their sources stand in
    configs/gestures_table.yaml.

    Attributes:
        features: folder of the public feature set, see `cohort.public_features`.
        out: folder of the run.
        snippet: frames of a snippet.
        rate: frames a second.
        shortest: s; shorter seizures are left out.
        aggregators: what puts the snippets together.
        segments: numbers of segments to try.
        gamma: of Beta(gamma, gamma), where in its segment a snippet is taken in training.
        width: hidden units of a direction.
        learning_rate: of AdamW.
        batch_size: views a step.
        epochs: all of them; the last state is kept.
        folds: how many.
        splits: "seizure" splits seizures as the paper did; "subject" keeps all seizures of a
            subject together.
        seed: of weights and snippets, and of the split by subject.
        jobs: folds at a time; -1 uses every core. See Workers.
        device: "auto" takes a GPU where there is one.

    Raises:
        UserError: a value that is not possible.
    """

    features: str
    out: str
    snippet: int = 8
    rate: int = 15
    shortest: float = 15.0
    aggregators: tuple[Kind, ...] = ("mean", "lstm", "blstm")
    segments: tuple[int, ...] = (2, 4, 8, 16)
    gamma: float = 4.0
    width: int = 64
    learning_rate: float = 0.01
    batch_size: int = 64
    epochs: int = 400
    folds: int = 10
    splits: tuple[Literal["seizure", "subject"], ...] = ("seizure", "subject")
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = ("snippet", "rate", "gamma", "width", "learning_rate", "batch_size", "epochs")
        for name in positive:
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{name}: {getattr(self, name):g} is not possible; give more than 0"
                )
        if self.folds < 2:
            raise UserError(f"folds: {self.folds}; folds are two or more")
        for name in ("aggregators", "segments", "splits"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise UserError(f"{name}: {list(values)}; name one or more, each once")
        if min(self.segments) < 1:
            raise UserError(
                f"segments: {min(self.segments)} is not possible; a video has one segment or more"
            )


PEOPLE = {"mean": "mean", "lstm": "LSTM", "blstm": "BLSTM", "attention": "attention"}


def rows(
    metrics: Mapping[str, Any],
    tasks: Mapping[str, str],
    aggregators: Sequence[str],
    segments: Sequence[int],
    share: float,
    correlation: float,
) -> list[Row]:
    """Accuracy and F1 of every model: the paper's folds with the published value, folds by subject
    without, for the paper has none.

    `share` is that of TCS among the seizures.
    """
    found = []
    for split, task in tasks.items():
        evaluated = metrics["tasks"].get(task)
        if evaluated is None:
            continue
        for kind in aggregators:
            for number in segments:
                own = evaluated["models"][f"{kind}_{number}"]
                obtained = (
                    own["by"]["recording"]["metrics"] or own["metrics"]
                )  # one view each: the views are the seizures
                published = GESTURES_ACCURACY.get((kind, number)) if split == "seizure" else None
                for metric in ("accuracy", "f1"):
                    what = f"{task}, {PEOPLE[kind]}, {number} segments, {NAMES[metric]}"
                    found.append(
                        compare(
                            what, metric, published, GESTURES, obtained[metric], share, correlation
                        )
                    )
    return found


def differences(predictions: pd.DataFrame, tasks: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each model loses when no one is on both sides of a fold: accuracy by subject minus by
    seizure, on the same seizures.

    Paired bootstrap over subjects. Empty unless both kinds of folds were run.

    Returns:
        [{"model", "value", "low", "high", "p"}], as `split_differences` gives them.
    """
    found = split_differences(predictions, [(tasks["subject"], tasks["seizure"])])
    return [
        {key: each[key] for key in ("model", "value", "low", "high", "p")}
        for each in found
        if each["metric"] == "accuracy"
    ]


def difference_text(found: Sequence[Mapping[str, Any]]) -> str:
    """The differences as a terminal shows them; empty where there are none."""
    if not found:
        return ""
    lines = [
        "Accuracy, folds by subject minus folds by seizure (the paper's), same seizures, 95 %"
        " interval over subjects:"
    ]
    for each in found:
        kind, _, number = each["model"].rpartition("_")
        numbers = [each[key] for key in ("value", "low", "high")]
        shown = [
            ("–" if value is None else f"{value:+.2f}").replace("-", "\N{MINUS SIGN}")
            for value in numbers
        ]
        lines.append(f"  {PEOPLE[kind]}, {number} segments: {shown[0]} ({shown[1]} to {shown[2]})")
    return "\n".join(lines)


def by_seizure(views: Sequence[View], folds: int) -> dict[str, int]:
    """recording_id -> fold: TCS in the order of their names, then FOS, one by one round the folds,
    as in the authors' code [C].

    Seizures of one subject come into different folds: a model is then tested on people whom it was
    trained on [T, C].

    Raises:
        UserError: fewer seizures than folds, or a fold without both kinds to train on.
    """
    recordings = {view.recording_id: view for view in views}
    order = sorted(recordings, key=lambda name: (-recordings[name].target, name))
    return _checked(
        views, {name: number % folds for number, name in enumerate(order)}, folds, "seizures"
    )


def by_subject(views: Sequence[View], folds: int, seed: int = 0) -> dict[str, int]:
    """recording_id -> fold, all seizures of a subject in one fold, both kinds spread as evenly as
    that allows [choice].

    Raises:
        UserError: fewer subjects than folds, or a fold without both kinds to train on.
    """
    recordings = {view.recording_id: view for view in views}
    names = sorted(recordings)
    subjects = [recordings[name].participant_id for name in names]
    if len(set(subjects)) < folds:
        raise UserError(
            f"{len(set(subjects))} subjects cannot be split into {folds} folds; set folds to at"
            " most that"
        )
    targets = [recordings[name].target for name in names]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        parts = list(splitter.split(np.zeros(len(names)), targets, subjects))
    except ValueError as error:
        raise UserError(
            f"seizures cannot be split into {folds} folds by subject: {error}"
        ) from error
    return _checked(
        views,
        {names[place]: fold for fold, (_, held_out) in enumerate(parts) for place in held_out},
        folds,
        "subjects",
    )


def _checked(
    views: Sequence[View], assigned: dict[str, int], folds: int, what: str
) -> dict[str, int]:
    for fold in range(folds):
        if fold not in assigned.values():
            raise UserError(
                f"fold {fold + 1} of {folds} got no seizure: too few {what}; set folds to less"
            )
        if len({view.target for view in views if assigned[view.recording_id] != fold}) < len(
            LEVELS
        ):
            raise UserError(
                f"fold {fold + 1} of {folds}: the seizures to train on are not of both kinds"
                f" ({', '.join(LEVELS)})"
            )
    return assigned


def sampled(
    views: Sequence[View],
    snippet: int,
    segments: int,
    gamma: float,
    rng: np.random.Generator | None,
) -> Tensor:
    """(view, segment, channel): one vector a segment, drawn with `rng`, at the centres without. See
    `segment_starts`.
    """
    rows = [
        view.features[
            segment_starts(len(view.features) + snippet - 1, snippet, segments, gamma, rng)
        ]
        for view in views
    ]  # vectors stand for starts: the last one's snippet ends with the video
    return torch.from_numpy(np.stack(rows))


def train_aggregator(
    views: Sequence[View], kind: Kind, segments: int, protocol: GesturesProtocol, seed: int
) -> Aggregator:
    """Weighted binary cross-entropy on the two outputs, AdamW, every view once an epoch with new
    snippets; the last state is kept.

    The weight of positive outputs is 1 / share of TCS among the views [C]. The authors' code keeps
    the epoch with the best F1 on the fold that is then tested [C]: that is not done here, nothing
    is chosen. The same seed gives the same weights on the same machine.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = choose_device(protocol.device)
    network = Aggregator(CHANNELS, len(LEVELS), kind, protocol.width).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=protocol.learning_rate)
    target = (
        F.one_hot(torch.tensor([view.target for view in views]), len(LEVELS)).float().to(device)
    )
    weight = 1 / target[:, 1].mean()
    for _ in range(protocol.epochs):
        for batch in np.array_split(
            rng.permutation(len(views)), -(-len(views) // protocol.batch_size)
        ):
            snippets = sampled(
                [views[number] for number in batch], protocol.snippet, segments, protocol.gamma, rng
            ).to(device)
            loss = F.binary_cross_entropy_with_logits(
                network(snippets), target[torch.from_numpy(batch)], pos_weight=weight
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def probabilities(
    network: Aggregator, views: Sequence[View], snippet: int, segments: int
) -> np.ndarray:
    """(view, level): softmax of the two outputs, snippets at their segments' centres; above one
    half is the larger output [C].
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network(sampled(views, snippet, segments, 1.0, None).to(device))
    return logits.softmax(1).cpu().numpy()


SCHEMA = 1  # raise when the same settings would give other predictions
NOT_LEARNED = {
    "features",
    "out",
    "splits",
    *Workers.__dataclass_fields__,
}  # settings that no fold's predictions depend on
TASKS = {"seizure": "TCS (folds by seizure)", "subject": "TCS (folds by subject)"}
FOLDERS = {"seizure": "TCS-by-seizure", "subject": "TCS-by-subject"}
SPLIT = {"seizure": "recording", "subject": "grouped"}  # as the records of folds call it

DEPARTURES = [  # of our code from the paper's or the authors'
    (
        "the last epoch is kept; the authors' code keeps the one with the best F1 on the fold that"
        " is tested [C]"
    ),
    "accuracy and F1 are pooled over all seizures; the authors' code averages F1 over batches [C]",
    (
        "whether a seizure is TCS is read from OnsetClonic, as the authors split folds by it; they"
        " train on RatioGTCS [C]"
    ),
    "a video too short for its segments has overlapping snippets; the authors' code refuses it [C]",
]


def reproduce_gestures(
    protocol: GesturesProtocol, correlation: float = CORRELATION
) -> Reproduction:
    """Run the protocol of GESTURES on its public feature set, and set what comes out beside the
    published table.

    Every aggregator with every number of segments is trained on each fold's other seizures, and
    says of both views of the held-out ones how likely TCS is; the views are averaged, above one
    half is TCS [T]. Writes folds/ (a record each: a run goes on where it was), predictions.csv (a
    clip is a view, a recording the seizure), notes.json, cohort.json, metrics.json, report.html and
    reproduction.json.

    Raises:
        UserError: the features cannot be read, see `read_feature_set`; seizures that cannot be
            split into folds; a correlation outside 0 to 1.
    """
    check_correlation(correlation)
    out = Path(protocol.out)
    data = read_feature_set(
        Path(protocol.features), protocol.snippet, protocol.rate, protocol.shortest
    )
    assigned = {
        split: (
            by_seizure(data.views, protocol.folds)
            if split == "seizure"
            else by_subject(data.views, protocol.folds, protocol.seed)
        )
        for split in protocol.splits
    }
    key = _key(protocol, data)
    units = [(split, fold) for split in assigned for fold in range(protocol.folds)]
    paths = {
        (split, fold): out / f"folds/{FOLDERS[split]}/seed-{protocol.seed}/{fold}.json"
        for split, fold in units
    }
    todo = [
        (split, fold) for (split, fold), path in paths.items() if _read_record(path, key) is None
    ]
    begin_folder(out)
    calls = [
        joblib.delayed(_run_fold)(
            protocol, data.views, assigned[split], split, fold, key, paths[split, fold]
        )
        for split, fold in todo
    ]
    with tqdm(total=len(paths), initial=len(paths) - len(todo), desc="folds", unit="fold") as bar:
        for _ in run_parallel(calls, protocol):
            bar.update()
    records = [_read_record(path, key) for path in paths.values()]
    with atomic_path(out / "predictions.csv") as temporary:
        _table([record for record in records if record]).to_csv(temporary, index=False)
    seizures = {view.recording_id: view for view in data.views}
    cohort = {
        "subjects": len({view.participant_id for view in data.views}),
        "seizures": len(seizures),
        "views": len(data.views),
        **{
            f"seizures {level}": sum(view.target == number for view in seizures.values())
            for number, level in enumerate(LEVELS)
        },
    }
    write_json(out / "cohort.json", cohort)
    write_json(out / "notes.json", data.notes)
    tasks = {
        TASKS[split]: {"split": {"by": SPLIT[split], "folds": protocol.folds}} for split in assigned
    }
    write_text(
        out / "config.yaml",
        yaml.safe_dump(places_from(asdict(protocol), out) | {"tasks": tasks}, sort_keys=False),
    )  # the report compares them
    predictions = read_predictions(out / "predictions.csv")
    found = differences(predictions, TASKS)
    file = protocol_file("gestures_table")
    tags, paper = read_tags(file), from_options(read_yaml(file), GesturesProtocol, str(file))
    reproduction = Reproduction(
        paper=GESTURES.paper,
        assumption=wilson_of_clips(GESTURES, correlation),
        rows=rows(
            evaluate(predictions),
            TASKS,
            protocol.aggregators,
            protocol.segments,
            cohort["seizures TCS"] / len(seizures),
            correlation,
        ),
        deviations=[
            *departures(paper, protocol, tags),
            *_other_people(cohort),
            *DEPARTURES,
            *data.notes,
        ],
        constants=constants(protocol, tags),
        extra={"folds": found},
        text=difference_text(found),
    )
    reproduction.write(out)
    write_report(out)
    return reproduction


def _run_fold(
    protocol: GesturesProtocol,
    views: Sequence[View],
    assigned: dict[str, int],
    split: str,
    fold: int,
    key: str,
    path: Path,
) -> None:
    """Train every aggregator without one fold's seizures, score both views of these, and write the
    record.
    """
    held_out = [view for view in views if assigned[view.recording_id] == fold]
    training = [view for view in views if assigned[view.recording_id] != fold]
    seen = sorted(view.clip_id for view in training)
    predictions, models = [], {}
    for kind in protocol.aggregators:
        for segments in protocol.segments:
            name = f"{kind}_{segments}"
            network = train_aggregator(
                training,
                kind,
                segments,
                protocol,
                zlib.crc32(f"{protocol.seed}/{name}/{fold}".encode()),
            )
            fitted = {
                "weights": seen,
                "class_weights": seen,
                "batch_norm": [],
            }  # there is no batch normalisation
            models[name] = {"teacher": None, "seen": fitted, "epochs": protocol.epochs}
            for view, levels in zip(
                held_out, probabilities(network, held_out, protocol.snippet, segments).tolist()
            ):
                row = {
                    "model": name,
                    "clip_id": view.clip_id,
                    "recording_id": view.recording_id,
                    "truth": view.target,
                }
                predictions.append(row | {"probabilities": [round(level, 6) for level in levels]})
    record = {
        "key": key,
        "task": TASKS[split],
        "seed": protocol.seed,
        "permutation": None,
        "split": SPLIT[split],
        "fold": str(fold),
        "held_out": sorted({view.participant_id for view in held_out}),
        "held_out_clips": sorted(view.clip_id for view in held_out),
        "clips": {view.clip_id: view.participant_id for view in views},
        "levels": LEVELS,
        "models": models,
        "inner": [],
        "selected": {},
        "predictions": predictions,
    }
    write_json(path, record, indent=None, checksummed=True)


def _table(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a view and model; the columns of `semiology.evaluation.run.predictions`."""
    table = []
    for record in records:
        for row in record["predictions"]:
            scores = dict(zip(record["levels"], row["probabilities"]))
            table.append(
                {
                    "task": record["task"],
                    "label": "seizure type",
                    "stream": "snippets",
                    "model": row["model"],
                    "seed": record["seed"],
                    "fold": record["fold"],
                    "clip_id": row["clip_id"],
                    "participant_id": record["clips"][row["clip_id"]],
                    "truth": record["levels"][row["truth"]],
                    "predicted": max(scores, key=scores.__getitem__),
                    "score": row["probabilities"][1],
                    "scores": json.dumps(scores),
                    "recording_id": row["recording_id"],
                }
            )
    return pd.DataFrame(table)[[*COLUMNS, "recording_id"]]


def _other_people(cohort: dict[str, int]) -> list[str]:
    own = (cohort["subjects"], cohort["seizures FOS"], cohort["seizures TCS"])
    paper = (GESTURES.participants, GESTURES_SEIZURES["FOS"], GESTURES_SEIZURES["TCS"])
    if own == paper:
        return []
    return [
        f"{own[0]} subjects, {own[1]} FOS and {own[2]} TCS instead of {paper[0]}, {paper[1]} and"
        f" {paper[2]} [T]"
    ]


def _key(protocol: GesturesProtocol, data: FeatureSet) -> str:
    """Hash of everything that a fold's predictions depend on: settings, who shows what, every
    vector.
    """
    digest = hashlib.sha256()
    settings = {name: value for name, value in asdict(protocol).items() if name not in NOT_LEARNED}
    digest.update(json.dumps({"schema": SCHEMA, **settings}, sort_keys=True).encode())
    for view in data.views:
        digest.update(f"{view.clip_id}/{view.participant_id}/{view.target}".encode())
        digest.update(view.features.tobytes())
    return digest.hexdigest()[:16]


def _read_record(path: Path, key: str) -> dict[str, Any] | None:
    try:
        record = read_json(path)
    except UserError:
        return None
    return record if record.get("key") == key else None

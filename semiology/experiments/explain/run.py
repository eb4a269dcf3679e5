"""Explain a run's models: RUN/explanation/<task>-<model>.json and .npz; of single clips in
RUN/explanation/clips/.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semiology.errors import UserError
from semiology.evaluation.run.files import run_data
from semiology.experiments.explain.attribution import (
    METHODS,
    STEPS,
    ClipInput,
    LogOdds,
    Method,
    clip_input,
    integrated_gradients,
    mean_pose,
    occlusion,
)
from semiology.experiments.explain.checks import Deletion, Randomised, deletion, randomised
from semiology.experiments.explain.document import Findings, arrays, document
from semiology.experiments.explain.graphs import clip_graphs, explain_graph
from semiology.experiments.explain.maps import ClipMap, over_clip
from semiology.experiments.explain.models import (
    Explained,
    acquaintance,
    chosen_model,
    explained,
    kept_of,
    tasks_of,
)
from semiology.experiments.explain.truth import sign_truth
from semiology.files import atomic_path, read_json, write_json
from semiology.models.networks import AGCN
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel

SCHEMA = 4  # raise when the same models would be explained otherwise
CHECKED = 24  # clips, evenly chosen, on which the sanity check is made; all where there are no more
RANKED = 16  # steps of maps of random weights, of which only ranks are read [our choice]


@dataclass
class Work:
    """What is shared by the folds of one task and model: the clips as the network reads them."""

    source: ClipSource
    method: Method
    inputs: dict[str, ClipInput] = field(default_factory=dict)

    def read(self) -> None:
        """Prepare every clip for attribution, once for all folds: fills `inputs`."""
        self.inputs = {clip.clip_id: clip_input(self.source, clip) for clip in self.source.clips}

    def baseline(self, saved: SavedModel, without: frozenset[str]) -> Tensor:
        """Mean pose of the clips that the model was trained on."""
        people = set(saved.about.get("training", []))
        clips = [
            clip
            for clip in self.inputs.values()
            if clip.participant_id in people and clip.clip_id not in without
        ]
        return mean_pose(clips, self.source.reading.graph, self.source.reading.channels)

    def map(
        self, network: nn.Module, clip: ClipInput, level: int, baseline: Tensor, steps: int = STEPS
    ) -> tuple[ClipMap, np.ndarray]:
        """The clip's map, and the same by window; `steps` of integrated gradients."""
        score, reading = LogOdds(network, level), self.source.reading
        if self.method == "integrated_gradients":
            found = integrated_gradients(
                score, clip, baseline, reading.graph, list(reading.channels), steps
            )
        else:
            found = occlusion(score, clip, reading.graph, list(reading.channels))
        return over_clip(clip, found, level, reading.rate), found.joints


def explain(
    run: Path,
    task: str | None = None,
    model: str | None = None,
    clips: Sequence[str] | str | None = None,
    method: str = "integrated_gradients",
) -> list[Path]:
    """Which joints, bones, times and regions of the face a run's models look at, and whether that
    can be believed.

    Each clip is explained by the model of the fold that held it out (`keep: true` in the protocol);
    where none were saved, by the model trained on all participants, which the result states. With
    two levels the second is explained, with more the predicted one. What is there already, made
    from the same models in the same way, is not made again. An explanation of single clips is
    written beside that of the whole run, not over it, and is no part of the report.

    Args:
        run: folder of the run.
        task: its name, or that of its folder; all by default, without those that have no model that
            reads keypoints (stated on stderr).
        model: one that reads keypoints; by default the distilled AGCN, else the AGCN, else the
            first.
        clips: clip_ids, or one; all by default.
        method: "integrated_gradients" or "occlusion".

    Returns:
        The JSON files, one a task.

    Raises:
        UserError: no models, no such task, model, method or clip, or a model that reads appearance
            features.
    """
    if method not in METHODS:
        raise UserError(f"method {method!r}: there are {', '.join(METHODS)}")
    run = Path(run)
    there = tasks_of(run)
    requested = [name for name in there if task in (None, name) or _name(run, name) == task]
    if not requested:
        raise UserError(f"{run}: has no models for the task {task!r}; tasks are {', '.join(there)}")
    if clips is not None and not clips:
        raise UserError("clips: none is named; name one or more, or leave the option out for all")
    clips = [clips] if isinstance(clips, str) else clips
    return [
        explain_model(run, name, one, clips, method)
        for name, one in _models(run, requested, model).items()
    ]


def _models(run: Path, tasks: list[str], model: str | None) -> dict[str, str]:
    """Task -> the model that is explained. Of several tasks those without such a model are passed
    over, with a line on stderr.
    """
    found, refused = {}, []
    for task in tasks:
        try:
            found[task] = chosen_model(run, task, model)
        except UserError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    for reason in refused:
        print(f"left out: {reason}", file=sys.stderr)
    return found


def explain_model(
    run: Path, task: str, model: str, clips: Sequence[str] | None, method: Method
) -> Path:
    """Explain one task's model and write its two files; returns the JSON."""
    models = list(explained(run, task, model))
    key = _key(models, clips, method)
    folder = run / "explanation" if clips is None else run / "explanation" / "clips"
    path = folder / (f"{task}-{model}" + ("" if method == "integrated_gradients" else f"-{method}"))
    if _is_there(path.with_name(path.name + ".json"), key):
        return path.with_name(path.name + ".json")
    cohort, store = run_data(run)
    work = Work(ClipSource(cohort, models[0].saved.reading, store), method)
    work.read()
    there = [
        name
        for name in work.inputs
        if any(one.clip_ids is None or name in one.clip_ids for one in models)
    ]
    chosen, kept = _chosen(run, there, clips), kept_of(run, task, model)
    scored = kept.scored if kept else frozenset(there)
    checked = set(chosen[:: -(-len(chosen) // CHECKED)])
    findings = Findings(
        _name(run, task),
        model,
        method,
        work.source,
        models[0].kept,
        acquaintance(models),
        len(scored),
        sorted(scored - set(there)),
    )
    with tqdm(total=len(chosen), desc=f"{task} {model}", unit="clip") as bar:
        for one in models:
            own = [
                work.inputs[name] for name in chosen if one.clip_ids is None or name in one.clip_ids
            ]
            if own:
                _explain_fold(work, one, own, checked, findings, bar)
    with atomic_path(path.with_name(path.name + ".npz")) as temporary:
        stored: dict[str, Any] = arrays(findings)
        np.savez_compressed(temporary, **stored)
    content = {"key": key, **document(findings)}
    write_json(path.with_name(path.name + ".json"), content)
    return path.with_name(path.name + ".json")


def _explain_fold(
    work: Work,
    one: Explained,
    clips: list[ClipInput],
    checked: set[str],
    findings: Findings,
    bar: tqdm,
) -> None:
    saved, network = one.saved, cast(Any, one.saved.network)
    baseline = work.baseline(saved, one.clip_ids or frozenset())
    levels = {clip.clip_id: _level(network, clip) for clip in clips}
    rng = np.random.default_rng(0)
    for clip in clips:
        level = levels[clip.clip_id][1]
        found, by_window = work.map(network, clip, level, baseline)
        findings.maps.append(found)
        findings.predicted.append(levels[clip.clip_id][0])
        findings.truths.append(
            sign_truth(Path(work.source.cohort), clip.clip_id, work.source.labels[0].name)
        )
        findings.deletions.append(
            _deletion(network, clip, level, by_window, work.source.reading, rng)
        )
        if isinstance(network, AGCN):
            findings.made.append(clip_graphs(network, clip).numpy())
        if saved.options.stream == "gat":
            findings.nodes.append(explain_graph(network, clip, level, work.source.reading.graph))
        bar.update()
    if isinstance(network, AGCN):
        findings.fixed, learned = (graph.numpy() for graph in network.graphs())
        findings.learned.append(learned)
    if these := [clip for clip in clips if clip.clip_id in checked]:

        def maps(other: nn.Module) -> list[np.ndarray]:
            return [
                work.map(other, clip, levels[clip.clip_id][1], baseline, RANKED)[0].joints
                for clip in these
            ]

        own = [
            found.joints
            for found in findings.maps
            if found.clip_id in {clip.clip_id for clip in these}
        ]
        tested: Randomised = randomised(saved, own, maps)
        findings.randomised.append(tested)
        findings.random_maps.update(
            {
                clip.clip_id: [maps[number] for maps in tested.maps]
                for number, clip in enumerate(these)
            }
        )


def _level(network: nn.Module, clip: ClipInput) -> tuple[int, int]:
    """The predicted level, and the one that is explained."""
    with torch.no_grad():
        mean = network(clip.keypoints, clip.mask).softmax(dim=1).mean(dim=0)
    predicted = int(mean.argmax())
    return predicted, 1 if len(mean) == 2 else predicted


def _deletion(
    network: nn.Module,
    clip: ClipInput,
    level: int,
    by_window: np.ndarray,
    reading: Reading,
    rng: np.random.Generator,
) -> Deletion:
    return deletion(
        LogOdds(network, level), clip, by_window, reading.graph, list(reading.channels), rng
    )


def _chosen(run: Path, there: list[str], clips: Sequence[str] | None) -> list[str]:
    if not there:
        raise UserError(
            f"{run}: its cohort holds none of the clips that its models were tested on; call with"
            " the cohort that it was made from"
        )
    if clips is None:
        return there
    if unknown := [name for name in clips if name not in there]:
        raise UserError(
            f"clips: no clip {unknown[0]!r} among those that the run's models were tested on; there"
            f" are {', '.join(there[:8])} ..."
        )
    return [name for name in there if name in set(clips)]


def _name(run: Path, task: str) -> str:
    """The task's own name, which its folder's was made from."""
    path = next(
        (
            path
            for where in ("kept", "models")
            for path in sorted((run / where / task).rglob("model.json"))
        ),
        None,
    )
    return task if path is None else str(read_json(path)["about"].get("task", task))


def _key(models: list[Explained], clips: Sequence[str] | None, method: str) -> str:
    content = [
        SCHEMA,
        method,
        sorted(clips) if clips else None,
        [[one.kept, one.saved.about.get("key")] for one in models],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _is_there(path: Path, key: str) -> bool:
    try:
        return read_json(path).get("key") == key and path.with_suffix(".npz").is_file()
    except UserError:
        return False

"""Streams that are fitted at once instead of trained in epochs, beside the networks of a config:
same folds, rows, calibration, audit and report. They read whole clips, resampled to `length`
frames, with the clip's duration as a further feature.

Here are what they share and the models of `semiology table`, or any estimator of scikit-learn's
form, on summaries of the keypoints or on the rows of a table; rockets.py has random convolutions.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from semiology.data.result import allowed_modules, allowing
from semiology.errors import UserError
from semiology.evaluation.run.settings import Model
from semiology.experiments.table.models import LEAST, fit, predict, search
from semiology.experiments.table.reading import MEASURE, Rows, described, read_cells, read_features
from semiology.files import content_hash
from semiology.models.networks.base import StreamShape
from semiology.models.training.clips import ClipData, summaries
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule

LENGTH = 128  # frames that a clip is resampled to, some 5 s at 25 Hz [our choice]
SHORTEST = 9  # frames, of a kernel of MiniRocket [P]
RELEASE = tuple(int(part) for part in version("scikit-learn").split(".")[:2])
INNER = 5  # folds of training participants, on which parameters are chosen [our choice]


def solve(module: StreamModule, data: ClipDataModule, seed: int) -> StreamModule:
    """Fit the module's network on the training clips of `data`, all at once; of several labels one
    for each, in `by_label`.
    """
    began = time.monotonic()
    module.build(data, fitting=False)
    if len(data.source.labels) > 1:
        for label in data.source.reading.labels:
            own = data.of_label(label)
            single = StreamModule(module.make_network, balance=module.balance)
            module.by_label[label] = solve(single, own, seed), own
        return module
    network, clips = module.network, data.note("weights", data.training)
    for what in ("standardisation", "selection"):
        data.note(what, clips)
    batches = list(data.loader(clips))
    read = [torch.cat([batch[name] for batch in batches]) for name in network.reads]
    targets = np.array([clip.target for clip in clips])
    _, people = np.unique([clip.participant_id for clip in clips], return_inverse=True)
    weights = np.ones(len(clips))
    if module.balance:
        weights = data.class_weights().numpy()[targets].astype(float)
    network.solve(read, targets, people, weights, seed)
    module.seconds = time.monotonic() - began
    return module.eval()


class Solved(nn.Module):
    """A network that has `solve` in the place of training. Its tensors have the sizes that it was
    solved with.

    Args:
        shape: of the data.
        length: frames that a clip is resampled to.
        inner: folds of training participants, at most as many as there are.

    Raises:
        UserError: fewer than 9 frames or 2 folds; a reading without the keypoints that it reads.
    """

    LENGTH = LENGTH  # the default of `length`; `Network.length` reads it
    stream = ""
    reads: tuple[str, ...] = ("keypoints", "keypoint_mask", "duration")
    seed: Tensor

    def __init__(self, shape: StreamShape, length: int, inner: int):
        super().__init__()
        if length < SHORTEST or inner < 2:
            raise UserError(
                f"{self.stream}: length {length}, inner {inner}; clips have {SHORTEST} frames or"
                " more, inner folds are two or more"
            )
        if "keypoints" in self.reads and not shape.keypoint_channels:
            raise UserError(
                f'{self.stream}: reads keypoints, of which a reading of the part "frame" has none'
            )
        self.inner, self.classes = inner, shape.classes
        self.register_buffer("seed", torch.tensor(-1))  # until it is solved

    def keep(self, seed: int, tensors: dict[str, Any]) -> None:
        """Take what it was solved with into its state."""
        self.seed.fill_(seed)
        for name, values in tensors.items():
            self.register_buffer(name, torch.from_numpy(np.array(values)))

    def check(self, values: Tensor) -> None:
        """Refuse what such a network cannot do.

        Raises:
            UserError: gradients are wanted, or it was not solved.
        """
        if values.requires_grad:
            raise UserError(f"{self.stream}: has no gradients")
        if self.seed < 0:
            raise UserError(f"{self.stream}: is not fitted; `semiology loso` fits it")

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        for name, values in state_dict.items():
            if name.startswith(prefix) and "." not in (own := name.removeprefix(prefix)):
                self.register_buffer(own, torch.empty_like(values))
        super()._load_from_state_dict(state_dict, prefix, *others)


class Estimator(Solved):
    """A model of `semiology table`, or an estimator of scikit-learn's form of the user's own, in
    the folds of the networks. Its features are mean, spread, least, greatest and speed (per second)
    of every channel of every joint, with the duration; or the rows of a table by clip_id.

    What is fitted before it, and how its parameters are chosen, is as in `semiology table`. It is
    kept as the numbers that it was fitted on, and fitted again on them, as nothing is unpickled.

    Args:
        shape: of the data.
        model: linear, logistic, forest, boosting, neighbours, or package.module:Class of an allowed
            module.
        table: of features, `semiology features` writes one; its columns that are measures.
        length: see Solved; so is `inner`.

    Raises:
        UserError: no such model; a class that cannot be made without arguments or has no
            predict_proba; as Solved.
    """

    stream = "estimator"
    x: Tensor
    targets: Tensor
    people: Tensor
    release: Tensor

    def __init__(
        self,
        shape: StreamShape,
        model: str = "logistic",
        table: str | None = None,
        length: int = LENGTH,
        inner: int = INNER,
    ):
        self.reads = Solved.reads if table is None else ("measures",)
        super().__init__(shape, length, inner)
        if table is not None:
            _table(table, _digest(table))
        self.model, self.allowed = model, allowed_modules()
        self.fitted: Any = None
        nobody = np.zeros(1, int)
        search(_rows(np.zeros((1, 1)), nobody, nobody, self.classes), model, 1, inner, 0)

    def solve(
        self,
        read: Sequence[Tensor],
        targets: np.ndarray,
        people: np.ndarray,
        weights: np.ndarray,
        seed: int,
    ) -> None:
        """Fit on training clips; see MiniRocket. The weights are not used: not every estimator
        takes some.
        """
        own = {"x": self._summarised(*read), "targets": targets, "people": people}
        self.keep(seed, own | {"release": RELEASE})
        self._fit()

    def _fit_again(self) -> None:
        if (made := tuple(self.release.tolist())) != RELEASE:
            raise UserError(
                f"{self.stream}: was fitted by scikit-learn {'.'.join(map(str, made))}, here is"
                f" {'.'.join(map(str, RELEASE))}, which may fit another model; install that"
                " release, or run `semiology loso` again"
            )
        self._fit()

    def _fit(self) -> None:
        x, targets, people = (own.numpy() for own in (self.x, self.targets, self.people))
        with allowing(self.allowed):
            rows = _rows(x, targets, people, self.classes)
            inner = enough_folds(targets, people, self.inner)
            if inner:
                self.fitted = fit(rows, self.model, np.arange(len(x)), inner, int(self.seed))
            else:  # nothing can be chosen
                unfitted = search(rows, self.model, len(x), self.inner, int(self.seed)).estimator
                self.fitted = unfitted.fit(rows.features, targets)

    def forward_features(self, *read: Tensor) -> Tensor:
        """(clip, feature) what the model reads of each clip, from the tensors named in `reads`."""
        self.check(read[0])
        return torch.from_numpy(self._summarised(*read))

    def forward(self, *read: Tensor) -> Tensor:
        """(clip, class) logarithms of the probabilities; see `forward_features`."""
        return self.head(self.forward_features(*read))

    def head(self, features: Tensor) -> Tensor:
        """(clip, class) logarithms of the probabilities for (clip, feature)."""
        x = features.numpy()
        if self.fitted is None:  # read from disk
            self._fit_again()
        nobody = np.zeros(len(x), int)
        found = predict(
            self.fitted, _rows(x, nobody, nobody, self.classes), np.arange(len(x)), None
        )
        return torch.from_numpy(np.log(np.maximum(found, LEAST))).float()

    def _summarised(self, values: Tensor, *others: Tensor) -> np.ndarray:
        if not others:
            return values.numpy().astype(float)
        mask, duration = (other.numpy().astype(float) for other in others)
        there = (mask > 0)[:, None]
        joints = np.where(there, values.numpy().astype(float), np.nan)
        rows = []
        for clip, seconds in zip(joints, duration):
            steps = clip.shape[1] - 1
            flat = clip.swapaxes(0, 1).reshape(steps + 1, -1)
            found = summaries(flat, steps / max(seconds, 1e-9))
            rows.append(np.concatenate([*found.values(), [seconds]]))
        return np.stack(rows)


def enough_folds(targets: np.ndarray, people: np.ndarray, least: int) -> int:
    """The smallest number of inner folds of participants (scikit-learn's GroupKFold), `least` or
    more, whose training parts all have two classes or more; 0 if there is none.
    """
    most = len(set(people.tolist()))
    for folds in range(min(least, most), most + 1) if most > 1 else ():
        parts = GroupKFold(folds).split(targets, groups=people)
        if all(len(set(targets[training].tolist())) > 1 for training, _ in parts):
            return folds
    return 0


def _rows(x: np.ndarray, targets: np.ndarray, people: np.ndarray, classes: int) -> Rows:
    """Features (clip, feature) as the rows of a table."""
    names = tuple(f"feature {number}" for number in range(x.shape[1]))
    none = pd.DataFrame(index=range(len(x)))
    return Rows(
        "",
        "classes",
        np.arange(len(x)).astype(str),
        people.astype(str),
        targets,
        tuple(str(level) for level in range(classes)),
        pd.DataFrame(x, columns=list(names)),
        names,
        (),
        none,
        none,
        np.array([]),
        np.zeros(len(x), dtype=bool),
    )


def with_measures(clips: Sequence[ClipData], model: Model) -> list[ClipData]:
    """The clips with the rows of the model's table, if it reads one.

    Raises:
        UserError: the table cannot be read, has no measures, or lacks a clip.
    """
    table = table_of(model)
    if table is None:
        return list(clips)
    rows = _table(table, _digest(table))
    if lost := [clip.clip_id for clip in clips if clip.clip_id not in rows]:
        raise UserError(
            f"{table}: has no row of clip {lost[0]} ({len(lost)} of {len(clips)} are missing);"
            " write it again for this cohort: semiology features"
        )
    return [replace(clip, measures=rows[clip.clip_id]) for clip in clips]


def table_of(model: Model) -> str | None:
    """The table that an `estimator` reads, if it does."""
    network = model.network
    return network.options.get("table") if network.stream == Estimator.stream else None


def tables_digest(models: Mapping[str, Model]) -> dict[str, str]:
    """model -> SHA-256 of the table that it reads, of those that read one."""
    found = {name: table_of(model) for name, model in models.items()}
    return {name: _digest(table) for name, table in found.items() if table is not None}


def _digest(table: str) -> str:
    if not Path(table).is_file():
        raise UserError(f"{table}: no such table; `semiology features` writes one")
    return content_hash(table)


@lru_cache(maxsize=4)
def _table(table: str, _: str) -> dict[str, np.ndarray]:
    """clip_id -> its measures."""
    path = Path(table)
    cells = read_cells(path, [])
    entries = described(path)
    names = [name for name in map(str, cells) if entries.get(name, {}).get("Role") == MEASURE]
    if "clip_id" not in cells or not names:
        raise UserError(
            f"{path}: has no column clip_id, or none that {path.with_suffix('.json').name}"
            " describes as a measure; `semiology features` writes both"
        )
    values = read_features(cells, names, (), path).to_numpy(dtype=float)
    return dict(zip(cells["clip_id"], values))

"""Features of one layer as a plain table: a row a clip (or a frame), the keys first, then one
column a feature.

What a stream reads, summed up clip by clip: the layer below the first, with which the others are
compared. And what is probed for: any column of a cohort, of labels, scores, covariates of clips and
of participants, sex and age.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.files import atomic_path
from semiology.models.training.clips import ClipData, ClipSource, summaries

Seen = Literal["nobody", "others", "everybody"]  # whose clips trained the layer
SEEN = {
    "nobody": "nothing was trained: what the stream reads",
    "others": "each clip is tested on the layer of the fold whose model never saw its participant",
    "everybody": (
        "the layer was trained on all participants, and has seen those that it is tested on"
    ),
}
KEYS = ("fold", "held_out", "clip_id", "participant_id", "window", "time")


@dataclass(frozen=True)
class Features:
    """The output of one layer for each clip.

    Attributes:
        layer: its name.
        table: columns `clip_id`, `participant_id`, with folds also `fold` and `held_out` (True
            where the fold's model never saw the participant), for frames also `window` and `time`
            (s from the start of the clip); every other column is a feature. With folds the clips
            are there once for each fold, because each fold's model has a feature space of its own:
            never compare across.
        seen: whose clips trained the layer: "nobody" (the input), "others" (a model for each fold)
            or "everybody" (a final model).
    """

    layer: str
    table: pd.DataFrame
    seen: Seen

    @property
    def names(self) -> list[str]:
        """The columns that are features."""
        return [name for name in self.table.columns if name not in KEYS]

    @property
    def values(self) -> np.ndarray:
        """Features as an array (row, feature), in the order of `names`."""
        return self.table[self.names].to_numpy(float)

    @property
    def by_frame(self) -> bool:
        """Whether there is a row for each frame, and not one for each clip."""
        return "time" in self.table.columns

    @property
    def by_fold(self) -> bool:
        """Whether each fold has a feature space of its own, in which only some clips may be tested;
        one kept fold is enough.
        """
        return "fold" in self.table.columns

    def spaces(self, clip_ids: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each feature space: values (clip, feature) of these clips, in this order, and (clip,)
        whether it may be tested on them.

        Without folds there is one space, in which every clip may be tested.

        Raises:
            UserError: a row a frame, or a clip that is not in the table.
        """
        if self.by_frame:
            raise UserError(
                f"layer {self.layer}: has a row for each frame; ask for its features per clip"
            )
        if lacking := sorted(set(clip_ids) - set(self.table["clip_id"])):
            raise UserError(
                f"layer {self.layer}: no features of clip {lacking[0]} ({len(lacking)} such clips)"
            )
        parts = [part for _, part in self.table.groupby("fold")] if self.by_fold else [self.table]
        spaces = []
        for part in parts:
            rows = part.set_index("clip_id").loc[list(clip_ids)]
            tested = (
                rows["held_out"].to_numpy(bool) if "held_out" in rows else np.ones(len(rows), bool)
            )
            spaces.append((rows[self.names].to_numpy(float), tested))
        return spaces

    def to_xarray(self) -> xr.DataArray:
        """(row, feature) with the keys as coordinates of the rows."""
        keys = {key: ("row", self.table[key].to_numpy()) for key in KEYS if key in self.table}
        return xr.DataArray(
            self.values,
            dims=("row", "feature"),
            coords={**keys, "feature": self.names},
            name=self.layer,
            attrs={"seen": self.seen},
        )

    def to_csv(self, path: str | Path) -> Path:
        """Write a plain table, with `layer` and `seen` before the other columns; `read_features`
        reads it.
        """
        with atomic_path(path) as temporary:
            table = self.table.assign(layer=self.layer, seen=self.seen)
            table[["layer", "seen", *self.table.columns]].to_csv(temporary, index=False)
        return Path(path)


def read_features(path: str | Path) -> Features:
    """Features from the table that `Features.to_csv` wrote.

    Raises:
        UserError: the file is not there or is no such table.
    """
    texts = dict.fromkeys(("layer", "seen", "fold", "clip_id", "participant_id"), str)
    try:
        table = pd.read_csv(
            path, dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip"
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: not found; `semiology probe` or Features.to_csv writes it"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a table of features ({' '.join(str(error).split())})"
        ) from error
    if missing := [
        name for name in ("layer", "seen", "clip_id", "participant_id") if name not in table
    ]:
        raise UserError(
            f"{path}: column {', '.join(missing)} missing; a table of features has layer, seen,"
            " clip_id and participant_id"
        )
    if table.empty or table["layer"].nunique() != 1 or table["seen"].iloc[0] not in get_args(Seen):
        raise UserError(
            f"{path}: holds {table['layer'].nunique()} layers, seen by"
            f" {list(table['seen'].unique())}; a table holds one layer"
        )
    layer, seen = table["layer"].iloc[0], table["seen"].iloc[0]
    return Features(layer, table.drop(columns=["layer", "seen"]), seen)


AXES = ("x", "y", "z")


def input_features(
    source: ClipSource,
    what: Literal["joints", "appearance"] = "joints",
    per: Literal["clip", "frame"] = "clip",
) -> Features:
    """Features of the raw input.

    Per clip, of each joint's coordinate (body units): `mean`, `spread` (standard deviation),
    `least`, `greatest` over the frames in which it was seen, and `speed`, the mean absolute change
    from frame to frame times the rate (body units / s); of each appearance feature the mean and the
    spread. NaN where it was never seen. Per frame: the coordinates, or the appearance features,
    themselves; of snippets a row at each one's start. The choice of summaries is ours.

    Args:
        source: the clips and how they are read.
        what: "joints", or "appearance" where the reading names appearance features.
        per: "clip" or "frame".

    Raises:
        UserError: appearance is requested and the reading names none; joints of the part "frame",
            which has none.
    """
    if what == "joints" and source.reading.part == "frame":
        raise UserError(
            f"{source.cohort}: whole frames are read, without joints; request appearance"
        )
    if what == "appearance" and source.reading.appearance is None:
        raise UserError(
            f"{source.cohort}: the reading names no appearance features; set its `appearance`, or"
            " ask for joints"
        )
    rows = [row for clip in source.clips for row in _rows(clip, source, what, per)]
    return Features("input", pd.DataFrame(rows), "nobody")


def _rows(clip: ClipData, source: ClipSource, what: str, per: str) -> list[dict]:
    reading, keys = source.reading, {"clip_id": clip.clip_id, "participant_id": clip.participant_id}
    if what == "joints":
        names = [
            f"{joint}.{axis}"
            for joint in reading.graph.names
            for axis in AXES[: clip.joints.shape[2]]
        ]
        series = clip.joints.reshape(len(clip.joints), -1).astype(float)  # (time, joint * space)
    else:
        assert clip.appearance is not None
        names = [f"{reading.appearance}.{name}" for name in source.appearance_names]
        series = clip.appearance.astype(float)
        if clip.held is not None:
            series = np.where(clip.held[:, None] >= 0, series[clip.held], np.nan)
    if per == "frame":
        frames = np.arange(len(series)) if clip.starts is None or what == "joints" else clip.starts
        return [
            {**keys, "window": 0, "time": frame / reading.rate, **dict(zip(names, row))}
            for frame, row in zip(frames.tolist(), series)
        ]
    kinds = (
        ("mean", "spread", "least", "greatest", "speed") if what == "joints" else ("mean", "spread")
    )
    summed = summaries(series, reading.rate)
    return [
        {
            **keys,
            **{
                f"{name}.{kind}": value
                for kind in kinds
                for name, value in zip(names, summed[kind])
            },
        }
    ]


Kind = Literal["auto", "categorical", "numeric"]


def cohort_columns(cohort: str | Path) -> pd.DataFrame:
    """Every clip's labels, scores, covariates and its participant's, as text; "" where not given.

    Indexed by clip_id, with `participant_id`.
    """
    read = Cohort.read(cohort, check_videos=False)
    people = {person.participant_id: person for person in read.participants}
    rows = []
    for clip in read.clips:
        person = people[clip.participant_id]
        own = {
            "sex": person.sex or "",
            "age": "" if person.age is None else f"{person.age:g}",
            **person.covariates,
        }
        labels = {name: level or "" for name, level in clip.labels.items()}
        scores = {
            name: "" if score is None else f"{score:g}" for name, score in clip.scores.items()
        }
        rows.append(
            {
                "clip_id": clip.clip_id,
                "participant_id": clip.participant_id,
                **own,
                **clip.covariates,
                **labels,
                **scores,
            }
        )
    return pd.DataFrame(rows).set_index("clip_id").fillna("")


def cohort_target(cohort: str | Path, column: str, kind: Kind = "auto") -> pd.Series:
    """A column of the cohort by clip_id, without the clips where it is not given: categories (a
    label's in its order), else numbers.

    Args:
        cohort: its folder.
        column: of clips.tsv or participants.tsv.
        kind: "auto" takes a column as numeric if it is no label and holds more than two different
            values, all of them numbers [our choice].

    Raises:
        UserError: no such column, no value in it, or "numeric" where a value is no number.
    """
    table = cohort_columns(cohort)
    if column not in table:
        there = [
            str(name) for name in table if name != "participant_id" and (table[name] != "").any()
        ]
        raise UserError(
            f"{cohort}: no column {column!r} in clips.tsv or participants.tsv; there are"
            f" {', '.join(there) or 'none'}"
        )
    given = table.loc[table[column] != "", column]
    if given.empty:
        raise UserError(
            f"{cohort}: column {column!r} is empty for every clip; fill it in, or probe for another"
        )
    numbers = pd.to_numeric(given, errors="coerce")
    are_numbers = bool(np.isfinite(numbers).all())
    if kind == "numeric" and not are_numbers:
        wrong = given[~np.isfinite(numbers)]
        raise UserError(
            f"{cohort}: column {column!r}, clip {wrong.index[0]}: {wrong.iloc[0]!r} is no number;"
            " correct it, or probe for levels"
        )
    label = Cohort.read(cohort, check_videos=False).labels.get(column)
    if kind == "numeric" or (
        kind == "auto" and are_numbers and label is None and given.nunique() > 2
    ):
        return numbers.astype(float)
    levels = list(label.levels) if label else sorted(given.unique())
    return given.astype(pd.CategoricalDtype(levels))

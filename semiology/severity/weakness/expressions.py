"""How strongly a face shows each emotion over time: from a trained VGG's features in the store, or
from OpenFace's or Py-Feat's tables.

Every source gives one long table, `COLUMNS`: a row a moment and emotion, scores from 0 to 1, NaN
where the face was not found. Emotions have one name whatever a source calls them ("happy", "smile":
happiness); other classes keep theirs.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semiology.data.formats.face_scores import read_face_scores
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.files import content_hash

if TYPE_CHECKING:
    from semiology.models.features.vgg import VGG19

COLUMNS = ["clip_id", "time", "emotion", "score", "found"]
SAME = {
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid"),
    "happiness": ("happy", "joy", "smile"),
    "neutral": ("rest",),
    "sadness": ("sad",),
    "surprise": ("surprised",),
}

# Action units that make each expression by EMFACS (Friesen and Ekman 1983, "EMFACS-7: Emotional
# Facial Action Coding System"), as it is
# usually cited. OpenFace has no AU16, which belongs to disgust.
EMFACS = {
    "anger": ("AU04", "AU05", "AU07", "AU23"),
    "disgust": ("AU09", "AU15", "AU16"),
    "fear": ("AU01", "AU02", "AU04", "AU05", "AU07", "AU20", "AU26"),
    "happiness": ("AU06", "AU12"),
    "sadness": ("AU01", "AU04", "AU15"),
    "surprise": ("AU01", "AU02", "AU05", "AU26"),
}
GREATEST = 5.0  # intensity of an action unit of OpenFace [C]


def emotion_name(word: str) -> str:
    """The one name of an emotion: "Happy" and "smile" are happiness, "rest" is neutral; other words
    in small letters.
    """
    word = word.strip().lower()
    return next((name for name, others in SAME.items() if word in (name, *others)), word)


def check_weights(weights: str | Path | None, store: Store | None, clip_ids: Iterable[str]) -> None:
    """Whether the network's weights are there and made the features of the face of these clips;
    clips without features are passed over.

    Raises:
        UserError: no weights, no store, features of other weights, or of a layer that the
            classifier does not read.
    """
    if weights is None or not Path(weights).is_file():
        given = "none given" if weights is None else f"{weights} is not there"
        raise UserError(
            f"expression weights: {given}; train them on images that you hold (semiology pretrain"
            " expression IMAGES --out FILE), extract with them (semiology extract COHORT --store"
            " DIR --face_weights FILE), or give tables of OpenFace or Py-Feat"
        )
    if store is None:
        raise UserError(
            f"{weights}: reads features of the face from a store; give --store DIR, extracted with"
            f" --face_weights {weights}"
        )
    for clip_id in clip_ids:
        entry = store.record(clip_id)["stages"].get("face_vgg")
        if entry is None:
            continue
        if entry["depends"]["vgg"] != weights_hash(Path(weights)):
            raise UserError(
                f"clip {clip_id}: its features in {store.folder} were made by other weights than"
                f" {weights}; give those, or run: semiology extract COHORT --store {store.folder}"
                f" --face_weights {weights}"
            )
        if (
            entry["depends"]["layer"] != "penultimate"
            and _network(Path(weights)).form == "torchvision"
        ):  # else both layers are the same
            raise UserError(
                f"clip {clip_id}: its features are of the layer {entry['depends']['layer']};"
                " extract with --layer penultimate"
            )


def vgg_expressions(store: Store, clip_id: str, weights: str | Path) -> pd.DataFrame:
    """Probability of each class of the VGG that made a clip's features: its own classifier on them,
    without the video (softmax).

    Args:
        store: holds the clip's `face_vgg`, made by these very weights from the layer before the
            classifier.
        weights: of `semiology pretrain expression`, or any that `load_vgg` reads.

    Raises:
        UserError: as `check_weights`; the clip has no features.
    """
    check_weights(weights, store, [clip_id])
    import torch  # the one place of `severity` that needs it

    features, time = store.features(clip_id, "face_vgg")
    vgg = _network(Path(weights))
    with torch.inference_mode():
        probability = torch.softmax(
            vgg.classify(torch.from_numpy(features)), dim=1
        ).numpy()  # (time, class)
    scores: dict[str, np.ndarray] = {}
    for column, name in enumerate(map(emotion_name, vgg.classes)):
        scores[name] = scores.get(name, 0) + probability[:, column]
    return long_table(clip_id, time, scores)


@cache
def _network(weights: Path) -> "VGG19":
    """The network of a file, read once a process."""
    from semiology.models.features.vgg import load_vgg

    return load_vgg(weights)


@cache
def weights_hash(weights: Path) -> str:
    """SHA-256 of a file of weights, taken once a process."""
    return content_hash(weights)


def table_expressions(
    path: str | Path,
    clip_id: str,
    start: float = 0.0,
    end: float | None = None,
    fps: float | None = None,
) -> pd.DataFrame:
    """Expression scores of a clip from OpenFace's or Py-Feat's table of its video, from `start` to
    `end` (s), time counted from `start`.

    Py-Feat's emotions are taken as they are. OpenFace's action units become, for each emotion, the
    mean intensity of its EMFACS units that the table has, over the greatest intensity, 5 [our
    choice]: lip corners alone score half of a smile that reaches the eyes.

    Raises:
        UserError: see `read_face_scores`; the table has no row in the clip.
    """
    read = read_face_scores(path, fps)
    inside = (read.time >= start - 1e-6) & (read.time < np.inf if end is None else read.time < end)
    if not inside.any():
        raise UserError(
            f"{path}: has no frame from {start:g} s on, where clip {clip_id} begins; is it the"
            " table of this clip's video?"
        )
    scores: Mapping[str, np.ndarray] = read.scores
    if read.kind == "openface":
        there = {
            emotion: [read.scores[unit] for unit in units if unit in read.scores]
            for emotion, units in EMFACS.items()
        }
        scores = {
            emotion: np.mean(units, axis=0) / GREATEST for emotion, units in there.items() if units
        }
    return long_table(
        clip_id,
        read.time[inside] - start,
        {emotion_name(name): values[inside] for name, values in scores.items()},
    )


def long_table(clip_id: str, time: np.ndarray, scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """`COLUMNS` of scores by emotion, each (time,); the moments of one emotion after those of
    another.
    """
    parts = [
        pd.DataFrame(
            {
                "clip_id": clip_id,
                "time": time,
                "emotion": emotion,
                "score": values,
                "found": np.isfinite(values),
            }
        )
        for emotion, values in scores.items()
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]

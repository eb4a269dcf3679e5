"""Calibration of a tracker's confidence: from its own score to the probability that a point is
right.

A tracker's confidence says how sure it is of seeing a point, not how far it is off: MediaPipe gives
1.00 to hips of the wrong person. Against labelled frames, or a phantom's truth, a monotone map is
fitted (isotonic regression, Zadrozny and Elkan 2002) from confidence to the probability that the
error is below a fraction of the torso. It is tested on participants who were left out of the fit,
one after the other. A point's own errors decide: the map of one tracker, camera and ward is not
that of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.data.store import Store
from semiology.data.tracks import read_tracks, with_step
from semiology.errors import UserError
from semiology.evaluation.report.figures import reliability_figure
from semiology.evaluation.statistics.calibration import isotonic_steps, reliability
from semiology.files import read_json, write_json, write_text
from semiology.tracking.labels.labels import Labels
from semiology.tracking.tracking_error import clip_scale, compared_points, distances

WITHIN = 0.25  # torso lengths: about 12 cm of an adult [our choice]
TESTED = 20_000  # points, drawn at random, whose reliability is computed: more change nothing
LEAST = 0.01  # a point that was found keeps a confidence above 0, which would mean "not found"


@dataclass(frozen=True)
class Points:
    """Points with known error: confidence (point,), error (point,) in torso lengths, participant
    (point,).
    """

    confidence: np.ndarray
    error: np.ndarray
    participant: np.ndarray


@dataclass(frozen=True)
class ConfidenceMap:
    """A fitted map, as plain numbers.

    Attributes:
        before, after: confidence and probability at the map's corners, (corner,); linear between.
        within: the error that counts as right, torso lengths.
        points, participants: that it was fitted on.
        tested: reliability on participants who were left out: "raw" and "calibrated", each as
            `semiology.evaluation.statistics.calibration.reliability` gives it.
    """

    before: list[float]
    after: list[float]
    within: float
    points: int
    participants: int
    tested: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, confidence: np.ndarray) -> np.ndarray:
        """Probability that a point is right, of its confidence: 0 stays 0 (not found), NaN (no
        score) stays NaN, and what was found is never below 0.01.
        """
        mapped = np.maximum(np.interp(confidence, self.before, self.after), LEAST)
        return np.where(confidence > 0, mapped, confidence)

    def apply(self, tracks: xr.Dataset) -> xr.Dataset:
        """Tracks with calibrated confidence; recorded in `steps`."""
        confidence = self.probability(tracks["confidence"].values).astype(np.float32)
        return with_step(
            tracks.assign(confidence=(tracks["confidence"].dims, confidence)),
            "calibrate_confidence",
            within=self.within,
            points=self.points,
        )

    def text(self) -> str:
        """What it says, in a few lines."""
        raw, made = self.tested["raw"], self.tested["calibrated"]
        return (
            f"{self.points} points of {self.participants} participants; right: within"
            f" {self.within:g} torso lengths\n"
            "calibration error (ECE) on participants left out:"
            f" {raw['ece']:.3f} by the tracker's confidence, {made['ece']:.3f} calibrated;"
            f" Brier score {raw['brier']:.3f}, {made['brier']:.3f}"
        )


def fit_confidence(points: Points, within: float = WITHIN) -> ConfidenceMap:
    """Fit the map on all points, and test it on every participant by a map of the others.

    Raises:
        UserError: fewer than two participants, a `within` that is not positive.
    """
    if not within > 0:
        raise UserError(f"tracking calibrate: within={within:g}; give torso lengths above 0")
    people = np.unique(points.participant)
    if len(people) < 2:
        raise UserError(
            f"tracking calibrate: {len(people)} participant with found and labelled points; two or"
            " more are needed, so that the map is tested on somebody who was left out"
        )
    right = (points.error < within).astype(int)
    tested = np.empty(len(right))
    for person in people:
        out = points.participant == person
        before, after = isotonic_steps(points.confidence[~out], right[~out])
        tested[out] = np.interp(points.confidence[out], before, after)
    some = np.random.default_rng(0).permutation(len(right))[:TESTED]
    both = {"raw": points.confidence[some], "calibrated": tested[some]}
    before, after = isotonic_steps(points.confidence, right)
    return ConfidenceMap(
        before,
        after,
        within,
        len(right),
        len(people),
        {name: reliability(right[some], np.stack([1 - p, p], 1)) for name, p in both.items()},
    )


def truth_points(cohort: Path, store: Path) -> Points:
    """Points of a phantom cohort's extracted bodies: the eleven joints that are in view.

    Raises:
        UserError: the cohort has no truth, or a clip was not extracted.
    """
    folder = Path(cohort) / "truth"
    if not folder.is_dir():
        raise UserError(
            f"{cohort}: has no truth folder; give labelled frames, or a phantom cohort (`semiology"
            " phantom`)"
        )
    skeleton = load_skeleton("upper_body_11")
    parts = []
    for clip in Cohort.read(Path(cohort), check_videos=False).clips:
        tracks = Store(store).predicted(clip.clip_id, "body")
        truth = read_tracks(folder / f"{clip.clip_id}.nc")
        error = distances(tracks, truth, skeleton) / clip_scale(truth, skeleton)
        confidence = select(tracks, skeleton)["confidence"].values[: len(error)]
        parts.append((confidence, error, np.full(error.shape, clip.participant_id)))
    return _known(*(np.concatenate([each.ravel() for each in side]) for side in zip(*parts)))


def labelled_points(
    tracks: Mapping[str, xr.Dataset],
    labels: Labels,
    *,
    keypoints: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    torso_px: float | None = None,
) -> Points:
    """Points of labelled frames, joined as `tracking_error` joins them.

    Args:
        tracks, labels, keypoints, skeleton: as of `tracking_error`.
        torso_px: torso length, px; by default the median distance between the middles of the
            labelled shoulders and hips.

    Raises:
        UserError: as `tracking_error`; shoulders or hips are not labelled and no `torso_px` is
            given.
    """
    unit = _torso(labels) if torso_px is None else torso_px
    made = compared_points(tracks, labels, keypoints=keypoints, skeleton=skeleton)
    people = np.broadcast_to(made.participants[:, None], made.confidence.shape)
    return _known(made.confidence.ravel(), made.distances.ravel() / unit, people.ravel())


def write_map(fitted: ConfidenceMap, folder: Path) -> Path:
    """Write `confidence_map.json` and the reliability diagram, `reliability.svg`."""
    figure = reliability_figure(
        "Reliability of the confidence, and calibrated, on participants left out",
        fitted.tested["raw"]["bins"],
        fitted.tested["calibrated"]["bins"],
        of="points",
    )
    with_space = str(figure).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    write_text(folder / "reliability.svg", with_space + "\n")
    write_json(folder / "confidence_map.json", asdict(fitted))
    return folder / "confidence_map.json"


def read_map(path: Path) -> ConfidenceMap:
    """A map that `write_map` wrote.

    Raises:
        UserError: no such file, or another one.
    """
    found = read_json(path)
    try:
        fitted = ConfidenceMap(**found)
        corners = np.asarray([fitted.before, fitted.after], float)
    except (TypeError, ValueError):
        corners = np.empty((0, 0))
    if (
        not corners.size
        or (np.diff(corners) < 0).any()
        or not ((corners >= 0) & (corners <= 1)).all()
    ):
        raise UserError(f"{path}: not a map of `semiology tracking calibrate`; make it again")
    return fitted


def _known(confidence: np.ndarray, error: np.ndarray, participant: np.ndarray) -> Points:
    """The points that have a confidence and a known error."""
    known = np.isfinite(error) & (confidence > 0)
    if not known.any():
        raise UserError(
            "tracking calibrate: no labelled point was found with a confidence; are these the"
            " tracks of the labelled videos?"
        )
    return Points(confidence[known].astype(float), error[known], participant[known])


def _torso(labels: Labels) -> float:
    places = []
    for joint in ("shoulder", "hip"):
        pair = [f"left_{joint}", f"right_{joint}"]
        if not set(pair) <= set(labels.keypoints):
            raise UserError(
                f"tracking calibrate: {pair[0]} and {pair[1]} are not labelled, so that the torso's"
                " length is not known; give --torso_px"
            )
        columns = [labels.keypoints.index(name) for name in pair]
        places.append(labels.position[:, columns].mean(1))
    lengths = np.linalg.norm(places[0] - places[1], axis=1)
    if not np.isfinite(lengths).any():
        raise UserError(
            "tracking calibrate: no frame has both shoulders and both hips labelled; give"
            " --torso_px"
        )
    return float(np.nanmedian(lengths))

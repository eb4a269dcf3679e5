"""A body is believed limb by limb: what no body does is taken out of tracks, with its reason.

A tracker of one person may give the patient's head with the hips of whoever bends over the bed, at
full confidence. `check_limbs` takes such points out of the tracks of a whole clip: their position
becomes NaN, their confidence 0, and the variable `rejected` (time, keypoint) holds the reason, 0
where a point is believed or was not found. It knows keypoints by name, whatever the tracker.

Each part is followed relative to the one it hangs on: shoulders to the head, hips to the
shoulders, elbows and wrists to their shoulder, knees and ankles to their hip. Its path is split
where it leaps, and the pieces are joined to the longest path that a body can take
(`believable_path`): a run beside it, between two leaps, is somebody else's limb, or none. A tracker
that wavers between two people makes a body tremble (`tremble`), faster than a body does. Lengths
are in units of the clip's torso, so that they hold for a child and for somebody far away. A bone
that looks short is foreshortened, and legal. All limits are our choice.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.preprocessing import POSITIONS, unbroken_runs
from semiology.data.tracks import with_step

REASONS = (
    "believed",
    "torso_not_under_head",
    "bone_too_long",
    "leap",
    "chimera",
    "left_right_swapped",
    "trembling",
    "hangs_on_rejected",
    "out_of_view",
)  # the codes of `rejected`, in order
CODE = {reason: code for code, reason in enumerate(REASONS)}
FLAGS = {
    "flag_values": np.arange(len(REASONS), dtype=np.int8),
    "flag_meanings": " ".join(REASONS),
}  # attributes of `rejected`, by the CF conventions

HEAD = ("left_ear", "right_ear", "left_eye", "right_eye", "nose", "head")
HAND = ("pinky", "index", "thumb", "hand")
FOOT = ("heel", "foot_index", "big_toe", "small_toe", "foot")
# joint -> what hangs on it on its own side
BEYOND: dict[str, tuple[str, ...]] = {
    "elbow": ("wrist", *HAND),
    "wrist": HAND,
    "knee": ("ankle", *FOOT),
    "ankle": FOOT,
    "hip": ("knee", "ankle", *FOOT),
}
BONES = (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
LIMBS = {"elbow": "shoulder", "wrist": "shoulder", "knee": "hip", "ankle": "hip"}
BIACROMIAL = (
    1.3  # torso lengths in a shoulder width: 0.288 over 0.22 of the stature [P: Winter 2009]
)


@dataclass(frozen=True)
class Pace:
    """How a part moves relative to the one it hangs on, in torso lengths (half a metre in an adult)
    and seconds.

    Attributes:
        noise: what a tracker adds to any step, torso lengths.
        usual: torso lengths a second; a faster step is a leap.
        limit: torso lengths a second that no body reaches; a leap beyond is never believed.
        patience: s; a run between two leaps is believed where it lasts longer than both are worth.
    """

    noise: float
    usual: float
    limit: float
    patience: float


@dataclass(frozen=True)
class LimbLimits:
    """The limits of `check_limbs`. All are our choice, from what phantoms and real videos showed:
    the fastest true steps of dancing arms stay below them.

    Attributes:
        body: head and shoulders within the image; a cut of the film is no impossible movement.
        torso: shoulders relative to the head.
        hips: hips relative to the shoulders.
        middle: elbows and knees relative to shoulder and hip.
        end: wrists and ankles, relative to the same; 12 torso lengths a second are 6 m/s.
        neck: a head further from the shoulders than this times the clip's usual (90th percentile)
            distance is another body's.
        bone: the same for a bone in the image.
        bone_3d: the same in metres, times the median.
        tremble_trunk: how far shoulders and hips tremble relative to the head, torso lengths: the
            median over 0.6 s of the second difference of places 0.04 s apart. A tracker that wavers
            between two people does, at frequencies and sizes that no trunk reaches.
        tremble_middle, tremble_end: the same of elbow and knee, wrist and ankle.
    """

    body: Pace = Pace(0.3, 6.0, np.inf, 0.4)
    torso: Pace = Pace(0.12, 1.5, 6.0, 1.5)
    hips: Pace = Pace(0.12, 1.5, 6.0, 1.5)
    middle: Pace = Pace(0.2, 8.0, 20.0, 0.4)
    end: Pace = Pace(0.25, 12.0, 25.0, 0.4)
    neck: float = 2.0
    bone: float = 1.5
    bone_3d: float = 1.6
    tremble_trunk: float = 0.08
    tremble_middle: float = 0.12
    tremble_end: float = 0.2

    def for_json(self) -> dict[str, object]:
        """The limits by name; None for infinity, which JSON does not have."""
        return {
            name: {key: number if np.isfinite(number) else None for key, number in held.items()}
            if isinstance(held, dict)
            else held
            for name, held in asdict(self).items()
        }


MILLISECOND = 0.001  # s
HORIZON = 0.12  # s for which usual movement adds up over frames that are missing
LOOK_BACK = 60  # pieces of a path that are tried as the one before
STEP, AROUND = (
    0.04,
    0.3,
)  # s between the places of a second difference; to either side of its median
# second over first difference: 1.3 is an oscillation at 5.6 Hz in steps of 0.04 s, 1.7 white noise;
# clonic jerks and coarse tremor are slower, and finer ones are smaller than what counts
TREMBLING = 1.3
SLOWEST = 20.0  # Hz; below, true movement has such second differences too
SWAP_LONGEST = 2.0  # s that sides may be swapped and swapped back; longer is a turn, or unknown
SWAP_APART = 0.3  # torso lengths between left and right, below which a swap is none


def check_limbs(tracks: xr.Dataset, limits: LimbLimits | None = None) -> xr.Dataset:
    """Tracks of a body without the points that no body has, and with `rejected`; recorded in
    `steps`.

    The whole clip is needed: its lengths are the measure, and a leap is known by what comes after.
    Tracks in which head and shoulders are not known by name, or never found, are only marked.

    Args:
        tracks: of a body, raw, any set of named keypoints.
        limits: by default `LimbLimits()`.
    """
    return next(checked_parts(tracks, max(tracks.sizes["time"], 1), limits))


def checked_parts(
    tracks: xr.Dataset, frames: int, limits: LimbLimits | None = None
) -> Iterator[xr.Dataset]:
    """The tracks of `check_limbs` in parts of so many frames: memory holds the clip once."""
    limits = limits or LimbLimits()
    check = _Check(tracks, limits)
    if check.measure():
        check.trunk()
        check.bones()
        check.sides()
        check.limbs()
    unit = None if np.isnan(check.unit) else round(float(check.unit), 3)
    for first in range(0, max(tracks.sizes["time"], 1), frames):
        part = slice(first, first + frames)
        checked = _without(tracks.isel(time=part), check.rejected[part])
        yield with_step(checked, "check_limbs", unit=unit, **limits.for_json())


def out_of_view(tracks: xr.Dataset, stretches: Sequence[tuple[float, float]]) -> xr.Dataset:
    """Tracks of any part without what was tracked while the patient was out of view: it is somebody
    else. The reason in `rejected` is "out_of_view" there; recorded in `steps`.

    Args:
        tracks: with times from the clip's start.
        stretches: (onset, duration), s from the clip's start; without any, the tracks are given
            back as they are.
    """
    if not stretches:
        return tracks
    time = tracks["time"].values + MILLISECOND / 2  # tables are rounded to it
    away = np.any([(onset <= time) & (time < onset + length) for onset, length in stretches], 0)
    codes = np.zeros((len(time), tracks.sizes["keypoint"]), np.int8)
    if "rejected" in tracks:
        codes = tracks["rejected"].transpose("time", "keypoint").values.copy()
    codes[away] = CODE["out_of_view"]
    made = _without(tracks, codes)
    return with_step(made, "out_of_view", stretches=[list(stretch) for stretch in stretches])


def _without(tracks: xr.Dataset, codes: np.ndarray) -> xr.Dataset:
    """Tracks without the points that have a reason, (time, keypoint), which becomes `rejected`."""
    rejected = xr.DataArray(codes, dims=("time", "keypoint"), attrs=FLAGS)
    keep = rejected == 0
    believed = {
        name: tracks[name].where(keep).transpose(*tracks[name].dims)
        for name in POSITIONS
        if name in tracks
    }
    confidence = tracks["confidence"].where(keep, 0).transpose(*tracks["confidence"].dims)
    return tracks.assign({**believed, "confidence": confidence, "rejected": rejected})


def not_believed(tracks: xr.Dataset) -> np.ndarray:
    """(time, keypoint) True where a point was rejected because no body has it there; that the
    patient was out of view says nothing of the tracker.
    """
    codes = tracks["rejected"].transpose("time", "keypoint").values
    return (codes > 0) & (codes != CODE["out_of_view"])


def rejected_counts(tracks: xr.Dataset) -> tuple[int, Counter[str]]:
    """How many points the tracker gave, and how many of them were rejected, by reason; none where
    tracks were not checked.
    """
    if "rejected" not in tracks:
        return 0, Counter()
    wrong = not_believed(tracks)
    given = (tracks["confidence"].transpose("time", "keypoint").values != 0) | wrong
    codes = tracks["rejected"].transpose("time", "keypoint").values[wrong]
    counts = np.bincount(codes, minlength=len(REASONS))
    return int(given.sum()), Counter(
        {reason: int(count) for reason, count in zip(REASONS, counts) if count}
    )


def believable_path(
    place: np.ndarray, fps: float, pace: Pace, weight: np.ndarray | None = None
) -> np.ndarray:
    """(time,) True where a point is on the longest path that a body can take.

    The path is split into pieces where it leaps: a step longer than `noise` and `usual` speed
    allow. Of all chains of pieces that one is kept whose frames weigh most, less `patience` for
    every leap in it; a leap that is faster than `limit` is in none. (Dynamic programming over
    pieces.)

    Args:
        place: (time, 2 or 3) torso lengths, NaN where missing.
        fps: Hz.
        pace: of this part.
        weight: (time,) what each frame counts; by default 1.
    """
    keep = np.zeros(len(place), bool)
    known = np.flatnonzero(np.isfinite(place).all(1))
    if not len(known):
        return keep
    points, times = place[known], known / fps
    horizon = max(HORIZON, 1 / fps)

    def leaps(step: np.ndarray, pause: np.ndarray) -> np.ndarray:
        return step > pace.noise + pace.usual * np.minimum(pause, horizon)

    edges = np.flatnonzero(leaps(np.linalg.norm(np.diff(points, axis=0), axis=1), np.diff(times)))
    first, last = np.append(0, edges + 1), np.append(edges, len(known) - 1)
    counts = np.ones(len(known)) if weight is None else weight[known]
    frames = np.add.reduceat(counts, first)
    best, before = frames.copy(), np.full(len(frames), -1)
    for piece in range(1, len(frames)):
        earlier = np.arange(max(0, piece - LOOK_BACK), piece)
        step = np.linalg.norm(points[first[piece]] - points[last[earlier]], axis=1)
        pause = times[first[piece]] - times[last[earlier]]
        worth = best[earlier] - pace.patience * fps * leaps(step, pause)
        worth[step > pace.noise + pace.limit * pause] = -np.inf
        chosen = int(np.argmax(worth))
        if worth[chosen] > 0:
            best[piece] += worth[chosen]
            before[piece] = earlier[chosen]
    piece = int(np.argmax(best))
    while piece >= 0:
        keep[known[first[piece] : last[piece] + 1]] = True
        piece = before[piece]
    return keep


def tremble(places: Sequence[np.ndarray], fps: float) -> tuple[np.ndarray, np.ndarray]:
    """How far points tremble (time,), torso lengths: the median over 0.6 s, and over the points, of
    the second difference of places 0.04 s apart; and the same of the first difference.

    Args:
        places: of each point (time, 2 or 3), torso lengths, NaN where missing.
        fps: Hz.
    """
    lag, count = max(1, round(STEP * fps)), len(places[0])
    steps = np.full((2, len(places), count), np.nan)
    for number, place in enumerate(places if count > 2 * lag else ()):
        second = place[2 * lag :] - 2 * place[lag:-lag] + place[: -2 * lag]
        steps[0, number, lag:-lag] = _length(second)
        steps[1, number, lag:] = _length(place[lag:] - place[:-lag])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        typical = pd.DataFrame(np.stack([np.nanmedian(each, axis=0) for each in steps], axis=1))
    window = 2 * round(AROUND * fps) + 1
    second, first = typical.rolling(window, center=True, min_periods=3).median().to_numpy().T
    return second, first


class _Check:
    """The points of one clip, what was rejected of them so far, and the clip's unit of length."""

    def __init__(self, tracks: xr.Dataset, limits: LimbLimits):
        self.limits, self.fps = limits, float(tracks.attrs["fps"])
        self.names = [str(name) for name in tracks["keypoint"].values]
        flat = next(name for name in POSITIONS if name in tracks)
        self.places = {
            name: tracks[name].transpose("time", "keypoint", space).values
            for name, space in POSITIONS.items()
            if name in tracks
        }
        self.place = self.places[flat]
        self.found = np.isfinite(self.place).all(2)
        self.rejected = np.zeros(self.found.shape, np.int8)
        if "rejected" in tracks:  # nobody's limbs are checked while the patient is out of view
            codes = tracks["rejected"].transpose("time", "keypoint").values
            self.rejected[codes == CODE["out_of_view"]] = CODE["out_of_view"]
        self.unit = np.nan

    def mark(self, wrong: np.ndarray, reason: str, names: Sequence[str] | None = None) -> None:
        """Reject points, by (time, keypoint), or all points of `names` by (time,); a reason that is
        there already stays.
        """
        if names is not None:
            columns = np.isin(self.names, list(names))
            wrong = wrong[:, None] & columns
        self.rejected[wrong & self.found & (self.rejected == 0)] = CODE[reason]

    def point(self, names: Sequence[str], every: bool = True) -> np.ndarray:
        """(time, space) mean of the believed points of these names; NaN where one of them, or,
        without `every`, all of them are missing.
        """
        columns = [self.names.index(name) for name in names if name in self.names]
        if not columns or (every and len(columns) < len(names)):
            return np.full((len(self.place), self.place.shape[2]), np.nan)
        believed = (self.found & (self.rejected == 0))[:, columns, None]
        values = np.where(believed, self.place[:, columns], np.nan)
        if every:
            return values.mean(1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Mean of empty slice")
            return np.nanmean(values, axis=1)

    def pair(self, joint: str) -> np.ndarray:
        """(time, space) middle of a joint of both sides."""
        return self.point([f"left_{joint}", f"right_{joint}"])

    def head(self) -> np.ndarray:
        """(time, space) middle of the ears, or of what is tracked of the head without them."""
        ears = [name for name in ("left_ear", "right_ear") if name in self.names]
        return self.point(ears) if len(ears) == 2 else self.point(HEAD, every=False)

    def measure(self) -> bool:
        """Set the unit, the clip's torso length; False where it is not known."""
        torso = _length(self.pair("shoulder") - self.pair("hip"))
        shoulders = _length(self.point(["left_shoulder"]) - self.point(["right_shoulder"]))
        known = [
            factor * float(np.median(lengths[np.isfinite(lengths)]))
            for factor, lengths in ((1.0, torso), (BIACROMIAL, shoulders))
            if np.isfinite(lengths).any()
        ]
        if known and max(known) > 0:
            self.unit = max(known)
        return bool(known) and max(known) > 0 and bool(np.isfinite(self.head()).any())

    def off(self, place: np.ndarray, pace: Pace, weight: np.ndarray | None = None) -> np.ndarray:
        """(time,) True where a place is known and not on its path."""
        known = np.isfinite(place).all(1)
        return known & ~believable_path(place / self.unit, self.fps, pace, weight)

    def trembles(self, places: Sequence[np.ndarray], size: float) -> np.ndarray:
        """(time,) True where these places tremble by more than `size` torso lengths, and faster
        than a body does.
        """
        second, first = tremble([place / self.unit for place in places], self.fps)
        return (second > size) & (second > TREMBLING * first) & (self.fps >= SLOWEST)

    def steadiness(self, places: Sequence[np.ndarray]) -> np.ndarray:
        """(time,) what a frame counts on a path: 1 where the places tremble as little as in the
        steadiest quarter of the clip, less the more they do.
        """
        second, _ = tremble([place / self.unit for place in places], self.fps)
        known = np.isfinite(second) & (second > 0)
        weight = np.ones(len(second))
        if known.any():
            weight[known] = np.minimum(1, np.quantile(second[known], 0.25) / second[known])
        return weight

    def trunk(self) -> None:
        """The body in the image, the torso under the head, hips under the shoulders."""
        head, neck = self.head(), self.pair("shoulder")
        self.mark(self.off((head + neck) / 2, self.limits.body), "leap", self.names)
        below = [name for name in self.names if not self._of_head(name)]
        head, neck = self.head(), self.pair("shoulder")
        apart = _length(neck - head)
        self.mark(_longer(apart, self.limits.neck, 0.9), "torso_not_under_head", below)
        head, neck = self.head(), self.pair("shoulder")
        steady = self.steadiness([self.point([name]) - head for name in _both("shoulder", "hip")])
        off = self.off(neck - head, self.limits.torso, steady)
        for run in unbroken_runs(off):  # who leapt, the head or the torso?
            which = np.zeros(len(off), bool)
            which[run] = True
            if _step_into(head, run.start) > _step_into(neck, run.start):
                self.mark(which, "leap", [name for name in self.names if self._of_head(name)])
            else:
                self.mark(which, "chimera", below)
        head = self.head()
        trunk = [self.point([name]) - head for name in _both("shoulder", "hip")]
        self.mark(self.trembles(trunk, self.limits.tremble_trunk), "trembling", below)
        off = self.off(self.pair("hip") - self.pair("shoulder"), self.limits.hips, steady)
        self.mark(off, "chimera", [*_both("hip"), "mid_hip", "spine_base"])
        self.mark(off, "hangs_on_rejected", [*_both(*BEYOND["hip"])])

    def _of_head(self, name: str) -> bool:
        return name in HEAD or name.startswith(("left_eye", "right_eye", "mouth"))

    def bones(self) -> None:
        """Bones that are longer than in the rest of the clip; both sides are one measure."""
        for flat, place in self.places.items():
            factor, quantile = (
                (self.limits.bone, 0.9) if flat == "position" else (self.limits.bone_3d, 0.5)
            )
            for outer, inner in BONES:
                if not {*_both(outer, inner)} <= set(self.names):
                    continue
                ends = [
                    [place[:, self.names.index(f"{side}_{joint}")] for side in ("left", "right")]
                    for joint in (outer, inner)
                ]
                lengths = _length(np.stack(ends[0], 1) - np.stack(ends[1], 1))  # (time, side)
                wrong = _longer(lengths, factor, quantile)
                for number, side in enumerate(("left", "right")):
                    self._mark_limb(wrong[:, number], "bone_too_long", f"{side}_{outer}")

    def sides(self) -> None:
        """Left and right of a limb change places from one frame to the next, and back."""
        longest = round(SWAP_LONGEST * self.fps)
        for joint in LIMBS:
            left, right = f"left_{joint}", f"right_{joint}"
            across = (self.point([left]) - self.point([right])) / self.unit
            known = np.flatnonzero(np.isfinite(across).all(1))
            line = across[known]
            turned, same = _length(line[1:] + line[:-1]), _length(line[1:] - line[:-1])
            apart = np.minimum(_length(line[1:]), _length(line[:-1]))
            flips = known[1:][(turned < 0.5 * same) & (apart > SWAP_APART)]
            swapped = np.zeros(len(across), bool)
            place = 0
            while place + 1 < len(flips):
                start, end = flips[place], flips[place + 1]
                if end - start <= longest:
                    swapped[start:end] = True
                    place += 2
                else:
                    place += 1
            for name in (left, right):
                self._mark_limb(swapped, "left_right_swapped", name)

    def limbs(self) -> None:
        """Elbows, wrists, knees and ankles that leap to where no limb goes, and back."""
        for joint, root in LIMBS.items():
            inner = joint in ("elbow", "knee")
            pace = self.limits.middle if inner else self.limits.end
            size = self.limits.tremble_middle if inner else self.limits.tremble_end
            for side in ("left", "right"):
                name = f"{side}_{joint}"
                if name in self.names and f"{side}_{root}" in self.names:
                    place = self.point([name]) - self.point([f"{side}_{root}"])
                    self._mark_limb(self.trembles([place], size), "trembling", name)
                    place = self.point([name]) - self.point([f"{side}_{root}"])
                    self._mark_limb(self.off(place, pace), "leap", name)

    def _mark_limb(self, wrong: np.ndarray, reason: str, name: str) -> None:
        """Reject a joint (time,), and what hangs on it."""
        self.mark(wrong, reason, [name])
        side, joint = name.split("_", 1)
        self.mark(wrong, "hangs_on_rejected", [f"{side}_{outer}" for outer in BEYOND[joint]])


def _both(*joints: str) -> list[str]:
    return [f"{side}_{joint}" for joint in joints for side in ("left", "right")]


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _longer(lengths: np.ndarray, factor: float, quantile: float) -> np.ndarray:
    """Where lengths are above `factor` times their quantile over the clip."""
    known = lengths[np.isfinite(lengths)]
    if not len(known):
        return np.zeros(lengths.shape, bool)
    return lengths > factor * np.quantile(known, quantile)


def _step_into(place: np.ndarray, row: int) -> float:
    """How far a point went from its last known place before `row` to `row`; 0 where unknown."""
    earlier = np.flatnonzero(np.isfinite(place[:row]).all(1))
    return float(_length(place[row] - place[earlier[-1]])) if len(earlier) else 0.0

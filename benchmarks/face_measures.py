"""Landmark measures of real faces: against frames that were looked at, and against the action units
beside 68 landmarks of real faces.

    python benchmarks/face_measures.py

Two parts, on the public test data (SEMIOLOGY_TESTDATA, by default ../shared/data); tracks of the
videos are kept in runs/face-measures/.

(a) Four videos through the default backend. LOOKED_AT lists frames of the video files (counted from
0) whose state was seen in the images themselves; every frame of one state has to exceed every
frame of the other. BLINKS lists the blinks that were seen when the frames with an open eye were
looked at one by one, in seconds of the clip. The bounds of `blinks` were chosen on the first two
clips, not on the others. In those two nothing may be stated where there is no face. One thing was
looked for and not found: in a laugh with the jaw dropped (frames 304 to 352 of the second clip) the
corners of the mouth lie no higher under the nose than in its mouth at rest (0, 8), as the jaw takes
them along; so the lift is required between frames with the jaw raised.

(b) Twenty Py-Feat tables (of news, 14 to 39 rows each, every second frame): measures from the 68
landmarks against the action units and blendshapes in the same row, and the eyes' from the mesh, of
which Py-Feat's 68 are points. Spearman's rho within each clip in which the unit varies (0.1 to 0.9
quantile at least 0.05 apart), and pooled after each clip's median is taken from both. The target
was set before the figures were seen: our choice. Two figures explain a low one: how well the unit
agrees with its twin, the blendshape of the same row (TWINS), and how surely a row that the unit
calls closed has the smaller aperture than one that it calls open (`closed rows`).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from record import TESTDATA, record
from scipy.stats import spearmanr

from semiology import make_tracks
from semiology.data.formats import read
from semiology.data.tracks import read_tracks, save_tracks
from semiology.evaluation.statistics.intervals import draw_participants, interval
from semiology.severity.face import blinks, face_measures
from semiology.tracking.extraction import extract_tracks

TESTDATA = TESTDATA
RUN = Path(__file__).resolve().parents[1] / "runs" / "face-measures"
CARPHONE, WOLFGANG, LEAVES, ENTERS = (
    "carphone_176x144.mp4",
    "WolfgangLanger_Pexels.mp4",
    "face_noface.mov",
    "noface_face.mov",
)
EYES, BROWS = ("left_eye_aperture", "right_eye_aperture"), ("left_brow_height", "right_brow_height")
SMILE = ("mouth_width", "left_corner_lift", "right_corner_lift")
LOOKED_AT: dict[
    str, list[tuple[str, tuple[str, ...], list[int], list[int]]]
] = {  # what, measures, frames with more of it, with less
    CARPHONE: [
        ("eyes open, shut", EYES, [32, 58, 66, 89, 116], [42, 92]),
        ("mouth wide open, shut", ("mouth_opening",), [60, 61, 108, 111, 116], [8, 24, 32, 96]),
        ("brows raised, not", BROWS, [60, 61], [8, 32, 96]),
    ],
    WOLFGANG: [
        ("eyes open, shut", EYES, [170, 200, 236, 244, 284], [40, 48, 54, 288, 386, 464]),
        ("mouth open, shut", ("mouth_opening",), [284, 304, 320, 336], [0, 8, 40, 48, 54]),
        ("smile, lips parted at rest", SMILE, [256, 264, 384, 400, 416, 448], [232, 240, 244]),
        (
            "smile or laugh, shut at rest",
            ("mouth_width",),
            [256, 264, 304, 320, 336, 352, 384, 400, 416, 448],
            [0, 8],
        ),
    ],
}
BLINKS = {
    CARPHONE: [1.40, 3.08, 3.76],
    WOLFGANG: [6.44, 8.44, 10.36, 12.00, 16.12, 17.88],
    LEAVES: [0.88],
    ENTERS: [4.84],
}
NEAR = 0.08  # s: two frames
HIDDEN = {
    WOLFGANG: (4.0, 5.9)
}  # s; a hand lies over an eye: what the tracker makes of it is counted apart
FACE_FRAMES = {LEAVES: (59, 61), ENTERS: (60, 62)}  # frames that show a face, as in `real_video`
# unit beside the landmarks, measures that should follow it, in which direction, whether it is
# evaluated
UNITS = [
    ("AU43", EYES, -1, True),
    ("AU01", BROWS, 1, True),
    ("AU02", BROWS, 1, True),
    ("AU12", SMILE, 1, True),
    ("AU25", ("mouth_opening",), 1, False),
    ("AU26", ("mouth_opening",), 1, False),
    ("jawOpen", ("mouth_opening",), 1, False),
    ("eyeBlinkLeft", EYES[:1], -1, False),
    ("eyeBlinkRight", EYES[1:], -1, False),
    ("browOuterUpLeft", BROWS[:1], 1, False),
    ("browOuterUpRight", BROWS[1:], 1, False),
    ("mouthSmileLeft", ("left_corner_lift", "left_mouth_reach"), 1, False),
    ("mouthSmileRight", ("right_corner_lift", "right_mouth_reach"), 1, False),
]
TWINS = {
    "AU43": ["eyeBlinkLeft", "eyeBlinkRight"],
    "AU01": ["browInnerUp"],
    "AU02": ["browOuterUpLeft", "browOuterUpRight"],
    "AU12": ["mouthSmileLeft", "mouthSmileRight"],
}
CLOSED, OPENED = 0.5, 0.1  # AU43 of a row with closed and with open eyes
VARIES = 0.05  # of a unit's scale of 0 to 1
# median rho within clips that each evaluated unit should reach with its best measure of each side
FOLLOWS = 0.5
DRAWS = 2000
FPS = 30.0  # of the news tables; the frame rate does not touch the correlations


def main() -> int:
    if not TESTDATA.is_dir():
        print(f"face-measures: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    videos, faults = look_at_videos()
    units, short = compare_with_units()
    evaluated = sum(1 for unit in UNITS if unit[3])
    headline = (
        f"{faults} of the looked-at frames and blinks contradicted; {evaluated - len(short)} of"
        f" {evaluated} action units followed"
    )
    if short:
        headline += f" (not {', '.join(short)})"
    target = (
        "none contradicted but under a hand; of AU43, AU01, AU02, AU12 each followed with a median"
        f" rho within clips of {FOLLOWS} at least"
    )
    return record(
        "face-measures",
        {"videos": videos, "units": units},
        target,
        not faults and not short,
        headline=headline,
    )


def look_at_videos() -> tuple[dict, int]:
    figures: dict[str, dict] = {}
    faults = 0
    for name, known in BLINKS.items():
        tracks = _tracks(name)
        measures = face_measures(tracks)
        source = tracks["source_index"].values
        found = [blink.peak for blink in blinks(measures)]
        missed = [peak for peak in known if not any(abs(peak - other) <= NEAR for other in found)]
        false = [peak for peak in found if not any(abs(peak - other) <= NEAR for other in known)]
        start, end = HIDDEN.get(name, (np.inf, np.inf))
        hidden = [peak for peak in false if start <= peak <= end]
        false = [peak for peak in false if peak not in hidden]
        shown = float(measures["assessable"].mean())
        figures[name] = {
            "blinks": found,
            "missed": missed,
            "false": false,
            "false_under_a_hand": hidden,
            "assessable": shown,
        }
        print(f"{name}: assessable {shown:.2f}; blinks at {_seconds(found)} s")
        print(
            f"  missed at {_seconds(missed)}; false at {_seconds(false)}, under a hand at"
            f" {_seconds(hidden)}"
        )
        faults += len(missed) + len(false)
        for what, columns, more, less in LOOKED_AT.get(name, []):
            for column in columns:
                high, low = (
                    measures[column].to_numpy()[
                        [int(np.abs(source - at).argmin()) for at in frames]
                    ]
                    for frames in (more, less)
                )
                ordered = bool(np.nanmin(high) > np.nanmax(low))
                faults += not ordered
                figures[name][f"{what}: {column}"] = {
                    "more": dict(zip(more, high)),
                    "less": dict(zip(less, low)),
                    "ordered": ordered,
                }
                ranges = (
                    f"{high.min():.3f} to {high.max():.3f} against {low.min():.3f} to"
                    f" {low.max():.3f}"
                )
                print(f"  {what}: {column} {ranges}{'' if ordered else ': NOT'}")
        if name in FACE_FRAMES:
            faults += _nothing_where_no_face(name, tracks, measures)
    return figures, faults


def _tracks(name: str) -> xr.Dataset:
    kept = RUN / f"{Path(name).stem}.nc"
    if not kept.is_file():
        save_tracks(extract_tracks(TESTDATA / "faces" / name)["face"], kept)
    return read_tracks(kept)


def _nothing_where_no_face(name: str, tracks: xr.Dataset, measures: pd.DataFrame) -> int:
    there = np.isfinite(tracks["position"].values).all(axis=(1, 2))
    least, most = FACE_FRAMES[name]
    silent = (
        measures[~there].drop(columns="assessable").isna().to_numpy().all()
        and not measures.loc[~there, "assessable"].any()
    )
    print(
        f"  face in {there.sum()} of {len(there)} frames; nothing stated in the others:"
        f" {'yes' if silent else 'NO'}"
    )
    return int(not silent) + int(not least <= measures["assessable"].sum() <= most)


def compare_with_units() -> tuple[dict, list[str]]:
    clips = [_news(path) for path in sorted((TESTDATA / "keypoints" / "news").glob("[0-9]*.csv"))]
    figures: dict[str, dict] = {}
    short = []
    print(
        f"\n{'unit':<18}{'measure':<26}{'points':<8}{'clips':>6}{'median rho':>12}"
        f"{'95 % by clip':>18}{'pooled':>9}{'95 % by clip':>18}"
    )
    for unit, columns, sign, evaluated in UNITS:
        best: dict[str, float] = {}
        for points in ("68", "mesh"):
            for column in (
                columns if points == "68" else [column for column in columns if column in EYES]
            ):
                result = correlate(
                    [(clip["units"][unit], sign * clip[points][column]) for clip in clips]
                )
                figures[f"{unit} {column} {points}"] = result
                print(
                    f"{unit:<18}{column:<26}{points:<8}{result['clips']:>6}"
                    f"{result['median']:>12.2f}{_range(result['median_interval']):>18}"
                    f"{result['pooled']:>9.2f}{_range(result['pooled_interval']):>18}"
                )
                if points == "68":
                    best[column] = result["median"]
        sides = {column.split("_")[0] for column in columns}
        reached = [
            max(rho for column, rho in best.items() if column.startswith(side))
            for side in sides
            if side in ("left", "right")
        ]
        if evaluated and not all(rho >= FOLLOWS for rho in reached):
            short.append(unit)
    for unit, twins in TWINS.items():
        result = correlate(
            [(clip["units"][unit], clip["units"][twins].mean(axis=1)) for clip in clips]
        )
        figures[f"{unit} twin"] = result
        print(
            f"{unit} and its blendshape in the same rows: median rho {result['median']:.2f} in"
            f" {result['clips']} clips"
        )
    figures["closed rows"] = closed_rows(clips)
    for eye, (ordered, pairs) in figures["closed rows"].items():
        print(
            f"closed rows: {eye} smaller in {ordered:.3f} of {pairs} pairs of rows with AU43 >="
            f" {CLOSED} and <= {OPENED} in a clip"
        )
    return figures, short


def closed_rows(clips: list[dict]) -> dict[str, tuple[float, int]]:
    """eye -> share of pairs of one clip's rows, called closed and called open, in which the closed
    one has the smaller aperture; pairs.
    """
    shares: dict[str, tuple[float, int]] = {}
    for eye in EYES:
        smaller = []
        for clip in clips:
            aperture, unit = clip["68"][eye].to_numpy(), clip["units"]["AU43"].to_numpy()
            smaller.append((aperture[unit >= CLOSED][:, None] < aperture[unit <= OPENED]).ravel())
        every = np.concatenate(smaller)
        shares[eye] = float(every.mean()) if len(every) else np.nan, len(every)
    return shares


def _news(path: Path) -> dict:
    """One clip's rows: units, and the measures from the 68 landmarks and from the mesh, in the same
    rows.
    """
    table = pd.read_csv(path)
    rows = table["frame"].to_numpy(dtype=int)
    mesh = np.full((rows.max() + 1, 478, 2), np.nan)
    mesh[rows] = np.stack(
        [table[[f"mesh_{axis}_{number}" for number in range(478)]].to_numpy() for axis in "xy"],
        axis=2,
    )
    of_mesh = make_tracks(mesh, [f"mesh_{number:03d}" for number in range(478)], FPS)
    return {
        "units": table,
        "68": face_measures(read(path, fps=FPS)).iloc[rows].reset_index(drop=True),
        "mesh": face_measures(of_mesh).iloc[rows].reset_index(drop=True),
    }


def correlate(pairs: list[tuple[pd.Series, pd.Series]]) -> dict:
    """Rho within clips where the unit varies, its median over clips, and the pooled one of values
    centred by clip; intervals by clip.
    """
    known = [
        (unit[keep], measure[keep])
        for unit, measure in pairs
        if (keep := unit.notna() & measure.notna()).sum() > 5
    ]
    known = [
        (unit, measure)
        for unit, measure in known
        if unit.quantile(0.9) - unit.quantile(0.1) >= VARIES
    ]
    if len(known) < 3:
        nothing = {"clips": len(known), "within": [], "median": np.nan, "pooled": np.nan}
        return nothing | {"median_interval": [np.nan, np.nan], "pooled_interval": [np.nan, np.nan]}
    within = np.array([spearmanr(unit, measure).statistic for unit, measure in known])
    centred = [
        np.stack([unit - unit.median(), measure - measure.median()]) for unit, measure in known
    ]
    drawn = [
        np.repeat(np.arange(len(known)), counts.astype(int))
        for counts in draw_participants(len(known), DRAWS, seed=0)
    ]
    medians = np.array([np.median(within[clips]) for clips in drawn])
    pools = np.array(
        [
            _rho(np.concatenate([centred[clip] for clip in clips], axis=1))
            for clips in drawn[: DRAWS // 4]
        ]
    )
    about_median, about_pool = interval(medians, len(known)), interval(pools, len(known))
    return {
        "clips": len(known),
        "within": within.tolist(),
        "median": float(np.median(within)),
        "median_interval": [about_median.low, about_median.high],
        "pooled": _rho(np.concatenate(centred, axis=1)),
        "pooled_interval": [about_pool.low, about_pool.high],
    }


def _rho(rows: np.ndarray) -> float:
    return float(spearmanr(rows[0], rows[1]).statistic)


def _range(bounds: list[float]) -> str:
    return f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def _seconds(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values) or "no time"


if __name__ == "__main__":
    sys.exit(main())

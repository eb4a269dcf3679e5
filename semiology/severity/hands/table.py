"""A clip's hands in one table: a row for each side and item of the examination."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.keypoint_names import HAND, SIDES, of_hand
from semiology.data.store import clip_of
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.severity.hands.cycles import find_cycles
from semiology.severity.hands.shape import AVERAGE_HAND, HandShape, hand_shape
from semiology.severity.hands.tremor import RHYTHM, TREMOR, band_of, oscillation

# item -> series of `HandShape`, its unit, and the smallest amplitude that is a movement: a
# fifth or less of what is usual [our choice]
ITEMS = {
    "finger_tapping": ("aperture", "hand lengths", 0.08),
    "hand_movements": ("extension", "extension", 0.1),
    "pronation_supination": ("rotation", "degrees", 15.0),
}
CONDITIONS = ("rest", "postural", "kinetic")
# amplitude of a tremor, cm, from which its MDS-UPDRS grade (3.15 to 3.17) is 2, 3 and 4; below it
# is 1 (Goetz et al. 2008)
GRADES = (1.0, 3.0, 10.0)
COLUMNS = (
    *("side", "item", "share", "seconds", "cycles", "rate", "amplitude", "unit", "amplitude_cm"),
    *("speed", "decrement", "decrement_per_cycle", "halts", "freezes", "variability"),
    *("prominence", "band", "grade"),
)


def hand_table(
    tracks: xr.Dataset, *, hand_cm: float = AVERAGE_HAND, condition: str | None = None
) -> pd.DataFrame:
    """Measures of both hands, or of the one that the tracks hold; see docs/hands.md for what each
    item is and needs.

    Columns:

    - side, item: left or right; finger_tapping, hand_movements, pronation_supination, tremor (or
      rest_tremor, ...), rhythm.
    - share, seconds: fraction of frames with this hand; length of what entered, s.
    - cycles: number of movements; rate: Hz, of movements without halts, of a tremor or rhythm.
    - amplitude, unit: median, see `unit`; of a tremor or rhythm cm, peak to peak.
    - amplitude_cm: the same in cm, where it is a length.
    - speed: median of the fastest change in each cycle, units / s.
    - decrement, decrement_per_cycle, halts, freezes, variability: see `Cycles`.
    - prominence, band: see `oscillation`; grade: of the amplitude alone, by MDS-UPDRS 3.15 to 3.17.

    Args:
        tracks: with the keypoints of a hand (part `hands`), with those of low confidence removed.
        hand_cm: length of the patient's hand, wrist to tip of the middle finger, cm.
        condition: rest, postural or kinetic, what the patient was asked to do; it names the tremor.

    Raises:
        UserError: no hand in the tracks, a length that is not positive, another condition.
    """
    if not (np.isfinite(hand_cm) and hand_cm > 0):
        raise UserError(f"hands: hand_cm={hand_cm:g}; give the hand's length in cm")
    if condition is not None and condition not in CONDITIONS:
        raise UserError(f"hands: condition {condition!r}; give {', '.join(CONDITIONS)}")
    sides = [
        side
        for side in SIDES
        if {of_hand(side, name) for name in HAND} <= set(tracks.keypoint.values)
    ]
    if not sides:
        raise UserError(
            "hands: the tracks hold no hand's 21 keypoints, such as left_index_finger_tip; give the"
            " hands that `semiology extract --hands true` tracks, or name yours so"
        )
    if not tracks.sizes["time"]:
        raise UserError("hands: the tracks have no frame; give those of a clip")
    rows = [
        {"side": side, "share": shape.share} | row
        for side in sides
        for shape in [hand_shape(tracks, side)]
        for row in [*_repeated(shape, hand_cm), *_oscillating(shape, hand_cm, condition)]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def hand_tables(
    paths: Sequence[Path], *, hand_cm: float = AVERAGE_HAND, condition: str | None = None
) -> tuple[pd.DataFrame, dict[Path, str]]:
    """The tables of several files of tracks under each other, with a first column `tracks`: the
    file's name, or of a stored file its clip's; and the files that failed, with why.

    Raises:
        UserError: of one file alone, or of all: what is wrong with it; an option as `hand_table`.
    """
    tables, failed = [], {}
    for path in paths:
        try:
            table = hand_table(read_tracks(path), hand_cm=hand_cm, condition=condition)
        except UserError as error:
            failed[path] = str(error)
            if len(failed) == len(paths):
                raise
            continue
        table.insert(0, "tracks", clip_of(path))
        tables.append(table)
    return pd.concat(tables, ignore_index=True), failed


def _repeated(shape: HandShape, hand_cm: float) -> list[dict[str, object]]:
    """The rows of movements in cycles."""
    rows: list[dict[str, object]] = []
    for item, (name, unit, smallest) in ITEMS.items():
        series = getattr(shape, name)
        found = find_cycles(series, shape.fps, smallest)
        rows.append(
            {
                "item": item,
                "seconds": float(np.isfinite(series).sum() / shape.fps),
                "cycles": len(found.times),
                "rate": found.rate,
                "amplitude": found.amplitude,
                "unit": unit,
                "amplitude_cm": found.amplitude * hand_cm if name == "aperture" else np.nan,
                "speed": found.speed,
                "decrement": found.decrement,
                "decrement_per_cycle": found.decrement_per_cycle,
                "halts": found.halts if np.isfinite(found.rate) else np.nan,
                "freezes": found.freezes if np.isfinite(found.rate) else np.nan,
                "variability": found.variability,
                "prominence": found.prominence,
            }
        )
    return rows


def _oscillating(
    shape: HandShape, hand_cm: float, condition: str | None
) -> list[dict[str, object]]:
    """The rows of tremor and of slower rhythm."""
    rows: list[dict[str, object]] = []
    for item, band in (
        (f"{condition}_tremor" if condition else "tremor", TREMOR),
        ("rhythm", RHYTHM),
    ):
        found = oscillation(shape.position, shape.fps, band)
        amplitude = found.amplitude * hand_cm
        of_tremor = band == TREMOR and np.isfinite(amplitude)
        rows.append(
            {
                "item": item,
                "seconds": found.seconds,
                "cycles": np.nan,
                "rate": found.frequency,
                "amplitude": amplitude,
                "unit": "cm",
                "amplitude_cm": amplitude,
                "prominence": found.prominence,
                "band": band_of(found.frequency) if of_tremor else "",
                "grade": 1 + int(np.searchsorted(GRADES, amplitude, "right"))
                if of_tremor
                else np.nan,
            }
        )
    return rows

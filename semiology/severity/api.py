"""Public functions on severity: `kinematics`, `hands`, `find_jerks`, `myoclonus`,
`weakness`, `features`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.data.api import as_cohort, as_number, as_tracks
from semiology.data.cohort.table import by_cell, from_cell
from semiology.data.result import Result, from_options
from semiology.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

    from semiology.data.cohort import Cohort


def kinematics(
    tracks: str | Path | xr.Dataset,
    *,
    unit: str = "torso",
    cutoff: float | None = None,
    joints: Sequence[str] | None = None,
) -> Result:
    """How fast and how smoothly each joint, segment and side moves.

    Parameters
    ----------
    tracks : path or xarray.Dataset
        Of the body. Remove points of low confidence first (`preprocess`).
    unit : str
        Of length L: torso (torso lengths, needs shoulders and hips), px, or m (needs position_3d).
    cutoff : float, optional
        Hz, -3 dB point of the low-pass filter of the derivatives.
    joints : sequence of str, optional
        By default all that belong to the body.

    Returns
    -------
    Result
        table : DataFrame, a row a joint, then a segment, then a side: speed and speed_peak (median
        and 95th percentile, L/s), acceleration (L/s^2), jerk (L/s^3), sparc,
        log_dimensionless_jerk, frequency (Hz), fraction of usable frames, ... (docs/kinematics.md);
        unit : str.

    Raises
    ------
    UserError
        No such joint, a unit that the tracks cannot be given in.

    References
    ----------
    Balasubramanian et al. 2015 (SPARC, log dimensionless jerk).

    Examples
    --------
    >>> moved = semiology.kinematics("still.nc", joints=["left_wrist", "right_wrist"])
    >>> moved.table.query("level == 'joint'")["name"].tolist()
    ['left_wrist', 'right_wrist']
    """
    from semiology.severity.kinematics import kinematic_table

    chosen = {} if cutoff is None else {"cutoff": as_number("kinematics: cutoff (Hz)", cutoff)}
    named = None if joints is None else list(joints)
    tracks = as_tracks(tracks)
    if unit == "torso":
        _check_torso(tracks, "kinematics", "; or choose another unit (px, m)")
    table = kinematic_table(tracks, unit, joints=named, **chosen)
    return Result("Kinematics", table=table, unit=unit)


def _check_torso(tracks: xr.Dataset, where: str, instead: str = "") -> None:
    """Raise a UserError where the tracks lack the shoulders, without which no torso length is
    known and every number would be NaN."""
    from semiology.severity.kinematics.segments import SHOULDERS

    if missing := [name for name in SHOULDERS if name not in tracks.keypoint.values]:
        raise UserError(
            f"{where}: torso lengths need the keypoints {' and '.join(SHOULDERS)}, and the tracks"
            f" lack {' and '.join(missing)}; add or rename them (names of `read_tracks`){instead}"
        )


def hands(
    tracks: str | Path | xr.Dataset, *, hand_cm: float | None = None, condition: str | None = None
) -> Result:
    """Finger tapping, opening and closing, pronation and supination, tremor and rhythm of each
    hand.

    Parameters
    ----------
    tracks : path or xarray.Dataset
        Of the hands (`extract` with hands=True), 21 keypoints each.
    hand_cm : float, optional
        Length of the patient's hand, wrist to tip of the middle finger, cm; by default 18.4, an
        average one.
    condition : str, optional
        What the patient was asked to do, which names the tremor: rest, postural or kinetic.

    Returns
    -------
    Result
        table : DataFrame, a row a side and item: rate (Hz), amplitude, amplitude_cm, decrement,
        halts, ... (docs/hands.md). NaN where there is no such movement.

    Raises
    ------
    UserError
        No hand in the tracks, another condition, a length that is not positive.

    References
    ----------
    Goetz et al. 2008 (MDS-UPDRS 3.4 to 3.6 and 3.15 to 3.17); Bhatia et al. 2018 (bands of tremor).

    Examples
    --------
    >>> measured = semiology.hands("tapping.nc", hand_cm=19)
    >>> measured.table.query("item == 'finger_tapping'")[["side", "cycles", "rate"]].round(2)
       side  cycles  rate
    0  left    12.0   2.5
    """
    from semiology.severity.hands import AVERAGE_HAND, hand_table

    length = AVERAGE_HAND if hand_cm is None else as_number("hands: hand_cm", hand_cm)
    return Result("Hands", table=hand_table(as_tracks(tracks), hand_cm=length, condition=condition))


def find_jerks(
    tracks: str | Path | xr.Dataset, *, joints: Sequence[str] | None = None, **options: Any
) -> Result:
    """Detect myoclonic jerks of every joint, apart from tracking noise and voluntary movement.

    Parameters
    ----------
    tracks : path or xarray.Dataset
        Of the body, at least 15 Hz, not smoothed.
    joints : sequence of str, optional
        By default all that belong to the body.
    **options
        Settings of the detector: threshold, cutoff, largest, ... (docs/jerks.md).

    Returns
    -------
    Result
        jerks : DataFrame, a row a jerk: joint, onset, peak and duration in s, amplitude in torso
        lengths; smallest : {joint: amplitude of the smallest jerk that could have been detected};
        usable : {joint: s}.

    Raises
    ------
    UserError
        No such joint or option, fewer than 15 frames per second, no shoulders in the tracks.

    References
    ----------
    Hyppönen et al. 2020 (doi 10.1016/j.seizure.2020.01.014); what the detector adds is our choice
    (docs/jerks.md).

    Examples
    --------
    >>> semiology.find_jerks("still.nc").jerks.empty
    True
    """
    from semiology.severity import jerks

    settings = from_options(options, jerks.JerkSettings, "find_jerks")
    named = None if joints is None else list(joints)
    tracks = as_tracks(tracks)
    _check_torso(tracks, "find_jerks")
    found = jerks.find_jerks(tracks, settings, named)
    return Result(
        "Jerks", jerks=jerks.jerk_table(found), smallest=found.smallest, usable=found.usable
    )


def myoclonus(
    cohort: str | Path | Cohort,
    *,
    out: str | Path,
    store: str | Path | None = None,
    overlay: bool = False,
    progress: bool = True,
    **options: Any,
) -> Result:
    """Myoclonus severity of a cohort by body part, examination panel and visit, beside the clinical
    scale (UMRS), with a page a patient.

    Parameters
    ----------
    cohort : path or Cohort
        Videos that `extract` has read, or tracks (docs/cohort.md).
    out : path
        Folder of scores.tsv, changes.tsv, items.tsv, clips.tsv and reports/.
    store : path, optional
        The folder that `extract` wrote; not needed for cohorts of tracks.
    overlay : bool
        Also write each clip's video with its jerks marked.
    progress : bool
        Show a progress bar.
    **options
        Settings of `semiology myoclonus`: jerks (settings of the detector, as a dict), seen,
        within (docs/myoclonus.md).

    Returns
    -------
    Result
        folder : path; scores : DataFrame, a row a participant and visit; failed : {clip: why}.
        Failed clips do not stop the others.

    Raises
    ------
    UserError
        A cohort that cannot be read, an option that there is not.

    References
    ----------
    Hyppönen et al. 2020 (doi 10.1016/j.seizure.2020.01.014); Frucht et al. 2002 (UMRS).

    Examples
    --------
    >>> semiology.myoclonus("my_cohort", out="my_myoclonus", progress=False).failed
    {}
    """
    import pandas as pd

    from semiology.severity.myoclonus import Settings, score_cohort

    settings = from_options(options, Settings, "myoclonus")
    summary = score_cohort(
        as_cohort(cohort), store, out, settings=settings, overlay=overlay, progress=progress
    )
    path = Path(out) / "scores.tsv"
    # ids are text: 01 is no 1, and a participant may be called NA
    texts = {"participant_id": str}
    scores = pd.read_csv(path, sep="\t", converters=texts) if path.is_file() else pd.DataFrame()
    scores = by_cell(scores, from_cell)
    return Result("Myoclonus", folder=Path(out), scores=scores, failed=summary.failed)


def weakness(
    cohort: str | Path | Cohort,
    *,
    out: str | Path,
    store: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Result:
    """Facial weakness of a cohort: measures of each side of the face, expressions, a score, groups
    compared.

    Parameters
    ----------
    cohort : path or Cohort
        Videos that `extract` has read, or tracks (docs/cohort.md).
    out : path
        Folder of the tables and report.html.
    store : path, optional
        The folder that `extract` wrote; not needed for cohorts of tracks.
    progress : bool
        Show a progress bar.
    **options
        Settings of `semiology weakness`: expression_weights, expression_tables, control, margin,
        ... (docs/weakness.md).

    Returns
    -------
    Result
        folder : path; the tables (clips, participants, ...) : DataFrame; notes : list; failed :
        {clip: why}. Failed clips do not stop the others.

    Raises
    ------
    UserError
        A cohort that cannot be read, an option that there is not.

    References
    ----------
    The study of facial weakness in myasthenia gravis (docs/weakness.md).

    Examples
    --------
    >>> weak = semiology.weakness("my_faces", out="my_weakness", progress=False)
    >>> weak.participants[["participant_id", "weaker_side"]].values.tolist()
    [['p1', 'left'], ['p2', 'none']]
    """
    from semiology.severity.weakness.run import WeaknessOptions, measure_weakness

    chosen = from_options(options, WeaknessOptions, "weakness")
    summary = measure_weakness(
        as_cohort(cohort), out, store=store, options=chosen, progress=progress
    )
    return Result(
        "Facial weakness",
        folder=Path(out),
        **summary.tables,
        notes=summary.notes,
        failed=dict(summary.failed),
    )


def features(
    cohort: str | Path | Cohort,
    *,
    out: str | Path,
    store: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Result:
    """All measures of a cohort as one table, a row a clip, with the cohort's labels: what
    `semiology table` and the stream `estimator` of `loso` read.

    Parameters
    ----------
    cohort : path or Cohort
        Videos that `extract` has read, or tracks (docs/cohort.md).
    out : path
        The table, .tsv. A .json file beside it describes every column, with its unit.
    store : path, optional
        The folder that `extract` wrote; not needed for cohorts of tracks.
    progress : bool
        Show a progress bar.
    **options
        Of `semiology features`: measures (kinematics, face, jerks, hands, flow), confidence,
        hand_cm, jobs (docs/features.md).

    Returns
    -------
    Result
        table : DataFrame, a row a clip; failed : {clip: why it has no row}; absent : {kind of
        measure: why no clip has it}.

    Raises
    ------
    UserError
        A cohort that cannot be read, an option that there is not, no clip that can be measured.

    References
    ----------
    Those of `kinematics`, `find_jerks`, `hands` and `weakness`; the table is our choice.

    Examples
    --------
    >>> measured = semiology.features("my_cohort", out="my_features.tsv", progress=False)
    >>> measured.failed, len(measured.table)
    ({}, 12)
    """
    from semiology.severity.features import FeatureOptions, measure_features

    chosen = from_options(options, FeatureOptions, "features")
    summary = measure_features(
        as_cohort(cohort), out, store=store, options=chosen, progress=progress
    )
    return Result(
        "Features", table=summary.table, failed=dict(summary.failed), absent=dict(summary.absent)
    )

"""Verbs of clinical scales: hands, myoclonus, weakness; movement without a skeleton: flow; and
all measures of a cohort as one table: features.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from semiology.cli import options, parser, refuse_missing

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser


def run_hands(arguments: list[str]) -> int:
    """Measure finger tapping, opening and closing, pronation and supination, tremor and rhythm of
    each hand in tracks of the hands. Prints a table, or writes it.
    """
    from semiology.data.cohort.table import by_cell, to_cell
    from semiology.files import write_text
    from semiology.severity.hands import hand_table, hand_tables

    hands_parser = parser("hands", run_hands)
    hands_parser.add_argument(
        "tracks", nargs="+", type=Path, help="hands.nc of `semiology extract --hands true`"
    )
    hands_parser.add_argument(
        "--out", type=Path | None, default=None, help="the table (.tsv); by default it is printed"
    )
    hands_parser.add_function_arguments(hand_table, skip={"tracks"})
    parsed = hands_parser.parse_args(arguments)
    refuse_missing(parsed.tracks)
    table, failed = hand_tables(parsed.tracks, **options(parsed, "tracks", "out"))
    text = by_cell(table, to_cell).to_csv(sep="\t", index=False, float_format="%.5g")
    if parsed.out is None:
        print(text, end="")
    else:
        write_text(parsed.out, text)
        print(f"{parsed.out}: hands of {len(parsed.tracks) - len(failed)} clips")
    for path, why in failed.items():
        print(f"failed: {path}: {why}")
    return 1 if failed else 0


def run_myoclonus(arguments: list[str]) -> int:
    """Detect myoclonic jerks in a cohort's tracks and score severity by body part, panel and visit.
    Writes tables and a report of each patient.
    """
    from semiology.data.cohort import Cohort
    from semiology.severity.myoclonus import Settings, score_cohort

    myoclonus_parser = parser("myoclonus", run_myoclonus)
    _add_cohort(myoclonus_parser)
    myoclonus_parser.add_argument(
        "--out", type=Path, required=True, help="folder of tables, reports and overlays"
    )
    myoclonus_parser.add_argument(
        "--overlay",
        action="store_true",
        help="also write each clip's video with its jerks marked by rings",
    )
    myoclonus_parser.add_class_arguments(Settings, None)
    parsed = myoclonus_parser.instantiate_classes(myoclonus_parser.parse_args(arguments))
    summary = score_cohort(
        Cohort.read(parsed.cohort, check_videos=False),
        parsed.store,
        parsed.out,
        settings=Settings(**options(parsed, "cohort", "store", "out", "overlay")),
        overlay=parsed.overlay,
    )
    print(summary.text())
    print(f"{parsed.out}: scores.tsv, changes.tsv, items.tsv, clips.tsv, reports/")
    return 1 if summary.failed else 0


def run_weakness(arguments: list[str]) -> int:
    """Measure facial weakness in a cohort: expressions, the face by side, a score, and patients
    against controls.
    """
    from semiology.data.cohort import Cohort
    from semiology.severity.weakness.run import WeaknessOptions, measure_weakness

    weakness_parser = parser("weakness", run_weakness)
    _add_cohort(weakness_parser)
    weakness_parser.add_argument(
        "--out", type=Path, required=True, help="folder of tables, measures and report.html"
    )
    weakness_parser.add_class_arguments(WeaknessOptions, None)
    parsed = weakness_parser.instantiate_classes(weakness_parser.parse_args(arguments))
    summary = measure_weakness(
        Cohort.read(parsed.cohort, check_videos=False),
        parsed.out,
        store=parsed.store,
        options=WeaknessOptions(**options(parsed, "cohort", "out", "store")),
    )
    print(summary.text())
    return 1 if summary.failed else 0


def run_flow(arguments: list[str]) -> int:
    """Measure movement without a skeleton, from optical flow: rhythm and side difference of each
    region, episodes, clonic rate, jerks. `semiology extract --flow true` makes what it reads.
    """
    from semiology.severity.flow import FlowSettings, measure_flow

    flow_parser = parser("flow", run_flow)
    flow_parser.add_argument(
        "source", type=Path, help="a folder that `semiology extract` filled, or one flow.nc"
    )
    flow_parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    flow_parser.add_class_arguments(FlowSettings, None)
    parsed = flow_parser.parse_args(arguments)
    settings = FlowSettings(**options(parsed, "source", "out"))
    summary = measure_flow(parsed.source, parsed.out, settings)
    print(summary.text())
    print(f"{parsed.out}: clips.tsv, regions.tsv, rates.tsv; a table of episodes and jerks a clip")
    return 1 if summary.failed else 0


def run_features(arguments: list[str]) -> int:
    """Measure every clip of a cohort and write one table, a row a clip: movement, jerks, face,
    hands and flow, with the cohort's labels; a JSON file beside it describes every column.
    """
    from semiology.data.cohort import Cohort
    from semiology.severity.features import FeatureOptions, measure_features

    features_parser = parser("features", run_features)
    _add_cohort(features_parser)
    features_parser.add_argument("--out", type=Path, required=True, help="the table (.tsv)")
    features_parser.add_class_arguments(FeatureOptions, None, skip={"measures"})
    features_parser.add_argument(
        "--measures",
        nargs="+",
        type=str,
        help="kinematics, face, jerks, hands, flow; by default those that any clip has",
    )
    parsed = features_parser.parse_args(arguments)
    summary = measure_features(
        Cohort.read(parsed.cohort, check_videos=False),
        parsed.out,
        store=parsed.store,
        options=FeatureOptions(**options(parsed, "cohort", "out", "store")),
    )
    print(summary.text())
    return 1 if summary.failed else 0


def _add_cohort(cohort_parser: "ArgumentParser") -> None:
    """The options of a cohort and of the store with its tracks."""
    cohort_parser.add_argument("cohort", type=Path, help="the folder of a cohort")
    cohort_parser.add_argument(
        "--store",
        type=Path | None,
        default=None,
        help="where `semiology extract` saved the tracks; not needed by clips that have tracks",
    )

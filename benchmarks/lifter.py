"""The 3D lifter on people it was not trained on: UTKinect's and MSR Action3D's upper bodies through
virtual cameras, beside mean depths.

    python benchmarks/lifter.py [--ship]

Four folds, each leaving out participants of both data sets. The recipe was chosen on s07 and s08 of
both sets, trained on s01 to s06; no choice saw s09 and s10, so that fold's figures stand alone too.
Its lifter is the one that is shipped and is not trained again but measured as it lies there, unless
--ship is given, which trains it and puts it there. The baseline gets the true x and y in metres,
which a lifter has to find; only its depths are the training's means.
"""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
from kinect_skeletons import read_msr, read_utkinect
from record import TESTDATA, record

from semiology.evaluation.statistics.intervals import draw_participants
from semiology.tracking.lift.lifter import SHIPPED, load_lifter
from semiology.tracking.lift.training import (
    Recipe,
    evaluate_lifter,
    participant_means,
    test_cameras,
    train_and_evaluate,
)

DATA = TESTDATA / "skeletons"
UNSEEN = ("s09", "s10")  # by every choice
FOLDS = [UNSEEN, ("s01", "s02", "s03"), ("s04", "s05", "s06"), ("s07", "s08")]
DRAWS = 2000
ABOUT = (
    "Trained on the upper bodies of UTKinect-Action3D (Xia, Chen, Aggarwal 2012) and MSR Action3D"
    " (Li, Zhang, Liu 2010), both public for research use; no part of them is contained here."
    " Whether weights inherit such terms is not settled: outside research, train your own"
    " (semiology lift train)."
)


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Mean over participants, and its 95 % percentile interval by bootstrap over participants."""
    weights = draw_participants(len(values), DRAWS, seed=0) / len(values)
    low, high = np.percentile(weights @ values.to_numpy(), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def main() -> int:
    if not DATA.is_dir():
        print(f"lifter: no data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    motions = read_utkinect(DATA) + read_msr(DATA)
    tables, recipe = [], Recipe()
    for left_out in FOLDS:
        test = [motion for motion in motions if motion.participant_id.endswith(left_out)]
        training = [motion for motion in motions if not motion.participant_id.endswith(left_out)]
        if left_out != UNSEEN:
            table = train_and_evaluate(training, test, recipe, progress=False)[1]
        else:
            if "--ship" in sys.argv:
                lifter = train_and_evaluate(training, test, recipe, progress=False)[0]
                replace(lifter, card={"about": ABOUT, **lifter.card}).save(SHIPPED)
            table = evaluate_lifter(load_lifter(), training, test, recipe)
        tables.append(table)
        print(
            f"without {', '.join(left_out)}: {participant_means(table).mean().round(1).to_dict()}",
            flush=True,
        )
    every = pd.concat(tables)
    means = participant_means(every)
    cameras = test_cameras(recipe).text()
    figures: dict[str, object] = {"cameras": cameras}
    print("cameras, the same for all:", *cameras, sep="\n  ")
    print(
        f"\n{'mm, mean over participants (95 % interval)':<48}{'MPJPE':>24}{'after Procrustes':>24}"
    )
    rows = {
        "lifter": "",
        "before bones are made rigid": "raw_",
        "baseline: true x, y; mean depth": "baseline_",
        "baseline: tracked x, y; mean depth": "tracked_baseline_",
    }
    differences = {}
    for name, prefix in rows.items():
        found = {error: interval(means[f"{prefix}{error}"]) for error in ("mpjpe", "p_mpjpe")}
        figures[name] = found
        print(
            f"{name:<48}"
            + "".join(
                f"{f'{mean:.1f} ({low:.1f} to {high:.1f})':>24}"
                for mean, low, high in found.values()
            )
        )
    for error in ("mpjpe", "p_mpjpe"):
        differences[error] = interval(means[error] - means[f"baseline_{error}"])
    figures["lifter minus baseline with true x, y"] = differences
    print(
        f"{'lifter minus baseline with true x, y':<48}"
        + "".join(
            f"{f'{mean:.1f} ({low:.1f} to {high:.1f})':>24}"
            for mean, low, high in differences.values()
        )
    )
    by_camera = every.groupby("camera")[
        ["mpjpe", "p_mpjpe", "baseline_mpjpe", "baseline_p_mpjpe"]
    ].mean()
    print(by_camera.round(1).to_string())
    unseen = means[means.index.str.endswith(UNSEEN)].mean().round(1).to_dict()
    print(f"\nparticipants whom no choice saw (s09 and s10 of both sets): {unseen}")
    card = load_lifter().card["held_out"]["error_mm"]
    same = all(abs(card[name] - unseen[name]) <= 0.2 for name in card)
    print(f"the card of the shipped lifter says the same: {same}")
    figures |= {
        "by camera": by_camera.round(1).to_dict("index"),
        "by participant": means.round(1).to_dict("index"),
    }
    figures |= {"unseen by choices": unseen, "card of the shipped lifter": card}
    (mpjpe, low, high), (aligned, p_low, p_high) = differences["mpjpe"], differences["p_mpjpe"]
    return record(
        "lifter",
        figures,
        "both differences from the baseline below 0 with their intervals over participants; the"
        " card says the same",
        high < 0 and p_high < 0 and same,
        headline=(
            f"MPJPE {means['mpjpe'].mean():.0f} mm, {mpjpe:+.0f} ({low:+.0f} to {high:+.0f})"
            f" against the baseline; after Procrustes {means['p_mpjpe'].mean():.0f} mm,"
            f" {aligned:+.0f} ({p_low:+.0f} to {p_high:+.0f})"
        ),
        seed=recipe.seed,
    )


if __name__ == "__main__":
    sys.exit(main())

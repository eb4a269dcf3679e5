"""Leave-one-subject-out on real people: UTKinect-Action3D, AGCN (joint, bone, motion fused) beside
a random forest in the same folds.

The forest reads, of each clip, mean, spread, least and greatest of every coordinate and the
trajectory resampled to 16 frames.
"""

import sys
from pathlib import Path

import numpy as np
from record import TESTDATA, record
from skeleton_table import accuracies, run_config, seconds, show, weights
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from utkinect_cohort import make_cohort

from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading

DATA = TESTDATA / "skeletons" / "utkinect"
RUN = Path("runs/utkinect")
TASK = "action (pose)"
TARGET = 0.985


def forest_accuracy(source: ClipSource) -> float:
    rows = []
    for clip in source.clips:
        joints = clip.joints.reshape(len(clip.joints), -1)
        joints = np.nan_to_num(joints, nan=0.0) if not np.isfinite(joints).all() else joints
        course = np.linspace(0, len(joints) - 1, 16).round().astype(int)
        rows.append(
            np.concatenate(
                [
                    joints.mean(0),
                    joints.std(0),
                    joints.min(0),
                    joints.max(0),
                    joints[course].ravel(),
                ]
            )
        )
    forest = RandomForestClassifier(500, random_state=0, n_jobs=-1)
    truth = [clip.target for clip in source.clips]
    groups = [clip.participant_id for clip in source.clips]
    predicted = cross_val_predict(
        forest, np.stack(rows), truth, groups=groups, cv=LeaveOneGroupOut()
    )
    return float(np.mean(predicted == truth))


def main() -> int:
    if not DATA.is_dir():
        print(f"utkinect: no data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    notes = make_cohort(DATA, RUN / "cohort")
    print("\n".join(notes))
    if run_config("configs/utkinect.yaml") is None:
        return 1
    accuracy, took = accuracies(RUN, TASK), seconds(RUN, TASK)
    reading = Reading("action", skeleton="kinect_20", dimensions=3, rate=15, longest_gap=1.0)
    forest = forest_accuracy(ClipSource(str(RUN / "cohort"), reading))
    fused = accuracy["agcn"]
    show("ten people, one left out at a time:", accuracy, took)
    print(f"  {'random forest':<14}{forest:.3f}")
    return record(
        "utkinect",
        {
            "accuracy": accuracy,
            "seconds": took,
            "weights": weights(RUN),
            "random_forest": forest,
            "left_out": notes,
        },
        f"fused AGCN at least {TARGET} and above the forest",
        fused["value"] >= TARGET and fused["value"] > forest,
        headline=(
            f"LOSO accuracy {fused['value']:.3f} ({fused['low']:.3f} to {fused['high']:.3f}; AGCN,"
            f" joint + bone + motion), {forest:.3f} (random forest, same folds)"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())

"""Tracking error against the number of labelled frames, by the cerebral palsy study's method, on a
phantom whose truth is known.

Nine people are trained on and three never seen; 0 to 20 frames of each video, chosen by k-means,
are labelled from the truth. The network reads whole frames, as DeepLabCut does, and starts from
random weights: DeepLabCut starts from ImageNet's, which are not in this package.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from phantom_labels import cm_per_px, phantom_labels
from record import record

from semiology.tracking.finetune.curve import SETS, CurveOptions, label_count_curve
from semiology.tracking.finetune.training import FinetuneOptions

RUN = Path("runs/tracking-curve")
FIGURE = Path("docs/images/tracking_curve.png")
STUDY_TEST, STUDY_UNSEEN = (
    4.49 / 10.09,
    33.18 / 37.24,
)  # [P] error with 20 labelled frames over that with 1


def main() -> int:
    labels = phantom_labels(
        RUN, subjects=12, frames=26, seconds=(6.0, 8.0), difficulty=0.3, seed=77
    )
    scale = cm_per_px(RUN)
    how = FinetuneOptions(start="scratch", region="frame", size=192, batch=8, joint_steps=800)
    curve = label_count_curve(
        labels, RUN, CurveOptions(unseen=0.25, cm_per_px=round(scale, 3), finetune=how)
    )
    print(curve.text())
    shutil.copyfile(RUN / "curve.png", FIGURE)
    means = {
        name: {
            count: tables[name].overall.mean.value
            for count, tables in curve.errors.items()
            if name in tables
        }
        for name in SETS
    }
    fall = {name: means[name][20] / means[name][1] for name in ("test", "unseen")}
    ordered = means["train"][20] < means["test"][20] < means["unseen"][20] < means["unseen"][0]
    return record(
        "tracking-curve",
        {
            "means": means,
            "fall": fall,
            "cm_per_px": scale,
            "rows": curve.rows(),
            "frames": int(np.sum(list(curve.frames.values()))),
        },
        f"error with 20 frames at most {STUDY_TEST:.2f} (test) and {STUDY_UNSEEN:.2f} (unseen) of"
        " that with 1, as in the study, and train < test < unseen < untrained",
        fall["test"] <= STUDY_TEST and fall["unseen"] <= STUDY_UNSEEN and ordered,
        headline=(
            f"20 frames over 1: test {fall['test']:.2f}, unseen {fall['unseen']:.2f}; with 20"
            " frames "
        )
        + ", ".join(f"{name} {means[name][20]:.1f} px" for name in SETS),
        seed=77,
    )


if __name__ == "__main__":
    sys.exit(main())

"""What is written beside a phantom cohort with myoclonus: the columns' definitions, and the truth
of each clip's jerks.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from semiology.phantom.cohort import LIGHT, NOTICE, SYNTHETIC
from semiology.phantom.myoclonus.exam import JOINTS, PANELS, Exam, displacements

# torso lengths: a joint that an event carries less far has no row in the truth [our choice]
MOVED = 0.0025
SEGMENTS = {name: "trunk" for name in JOINTS} | {
    "head": "neck",
    "neck": "neck",
}  # as the severity scores name parts of the body
SEGMENTS |= {
    f"{side}_{name}": f"{side}_arm" for side in ("left", "right") for name in ("elbow", "wrist")
}
HIGHEST = 100  # of severity and of ratings

MYOCLONUS_JSON: dict[str, dict] = {
    "severity_true": {
        "Role": "score",
        "LongName": "True severity of the myoclonus",
        "Description": (
            "One number a participant and visit, from which rate, amplitude and distribution of"
            f" the jerks follow. {NOTICE}"
        ),
        "Units": "points",
        "Minimum": 0,
        "Maximum": HIGHEST,
    },
    **{
        f"umrs_rater_{number}": {
            "Role": "score",
            "LongName": "Rating of the visit",
            "Description": (
                "The true severity with a rater's bias and scatter, in whole steps; no UMRS was"
                f" scored. {NOTICE}"
            ),
            "Units": "points",
            "Minimum": 0,
            "Maximum": HIGHEST,
            "Rater": f"simulated rater {number}",
            "Of": "total",
        }
        for number in (1, 2)
    },
    "panel": {
        "Role": "covariate",
        "Levels": {panel: item.replace("_", " ") for panel, item in PANELS.items()},
    },
    "item": {"Role": "covariate", "Description": "What is done in the panel"},
    "light": LIGHT,
    "synthetic": SYNTHETIC,
}

MYOCLONUS_README = f"""# Phantom cohort with myoclonus

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a \
clip is one panel at one visit.
- `videos/` or `tracks/`: the rendered clips, or in their place the eleven joints in px, true or \
with a tracker's errors.
- `truth/<clip_id>.nc`: the eleven joints, in px and in metres (camera axes: x right, y down, z \
away). Confidence is 0 where a joint is
  hidden or out of the picture; its position is true all the same.
- `truth/<clip_id>_jerks.tsv`: every joint that a jerk carries off by {MOVED:g} torso lengths or \
more at its peak in the picture: the
  performance with the jerks against that without. Times in s, amplitudes in torso lengths.
- `truth/<clip_id>.json`: the jerks as they were drawn, each with the joint that it is named \
after; stimuli, camera, light, the recipe.
"""


def jerk_truth(exam: Exam) -> pd.DataFrame:
    """One row a joint that a jerk carries off, by onset; jerks of one moment are one event and
    share onset and peak.
    """
    first, moved = displacements(exam)
    size = np.linalg.norm(moved, axis=-1)
    rows = [
        {
            "joint": JOINTS[j],
            "segment": SEGMENTS[JOINTS[j]],
            "side": next((side for side in ("left", "right") if JOINTS[j].startswith(side)), "n/a"),
            "onset": round(first[i].onset, 4),
            "peak": round(first[i].peak, 4),
            "duration": round(first[i].duration, 4),
            "amplitude": round(float(size[i, j]), 6),
            "direction_x": round(float(moved[i, j, 0] / size[i, j]), 4),
            "direction_y": round(float(moved[i, j, 1] / size[i, j]), 4),
            "direction_z": "n/a",
            "snr": "n/a",
        }
        for i, j in np.argwhere(size >= MOVED)
    ]
    columns = [
        "joint",
        "segment",
        "side",
        "onset",
        "peak",
        "duration",
        "amplitude",
        "direction_x",
        "direction_y",
        "direction_z",
        "snr",
    ]
    return pd.DataFrame(rows, columns=columns)


def clip_facts(exam: Exam) -> dict:
    """What is to be seen in a clip, for JSON; times in seconds of the video."""
    subject = exam.subject
    return {
        "jerks": [
            {name: value for name, value in asdict(jerk).items() if name != "lean"}
            | {"peak": jerk.peak}
            for jerk in exam.jerks
        ],
        "stimuli": [round(at, 4) for at in exam.task.stimuli],
        "torso": round(exam.torso, 3),  # px
        "fps": exam.fps,
        "frames": exam.frames,
        "light": "infrared" if exam.light.night else "daylight",
        "camera": subject.view.camera(subject.person.body, subject.room).parameters(),
    }

"""De-identification: copies of videos in which faces and heads are covered.

heads.py detects the patient's head and all faces in every frame. cover.py derives the boxes to
cover in each frame, also where nothing was detected, and paints them. verify.py writes the copy,
detects faces in the written file, and covers again until there are none. run.py does this for many
videos or a cohort, and logs every frame.
"""

from semiology.tracking.deidentify.cover import DeidentifyOptions
from semiology.tracking.deidentify.run import (
    DeidentifySummary,
    deidentify_cohort,
    deidentify_videos,
)

__all__ = ["DeidentifyOptions", "DeidentifySummary", "deidentify_cohort", "deidentify_videos"]

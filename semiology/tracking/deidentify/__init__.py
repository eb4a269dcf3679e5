"""A copy of a video in which heads are covered, for showing it to people who must not know who was
filmed.

heads.py looks at every frame: the patient's head, everybody's faces. cover.py turns that into what
is covered in each frame, also where nothing was found. checked.py writes the copy, looks for faces
in what it wrote, and covers until there are none. run.py does this for many videos or a cohort, and
logs what each frame got.
"""

from semiology.tracking.deidentify.cover import DeidentifyOptions
from semiology.tracking.deidentify.run import (
    DeidentifySummary,
    deidentify_cohort,
    deidentify_videos,
)

__all__ = ["DeidentifyOptions", "DeidentifySummary", "deidentify_cohort", "deidentify_videos"]

"""A synthetic cohort: rendered videos with the whole truth known.

person and kinematics make a body that moves with rigid bones, face its expressions; signs and
motion say what it does and when. camera, raster, portrait, figure and room draw it; filming is the
recorder. clip puts one video together: everything random is drawn into a Plan, and `perform` and
`pictures` apply it. design deals out the labels, truth writes down what is so, cohort keeps what
every cohort has, make writes one of single seizures and stills single pictures of other people.
seizures says how a seizure moves phase by phase, rest what goes on around it, recording puts both
into a video of any length; seizure_cohort writes a cohort of them, action_clips short clips of
phases. myoclonus says how a jerk moves and how many follow from a severity, myoclonus_tasks what is
done while they are looked for, myoclonus_exam fits them to their amplitudes and films them,
myoclonus_cohort writes a cohort, myoclonus_tables its truth. weakness says what a weak face makes
of its actions, weakness_exam films one panel, weakness_cohort writes a cohort, weakness_tables what
its columns mean, weakness_stills pictures of other people filmed alike. tracker_noise adds a
tracker's errors where tracks stand for videos.
"""

from semiology.phantom.dystonia_emotion.recipe import make_phantom
from semiology.phantom.dystonia_emotion.stills import make_stills
from semiology.phantom.myoclonus.recipe import make_myoclonus
from semiology.phantom.seizures.action_clips import make_actions
from semiology.phantom.seizures.recipe import make_seizures
from semiology.phantom.seizures.recording import render_long
from semiology.phantom.weakness.recipe import make_weakness
from semiology.phantom.weakness.stills import make_face_stills

__all__ = [
    "make_actions",
    "make_face_stills",
    "make_myoclonus",
    "make_phantom",
    "make_seizures",
    "make_stills",
    "make_weakness",
    "render_long",
]

"""Synthetic cohorts: rendered videos whose complete truth is known.

cohort.py is the maker: it writes videos or tracks, truth and tables from a recipe. There are five
recipes, each in a folder with what it alone needs: dystonia_emotion, seizures, myoclonus, weakness
and contact. shared/ holds what they have in common: assignment of signs to subjects (design.py),
the truth as tracks (truth.py), simulated tracker errors (tracker_noise.py).

drawing/ renders persons in a room and is imported by the phantom only. person.py and kinematics.py
make a body with rigid bones, face.py its expressions; episodes.py and motion.py define its
movement; raster.py (the camera too), portrait.py, figure.py and room.py draw it; filming.py
simulates camera and recorder. clip.py combines them: all random choices of a video are drawn into a
Plan, which `perform` and `film` apply.
"""

from semiology.phantom.contact.recipe import make_contact
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
    "make_contact",
    "make_face_stills",
    "make_myoclonus",
    "make_phantom",
    "make_seizures",
    "make_stills",
    "make_weakness",
    "render_long",
]

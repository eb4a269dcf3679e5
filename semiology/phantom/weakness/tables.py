"""What is written beside a phantom cohort of weak faces: the columns' definitions, and on every
page that it is synthetic.
"""

from semiology.phantom.cohort import NOTICE, SYNTHETIC

# three items of 0 to 3, as ptosis, lid closure and facial muscles are in the QMG [our choice]
CLINICIAN_POINTS = 9

WEAKNESS_JSON: dict[str, dict] = {
    "diagnosis": {
        "Role": "label",
        "LongName": "Diagnosis",
        "Description": f"Whether the face tires and is weak as in myasthenia. {NOTICE}",
        "Levels": {"control": "a healthy face", "patient": "a weak face"},
    },
    "severity": {
        "Role": "label",
        "LongName": "Severity",
        "Description": f"Of a patient's weakness; not scored in controls. {NOTICE}",
        "Levels": {"mild": "a degree below 0.5", "severe": "a degree of 0.5 or more"},
    },
    "weaker_side": {
        "Role": "label",
        "LongName": "Weaker side of the face",
        "Description": f"The participant's side that is weak where one side alone is. {NOTICE}",
        "Levels": {
            "none": "both sides alike, or a control",
            "left": "the left side",
            "right": "the right side",
        },
        "Mirror": {"left": "right", "right": "left"},
    },
    "panel": {
        "Role": "covariate",
        "Levels": {
            "rest": "at rest",
            "happiness": "smiles as broadly as possible",
            "anger": "looks angry",
            "fear": "looks afraid",
            "upgaze": "looks up for the whole clip",
            "closure": "shuts the eyes tightly, again and again",
        },
    },
    "visit": {"Role": "covariate", "Levels": {"baseline": "the only visit"}},
    "weakness_true": {
        "Role": "score",
        "LongName": "True weakness",
        "Description": f"Of the weaker side when strength has run out. {NOTICE}",
        "Units": "1",
        "Minimum": 0,
        "Maximum": 1,
        "Of": "weakness",
    },
    "clinician_score": {
        "Role": "score",
        "LongName": "A clinician's score of the participant's facial weakness",
        "Description": f"The true weakness in whole points, with an error. {NOTICE}",
        "Units": "points",
        "Minimum": 0,
        "Maximum": CLINICIAN_POINTS,
        "Rater": "simulated clinician",
        "Of": "weakness",
    },
    "synthetic": SYNTHETIC,
}

WEAKNESS_README = f"""# Phantom cohort of facial weakness

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a \
clip is a participant in one panel.
- `videos/` or `tracks/`: the rendered clips, or the 23 landmarks as a tracker would give them.
- `truth/<clip_id>_face.nc`: the 23 landmarks, in pixels and in metres (camera axes: x right, y \
down, z away); of videos the eleven joints
  too, `truth/<clip_id>.nc`. Confidence is 0 where a point is hidden or out of the picture; its \
position is true all the same.
- `truth/<clip_id>_sides.tsv`: in each frame the effort meant, how far strength has run out, and \
how weak either side is.
- `truth/<clip_id>.json`: the participant's weakness (degree, side, share that shows only after \
effort, by region), camera, light, recipe.
"""

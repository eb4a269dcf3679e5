"""What the columns of a phantom cohort with dystonia and emotional signs mean, and its README."""

from semiology.phantom.cohort import LIGHT, NOTICE, SYNTHETIC

DYSTONIA_EMOTION_JSON: dict[str, dict] = {
    "dystonia": {
        "Role": "label",
        "LongName": "Dystonia",
        "Description": f"A sustained twisted posture of one arm is in the clip. {NOTICE}",
        "ILAETerm": "dystonic",
        "HED": "Semiology-dystonic",
        "Levels": {
            "absent": "no sustained posture; the same postures may be visited in passing",
            "present": "one arm holds a twisted posture",
        },
    },
    "dystonia_side": {
        "Role": "label",
        "LongName": "Side of the dystonia",
        "Description": f"The patient's arm that holds the posture. {NOTICE}",
        "ILAETerm": "dystonic",
        "HED": "Semiology-dystonic",
        "Levels": {
            "none": "no dystonia",
            "left": "the patient's left arm",
            "right": "the patient's right arm",
        },
        "Mirror": {"left": "right", "right": "left"},
    },
    "emotion": {
        "Role": "label",
        "LongName": "Emotional signs",
        "Description": f"A sustained facial expression of an emotion is in the clip. {NOTICE}",
        "ILAETerm": "affective (emotional)",
        "HED": "Semiology-affective-emotional",
        "Levels": {
            "absent": "no sustained expression; grimaces may pass",
            "present": "an expression of fear, anger or joy is held",
        },
    },
    "expression": {
        "Role": "label",
        "LongName": "Facial expression",
        "Description": f"Which expression is held. {NOTICE}",
        "ILAETerm": "affective (emotional)",
        "HED": "Semiology-affective-emotional",
        "Levels": {"neutral": "none", "fear": "fear", "anger": "anger", "smile": "smile"},
    },
    "light": LIGHT,
    "caregiver": {
        "Role": "covariate",
        "Levels": {"yes": "a second person is in view for a while", "no": "the patient alone"},
    },
    "synthetic": SYNTHETIC,
}

DYSTONIA_EMOTION_README = f"""# Phantom cohort

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it.
- `videos/`: the rendered clips. `start` and `end` in clips.tsv are the main phase; some videos \
begin before it or go on after it.
- `truth/<clip_id>.nc`: the eleven joints of the main phase, in pixels and in metres (camera \
axes: x right, y down, z away). Confidence is 0
  where a joint is hidden or out of the picture; its position is true all the same.
- `truth/<clip_id>_face.nc`: the 23 landmarks of the face, likewise.
- `truth/<clip_id>.json`: what was rendered and when, who is in view, camera, light and the \
recipe. In a null cohort (`"null": true` in the
  recipe) the labels mean nothing, and what was rendered stands under `rendered`.
"""

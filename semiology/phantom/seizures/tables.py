"""What the columns of a phantom cohort of seizures mean, and its README."""

from semiology.phantom.cohort import LIGHT, NOTICE, SYNTHETIC

SEIZURES_JSON: dict[str, dict] = {
    "seizure_type": {
        "Role": "label",
        "LongName": "Type of the seizure",
        "Description": (
            "Whether a focal hyperkinetic seizure evolves to a bilateral tonic-clonic one."
            f" {NOTICE}"
        ),
        "ILAETerm": "focal to bilateral tonic-clonic",
        "Levels": {
            "FOS": "focal onset, hyperkinetic to its end",
            "TCS": "hyperkinetic, then tonic, then clonic",
        },
    },
    "recording_id": {"Role": "covariate", "Description": "The seizure; its views share it"},
    "view": {"Role": "covariate", "Levels": {"L": "the first camera", "S": "the second camera"}},
    "duration": {"Role": "covariate", "Description": "Of the seizure", "Units": "s"},
    "light": LIGHT,
    "synthetic": SYNTHETIC,
}

SEIZURES_README = f"""# Phantom cohort of seizures

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a \
clip is one camera's view of a seizure,
  and the views of one seizure share a `recording_id`.
- `videos/`: the rendered clips, each a whole seizure.
- `events/<clip_id>_events.tsv`: the seizure with its type as the level, and its phases.
- `truth/<clip_id>.nc`, `truth/<clip_id>_face.nc`: the eleven joints and the 23 landmarks, in \
pixels and in metres (camera axes: x right, y
  down, z away). Confidence is 0 where a point is hidden or out of the picture; its position is \
true all the same.
- `truth/<clip_id>.json`: phases, the moments of a hyperkinetic phase that look like another one, \
the rates of the jerks, camera, light and
  the recipe.
"""

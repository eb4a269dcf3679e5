"""What is written beside a phantom cohort: the labels' definitions, and on every page that it is
synthetic.

What every phantom cohort on disk has in common: clips made once from a named recipe, their truth,
its tables.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import write_text

NOTICE = (
    "SYNTHETIC: rendered by semiology's phantom. No person was filmed; nothing measured on it holds"
    " for patients."
)

CLIPS_JSON: dict[str, dict] = {
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
    "light": {
        "Role": "covariate",
        "Levels": {"daylight": "in colour", "infrared": "at night, grey"},
    },
    "caregiver": {
        "Role": "covariate",
        "Levels": {"yes": "a second person is in view for a while", "no": "the patient alone"},
    },
    "synthetic": {"Role": "covariate", "Description": NOTICE},
}

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
    "light": CLIPS_JSON["light"],
    "synthetic": CLIPS_JSON["synthetic"],
}

DESCRIPTION = {
    "Name": "semiology phantom (SYNTHETIC)",
    "BIDSVersion": "1.10.0",
    "DatasetType": "raw",
    "License": "CC0",
    "Acknowledgements": NOTICE,
}

README = f"""# Phantom cohort

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it.
- `videos/`: the rendered clips. `start` and `end` in clips.tsv are the main phase; some videos begin before it or go on after it.
- `truth/<clip_id>.nc`: the eleven joints of the main phase, in pixels and in metres (camera axes: x right, y down, z away). Confidence is 0
  where a joint is hidden or out of the picture; its position is true all the same.
- `truth/<clip_id>_face.nc`: the 23 landmarks of the face, likewise.
- `truth/<clip_id>.json`: what was rendered and when, who is in view, camera, light and the recipe. In a null cohort (`"null": true` in the
  recipe) the labels mean nothing, and what was rendered stands under `rendered`.
"""

SEIZURES_README = f"""# Phantom cohort of seizures

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a clip is one camera's view of a seizure,
  and the views of one seizure share a `recording_id`.
- `videos/`: the rendered clips, each a whole seizure.
- `events/<clip_id>_events.tsv`: the seizure with its type as the level, and its phases.
- `truth/<clip_id>.nc`, `truth/<clip_id>_face.nc`: the eleven joints and the 23 landmarks, in pixels and in metres (camera axes: x right, y
  down, z away). Confidence is 0 where a point is hidden or out of the picture; its position is true all the same.
- `truth/<clip_id>.json`: phases, the moments of a hyperkinetic phase that look like another one, the rates of the jerks, camera, light and
  the recipe.
"""


def recipe_name(recipe: Any, version: int, *kind: str) -> str:
    """A digest that names the recipe (a dataclass) in each clip's truth; `kind` tells one kind of
    cohort from another.
    """
    return hashlib.sha256(
        json.dumps([*kind, version, asdict(recipe)], sort_keys=True).encode()
    ).hexdigest()[:16]


def make_clips(
    make_clip: Callable[..., dict[str, str]],
    out: Path,
    recipe: Any,
    places: Sequence[tuple],
    *,
    jobs: int,
    progress: bool,
    what: str,
) -> list[dict[str, str]]:
    """Rows of clips.tsv: `make_clip(out, recipe, *place)` for each place, in so many processes.

    Raises:
        UserError: the folder holds a cohort that is no phantom.
    """
    check_folder(out)
    made = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(make_clip)(out, recipe, *place) for place in places
    )
    return list(tqdm(made, total=len(places), desc=what, unit="clip", disable=not progress))


def check_folder(out: Path) -> None:
    """Raises UserError where the folder holds a cohort that is no phantom."""
    sidecar = out / "clips.json"
    if (out / "clips.tsv").exists() and not (
        sidecar.is_file() and '"synthetic"' in sidecar.read_text(errors="replace")
    ):
        raise UserError(f"{out}: holds a cohort that is no phantom; choose another folder")


def is_made(truth: Path, recipe_name: str, video: Path) -> bool:
    """Whether a clip is whole, and from the recipe of that name."""
    if not (truth.is_file() and video.is_file()):
        return False
    try:
        return json.loads(truth.read_text()).get("recipe_name") == recipe_name
    except ValueError:
        return False


def write_truth(truth: Path, told: dict, recipe: Any, name: str) -> None:
    """A clip's JSON truth, with the recipe and its name: the last file of a clip."""
    write_text(
        truth,
        json.dumps(
            {"synthetic": True, **told, "recipe": asdict(recipe), "recipe_name": name}, indent=1
        ),
    )


def write_tables(
    out: Path,
    rows: list[dict[str, str]],
    sidecar: dict[str, dict],
    readme: str,
    recipe: dict,
    groups: dict[str, str] | None = None,
) -> None:
    """Everything of a phantom cohort but its clips; clips.tsv last. `groups`: participant_id ->
    control or patient.
    """
    names = dict.fromkeys(row["participant_id"] for row in rows)
    people = [
        {"participant_id": name, "synthetic": "yes"} | ({"group": groups[name]} if groups else {})
        for name in names
    ]
    write_text(out / "participants.tsv", table(people))
    write_text(out / "clips.json", json.dumps(sidecar, indent=2) + "\n")
    write_text(
        out / "dataset_description.json",
        json.dumps({**DESCRIPTION, "Recipe": recipe}, indent=2) + "\n",
    )
    write_text(out / "README.md", readme)
    write_text(out / "clips.tsv", table(rows))


def table(rows: list[dict[str, str]]) -> str:
    return "".join(
        "\t".join(cells) + "\n" for cells in [list(rows[0]), *(list(row.values()) for row in rows)]
    )

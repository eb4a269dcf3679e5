"""A cohort of synthetic faces with a given strength of each half: for the tests of
`semiology.severity.weakness`.
"""

import json

import numpy as np
from synthetic_face import filmed, own_face

from semiology.data.tracks import save_tracks

PANELS = ("rest", "happiness", "closure")
FRAMES = 60


def performed(panel, left, right, frames=FRAMES):
    """Tracks of a clip: `left` and `right`, 0 to 1, are the strength of each half in opening the
    eyes, closing them, and smiling.
    """
    effort = (1 - np.cos(2 * np.pi * np.arange(frames) / frames)) / 2 * (panel != "rest")
    faces = []
    for level in effort:
        moved = {}
        for side, strength, sign in (("left", left, 1), ("right", right, -1)):
            smile = level * strength * (panel == "happiness")
            shut = level * strength * (panel == "closure")
            moved[f"{side}_mouth_corner"] = (sign * (0.30 + 0.10 * smile), 0.73 - 0.12 * smile)
            moved[f"{side}_upper_lid"] = (
                sign * 0.36,
                0.04 - 0.10 * (0.5 + 0.5 * strength) * (1 - shut),
            )
        faces.append(own_face(**moved))
    return filmed(faces, "68")


def write_weak_cohort(folder, people, *, panels=PANELS, visits=None, scores=None):
    """A cohort whose clips bring tracks. people: participant_id -> (group, left, right); visits:
    participant_id -> names.
    """
    rows = [["clip_id", "participant_id", "tracks", "start", "end", "panel", "visit", "doctor"]]
    for person, (_, left, right) in people.items():
        for visit in (visits or {}).get(person, ["baseline"]):
            for panel in panels:
                clip = f"{person}_{visit}_{panel}"
                (folder / "tracks").mkdir(parents=True, exist_ok=True)
                save_tracks(performed(panel, left, right), folder / f"tracks/{clip}.nc")
                rows.append(
                    [
                        clip,
                        person,
                        f"tracks/{clip}.nc",
                        "0",
                        "n/a",
                        panel,
                        visit,
                        str((scores or {}).get(person, "n/a")),
                    ]
                )
    (folder / "clips.tsv").write_text(
        "".join("\t".join(row) + "\n" for row in rows), encoding="utf-8"
    )
    groups = "".join(f"{person}\t{group or 'n/a'}\n" for person, (group, _, _) in people.items())
    (folder / "participants.tsv").write_text("participant_id\tgroup\n" + groups, encoding="utf-8")
    (folder / "clips.json").write_text(
        json.dumps({"doctor": {"Role": "score", "Minimum": 0, "Maximum": 10}}), encoding="utf-8"
    )
    return folder

"""Cases of `field_files`: who is who, seizure types, and names."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from field_case import Values, case, command
from field_missing import NAN, cohort_of_tracks, dlc_csv, x_of

import semiology

WHO = "who is who"
TYPES = "seizure types"
NAMES = "names"
# --- who is who: two people pass each other; each moves 20 px a frame ---

COUNT = 40


def walks(person: int) -> np.ndarray:
    """(frame,) x in px of one of two people: 100 to 880, and back."""
    x = 100 + 20.0 * np.arange(COUNT)
    return x if person == 0 else x[::-1]


def crossing(key: str) -> list[dict[str, Any]]:
    """COCO annotations of the two, 17 points each, in an order that changes from frame to frame;
    `key` holds who it is: "attributes" as CVAT, else that key.
    """
    entries = []
    for frame in range(COUNT):
        for person in (0, 1) if frame % 2 else (1, 0):
            x = walks(person)[frame]
            points = [value for n in range(17) for value in (x + n % 3, 100 + 10 * n, 2)]
            entry = {"image_id": frame, "category_id": 1, "keypoints": points, "score": 2.5}
            entry |= {"attributes": {"track_id": person}} if key == "attributes" else {key: person}
            entry |= {"id": len(entries) + 1, "iscrowd": 0, "num_keypoints": 17}
            entries.append(entry)
    return entries


def crossing_dataset(path: Path, key: str) -> Path:
    """The same as COCO's data set."""
    images = [{"id": n, "file_name": f"frame_{n:06d}.png"} for n in range(COUNT)]
    points = [f"p{n}" for n in range(17)]
    people = [{"id": 1, "name": "person", "keypoints": points, "skeleton": []}]
    content = {"images": images, "annotations": crossing(key), "categories": people}
    path.write_text(json.dumps(content))
    return path


for key, program in (("attributes", "CVAT's attributes.track_id"), ("track_id", "track_id")):

    @case(WHO, f"COCO of two who pass, {program}", x=walks(1))
    def _(folder: Path, key: str = key) -> Values:
        path = crossing_dataset(folder / "a.json", key)
        return {"x": x_of(semiology.read_tracks(path, fps=25, individual="1"))}

    @case(WHO, f"the same, nobody chosen ({program})", refused="2 individuals.*(0, 1|1, 0)")
    def _(folder: Path, key: str = key) -> Values:
        path = crossing_dataset(folder / "a.json", key)
        return {"x": x_of(semiology.read_tracks(path, fps=25))}


@case(WHO, "AlphaPose's results of two who pass, idx", x=walks(1))
def _(folder: Path) -> Values:
    path = folder / "alphapose-results.json"
    entries = crossing("idx")
    for entry in entries:
        entry["image_id"] = f"{entry['image_id']}.jpg"
        entry["keypoints"] = [0.9 if n % 3 == 2 else v for n, v in enumerate(entry["keypoints"])]
        entry |= {"box": [0, 0, 10, 10]}
    path.write_text(json.dumps(entries))
    return {"x": x_of(semiology.read_tracks(path, fps=25, individual="1"))}


# --- types of seizures ---


def szcore_table(path: Path, events: Sequence[tuple[float, float, str]], rest: str = "") -> Path:
    """An events.tsv as SzCORE's: onset, duration, type."""
    head = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    tail = "n/a\tn/a\t2026-03-01 22:00:00\t3600.00"
    lines = [f"{onset:.2f}\t{length:.2f}\t{kind}\t{tail}" for onset, length, kind in events]
    path.write_text("\n".join([head, *lines, *filter(None, [rest])]) + "\n")
    return path


def counts(reference: Path, detected: Path) -> Values:
    """Hits, misses and false alarms by event: of the detected type where it is one, else of all."""
    scored = semiology.score_events(reference, detected, duration=3600.0, draws=50)
    signs = scored.everything["signs"]
    own = [signs["sz"]] if "sz" in signs else list(signs.values())
    events, hits, wrong = (
        sum(int(sign["counts"][key]) for sign in own) for key in ("events", "hits", "false_alarms")
    )
    return {"hits": hits, "missed": events - hits, "false": wrong}


THREE = [(100, 30, "sz_foc_ia_nm"), (900, 60, "sz_foc_a"), (2000, 90, "sz_gen_m_tonicClonic")]
FOUR = [(105, 20, "sz"), (890, 70, "sz"), (2010, 60, "sz"), (3000, 40, "sz")]


@case(TYPES, "detector's sz against sz_foc_ia_nm and others", hits=3, missed=0, false=1)
def _(folder: Path) -> Values:
    reference = szcore_table(folder / "ref.tsv", THREE)
    return counts(reference, szcore_table(folder / "hyp.tsv", FOUR))


@case(TYPES, "impedance check (impd) in the reference is no sign", hits=3, missed=0, false=1)
def _(folder: Path) -> Values:
    reference = szcore_table(folder / "ref.tsv", [*THREE, (3000, 40, "impd")])
    return counts(reference, szcore_table(folder / "hyp.tsv", FOUR))


@case(TYPES, "detected sz_foc against sz_foc_ia_nm of a focal seizure", hits=1, missed=0, false=0)
def _(folder: Path) -> Values:
    reference = szcore_table(folder / "ref.tsv", THREE[:1])
    return counts(reference, szcore_table(folder / "hyp.tsv", [(105, 20, "sz_foc")]))


@case(TYPES, "touching seizures, rounded to 0.01 s, overlap by 0.01 s", hits=2, missed=0, false=0)
def _(folder: Path) -> Values:
    both = [(10.0, 5.01, "sz"), (15.0, 5.0, "sz")]
    return counts(szcore_table(folder / "ref.tsv", both), szcore_table(folder / "hyp.tsv", both))


@case(TYPES, "seizures that overlap by 2 s", refused="begins at 15.*lasts until 17")
def _(folder: Path) -> Values:
    both = [(10.0, 7.0, "sz"), (15.0, 5.0, "sz")]
    return counts(szcore_table(folder / "ref.tsv", both), szcore_table(folder / "hyp.tsv", both))


# --- names ---


@case(NAMES, "a file's name in decomposed Unicode (macOS), composed in clips.tsv", ok=True)
def _(folder: Path) -> Values:
    cohort_of_tracks(folder, unicodedata.normalize("NFC", "Händchen.nc"))
    tracks = folder / unicodedata.normalize("NFC", "Händchen.nc")
    tracks.rename(folder / unicodedata.normalize("NFD", "Händchen.nc"))
    return {"ok": semiology.check_cohort(folder).ok}


@case("cohort of tracks", "cohort check: 10 s at 25 Hz", durations=[10.0], rates=["25 Hz"])
def _(folder: Path) -> Values:
    table = semiology.check_cohort(cohort_of_tracks(folder)).table
    return {"durations": table["durations"], "rates": [*table["frame_rates"]]}


@case("cohort of tracks", "the same of a long csv at 30 Hz, 200 frames", durations=[200 / 30])
def _(folder: Path) -> Values:
    cohort_of_tracks(folder, "a.nc")
    rows = [f"{n / 30:.6f},left_wrist,350,350,.9" for n in range(200)]
    (folder / "a.csv").write_text("\n".join(["time,keypoint,x,y,confidence", *rows]))
    clips = folder / "clips.tsv"
    clips.write_text(clips.read_text().replace("a.nc", "a.csv"))
    return {"durations": semiology.check_cohort(folder).table["durations"]}


@case(NAMES, "a participant called nan in agreement", participants=6)
def _(folder: Path) -> Values:
    rows = [f"{p}\t{n}\t{n + n % 2}" for n, p in enumerate(["nan", "p2", "p3", "p4", "p5", "NA"])]
    table = folder / "scores.tsv"
    table.write_text("\n".join(["participant_id\tmachine\trater", *rows]))
    given = ["--machine", "machine", "--raters", "rater", "--draws", 20, "--out", folder / "out"]
    command("agreement", table, *given)
    content = json.loads((folder / "out/agreement.json").read_text())
    return {"participants": _first(content, "participants")}


def _first(content: Any, key: str) -> Any:
    """The first value of a key anywhere in JSON."""
    if isinstance(content, dict):
        if key in content:
            return content[key]
        content = list(content.values())
    found = (_first(entry, key) for entry in content) if isinstance(content, list) else ()
    return next((value for value in found if value is not None), None)


@case(NAMES, "own names in YAML: 01 without quotes", refused="quot")
def _(folder: Path) -> Values:
    path = dlc_csv(folder / "a.csv", ["01"], ["0,430,350,.9"])
    names = folder / "names.yaml"
    names.write_text("01: left_wrist\n")
    return {"x": x_of(semiology.read_tracks(path, fps=25, names=names))}


@case(NAMES, "participants in a config: 01 and 010 without quotes", refused="quot")
def _(folder: Path) -> Values:
    config = folder / "config.yaml"
    config.write_text("participants: [01, 010]\n")
    given = ["--config", config, "--out", folder / "a.safetensors"]
    return {"printed": command("pretrain", "expression", folder, *given)}


@case(NAMES, "points called nan, None and 01", points=["nan", "None", "01"], x=[1, NAN])
def _(folder: Path) -> Values:
    path = dlc_csv(
        folder / "a.csv", ["nan", "None", "01"], ["0,1,2,.9,3,4,.9,5,6,.9", "1" + "," * 9]
    )
    tracks = semiology.read_tracks(path, fps=25)
    return {"points": tracks["keypoint"].values.tolist(), "x": x_of(tracks)}

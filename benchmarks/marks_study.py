"""A study from clinicians' marks to findings in their own programs, by the command line.

    python benchmarks/marks_study.py

Phantom recordings with known seizures are marked as an ELAN user would (an .eaf beside each video,
German words, links to another disk) and as a BORIS user would (one project for all, which lacks a
video and a sign). `cohort import`, `extract`, `loso`, and `timeline` of a person who is in no
recording of the study; the events found go to ELAN and BORIS and come back. Labels have to be the
phantom's truth, and positions equal to 1 ms. Films and tracks are kept in runs/marks-study/; the
rest is made again.
"""

import shutil
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pandas as pd
from phantom_run import metrics, step
from record import record
from seizure_watch import film

from semiology.data.cohort import check_cohort
from semiology.data.events import ENDING, Event, read_events
from semiology.data.marks import FORMATS
from semiology.data.marks.mark import overlaps
from semiology.files import write_json, write_text

RUN = Path("runs/marks-study")
RATE = 5.0  # Hz, of films, tracks and model; what rendering and tracking cost grows with it
PEOPLE = 5  # seeds 300, 301, ...
SEIZURES = [("TCS", 6.0, 11.0), ("FOS", 27.0, 7.0)]  # type, onset and duration, s, of each of them
MINUTES = 40 / 60  # of each recording
WATCHED = [("FOS", 6.0, 8.0), ("TCS", 24.0, 10.0)]  # of the recording that is not in the study
REST = 5.0  # s, of a clip without marks
SECONDS = 4.0  # of a window of the model
GERMAN = {
    "seizure": "Anfall",
    "hyperkinetic": "hyperkinetisch",
    "tonic": "tonisch",
    "clonic": "klonisch",
    "postictal": "postiktal",
}
UNSEEN = "p4"  # bo did not mark this recording
NOT_BO = "postictal"  # nor this sign anywhere
FAULTS: list[str] = []


def main() -> int:
    ward = RUN / "ward"
    films = {f"p{number}": ward / f"p{number}/p{number}.mp4" for number in range(PEOPLE)}
    truth: dict[str, list[Event]] = {}
    for number, (name, path) in enumerate(films.items()):
        truth[name] = filmed(path, MINUTES, SEIZURES, 300 + number)
        elan(path.with_suffix(".eaf"), path.name, "anna", truth[name])
    boris(ward / "bo.boris", "bo", {name: truth[name] for name in films if name != UNSEEN})
    terms = {word: sign for sign, word in GERMAN.items()}
    write_json(RUN / "terms.yaml", {"terms": terms})  # JSON is YAML

    for name in ("cohort", "run", "watched", "found"):
        shutil.rmtree(RUN / name, ignore_errors=True)
    cohort, store = RUN / "cohort", RUN / "store"
    options = ["--terms", str(RUN / "terms.yaml"), "--before", "0", "--after", "0"]
    step("cohort", "import", str(ward), "--out", str(cohort), *options, "--unmarked", f"{REST:g}")
    check(check_cohort(cohort).ok, "cohort check finds faults")
    labels = compare_labels(cohort, truth)

    tracking = ["--fps", f"{RATE:g}", "--face_every", "5"]
    step("extract", str(cohort), "--store", str(store), *tracking, "--jobs", "1")
    write_json(RUN / "study.yaml", protocol(cohort, store))
    step("loso", "--config", str(RUN / "study.yaml"))
    night = RUN / "unseen/night.mp4"
    filmed(night, MINUTES, WATCHED, 400)
    out = RUN / "watched/night"  # its events are called as the folder, so as the video
    watch = ["--model", str(RUN / "run"), "--out", str(out), "--fps", f"{RATE:g}"]
    step("timeline", str(night), *watch, "--progress", "false")
    found = read_events(out / "events.tsv").events
    check(bool(found), "the timeline has no event to send back")
    largest = {to: sent_back(out / "events.tsv", found, to, night) for to in ("eaf", "boris")}

    figures = {
        "levels_compared": labels,
        "clips": len(clips_of(cohort)),
        "events_found": len(found),
        "largest_ms": largest,
        "auc": auc(RUN / "run"),
        "faults": FAULTS,
    }
    for fault in FAULTS:
        print(fault)
    headline = (
        f"{labels} levels of {PEOPLE} people and two raters, {len(FAULTS)} faults; {len(found)}"
        f" events found by a model of the study, off by {max(largest.values()):.3f} ms at most"
        " after ELAN and BORIS"
    )
    target = "labels are the truth, events equal within 1 ms"
    return record("marks-study", figures, target, not FAULTS, headline=headline, seed=300)


def check(right: bool, what: str) -> None:
    if not right:
        FAULTS.append(what)


def filmed(
    path: Path, minutes: float, seizures: list[tuple[str, float, float]], seed: int
) -> list[Event]:
    """A recording, rendered once, and its true events. The truth lies beside the folder of videos
    and marks, not in it.
    """
    made = film(RUN / f"films/{path.name}", minutes, seizures, seed, fps=RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        shutil.copyfile(made, path)
    return read_events(made.with_name(made.stem + ENDING)).events


def elan(path: Path, media: str, rater: str, events: list[Event]) -> None:
    """An .eaf 3.0 as ELAN writes it: seizures on a tier of their own, phases on another, each time
    a slot, and the video where it was when it was marked.
    """
    slots = sorted({round(1000 * time) for event in events for time in (event.onset, event.offset)})
    tiers = {"Anfall": [], "Phasen": []}
    for number, event in enumerate(events):
        begin, end = (slots.index(round(1000 * time)) + 1 for time in (event.onset, event.offset))
        tiers["Anfall" if event.sign == "seizure" else "Phasen"].append(
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}"'
            f' TIME_SLOT_REF1="ts{begin}" TIME_SLOT_REF2="ts{end}"><ANNOTATION_VALUE>'
            f"{GERMAN[event.sign]}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        )
    times = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{time}"/>'
        for number, time in enumerate(slots, start=1)
    )
    written = "".join(
        f'<TIER ANNOTATOR={quoteattr(rater)} LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}">'
        f"{''.join(own)}</TIER>"
        for name, own in tiers.items()
    )
    url = quoteattr(f"file:///D:/Video/{media}")
    write_text(
        path,
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" FORMAT="3.0"'
        ' DATE="2026-11-30T08:00:00+01:00" VERSION="3.0"><HEADER MEDIA_FILE=""'
        f' TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL={url} MIME_TYPE="video/mp4"/>'
        f"</HEADER><TIME_ORDER>{times}</TIME_ORDER>{written}"
        '<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt"'
        ' TIME_ALIGNABLE="true"/></ANNOTATION_DOCUMENT>\n',
    )


def boris(path: Path, rater: str, marked: dict[str, list[Event]]) -> None:
    """A project of format 7.0 as BORIS writes it: an ethogram of states, an observation a video."""
    signs = [sign for sign in GERMAN if sign != NOT_BO]
    write_json(
        path,
        {
            "project_format_version": "7.0",
            "behaviors_conf": {
                str(number): {"type": "State event", "code": sign, "modifiers": {}}
                for number, sign in enumerate(signs)
            },
            "observations": {
                f"observation of {name}": {
                    "file": {"1": [f"C:\\Users\\bo\\films\\{name}.mp4"]},
                    "type": "MEDIA",
                    "time offset": 0.0,
                    "independent_variables": {"observer": rater},
                    "media_info": {"length": {}},
                    "events": sorted(
                        [time, "", event.sign, "", ""]
                        for event in events
                        if event.sign in signs
                        for time in (event.onset, event.offset)
                    ),
                }
                for name, events in marked.items()
            },
        },
    )


def clips_of(cohort: Path) -> pd.DataFrame:
    return pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)


def compare_labels(cohort: Path, truth: dict[str, list[Event]]) -> int:
    """Every cell of every label beside the phantom's truth; how many were compared."""
    clips, compared = clips_of(cohort), 0
    for name, events in truth.items():
        own = clips[clips["participant_id"] == name]
        wanted = [(event.onset, event.offset) for event in events if event.sign == "seizure"]
        starts = own.loc[own["seizure"] == "present", "start"].astype(float).tolist()
        check(starts == [begin for begin, _ in wanted], f"{name}: seizures are cut at {starts}")
        rest = own.loc[own["seizure"] == "absent"]
        check(len(rest) == len(wanted) + 1, f"{name}: {len(rest)} clips without a seizure")
        for clip in own.to_dict("records"):
            end = 60 * MINUTES if clip["end"] == "n/a" else float(clip["end"])
            for sign in GERMAN:
                inside = (("clip", float(clip["start"]), end),)
                there = any(
                    overlaps([*inside, ("clip", event.onset, event.offset)])
                    for event in events
                    if event.sign == sign
                )
                level = "present" if there else "absent"
                raters = {"": level, "@anna": level, "@bo": "n/a" if name == UNSEEN else level}
                if sign == NOT_BO:
                    raters.pop("@bo")
                for column, expected in raters.items():
                    compared += 1
                    found = clip[f"{sign}{column}"]
                    where = f"{clip['clip_id']}: {sign}{column}"
                    check(found == expected, f"{where} is {found}, not {expected}")
    check(f"{NOT_BO}@bo" not in clips, f"there is a column {NOT_BO}@bo")
    return compared


def protocol(cohort: Path, store: Path) -> dict[str, object]:
    """`semiology loso`: is there a seizure, by the movement of the body."""
    reading = {
        "label": "seizure",
        "part": "body",
        "skeleton": "upper_body_11",
        "channels": ["joint", "motion"],
        "rate": RATE,
        "window": round(SECONDS * RATE),
    }
    network = {"stream": "agcn", "options": {"widths": [16, 16], "dropout": 0.2}}
    schedule = {"epochs": 20, "patience": None}
    model = {"network": network, "learning_rate": 0.003, "schedule": schedule}
    return {
        "cohort": str(cohort),
        "store": str(store),
        "out": str(RUN / "run"),
        "tasks": {"seizure": {"reading": reading}},
        "models": {"agcn": model},
        "validation": 0.0,
        "final": True,
    }


def sent_back(table: Path, found: list[Event], to: str, night: Path) -> float:
    """Events written for a program and read from its file; the largest difference in ms."""
    out = RUN / f"found/night{FORMATS[to].suffixes[0]}"
    step(
        "events", "export", str(table), "--to", to, "--out", str(out), "--videos", str(night.parent)
    )
    step("events", "import", str(out), "--out", str(RUN / f"found/{to}"))
    (back,) = (RUN / f"found/{to}").glob(f"*/*{ENDING}")
    own = read_events(back).events
    facts = [(event.sign, event.level) for event in found]
    same = facts == [(event.sign, event.level) for event in own]
    check(same, f"{to}: other events come back")
    if not same:
        return float("inf")
    differences = [
        1000 * abs(time - other)
        for event, one in zip(found, own)
        for time, other in ((event.onset, one.onset), (event.offset, one.offset))
    ]
    check(max(differences, default=0.0) <= 1, f"{to}: off by {max(differences, default=0.0):g} ms")
    return max(differences, default=0.0)


def auc(run: Path) -> float:
    """Of the study's model, on people left out."""
    return metrics(run)["tasks"]["seizure"]["models"]["agcn"]["metrics"]["auc"]["value"]


if __name__ == "__main__":
    sys.exit(main())

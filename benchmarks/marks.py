"""Marks go out, in, out and in again through every format, and other programs read what is written.

    python benchmarks/marks.py

Made tables (two raters, instants, unknown ends, sides, comments, touching neighbours) become ELAN,
BORIS, EDF+ and csv files; read back, each event has the same ms, sign, rater, fields and tier,
apart from what the export named as lost. pympi-ling reads the .eaf, MNE, pyedflib and edfio the
annotations; files that these write are read with the right ms. They come from a package index, into
the user's cache.
"""

import random
import sys
import tempfile
from pathlib import Path

from environments import CACHE, Failed, NotInstalled, answer, beside_ours
from record import record

from semiology.data.clock import edf_start
from semiology.data.events import Event, read_events, write_events
from semiology.data.marks import FORMATS, read
from semiology.data.marks.convert import export_events, import_marks

TABLES, EVENTS = 50, 12  # made tables; events of each rater and sign in one
SIGNS, RATERS = ("tonic", "clonic", "versive", "jerk"), ("anna", "bo")
OTHERS = ("mne==1.13.2", "pyedflib==0.1.42", "edfio==0.4.18")


def main() -> int:
    faults: list[str] = []
    compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("ours", "theirs"):
            (folder / part).mkdir()
        tables = {f"c{number:02d}": made(random.Random(number)) for number in range(TABLES)}
        for clip_id, events in tables.items():
            for rater in RATERS:
                own = [event for event in events if event.rater == rater]
                write_events(folder / f"in/{rater}/{clip_id}_events.tsv", own, 3600.0)
        for to, format in FORMATS.items():
            source = folder / "in"
            for turn in ("first", "second"):
                out, back = folder / f"{to}_{turn}", folder / f"{to}_{turn}_back"
                result = export_events(source, to, out)
                files = sorted(out.glob(f"*{format.suffixes[0]}"))
                imported = import_marks(files, back)
                faults += [f"{to}: {why}" for why in result.failed.values()]
                faults += [f"{to}: {why}" for why in imported.failed.values()]
                for clip_id, events in tables.items():
                    wanted = sorted(facts(event, to) for event in events if held(event, to))
                    found = sorted(
                        facts(event, to)
                        for rater in RATERS
                        for event in read_events(
                            back / f"{rater}/{clip_id}_events.tsv", scored=False
                        ).events
                    )
                    compared += len(wanted)
                    if wanted != found:
                        faults.append(f"{to}, {turn} time, {clip_id}: {differences(wanted, found)}")
                source = back
            for file in sorted((folder / f"{to}_first").iterdir())[:10]:
                if to in ("eaf", "edf"):
                    file.rename(folder / "ours" / file.name)
        try:
            others = beside_ours("pympi-ling", "1.71", *OTHERS)
            script = Path(__file__).with_name("in_marks.py")
            report = answer(Path(sys.executable), script, folder, path=[others])
        except (NotInstalled, Failed) as error:
            print(f"marks: {error} (packages are kept in {CACHE})", file=sys.stderr)
            return 2
        faults += seen_by_others(folder / "ours", report["seen"])
        faults += written_by_others(folder / "theirs", report["marks"])
    for fault in faults:
        print(fault)
    seen = sum(len(programs) for programs in report["seen"].values())
    headline = (
        f"{compared} events out and in, twice, through {len(FORMATS)} formats; {seen} readings by"
        f" other programs; {len(faults)} faults"
    )
    figures = {"events": compared, "readings": seen, "faults": faults} | report["versions"]
    return record("marks", figures, "no fault", not faults, headline=headline)


def made(chance: random.Random) -> list[Event]:
    """Events of two raters, in ms; those of a sign by a rater may touch and do not overlap."""
    events = []
    for rater in RATERS:
        for sign in SIGNS:
            at = chance.randrange(0, 5000)
            for number in range(EVENTS):
                last = number == EVENTS - 1
                lasts = chance.choice([0, chance.randrange(40, 30_000), 1000])
                about = {
                    "level": chance.choice([None, "left", "right"]),
                    "confidence": chance.choice([None, chance.randrange(1000) / 1000]),
                    "side": chance.choice([None, "left", "both"]),
                    "body_part": chance.choice([None, "arm"]),
                    "comment": chance.choice([None, 'Kopf < 30°; "sicher"'.replace('"', "'")]),
                }
                duration = None if last and chance.random() < 0.5 else lasts / 1000
                events.append(
                    Event(
                        at / 1000,
                        duration,
                        sign,
                        rater=rater,
                        source=chance.choice(["person", "model"]),
                        tier=f"{sign} by {rater}",
                        **about,
                    )
                )
                at += lasts + chance.choice([2, chance.randrange(2, 60_000)])
    before = Event(-1.5, 0.5, "aura", rater="anna", source="person", tier="aura")
    return [*events, before]


def held(event: Event, to: str) -> bool:
    """Whether a format holds an event at all: ELAN has no time before 0."""
    return to != "eaf" or event.onset >= 0


def facts(event: Event, to: str) -> tuple[str, ...]:
    """What has to come back of an event, as text; BORIS has no tiers."""
    duration = "n/a" if event.duration is None else f"{1000 * event.duration:.0f}"
    texts = [event.sign, event.level, event.side, event.body_part, event.rater, event.source]
    texts += [event.comment, None if to == "boris" else event.tier, str(event.confidence)]
    return (f"{1000 * event.onset:.0f}", duration, *map(str, texts))


def differences(wanted: list[tuple[str, ...]], found: list[tuple[str, ...]]) -> str:
    """The first event that is missing or new."""
    missing = [one for one in wanted if one not in found]
    new = [one for one in found if one not in wanted]
    return f"{len(missing)} missing, {len(new)} new, first {missing[:1]} and {new[:1]}"


def seen_by_others(folder: Path, seen: dict[str, dict[str, list]]) -> list[str]:
    """Where another program sees other ms or texts than were written."""
    faults = []
    for name, programs in seen.items():
        (marks,) = read(folder / name)
        wanted = sorted(
            (round(1000 * mark.onset), round(1000 * (mark.duration or 0)), mark.text)
            for mark in marks.marks
        )
        for program, found in programs.items():
            # in an .eaf what does not last is 1 ms long; in an .edf fields follow the sign
            eaf = name.endswith(".eaf")
            own = sorted(
                (onset, 0 if eaf and lasts == 1 else lasts, text.partition(" [")[0])
                for onset, lasts, text in found
            )
            if own != wanted:
                faults.append(f"{program} sees other events in {name}")
    return faults


def written_by_others(folder: Path, marks: list) -> list[str]:
    """Where we read other ms than another program wrote."""
    wanted = sorted(
        (round(1000 * onset), round(1000 * lasts), sign) for onset, lasts, sign in marks
    )
    faults = []
    for path in sorted(folder.iterdir()):
        (found,) = read(path)
        own = sorted(
            (round(1000 * mark.onset), round(1000 * (mark.duration or 0)), mark.text)
            for mark in found.marks
        )
        if path.suffix == ".eaf":
            own = [(onset, 0 if lasts == 1 else lasts, text) for onset, lasts, text in own]
            if {mark.fields.get("side") for mark in found.marks} != {"left"}:
                faults.append(f"{path.name}: sides")
        if own != wanted:
            faults.append(f"{path.name}: {own} for {wanted}")
    if edf_start(folder / "edfio_late.edf").microsecond != 500_000:
        faults.append("edfio_late.edf: its start")
    return faults


if __name__ == "__main__":
    sys.exit(main())

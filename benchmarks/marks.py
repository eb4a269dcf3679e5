"""Marks go out, in, out and in again through every format, and other programs read what is written.

    python benchmarks/marks.py

Made tables (two raters, instants, unknown ends, sides, comments, touching neighbours) become ELAN,
BORIS, EDF+, CVAT, Label Studio and csv files; read back, each event has the same ms (of CVAT and
Label Studio the nearest frame's), sign, rater, fields and tier, apart from what the export named as
lost. pympi-ling reads the .eaf, MNE, pyedflib and edfio the annotations, datumaro the tracks, Label
Studio's SDK the tasks, whose JSON-MIN of them we read, and MNE a Persyst .lay as we do; files that
pympi-ling, pyedflib and edfio write are read with the right ms. HED tags are checked by hedtools, a
dataset with the tables by BIDS' validator, where node is there. All of them come from package
indexes, into the user's cache.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from environments import CACHE, Failed, NotInstalled, answer, beside_ours, environment
from record import record

from semiology.data.clock import edf_start
from semiology.data.events import Event, read_events, write_events
from semiology.data.marks import FORMATS, read
from semiology.data.marks.convert import export_events, import_marks

TABLES, EVENTS = 50, 12  # made tables; events of each rater and sign in one
SIGNS, RATERS = ("tonic", "clonic", "versive", "jerk"), ("anna", "bo")
FRAMES, RATE, LENGTH = ("cvat", "label-studio"), 25, 3600  # formats in frames; Hz, s of the videos
READ_BY_OTHERS = ("eaf", "edf", *FRAMES)
VALIDATOR = "bids-validator@1.15.0"
OTHERS = ("mne==1.13.2", "pyedflib==0.1.42", "edfio==0.4.18")


def main() -> int:
    faults: list[str] = []
    compared = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("ours", "theirs", "videos"):
            (folder / part).mkdir()
        tables = {f"c{number:02d}": made(random.Random(number)) for number in range(TABLES)}
        for clip_id, events in tables.items():
            for rater in RATERS:
                own = [event for event in events if event.rater == rater]
                write_events(folder / f"in/{rater}/{clip_id}_events.tsv", own, LENGTH)
            film(folder / f"videos/{clip_id}.mp4")
        for to, format in FORMATS.items():
            source = folder / "in"
            for turn in ("first", "second"):
                out, back = folder / f"{to}_{turn}", folder / f"{to}_{turn}_back"
                videos = folder / "videos" if to in FRAMES else None
                result = export_events(source, to, out, videos=videos)
                files = sorted(out.glob(f"*{format.suffixes[0]}"))
                imported = import_marks(files, back, videos=videos)
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
                if to in READ_BY_OTHERS:
                    file.rename(folder / "ours" / file.name)
        write_lay(folder / "ours/night.lay", tables["c00"])
        try:
            others = beside_ours("pympi-ling", "1.71", *OTHERS)
            script = Path(__file__).with_name("in_marks.py")
            report = answer(Path(sys.executable), script, folder, path=[others])
            more = script.with_name("in_marks_others.py")
            python = environment("datumaro", "1.13.0", "3.11")
            tracks = answer(python, more, "datumaro", folder / "ours")
            python = environment("label-studio-sdk", "2.1.0", "3.11")
            tasks = answer(python, more, "label-studio", folder / "ours")
            path = [beside_ours("hedtools", "1.3.0"), Path(__file__).parents[1]]
            tags = answer(Path(sys.executable), more, "hed", folder, path=path)
            validated, issues = by_bids(folder / "bids", tables)
        except (NotInstalled, Failed) as error:
            print(f"marks: {error} (packages are kept in {CACHE})", file=sys.stderr)
            return 2
        faults += seen_by_others(folder / "ours", report["seen"])
        faults += written_by_others(folder / "theirs", report["marks"])
        faults += tracks_by_datumaro(folder / "ours", tracks["seen"])
        faults += tasks["faults"] + minimal(folder / "ours") + tags["faults"] + issues
    for fault in faults:
        print(fault)
    seen = sum(len(programs) for programs in report["seen"].values())
    seen += len(tracks["seen"]) + tasks["files"] + validated
    headline = (
        f"{compared} events out and in, twice, through {len(FORMATS)} formats; {seen} readings by"
        f" other programs; {len(faults)} faults"
    )
    figures = {"events": compared, "readings": seen, "faults": faults} | report["versions"]
    for program, one in (("datumaro", tracks), ("label-studio-sdk", tasks), ("hedtools", tags)):
        figures[program] = one["version"]
    figures["bids-validator"] = VALIDATOR.partition("@")[2] if validated else "no node here"
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


def film(path: Path) -> None:
    """A black video at 25 frames a second whose last frame is an hour after its first: few frames,
    so that fifty are made in a second.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width = stream.height = 64
        for number in (*range(100), LENGTH * RATE - 1):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_lay(path: Path, events: list[Event]) -> None:
    """A Persyst EEG of an hour at 1 Hz, with the events as comments."""
    comments = [
        f"{event.onset:.3f},{event.duration or 0:.3f},0,100,{event.sign}, {number}"
        for number, event in enumerate(events)
        if event.onset >= 0
    ]
    lines = [
        *("[FileInfo]", f"File={path.stem}.dat", "FileType=Interleaved", "SamplingRate=1"),
        *("HeaderLength=0", "Calibration=1", "WaveformCount=1", "DataType=0"),
        *("[ChannelMap]", "Fp1-Ref=1", "[Patient]", "TestDate=03/02/2026", "TestTime=22:00:00"),
        *("BirthDate=01/01/1900", "Sex=f", "Hand=r"),  # MNE 1.13.2 fails without
        *("[Comments]", *comments),
    ]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".dat").write_bytes(bytes(2 * LENGTH))


def by_bids(folder: Path, tables: dict[str, list[Event]]) -> tuple[int, list[str]]:
    """A dataset of ten EEGs with their tables, and how many tables BIDS' validator saw (0 without
    node) with its errors.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return 0, []
    home = CACHE / VALIDATOR.replace("@", "-")
    program = home / "node_modules/bids-validator/bin/bids-validator"
    if not program.exists():
        command = [npm, "install", "--prefix", home, "--no-audit", "--no-fund", VALIDATOR]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"{VALIDATOR}: {(done.stderr.splitlines() or ['npm failed'])[-1]}")
    about = {"Name": "made up", "BIDSVersion": "1.8.0", "Authors": ["A", "B"], "License": "CC0"}
    eeg = {"TaskName": "night", "EEGReference": "Cz", "SamplingFrequency": 1}
    eeg |= {"PowerLineFrequency": 50, "SoftwareFilters": "n/a", "RecordingDuration": LENGTH}
    cells = [("0", 8), ("X", 80), ("X", 80), ("02.03.26", 8), ("22.00.00", 8), ("512", 8)]
    cells += [("", 44), (str(LENGTH), 8), ("1", 8), ("1", 4), ("Fp1", 16), ("", 80), ("uV", 8)]
    cells += [("-100", 8), ("100", 8), ("-32768", 8), ("32767", 8), ("", 80), ("1", 8), ("", 32)]
    head = b"".join(text.encode().ljust(width) for text, width in cells)
    folder.mkdir()
    (folder / "README").write_text("Made up, to see what the validator says of our tables. " * 4)
    (folder / "dataset_description.json").write_text(json.dumps(about))
    names = list(tables)[:10]
    for number, clip_id in enumerate(names, start=1):
        place = folder / f"sub-{number:02d}/eeg"
        place.mkdir(parents=True)
        stem = f"sub-{number:02d}_task-night"
        (place / f"{stem}_eeg.edf").write_bytes(head + bytes(2 * LENGTH))
        (place / f"{stem}_eeg.json").write_text(json.dumps(eeg))
        write_events(place / f"{stem}_events.tsv", tables[clip_id], LENGTH)
    done = subprocess.run(
        ["node", program, folder, "--json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["errors"]
    return len(names), [f"BIDS: {one['key']}: {one['reason']}" for one in issues]


def tracks_by_datumaro(folder: Path, seen: dict[str, list]) -> list[str]:
    """Where datumaro sees other tracks than we read."""
    faults = []
    for name, found in seen.items():
        (marks,) = read(folder / name)
        wanted = sorted(
            [mark.text, mark.onset, mark.onset + (mark.duration or 1)] for mark in marks.marks
        )
        if wanted != sorted(found):
            faults.append(f"datumaro sees other tracks in {name}")
    return faults


def minimal(folder: Path) -> list[str]:
    """Where JSON-MIN, as Label Studio's SDK makes it of our tasks, has other times or labels; it
    loses the fields, so that what does not last is a frame long.
    """
    faults = []
    for path in sorted((folder / "min").iterdir()):
        (own,), (less,) = read(folder / path.name), read(path)
        wanted = sorted(
            (round(1000 * mark.onset), round(1000 * (mark.duration or 1 / RATE)), mark.text)
            for mark in own.marks
        )
        found = sorted(
            (round(1000 * mark.onset), round(1000 * (mark.duration or 0)), mark.text)
            for mark in less.marks
        )
        if wanted != found:
            faults.append(f"{path.name}: its JSON-MIN has other marks")
    return faults


def held(event: Event, to: str) -> bool:
    """Whether a format holds an event at all: ELAN and frames have no time before 0."""
    return to not in ("eaf", *FRAMES) or event.onset >= 0


def facts(event: Event, to: str) -> tuple[str, ...]:
    """What has to come back of an event, as text; BORIS has no tiers."""
    onset, lasts = event.onset, event.duration
    if to in FRAMES:  # the nearest frames, at least one
        frame = round(onset * RATE)
        onset = frame / RATE
        lasts = lasts and max(round(event.offset * RATE), frame + 1) / RATE - onset
    duration = "n/a" if lasts is None else f"{1000 * lasts:.0f}"
    texts = [event.sign, event.level, event.side, event.body_part, event.rater, event.source]
    texts += [event.comment, None if to == "boris" else event.tier, str(event.confidence)]
    return (f"{1000 * onset:.0f}", duration, *map(str, texts))


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

"""The other programs' side of `marks`, run beside this package's dependencies and without it.

    python in_marks.py FOLDER

Makes theirs/*.eaf and theirs/*.edf by pympi-ling, pyedflib and edfio, reads the files in ours/ by
pympi-ling, MNE, pyedflib and edfio, and prints what they see as one JSON object.
"""

import datetime
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pympi

MARKS = [(0.25, 1.5, "tonic"), (2.125, 0.0, "jerk"), (3.0, 4.75, "clonic")]  # s, s, sign


def make(folder: Path) -> None:
    """MARKS by each program's own means."""
    eaf = pympi.Elan.Eaf(author="bench")
    eaf.remove_tier("default")
    eaf.add_tier("signs", ann="anna")
    eaf.add_linguistic_type("more", constraints="Symbolic_Association", timealignable=False)
    eaf.add_tier("side", ling="more", parent="signs")
    for onset, duration, sign in MARKS:
        begin = round(1000 * onset)
        eaf.add_annotation("signs", begin, begin + max(round(1000 * duration), 1), sign)
        eaf.add_ref_annotation("side", "signs", begin, "left")
    eaf.to_file(str(folder / "pympi.eaf"))
    notes = [edfio.EdfAnnotation(onset, duration or None, sign) for onset, duration, sign in MARKS]
    signal = edfio.EdfSignal(np.zeros(1000), sampling_frequency=100, label="EEG Fp1")
    recording = edfio.Recording(startdate=datetime.date(2026, 3, 2))
    for name, start in (("edfio", (22, 0, 0)), ("edfio_late", (22, 0, 0, 500_000))):
        edf = edfio.Edf(
            [signal], recording=recording, starttime=datetime.time(*start), annotations=notes
        )
        edf.write(folder / f"{name}.edf")
    writer = pyedflib.EdfWriter(str(folder / "pyedflib.edf"), 1, pyedflib.FILETYPE_EDFPLUS)
    writer.setSignalHeader(0, {"label": "EEG", "dimension": "uV", "sample_frequency": 100,
        "physical_min": -1, "physical_max": 1, "digital_min": -32768, "digital_max": 32767,
        "transducer": "", "prefilter": ""})  # fmt: skip
    writer.setStartdatetime(datetime.datetime(2026, 3, 2, 22, 0, 0))
    writer.writeSamples([np.zeros(1000)])
    for onset, duration, sign in MARKS:
        writer.writeAnnotation(onset, duration or -1, sign)
    writer.close()


def see(path: Path) -> dict[str, list]:
    """Program -> (onset ms, duration ms, text) of a file's annotations, sorted."""
    if path.suffix == ".eaf":
        eaf = pympi.Elan.Eaf(str(path))
        found = [
            (begin, end - begin, text)
            for name in eaf.get_tier_names()
            if "@" not in name
            for begin, end, text in eaf.get_annotation_data_for_tier(name)
        ]
        return {"pympi": sorted(found)}
    if path.suffix == ".lay":
        found = mne.io.read_raw_persyst(path).annotations
        return {"mne": shown(zip(found.onset, found.duration, found.description))}
    by_mne = mne.read_annotations(path)
    with pyedflib.EdfReader(str(path)) as reader:
        by_pyedflib = list(zip(*reader.readAnnotations()))
    by_edfio = [(one.onset, one.duration, one.text) for one in edfio.read_edf(path).annotations]
    every = {
        "mne": zip(by_mne.onset, by_mne.duration, by_mne.description),
        "pyedflib": by_pyedflib,
        "edfio": by_edfio,
    }
    return {program: shown(found) for program, found in every.items()}


def shown(found) -> list[tuple[int, int, str]]:
    """Annotations in ms, sorted."""
    return sorted(
        (round(1000 * float(onset)), round(1000 * max(float(duration or 0), 0)), str(text))
        for onset, duration, text in found
    )


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    make(folder / "theirs")
    files = [path for kind in ("eaf", "edf", "lay") for path in (folder / "ours").glob(f"*.{kind}")]
    seen = {path.name: see(path) for path in sorted(files)}
    programs = ("pympi-ling", "mne", "pyedflib", "edfio")
    versions = {program: version(program) for program in programs}
    print(json.dumps({"versions": versions, "marks": MARKS, "seen": seen}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

#!/usr/bin/env bash
# EDF+C whose first record begins a quarter of a second after the header's start: three readers,
# three starts.
#
# Expected (a guess): the header knows whole seconds only, EDF+ adds the fraction as the onset of
#   the first record (+0.25), so a reader's start is 22:00:00.25.
# What happens: all subtract 0.25 s from the annotations, so the event at +5.25 s lies 5 s after the
#   first sample. But mne's meas_date stays 22:00:00, pyedflib's getStartdatetime() is 22:00:00.025
#   (it divides units of 100 ns by 100, not 10), and only edfio has 22:00:00.25. pyedflib writes
#   wrongly, too: a start of .025 s is stored as +0.25, and the fraction .25 s is dropped.
# Version: mne 1.13.2, edfio 0.4.18, pyedflib 0.1.42 (mended in its source by holgern/pyedflib pull
#   request 315 of 2026-07-28; not in that release). Date: 2026-11-29.
# Why it matters: the start is what an EEG shares with the video. Up to a second, 25 frames, is
#   lost, and the sample before a jerk becomes the one after it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 edfio==0.4.18 pyedflib==0.1.42 \
  numpy==2.4.6
export MNE_HOME="$folder" HOME="$folder"
env/bin/python - <<'EOF'
import datetime
import importlib.metadata as metadata

import edfio
import mne
import numpy as np
import pyedflib

mne.set_log_level("ERROR")
print(*(f"{name} {metadata.version(name)}" for name in ("mne", "edfio", "pyedflib")))
RATE, RECORDS, FIRST, EVENT, NOTES = 100, 10, 0.25, 5.25, 32

head = b"0".ljust(8) + b"X X X X".ljust(80) + b"Startdate 02-MAR-2025 X X X".ljust(80)
head += b"02.03.2522.00.00" + b"768".ljust(8) + b"EDF+C".ljust(44) + str(RECORDS).encode().ljust(8)
head += b"1".ljust(8) + b"2".ljust(4)
for eeg, notes, width in (
    ("EEG Fp1", "EDF Annotations", 16), ("", "", 80), ("uV", "", 8), (-3276.8, -1, 8),
    (3276.7, 1, 8), (-32768, -32768, 8), (32767, 32767, 8), ("", "", 80), (RATE, NOTES // 2, 8),
    ("", "", 32),
):
    head += str(eeg).encode().ljust(width) + str(notes).encode().ljust(width)
assert len(head) == 768
signal = np.zeros(RATE * RECORDS, "<i2")
signal[round((EVENT - FIRST) * RATE)] = 1000  # one sample stands out where the annotation is
with open("night.edf", "wb") as file:
    file.write(head)
    for record in range(RECORDS):
        note = b"+%g\x14\x14\0" % (FIRST + record)
        note += b"+%g\x14seizure\x14\0" % EVENT if record == 0 else b""
        file.write(signal[record * RATE :][:RATE].tobytes() + note.ljust(NOTES, b"\0"))

raw = mne.io.read_raw_edf("night.edf", preload=True)
edf = edfio.read_edf("night.edf")
reader = pyedflib.EdfReader("night.edf")
found = {
    "mne": (raw.info["meas_date"].time(), raw.annotations.onset[0], raw.get_data()[0]),
    "edfio": (edf.starttime, edf.annotations[0].onset, edf.signals[0].data),
    "pyedflib": (reader.getStartdatetime().time(), reader.readAnnotations()[0][0],
                 reader.readSignal(0)),
}
for name, (start, onset, values) in found.items():
    print(f"{name}: start {start}, annotation at {onset:.2f} s, the sample that stands out at"
          f" {np.argmax(values) / RATE:.2f} s")
    assert (onset, np.argmax(values)) == (5.0, 500)
print("pyedflib's starttime_subsecond, in 100 ns:", reader.starttime_subsecond)

written = {}
for microseconds in (25_000, 250_000):
    writer = pyedflib.EdfWriter("made.edf", 1, file_type=pyedflib.FILETYPE_EDFPLUS)
    writer.setSignalHeader(0, {
        "label": "EEG Fp1", "dimension": "uV", "sample_frequency": RATE, "physical_max": 3276.7,
        "physical_min": -3276.8, "digital_max": 32767, "digital_min": -32768, "transducer": "",
        "prefilter": "",
    })
    writer.setStartdatetime(datetime.datetime(2025, 3, 2, 22, 0, 0, microseconds))
    writer.writeSamples([np.zeros(RATE * RECORDS)])
    writer.close()
    with open("made.edf", "rb") as file:
        data = file.read()
    notes = data[int(data[184:192]) + 2 * RATE :]
    written[microseconds] = float(notes[: notes.index(b"\x14")])
    print(f"pyedflib writes a start of +{microseconds / 1e6:g} s as +{written[microseconds]:g} s")

times = [str(start) for start, _, _ in found.values()]
assert times == ["22:00:00", "22:00:00.250000", "22:00:00.025000"], "the behaviour has changed"
assert written == {25_000: 0.25, 250_000: 0.0}, "the behaviour has changed"
EOF

#!/usr/bin/env bash
# A stretch cut out of an EDF: by mne it keeps the start of the whole night, by edfio it loses the
# seizure in which it begins.
#
# Expected (a guess): a stretch from 20 s on starts 20 s later, and a seizure that began before it goes
#   on in it from 0 s.
# What happens: mne crops and exports it with the start of the whole recording (it knows the 20 s as
#   `first_time`, and writes annotations by it), so each sample is 20 s early by the clock. edfio's
#   `slice_between_seconds` moves the start rightly, but leaves out each annotation whose onset lies
#   before the cut, however long it lasts (`keep_all_annotations=True` keeps it); mne keeps its rest.
#   Neither says a word.
# Seen: a night from 22:00:00, a spike at 22:00:30, a seizure of 15 to 45 s, cut at 20 s: the spike at
#   22:00:10 in mne's file, at 22:00:30 in edfio's, which has no seizure.
# Version: mne 1.13.2, edfio 0.4.18. Date: 2026-11-30.
# Why it matters: stretches around seizures are what is shared. By the clock the video of such a file
#   is 20 s off, or a stretch within a seizure counts as free of seizures.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 edfio==0.4.18 numpy==2.4.6
export MNE_HOME="$folder" HOME="$folder"
env/bin/python - <<'EOF'
import datetime
import importlib.metadata as metadata
import warnings

import edfio
import mne
import numpy as np

mne.set_log_level("WARNING")
print(*(f"{name} {metadata.version(name)}" for name in ("mne", "edfio")))
RATE, FROM, TO, SPIKE, SEIZURE = 100, 20, 80, 30, (15, 30)  # Hz, s, s, s, onset and duration in s
signal = np.zeros(100 * RATE)
signal[SPIKE * RATE] = 50
night = edfio.Edf(
    [
        edfio.EdfSignal(
            signal, RATE, label="EEG Fp1", physical_dimension="uV", physical_range=(-100, 100)
        )
    ],
    recording=edfio.Recording(startdate=datetime.date(2026, 11, 30)),
    starttime=datetime.time(22, 0, 0),
    annotations=[edfio.EdfAnnotation(*SEIZURE, "seizure")],
)
night.write("night.edf")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    raw = mne.io.read_raw_edf("night.edf", preload=True).crop(FROM, TO, include_tmax=False)
    raw.export("mne.edf")
    edf = edfio.read_edf("night.edf")
    edf.slice_between_seconds(FROM, TO)
    edf.write("edfio.edf")
print("first_time in mne:", raw.first_time, "warnings:", [str(each.message) for each in caught])

found = {}
for name in ("night", "mne", "edfio"):
    edf = edfio.read_edf(f"{name}.edf")
    start = datetime.datetime.combine(edf.startdate, edf.starttime)
    place = int(np.argmax(edf.signals[0].data)) / RATE
    spike = start + datetime.timedelta(seconds=place)
    notes = [(each.onset, each.duration) for each in edf.annotations if each.text == "seizure"]
    found[name] = str(start.time()), str(spike.time()), notes
    print(f"{name}.edf: starts {start.time()}, spike at {place:g} s, {spike.time()}; seizures {notes}")
assert found["night"] == ("22:00:00", "22:00:30", [(15.0, 30.0)])
assert found["mne"] == ("22:00:00", "22:00:10", [(0.0, 25.0)]), "the behaviour has changed"
assert found["edfio"] == ("22:00:20", "22:00:30", []), "the behaviour has changed"
assert raw.first_time == FROM and not caught, "the behaviour has changed"
EOF

#!/usr/bin/env bash
# SzCORE's scoring: a short event inside a seizure cuts the seizure off, and one that began before the
# recording lies at its end.
#
# Expected (a guess): events that are merged are their union, in whichever order a table has them; an
#   onset before 0, which BIDS allows, counts from 0 on.
# What happens: merging takes the end of the event that comes second. A seizure of 100 to 400 s with
#   an event of 150 to 160 s within it becomes 100 to 160 s: a detection of 300 to 400 s is then a
#   missed seizure and a false alarm. In a table that is not in order two seizures become one that
#   ends before it begins, and a right detection of either is a false alarm. By samples, -20 to -5 s
#   marks the last seconds of the recording, and -20 to 30 s marks none.
# Seen: sensitivity 1 with the seizure alone, 0 with the event inside it; 15 s marked at 980 to 994 s
#   of 1,000.
# Version: timescoring 0.0.7. Date: 2026-11-30.
# Why it matters: a tonic phase noted within a seizure, or rows sorted by name, turn a detector that
#   finds everything into one that finds nothing; no warning says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check timescoring==0.0.7 numpy==2.4.6
env/bin/python - <<'EOF'
from importlib.metadata import version

import numpy as np
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

print("timescoring", version("timescoring"))
RATE, LENGTH = 10, 1000  # Hz, s


def annotation(events):
    return Annotation(events, RATE, LENGTH * RATE)


counts = {}
for name, marked, detected in (
    ("one seizure", [(100, 400)], [(300, 400)]),
    ("an event inside it", [(100, 400), (150, 160)], [(300, 400)]),
    ("inside the detection", [(300, 400)], [(100, 400), (150, 160)]),
    ("in order", [(100, 200), (600, 700)], [(110, 120), (610, 620)]),
    ("not in order", [(600, 700), (100, 200)], [(110, 120)]),
    ("not in order", [(600, 700), (100, 200)], [(610, 620)]),
):
    score = EventScoring(annotation(marked), annotation(detected))
    counts.setdefault(name, []).append((score.refTrue, score.tp, score.fp))
    print(f"{name}: marked {marked}, detected {detected}: {score.refTrue} marked, {score.tp} found,"
          f" {score.fp} false alarms, sensitivity {score.sensitivity:g}")
seconds = {}
for early in ((-20, -5), (-20, 30)):
    seconds[early] = np.flatnonzero(SampleScoring(annotation([early]), annotation([])).ref.mask)
    where = f"{seconds[early][0]} to {seconds[early][-1]}" if seconds[early].size else "none"
    print(f"{early[0]} to {early[1]} s: {len(seconds[early])} seconds are marked: {where}")
assert counts["one seizure"] == [(1, 1, 0)] and counts["in order"] == [(2, 2, 0)]
assert counts["an event inside it"] == [(1, 0, 1)], "the behaviour has changed"
assert counts["inside the detection"] == [(1, 0, 1)], "the behaviour has changed"
assert counts["not in order"] == [(1, 0, 1), (1, 0, 1)], "the behaviour has changed"
assert seconds[-20, -5].tolist() == list(range(980, 995)), "the behaviour has changed"
assert not seconds[-20, 30].size, "the behaviour has changed"
EOF

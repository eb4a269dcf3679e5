#!/usr/bin/env bash
# ELAN through pympi: what a reference tier says between two times is what it says in the whole file.
#
# Expected (a guess): `get_annotation_data_between_times` gives the annotations within the times, of a
#   tier of reference annotations too (the side of a seizure, its steps).
# What happens: of a reference tier it gives all annotations, whatever the times: it compares each
#   one's own begin with its own end. So "the last one before" a time is the last of the file. And
#   `get_annotation_data_for_symbsub_tier`, which divides the time of the parent among the steps,
#   leaves out the steps of the last parent.
# Seen: seizures at 10 to 20 s (left) and 100 to 130 s (right): between 0 and 5 s both, before 30 s
#   right; steps of the first seizure only.
# Version: pympi-ling 1.71. Date: 2026-11-30.
# Why it matters: a seizure gets the side of another one, and the last seizure of each recording has
#   no steps, so a table of a cohort is short by one seizure a file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pympi-ling==1.71
env/bin/python - <<'EOF'
from importlib.metadata import version

import pympi

print("pympi-ling", version("pympi-ling"))
eaf = pympi.Eaf()
eaf.add_linguistic_type("one each", "Symbolic_Association", timealignable=False)
eaf.add_linguistic_type("steps", "Symbolic_Subdivision", timealignable=False)
eaf.add_tier("seizure")
eaf.add_tier("side", "one each", "seizure")
eaf.add_tier("step", "steps", "seizure")
for begin, end, side, steps in (
    (10000, 20000, "left", ("stare", "automatism")),
    (100000, 130000, "right", ("version", "tonic", "clonic")),
):
    eaf.add_annotation("seizure", begin, end, f"seizure at {begin}")
    middle, previous = (begin + end) // 2, None
    eaf.add_ref_annotation("side", "seizure", middle, side)
    for step in steps:
        eaf.add_ref_annotation("step", "seizure", middle, step, previous)
        previous = list(eaf.tiers["step"][1])[-1]
eaf.to_file("night.eaf")

eaf = pympi.Eaf("night.eaf")
found = {}
for begin, end in ((0, 5000), (0, 30000), (90000, 140000), (500000, 600000)):
    seizures = eaf.get_annotation_data_between_times("seizure", begin, end)
    sides = eaf.get_annotation_data_between_times("side", begin, end)
    found[begin, end] = len(seizures), [side for _, _, side, _ in sides]
    print(f"between {begin} and {end} ms: {len(seizures)} seizures, sides {found[begin, end][1]}")
(last,) = eaf.get_ref_annotation_data_before_time("side", 30000)
steps = eaf.get_annotation_data_for_symbsub_tier("step")
print("the last side before 30000 ms:", last)
print("steps:", steps)
assert [count for count, _ in found.values()] == [0, 1, 1, 0]
assert all(sides == ["left", "right"] for _, sides in found.values()), "the behaviour has changed"
assert last[:3] == (100000, 130000, "right"), "the behaviour has changed"
assert len(eaf.get_annotation_data_for_tier("step")) == 5
assert steps == [(10000, 15000, "stare"), (15000, 20000, "automatism")], "the behaviour has changed"
EOF

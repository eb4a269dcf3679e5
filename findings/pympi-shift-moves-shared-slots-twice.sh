#!/usr/bin/env bash
# ELAN through pympi: `shift_annotations(1000)` moves some annotations by 2 s, others by 1 s.
#
# Expected (a guess): all annotations of an .eaf are moved by the given time; what begins before 0
#   then is cut at 0, and its end is moved like all others.
# What happens: it adds the time to both ends of each annotation, not to each time slot. A slot that
#   two annotations share, as the phases of a Time_Subdivision do, is moved twice. Of an annotation
#   that is cut at 0 only the beginning is moved, to 0; its end stays, so it gets longer.
# Seen: by +1000 ms a seizure of 10 to 20 s with three phases in it is at 12 to 22 s, the next one,
#   whose slots are its own, at 101 to 131 s, as it should. By -2000 ms 1 to 5 s becomes 0 to 5 s (not
#   0 to 3 s), and 8 to 9 s becomes 6 to 7 s.
# Version: pympi-ling 1.71. Date: 2026-11-30.
# Why it matters: a shift is how annotations are brought to the clock of another video. Seizures of
#   one file are moved by different times, without an error, and durations change.
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
SLOTS = (10000, 12000, 15000, 20000, 100000, 130000)  # ms, named ts1 to ts6
TIERS = {  # name: type, parent, (first slot, last slot, value)
    "seizure": ("free", "", ((1, 4, "first"), (5, 6, "second"))),
    "phase": (
        "subdivision", ' PARENT_REF="seizure"', ((1, 2, "tonic"), (2, 3, "clonic"), (3, 4, "end"))
    ),
}
text = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-11-30T10:00:00+01:00" FORMAT="3.0" VERSION="3.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/><TIME_ORDER>
"""
for number, value in enumerate(SLOTS, 1):
    text += f'<TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{value}"/>\n'
text += "</TIME_ORDER>\n"
number = 0
for name, (kind, parent, annotations) in TIERS.items():
    text += f'<TIER LINGUISTIC_TYPE_REF="{kind}"{parent} TIER_ID="{name}">\n'
    for first, last, value in annotations:
        number += 1
        text += (
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{first}"'
            f' TIME_SLOT_REF2="ts{last}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
            "</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
        )
    text += "</TIER>\n"
for name, more in (("free", ""), ("subdivision", ' CONSTRAINTS="Time_Subdivision"')):
    text += f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{name}" TIME_ALIGNABLE="true"{more}/>\n'
text += """<CONSTRAINT STEREOTYPE="Time_Subdivision"
 DESCRIPTION="Time subdivision of parent annotation's time interval, no time gaps allowed"/>
</ANNOTATION_DOCUMENT>
"""
with open("night.eaf", "w") as file:
    file.write(text)


def times(eaf):
    return {
        value: (begin, end)
        for tier in eaf.get_tier_names()
        for begin, end, value in eaf.get_annotation_data_for_tier(tier)
    }


eaf = pympi.Eaf("night.eaf")
before = times(eaf)
eaf.shift_annotations(1000)
after = times(eaf)
moved = {}
for value, (begin, end) in before.items():
    moved[value] = after[value][0] - begin, after[value][1] - end
    print(f"{value}: {begin} to {end} ms becomes {after[value][0]} to {after[value][1]}")

simple = pympi.Eaf()
simple.add_annotation("default", 1000, 5000, "first")
simple.add_annotation("default", 8000, 9000, "second")
simple.shift_annotations(-2000)
cut = times(simple)
print("1000 to 5000 and 8000 to 9000 ms, moved by -2000:", cut)
assert moved["second"] == (1000, 1000), "the behaviour has changed"
assert {moved[value] for value in ("first", "tonic", "clonic", "end")} == {(2000, 2000)}, "changed"
assert cut == {"first": (0, 5000), "second": (6000, 7000)}, "the behaviour has changed"
EOF

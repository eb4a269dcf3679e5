#!/usr/bin/env bash
# HED-SCORE 2: nearly all tags of seizure semiology have other names, and nothing leads to them.
#
# Expected (a guess): tags that were valid in HED-SCORE 1.2.0 are valid in 2.x, or the validator
#   names what took their place.
# What happens: of the 78 tags of semiology that 1.0.0 to 1.2.0 accept as they stand, 2.0.0, 2.1.0
#   and 2.2.0 know 6; of the 28 of motor semiology one (behavioral arrest). The message is that a
#   tag "is not a valid base HED tag", with no word of the new one. Most lost their group
#   (Semiology-motor-dystonic is Semiology-dystonic), some changed (Semiology-motor-myoclonic is
#   Semiology-myoclonic-jerk), two kinds of automatisms (dyspraxic, pedal) are gone. hedtools brings
#   all these versions along.
# Version: hedtools 1.3.0. Date: 2026-11-29.
# Why it matters: two cohorts that were scored alike have hardly a tag in common, and whoever looks
#   for dystonia by its tag finds one of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check hedtools==1.3.0
env/bin/python - <<'EOF'
import re
from importlib.metadata import version
from importlib.resources import files

from hed import HedString, load_schema

print("hedtools", version("hedtools"))
folder = files("hed") / "schema" / "schema_data"
schemas = {
    number: load_schema(str(folder / f"HED_score_{number}.xml"))
    for number in ("1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0", "2.2.0")
}


def valid(tag, number):
    return not HedString(tag, schemas[number]).validate()


names = sorted({tag.short_tag_name for tag in schemas["1.1.0"].tags.values()})
tags = [name for name in names if "emiology" in name and valid(name, "1.1.0")]
motor = [tag for tag in tags if tag.startswith("Semiology-motor")]
counts = {}
for number in schemas:
    known = [tag for tag in tags if valid(tag, number)]
    counts[number] = len(known), len(set(known) & set(motor))
    known_motor = f"{counts[number][1]} of {len(motor)} motor"
    print(f"{number}: {len(known)} of {len(tags)} are valid, {known_motor}")
print("valid in 1.2.0 and in 2.1.0:", [tag for tag in tags if valid(tag, "2.1.0")])
old = "Semiology-motor-dystonic"
print("2.1.0 of", old, "says:", HedString(old, schemas["2.1.0"]).validate()[0]["message"])
short = {tag: re.sub("-motor(-automatisms)?-", "-", tag) for tag in motor}
lost = [tag for tag in motor if not valid(tag, "2.1.0") and not valid(short[tag], "2.1.0")]
print("motor, also unknown without their group:", lost)
assert counts == {
    **dict.fromkeys(("1.0.0", "1.1.0", "1.2.0"), (78, 28)),
    **dict.fromkeys(("2.0.0", "2.1.0", "2.2.0"), (6, 1)),
}, "the behaviour has changed"
assert valid("Semiology-dystonic", "2.1.0") and not valid("Semiology-dystonic", "1.2.0")
assert valid("Semiology-myoclonic-jerk", "2.1.0"), "the behaviour has changed"
assert {f"Semiology-motor-automatisms-{kind}" for kind in ("dyspraxic", "pedal")} < set(lost)
EOF

#!/usr/bin/env bash
# BORIS' Cohen's kappa is of the time from the first to the last event, not of the recording, and of
#   all behaviours together.
#
# Expected (a guess): two observers of 60 s who mark a tonic phase at 10 to 20 s and at 12 to 20 s have
#   a kappa of about 0.87 at a time unit of 1 s: both saw nothing in 40 s. Who marks nothing all the
#   time agrees in most of it with an observer who marks 2 s.
# What happens: time units are counted from the first event of either to the last. There the first
#   observer marks all of the time, and kappa is 0 whatever the other does. A sign that both mark
#   alike somewhere else raises it. An observation without events is an error (-100). A unit at the
#   very end of a state belongs to it, so that states that follow each other are both there for it.
#   What is marked together is a category of its own: two signs marked alike and a third by one
#   observer are disagreement in all of that time.
# Seen: 0 for the two; 0.915 with a second sign at 50 to 55 s, marked alike; 0.572 once one of them marks
#   a third sign during the tonic phase; -100 without marks.
# Version: boris-behav-obs 8.27.4 (its function, without its window). Date: 2026-11-30.
# Why it matters: the number depends on other signs and on where they are, so that it cannot be
#   compared between signs, observers or studies; who watched and marked nothing cannot be compared.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==1.26.4
env/bin/pip install --quiet --disable-pip-version-check --no-deps boris-behav-obs==8.27.4
env/bin/python - <<'EOF'
import ast
import logging
import sqlite3
from decimal import Decimal
from importlib.metadata import files, version

import numpy as np

print("boris-behav-obs", version("boris-behav-obs"))
path = next(file for file in files("boris-behav-obs") if file.name == "irr.py").locate()
wanted = ("subj_behav_modif", "cohen_kappa")  # the rest of the file needs its window
tree = ast.parse(path.read_text(encoding="utf-8"))
tree.body = [node for node in tree.body if getattr(node, "name", "") in wanted]
names = {"np": np, "dec": Decimal, "logging": logging}
exec(compile(tree, str(path), "exec"), names)


def kappa(first, second, unit="1"):
    table = sqlite3.connect(":memory:")
    table.row_factory = sqlite3.Row
    table.execute("CREATE TABLE aggregated_events (observation TEXT, subject TEXT, behavior TEXT,"
                  " type TEXT, modifiers TEXT, start FLOAT, stop FLOAT)")
    for name, states in (("first", first), ("second", second)):
        for sign, start, stop in states:
            row = (name, "patient", sign, "STATE", "", start, stop)
            table.execute("INSERT INTO aggregated_events VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return float(names["cohen_kappa"](table.cursor(), "first", "second", Decimal(unit),
                                      ["patient"], False)[0])


one, other, third = ("tonic", 10, 20), ("tonic", 12, 20), ("clonic", 50, 55)
more = ("versive", 10, 20)
found = {
    "10 to 20 and 12 to 20 s": kappa([one], [other]),
    "the same by 0.1 s": kappa([one], [other], "0.1"),
    "and a sign at 50 to 55 s alike": kappa([one, third], [other, third]),
    "and a third by one": kappa([one, third, more], [other, third]),
    "nothing and 12 to 20 s": kappa([], [other]),
}
for name, value in found.items():
    print(f"{name}: {value:g}")
assert list(found.values())[:2] == [0, 0] and found["nothing and 12 to 20 s"] == -100
assert found["and a sign at 50 to 55 s alike"] > 0.8, "the behaviour has changed"
EOF

#!/usr/bin/env bash
# Tables of events with times that are none are valid BIDS for one validator, and after row 1,000
# for the other one, too.
#
# Expected (a guess): an onset of "10,5" or "22:00:10" or a duration of -5 is an error, wherever it
#   stands in the table.
# What happens: bids-validator 1.15.0 (npm's latest) finds no error in any of them. The new one
#   (bids-validator-deno) has an error for each, but reads only the first 1,000 rows of a table,
#   unless `--max-rows -1` is given: the same onset in row 1,501 is valid. An onset of 500 s in a
#   recording of 60 s is valid for both.
# Version: bids-validator 1.15.0, bids-validator-deno 3.0.2 (its schema 1.2.7). Date: 2026-11-30.
# Why it matters: a spreadsheet with decimal commas or clock times passes as valid, and a reader that
#   is lenient takes 10 s, or nothing, for 10.5 s. Tables of jerks or spikes have thousands of rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check bids-validator-deno==3.0.2 deno==2.9.8
npm install --silent --no-audit --no-fund --ignore-scripts bids-validator@1.15.0
env/bin/python - <<'EOF'
import json
import os
import shutil
import subprocess
from importlib.metadata import version

SIDECAR = {"trial_type": {"Description": "kind", "Levels": {"seizure": "a seizure"}}}


def write(root, rows, sidecar, hed=None):
    """A small dataset: one EEG of 60 s, the table of its events and the table's sidecar."""
    shutil.rmtree(root, ignore_errors=True)
    stem = f"{root}/sub-01/eeg/sub-01_task-sleep"
    os.makedirs(f"{root}/sub-01/eeg")
    about = {"Name": "made up", "BIDSVersion": "1.8.0", "Authors": ["A", "B"], "License": "CC0"}
    documents = {
        f"{root}/dataset_description.json": about | ({"HEDVersion": hed} if hed else {}),
        f"{stem}_eeg.json": {
            "TaskName": "sleep", "EEGReference": "Cz", "SamplingFrequency": 100,
            "PowerLineFrequency": 50, "SoftwareFilters": "n/a", "RecordingDuration": 60.0,
        },
        f"{stem}_events.json": sidecar,
    }
    for path, content in documents.items():
        with open(path, "w") as file:
            json.dump(content, file)
    head = b"0".ljust(8) + b"X".ljust(80) * 2 + b"02.03.2522.00.00" + b"512".ljust(8)
    head += b"".ljust(44) + b"60".ljust(8) + b"1".ljust(8) + b"1".ljust(4)
    for value, width in (
        ("Fp1", 16), ("", 80), ("uV", 8), (-100, 8), (100, 8), (-32768, 8), (32767, 8), ("", 80),
        (100, 8), ("", 32),
    ):
        head += str(value).encode().ljust(width)
    texts = {
        f"{root}/README": "A dataset of one recording, made up to see what validators say." * 4,
        f"{stem}_events.tsv": "onset\tduration\ttrial_type\n" + "".join(f"{row}\n" for row in rows),
    }
    for path, content in texts.items():
        with open(path, "w") as file:
            file.write(content)
    with open(f"{stem}_eeg.edf", "wb") as file:
        file.write(head + bytes(2 * 100 * 60))


def errors(*command):
    """Codes of the errors in the dataset."""
    done = subprocess.run([*command, "set", "--json"], capture_output=True, text=True)
    issues = json.loads(done.stdout)["issues"]
    if "errors" in issues:
        return [error["key"] for error in issues["errors"]]
    return [error["code"] for error in issues["issues"] if error["severity"] == "error"]


OLD, NEW = "node_modules/.bin/bids-validator", "env/bin/bids-validator-deno"
with open("node_modules/bids-validator/package.json") as file:
    print("bids-validator", json.load(file)["version"])
print("bids-validator-deno", version("bids-validator-deno"))
many = [f"{number / 100:.2f}\t0.01\tseizure" for number in range(1499)]
found = {}
for name, rows in {
    "a good row": ["10.5\t5\tseizure"],
    "onset 10,5": ["10,5\t5\tseizure"],
    "onset 22:00:10": ["22:00:10\t5\tseizure"],
    "duration -5": ["10.5\t-5\tseizure"],
    "onset 500, of 60 s": ["500\t5\tseizure"],
    "onset 10,5 in row 1501": [*many, "10,5\t5\tseizure"],
}.items():
    write("set", rows, SIDECAR)
    found[name] = errors(OLD), errors(NEW), errors(NEW, "--max-rows", "-1")
    print(f"{name}: 1.15.0 {found[name][0]}; deno {found[name][1]}, all rows {found[name][2]}")
assert not any(old for old, _, _ in found.values()), "the behaviour has changed"
refused = {name for name, (_, new, _) in found.items() if new == ["TSV_VALUE_INCORRECT_TYPE"]}
assert refused == {"onset 10,5", "onset 22:00:10", "duration -5"}, "the behaviour has changed"
assert found["onset 10,5 in row 1501"][1:] == ([], ["TSV_VALUE_INCORRECT_TYPE"]), "changed"
assert found["onset 500, of 60 s"] == ([], [], []), "the behaviour has changed"
EOF

#!/usr/bin/env bash
# Without a network no version of HED-SCORE is valid for both of BIDS' validators; and a number in
# the sidecar of a table of events is an error for one of them.
#
# Expected (a guess): validators bring the schemas that they know along, and a newer one knows what
#   the older one knows. `RecordingDuration` is a number in BIDS' eeg.json, so it may be one in
#   events.json.
# What happens: bids-validator 1.15.0 (npm's latest) has HED-SCORE 1.0.0 and 1.1.0 on board, the new
#   one (bids-validator-deno) 1.2.0, 2.0.0 and 2.1.0. Any other version is fetched from the schemas'
#   repository: on a machine without a network a right tag ends in the error SCHEMA_LOAD_FAILED, and
#   the dataset is invalid. Of the base schema 1.15.0 lacks 8.4.0. It also refuses a number, a text or
#   a list at the top of events.json ("should be object"); an object of that name passes. The new one
#   takes all of them.
# Version: bids-validator 1.15.0, bids-validator-deno 3.0.2. Date: 2026-11-30.
# Why it matters: on hospital machines without a network a dataset whose seizures are described in
#   HED-SCORE cannot pass both, and the error (HED_ERROR) is that of a wrong tag.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check bids-validator-deno==3.0.2 deno==2.9.8
npm install --silent --no-audit --no-fund --ignore-scripts bids-validator@1.15.0
# as on a machine without a network, wherever this runs
cat > offline.cjs <<'EOF'
globalThis.fetch = async () => { throw new TypeError("fetch failed") }
EOF
env/bin/python - <<'EOF'
import json
import os
import shutil
import subprocess
from importlib.metadata import version
from importlib.resources import files

from deno import find_deno_bin

OLD = ["node", "--require", "./offline.cjs", "node_modules/bids-validator/bin/bids-validator"]
NEW = [find_deno_bin(), "run", "--no-prompt", "--allow-read", "--allow-env", "--deny-net"]
NEW.append(str(files("bids_validator_deno") / "bids-validator.js"))


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


def errors(command):
    """Texts of the errors in the dataset."""
    done = subprocess.run([*command, "set", "--json"], capture_output=True, text=True)
    issues = json.loads(done.stdout)["issues"]
    if "errors" in issues:
        return [str(file["evidence"]) for error in issues["errors"] for file in error["files"]]
    return [
        str(error.get("issueMessage")) for error in issues["issues"] if error["severity"] == "error"
    ]


with open("node_modules/bids-validator/package.json") as file:
    print("bids-validator", json.load(file)["version"])
print("bids-validator-deno", version("bids-validator-deno"))
ROWS = ["10.5\t5\tseizure"]
levels = {"Description": "kind", "Levels": {"seizure": "a seizure"}}
valid = {}
for hed, tag in {
    "8.3.0": "Sensory-event",
    "8.4.0": "Sensory-event",
    "score_1.0.0": "Semiology-motor-dystonic",
    "score_1.1.0": "Semiology-motor-dystonic",
    "score_1.2.0": "Semiology-motor-dystonic",
    "score_2.0.0": "Semiology-dystonic",
    "score_2.1.0": "Semiology-dystonic",
    "score_2.2.0": "Semiology-dystonic",
}.items():
    write("set", ROWS, {"trial_type": levels | {"HED": {"seizure": tag}}}, hed)
    found = errors(OLD), errors(NEW)
    valid[hed] = tuple(not each for each in found)
    print(f"{tag} of {hed}:", *(each[0][:70] if each else "valid" for each in found), sep=" | ")
    assert all("SCHEMA_LOAD_FAILED" in text for each in found for text in each), "changed"
print()
said = {}
for value in (60.0, "60 s", [60.0], {"Value": 60.0}):
    write("set", ROWS, {"trial_type": levels, "RecordingDuration": value})
    said[type(value)] = errors(OLD), errors(NEW)
    print("RecordingDuration", value, *said[type(value)])
both = {"8.3.0"}
assert {hed for hed, each in valid.items() if each[0]} == {*both, "score_1.0.0", "score_1.1.0"}
assert {hed for hed, each in valid.items() if each[1]} == {
    *both, "8.4.0", "score_1.2.0", "score_2.0.0", "score_2.1.0"
}, "the behaviour has changed"
for kind in (float, str, list):
    assert len(said[kind][0]) == 1 and "should be object" in said[kind][0][0], "changed"
assert not said[dict][0] and not any(new for _, new in said.values()), "the behaviour has changed"
EOF

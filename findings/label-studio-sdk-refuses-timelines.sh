#!/usr/bin/env bash
# Label Studio's SDK calls every timeline region wrong, and cannot check a task with annotations.
#
# Expected (a guess): a region as Label Studio's documentation of TimelineLabels shows it is valid for
#   the configuration shown beside it, and validate_task checks the annotations of a task.
# What happens: validate_region refuses it ("Invalid value for control 'timelineLabels'. ... Valid
#   options: ['Nothing', 'Movement']"), though Movement is among the options: the SDK has no class for
#   the values of TimelineLabels. validate_task with annotations raises a TypeError (a missing
#   argument in its own call); of the task's data alone it is right.
#   JSON-MIN, which the SDK's converter makes, has the ranges, and each field of a region (side, end)
#   beside them, with no word of which range it is of.
# Version: label-studio-sdk 2.1.0. Date: 2026-11-30.
# Why it matters: who checks an import by the SDK drops every mark; who reads JSON-MIN and takes the
#   field "side" for that of the first range gives the wrong side.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check label-studio-sdk==2.1.0
env/bin/python - <<'EOF' 2>/dev/null
import json
from importlib.metadata import version

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface

print("label-studio-sdk", version("label-studio-sdk"))
CONFIG = """<View><Video name="video" value="$video"/>
<TimelineLabels name="timelineLabels" toName="video">
<Label value="Nothing"/><Label value="Movement"/></TimelineLabels>
<TextArea name="side" toName="video" perRegion="true"/></View>"""
about = {"to_name": "video", "origin": "manual"}
results = []
for key, start, side in (("a", 3, None), ("b", 30, "left")):
    ranges = {"ranges": [{"start": start, "end": start + 2}]}
    sign = {"from_name": "timelineLabels", "type": "timelinelabels"}
    results.append({**about, "id": key, **sign, "value": ranges | {"timelinelabels": ["Movement"]}})
    if side:
        value = ranges | {"text": [side]}
        results.append({**about, "id": key, "from_name": "side", "type": "textarea", "value": value})
who = {"id": 1, "completed_by": {"email": "a@example.org"}}
who |= {"created_at": "", "updated_at": "", "lead_time": 1}
task = {"id": 1, "data": {"video": "c1.mp4"}, "annotations": [{"result": results, **who}]}
interface = LabelInterface(CONFIG)
refused = interface.validate_region(results[0], return_errors=True)
print("region:", refused)
try:
    interface.validate_task(task)
    whole = "checked"
except TypeError as error:
    whole = "TypeError"
print("task with annotations:", whole, "; its data alone:", interface.validate_task({"data": task["data"]}))
with open("tasks.json", "w") as file:
    json.dump([task], file)
Converter(CONFIG, ".", download_resources=False).convert_to_json_min("tasks.json", "min", is_dir=False)
with open("min/result.json") as file:
    (found,) = json.load(file)
print("JSON-MIN:", found["timelineLabels"], "side:", found["side"])
assert len(refused) == 1 and "Valid options: ['Nothing', 'Movement']" in refused[0], "changed"
assert whole == "TypeError" and interface.validate_task({"data": task["data"]}), "changed"
assert len(found["timelineLabels"]) == 2 and found["side"] == "left", "the behaviour has changed"
EOF

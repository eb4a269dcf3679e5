"""Other programs' side of `marks` that need an environment of their own.

    python in_marks_others.py PROGRAM FOLDER

`datumaro` prints what it sees of FOLDER/*.xml, (label, first frame, frame outside) of each track;
`label-studio` checks the tasks in FOLDER/*.json and writes their JSON-MIN to FOLDER/min; `hed` runs
our check of tags, with this package and hedtools on the path.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

FIELDS = ("level", "side", "body_part", "confidence", "rater", "source", "comment", "tier", "end")
TAGS = {  # schemas -> tags that are right, and wrong, with them
    ("8.4.0", "sc:score_2.1.0"): ("sc:Semiology-tonic", "sc:Semiology-motor-tonic"),
    ("score_1.1.0",): ("Semiology-motor-tonic", "Semiology-tonic"),
}


def datumaro(folder: Path) -> dict:
    import datumaro

    seen = {}
    for path in sorted(folder.glob("*.xml")):
        with tempfile.TemporaryDirectory() as alone:
            shutil.copy(path, Path(alone) / "annotations.xml")
            data = datumaro.Dataset.import_from(alone, "cvat")
        names = [one.name for one in data.categories()[datumaro.AnnotationType.label].items]
        tracks: dict[int, list] = {}
        for item in data:
            for one in item.annotations:
                about = one.attributes
                key = about["track_id"]
                tracks.setdefault(key, [names[one.label], -1, -1])
                tracks[key][1 + about["outside"]] = item.attributes["frame"]
        seen[path.name] = sorted(tracks.values())
    return {"version": version("datumaro"), "seen": seen}


def label_studio(folder: Path) -> dict:
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    faults = []
    files = sorted(folder.glob("*.json"))
    for path in files:
        tasks = json.loads(path.read_text())
        results = [one for task in tasks for own in task["annotations"] for one in own["result"]]
        signs = {sign for one in results for sign in one["value"].get("timelinelabels", [])}
        labels = "".join(f'<Label value="{sign}"/>' for sign in sorted(signs))
        areas = [f'<TextArea name="{name}" toName="video" perRegion="true"/>' for name in FIELDS]
        config = (
            '<View><Video name="video" value="$video" frameRate="$fps"/><TimelineLabels name="sign"'
            f' toName="video">{labels}</TimelineLabels>{"".join(areas)}</View>'
        )
        interface = LabelInterface(config)
        for number, task in enumerate(tasks, start=1):
            if not interface.validate_task({"data": task["data"]}):
                faults.append(f"{path.name}: its data")
            for one in results:  # the SDK has no values that TimelineLabels may have
                if one["type"] != "timelinelabels" and not interface.validate_region(one):
                    faults.append(f"{path.name}: {one}")
            when = {"created_at": "", "updated_at": "", "lead_time": 1}
            task["id"] = number
            for place, own in enumerate(task["annotations"]):
                own |= {"id": place, "completed_by": {"email": "a@example.org"}, **when}
        with tempfile.TemporaryDirectory() as alone, contextlib.redirect_stdout(sys.stderr):
            whole = Path(alone) / "tasks.json"
            whole.write_text(json.dumps(tasks))
            converter = Converter(config, alone, download_resources=False)
            converter.convert_to_json_min(str(whole), f"{alone}/min", is_dir=False)
            (folder / "min").mkdir(exist_ok=True)
            shutil.copy(Path(alone) / "min/result.json", folder / "min" / path.name)
    return {"version": version("label-studio-sdk"), "files": len(files), "faults": faults}


def hed(folder: Path) -> dict:
    from semiology.data.marks.hed import check_tags
    from semiology.errors import UserError

    faults = []
    for schemas, (right, wrong) in TAGS.items():
        if remark := check_tags({"tonic": right}, schemas, folder):
            faults.append(remark)
        try:
            check_tags({"tonic": wrong}, schemas, folder)
            faults.append(f"{wrong} passed with {schemas}")
        except UserError:
            pass
    return {"version": version("hedtools"), "faults": faults}


if __name__ == "__main__":
    programs = {"datumaro": datumaro, "label-studio": label_studio, "hed": hed}
    print(json.dumps(programs[sys.argv[1]](Path(sys.argv[2]))))

"""The other programs' side of `field_files`, run by an environment that has one of them and not
this package.

    python in_programs.py TASK FOLDER

A task named write_... makes files in FOLDER by the program's own means; one named open_... opens
what is there and prints what the program sees, as one JSON object.
"""

import json
import sys
from pathlib import Path

import numpy as np


def plain(values) -> list:
    """Numbers as JSON: NaN and masked ones are null."""
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    return [None if np.isnan(value) else float(value) for value in values.ravel()]


# --- sleap-io 0.9.5 ---


def sleap_labels(frames, hand=()):
    """Predictions of one track, nose at 10 times the frame; in the frames of `hand` labels without
    a track at one px more: in frame 6 linked to the prediction, else in its place.
    """
    import sleap_io

    skeleton = sleap_io.Skeleton(["nose", "left_wrist"])
    video = sleap_io.Video("video.mp4", backend_metadata={"shape": [60, 600, 1000, 3]})
    track = sleap_io.Track("patient")
    labelled = []
    for frame in frames:
        there = sleap_io.PredictedInstance.from_numpy(
            np.array([[10.0 * frame, 350], [np.nan, np.nan]]),
            skeleton=skeleton,
            point_scores=np.array([0.9, 0.8]),
            score=0.9,
            track=track,
        )
        instances = [there]
        if frame in hand:
            linked = there if frame == 6 else None
            points = np.array([[10.0 * frame + 1, 351], [20.0, 30]])
            label = sleap_io.Instance.from_numpy(points, skeleton=skeleton, from_predicted=linked)
            instances = [there, label] if linked else [label]
        labelled.append(sleap_io.LabeledFrame(video=video, frame_idx=frame, instances=instances))
    return sleap_io.Labels(labelled, videos=[video], skeletons=[skeleton], tracks=[track])


def sleap_crossing():
    """A carer and the patient, who pass each other in 40 frames, in an order that changes."""
    import sleap_io

    skeleton, video = sleap_io.Skeleton(["nose"]), sleap_io.Video("video.mp4")
    tracks = [sleap_io.Track("carer"), sleap_io.Track("patient")]
    frames = []
    for frame in range(40):
        people = [
            sleap_io.PredictedInstance.from_numpy(
                np.array([[x, 350.0]]),
                skeleton=skeleton,
                point_scores=np.array([0.9]),
                score=0.9,
                track=track,
            )
            for x, track in zip((100.0 + 20 * frame, 880.0 - 20 * frame), tracks, strict=True)
        ]
        frames.append(
            sleap_io.LabeledFrame(
                video=video, frame_idx=frame, instances=people if frame % 2 else people[::-1]
            )
        )
    return sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=tracks)


def write_sleap(folder: Path) -> dict:
    import sleap_io

    sleap_labels([5, 6, 8, 9], hand=(6, 9)).save(str(folder / "hand.slp"), embed=False)
    plainly = sleap_labels([5, 6, 8, 9])
    sleap_io.save_csv(plainly, str(folder / "dlc.csv"), format="dlc")
    sleap_io.save_csv(plainly, str(folder / "analysis.csv"), format="sleap")
    sleap_io.save_analysis_h5(plainly, str(folder / "analysis.h5"))
    two = sleap_crossing()
    two.save(str(folder / "two.slp"), embed=False)
    sleap_io.save_analysis_h5(two, str(folder / "two.h5"))
    for form in ("dlc", "sleap", "instances", "frames"):
        sleap_io.save_csv(two, str(folder / f"two_{form}.csv"), format=form)
    return {"version": sleap_io.__version__}


def open_sleap(folder: Path) -> dict:
    import sleap_io

    labels = sleap_io.load_slp(str(folder / "ours.slp"))
    names = labels.skeletons[0].node_names
    points = {frame.frame_idx: frame.instances[0].numpy() for frame in labels if frame.instances}
    lost = np.full((len(names), 2), np.nan)
    place = names.index("left_wrist")
    return {
        "names": names,
        "x": plain([points.get(frame, lost)[place, 0] for frame in range(10)]),
        "y": plain([points.get(frame, lost)[place, 1] for frame in range(10)]),
    }


# --- movement 0.17.0 ---


def write_movement(folder: Path) -> dict:
    import pandas as pd
    from movement.io import load_poses, save_poses

    position = np.full((500, 2, 1, 1), 350.0)
    position[:, 0, 0, 0] = np.arange(500)
    data = load_poses.from_numpy(position, fps=25, source_software="DeepLabCut")
    save_poses.to_dlc_file(data, folder / "no_scores.csv", split_individuals=False)
    save_poses.to_dlc_file(data, folder / "no_scores.h5", split_individuals=False)
    data.sel(time=slice(10, 19.97)).to_netcdf(folder / "cut.nc")
    fifty = load_poses.from_numpy(position, fps=50, source_software="DeepLabCut")
    fifty.isel(time=slice(0, None, 2)).to_netcdf(folder / "every_second.nc")
    frames = load_poses.from_numpy(position, source_software="DeepLabCut")
    frames.isel(time=slice(100, None)).to_netcdf(folder / "frames.nc")
    head = pd.MultiIndex.from_product(
        [["net"], ["nose"], ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    table = pd.DataFrame([[430, 350, 0.95], [-1, -1, -1], [430, 350, 0.95]], columns=head)
    table = table.astype(float)
    table.to_hdf(folder / "dlc3.h5", key="df_with_missing", format="table", mode="w")
    table.to_csv(folder / "dlc3.csv")
    load_poses.from_dlc_file(folder / "dlc3.csv", fps=25).to_netcdf(folder / "dlc3.nc")
    return {}


def open_movement(folder: Path) -> dict:
    import xarray as xr
    from movement.io import load_poses
    from movement.validators.datasets import ValidPosesInputs

    found = {}
    for name in ("ours.nc", "ours.slp", "ours.csv", "ours.h5"):
        path = folder / name
        if name.endswith(".nc"):
            data = xr.load_dataset(path)
            ValidPosesInputs.validate(data)
        else:
            read = load_poses.from_sleap_file if name == "ours.slp" else load_poses.from_dlc_file
            data = read(path, fps=25)
        wrist = data.position.sel(keypoint="left_wrist", space="x")
        found[name] = plain(wrist.values) + plain(data.time.values[[0, -1]])
    return found


# --- pose-format 0.15.0 ---


def open_pose_format(folder: Path) -> dict:
    from pose_format.utils.openpose import load_openpose_directory

    pose = load_openpose_directory(str(folder / "ours"), fps=25, width=1000, height=600)
    points = pose.header.components[0].points
    x = {name: plain(pose.body.data[:, 0, points.index(name), 0]) for name in points}
    return {"points": len(points), **{n: x[n] for n in ("LWrist", "RHip", "LHip", "LKnee")}}


# --- datumaro 1.13.0 ---


def write_datumaro(folder: Path) -> dict:
    import datumaro
    from datumaro.components.annotation import Bbox, Points, PointsCategories

    labels = datumaro.LabelCategories.from_iterable(["person"])
    names = PointsCategories()
    names.add(0, [f"p{number}" for number in range(17)], [])
    items = []
    for frame in range(40):
        people = []
        for who in (0, 1) if frame % 2 else (1, 0):
            x = 100 + 20 * (frame if who == 0 else 39 - frame)
            flat = [value for n in range(17) for value in (x + n % 3, 100 + 10 * n)]
            about = {"label": 0, "group": who + 1, "attributes": {"track_id": who}}
            people += [Points(flat, [2] * 17, **about), Bbox(x, 100, 20, 200, **about)]
        image = datumaro.Image.from_numpy(np.zeros((600, 1000, 3), np.uint8))
        items.append(datumaro.DatasetItem(f"frame_{frame:06d}", annotations=people, media=image))
    kinds = {datumaro.AnnotationType.label: labels, datumaro.AnnotationType.points: names}
    data = datumaro.Dataset.from_iterable(items, categories=kinds)
    data.export(str(folder / "coco"), "coco_person_keypoints", save_media=False)
    (written,) = (folder / "coco/annotations").glob("*.json")
    written.rename(folder / "coco.json")
    return {}


def open_datumaro(folder: Path) -> dict:
    import datumaro

    (folder / "data/annotations").mkdir(parents=True)
    (folder / "data/images/train").mkdir(parents=True)
    found = {}
    for name in ("labels", "tracks"):
        content = (folder / f"{name}.json").read_text()
        target = folder / "data/annotations/person_keypoints_train.json"
        target.write_text(content)
        for image in json.loads(content)["images"]:
            place = folder / "data/images/train" / image["file_name"]
            place.parent.mkdir(parents=True, exist_ok=True)
            datumaro.Image.from_numpy(np.zeros((60, 100, 3), np.uint8)).save(str(place))
        data = datumaro.Dataset.import_from(str(folder / "data"), "coco_person_keypoints")
        kinds = data.categories()[datumaro.AnnotationType.points].items
        names = next(iter(kinds.values())).labels
        place = names.index("left_wrist")
        seen = {}
        for item in data:
            for entry in item.annotations:
                if entry.type == datumaro.AnnotationType.points and entry.points:
                    seen[item.id] = entry.points[2 * place] if entry.visibility[place].value else -1
        found[name] = [seen[key] for key in sorted(seen)]
    return found


# --- label-studio-sdk 2.1.0 ---


def open_label_studio(folder: Path) -> dict:
    """Our tasks, the drafts accepted as an annotator would, through Label Studio's own export."""
    from label_studio_sdk.converter import Converter

    tasks = json.loads((folder / "ours/tasks.json").read_text())
    for task in tasks:
        task["annotations"] = [
            {"id": draft, "result": entry["result"], "was_cancelled": False}
            for draft, entry in enumerate(task.pop("predictions"), start=1)
        ]
    (folder / "accepted.json").write_text(json.dumps(tasks))
    converter = Converter(
        str(folder / "ours/labeling_config.xml"), str(folder), download_resources=False
    )
    converter.convert_to_coco(str(folder / "accepted.json"), str(folder / "coco"), is_dir=False)
    content = json.loads((folder / "coco/result.json").read_text())
    people = [entry for entry in content["categories"] if entry.get("keypoints")]
    marks = [entry for entry in content["annotations"] if entry.get("keypoints")]
    return {
        "names": people[0]["keypoints"],
        "x": [entry["keypoints"][0::3] for entry in marks],
        "images": len(content["images"]),
    }


# --- epilepsy2bids 0.0.7 ---


def write_epilepsy2bids(folder: Path) -> dict:
    from epilepsy2bids.annotations import Annotations

    touching = Annotations.loadEvents([(10.006, 15.014), (15.014, 20.0)], 3600.0)
    touching.saveTsv(str(folder / "touching.tsv"))
    Annotations.loadEvents([], 3600.0).saveTsv(str(folder / "none.tsv"))
    mask = np.zeros(3600 * 256)
    for onset, offset in ((105, 125), (890, 960), (2010, 2070), (3000, 3040)):
        mask[onset * 256 : offset * 256] = 1
    Annotations.loadMask(mask, 256).saveTsv(str(folder / "detected.tsv"))
    given = folder / "given.tsv"
    rows = ("100.00\t30.00\tsz_foc_ia_nm", "900.00\t60.00\tsz_foc_a", "2000.00\t90.00\tsz_gen")
    head = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    tail = "\tn/a\tn/a\t2026-03-01 22:00:00\t3600.00"
    given.write_text("\n".join([head, *(row + tail for row in rows)]) + "\n")
    Annotations.loadTsv(str(given)).saveTsv(str(folder / "saved_again.tsv"))
    return {}


# --- hedtools 1.3.0, with the schemas that it brings along ---


def hed_score(version: str):
    from importlib.resources import files

    from hed import load_schema

    return load_schema(str(files("hed") / "schema" / "schema_data" / f"HED_score_{version}.xml"))


def write_hedtools(folder: Path) -> dict:
    from hed import HedString

    schema = hed_score("1.1.0")
    names = {tag.short_tag_name for tag in schema.tags.values()}
    tags = [name for name in sorted(names) if "emiology-" in name]
    whole = [tag for tag in tags if not HedString(tag, schema).validate()]  # they need no value
    (folder / "tags.json").write_text(json.dumps(whole))
    return {}


def open_hedtools(folder: Path) -> dict:
    from hed import HedString

    schema = hed_score("2.1.0")
    tags = json.loads((folder / "tags.json").read_text())
    return {"invalid": [tag for tag in tags if HedString(tag, schema).validate()]}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))

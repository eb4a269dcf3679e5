"""Fine-tuning the detectors on labelled frames: the network of the regions (patient, face) and that of the joints, one after the other."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semiology.errors import UserError
from semiology.pose.detectors import COCO, MARGIN, Detectors, Setup, load_detectors
from semiology.pose.joints import COCO_KEYPOINTS, JointNetwork
from semiology.pose.regions import REGIONS, overlap, region_network, start_from_coco
from semiology.tracking.error import CUTOFF, ErrorTable, distance, error_table
from semiology.tracking.labels import Labels, read_image
from semiology.tracking.pictures import JointPictures, RegionPictures, frame_box, patient_box
from semiology.tracking.training import FinetuneOptions, JointTraining, RegionTraining, train
from semiology.weights import load


def finetune(labels: Labels, out: str | Path, options: FinetuneOptions | None = None, *, progress: bool = True) -> Detectors:
    """Train detectors on labelled frames and write them: OUT/detectors.json, regions.safetensors, joints.safetensors.

    Whole participants are held out, and the error on their frames is written beside the weights. The state is saved on the way: stopped at
    any moment, the same call goes on from there; finished with the same labels and options, it only reads what is there.

    Raises:
        UserError: weights to start from that are not there or of another network, fewer than two participants to hold one out, pictures
            that are missing or of another size than labelled.
    """
    options, out = options or FinetuneOptions(), Path(out)
    key = training_key(labels, options)
    if _finished(out, key):
        return load_detectors(out)
    training, held_out = split_by_participant(labels, options.held_out, options.seed)
    for frame in labels.frames:
        read_image(frame)  # a picture that is missing is said before hours of training
    detectors = untrained(training, options)
    people = sorted(set(training.participants))
    about: dict[str, Any] = {"key": key, "options": asdict(options), "frames": len(training), "participants": people}
    states = out / f"training-{key}"
    setup = detectors.setup
    if detectors.regions is not None and options.region_steps:
        frames = RegionPictures(training, setup.regions, options.augmentation, options.seed)
        train(RegionTraining(detectors.regions, options), frames, options.region_steps, states / "regions", options, progress)
    if options.joint_steps:
        pictures = JointPictures(training, setup.size, setup.margin, setup.region, options.augmentation, options.seed)
        train(JointTraining(detectors.joints, options), pictures, options.joint_steps, states / "joints", options, progress)
    detectors.to("cpu")
    if len(held_out):
        error = measure(detectors, held_out, seed=options.seed)
        found = measure_regions(detectors, held_out)
        about["held out"] = {"participants": sorted(set(held_out.participants)), **error.to_dict(), "regions": found}
    made = Detectors(detectors.setup, detectors.joints, detectors.regions, about)
    made.save(out)
    shutil.rmtree(states, ignore_errors=True)
    return made


def split_by_participant(labels: Labels, share: float, seed: int) -> tuple[Labels, Labels]:
    """Labels of the participants to train on, and of those held out: a share of the participants, at least one, drawn by the seed.

    Raises:
        UserError: fewer than two participants, where some are to be held out.
    """
    people = np.array(sorted(set(labels.participants)))
    if share == 0:
        return labels, labels.take(np.zeros(len(labels), bool))
    if len(people) < 2:
        raise UserError(
            f"labels: one participant only ({people[0]}), so nobody can be held out; label frames of others, or give --held_out 0"
        )
    count = min(max(round(share * len(people)), 1), len(people) - 1)
    chosen = np.random.default_rng(seed).choice(people, count, replace=False)
    apart = np.isin(labels.participants, chosen)
    return labels.take(~apart), labels.take(apart)


def untrained(labels: Labels, options: FinetuneOptions) -> Detectors:
    """The networks as training starts with them, for the joints that are labelled.

    Raises:
        UserError: weights to start from that are not there or of another network.
    """
    if options.start == "coco" and options.backbone != "resnet50":
        raise UserError(
            "finetune: COCO's published joints are resnet50's; give --backbone resnet50, or --start FOLDER of detectors trained "
            "before, or --start scratch for random weights, which need some hundred labelled frames"
        )
    torch.manual_seed(options.seed)
    faces = any("face" in frame.regions for frame in labels.frames)
    regions = [name for name in REGIONS if name != "face" or faces] if options.region == "patient" else []
    margin = MARGIN if options.region == "patient" else 1.0
    setup = Setup(list(labels.keypoints), options.backbone, options.size, options.region, margin, regions)
    made = Detectors(setup, JointNetwork(setup.joints, setup.backbone), region_network(len(regions)) if regions else None)
    if options.start == "coco":
        made.joints.start_from(load(COCO["joints"]), COCO_KEYPOINTS)
        if made.regions is not None:
            start_from_coco(made.regions, load(COCO["regions"]))
    elif options.start != "scratch":
        before = load_detectors(options.start)
        made.joints.start_from(before.joints.state_dict(), before.setup.joints)
        if made.regions is not None and before.regions is not None and before.setup.regions == regions:
            made.regions.load_state_dict(before.regions.state_dict())
    return made


def locate_patients(detectors: Detectors, labels: Labels, batch: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Joints in labelled frames as in use, nothing of the labels being seen: (frame, joint, 2) px and confidence (frame, joint).

    NaN and 0 where the regions show no patient. Of several patients the best is taken.
    """
    position = np.full((len(labels), len(detectors.setup.joints), 2), np.nan)
    confidence = np.zeros(position.shape[:2])
    for first in range(0, len(labels), batch):
        rows = range(first, min(first + batch, len(labels)))
        images = [read_image(labels.frames[row]) for row in rows]
        if detectors.regions is None:
            boxes = [frame_box(labels, row) for row in rows]
            found = list(range(len(images)))
        else:
            patients = [regions["patient"][0] for regions in detectors.find_regions(images)]
            found = [number for number, patient in enumerate(patients) if len(patient)]
            boxes = [patients[number][0] for number in found]
        if found:
            places = [rows[number] for number in found]
            position[places], confidence[places] = detectors.find_joints([images[number] for number in found], boxes)
    return position, confidence


def measure(detectors: Detectors, labels: Labels, *, cutoff: float = CUTOFF, cm_per_px: float | None = None, seed: int = 0) -> ErrorTable:
    """The detectors' error on labelled frames: see `tracking/error.py`."""
    position, confidence = locate_patients(detectors, labels)
    known = labels.select(detectors.setup.joints)
    labelled = np.where((known.visibility > 0)[..., None], known.position, np.nan)
    return error_table(
        distance(position, labelled),
        confidence,
        labelled=known.visibility > 0,
        keypoints=known.keypoints,
        participants=known.participants,
        cutoff=cutoff,
        cm_per_px=cm_per_px,
        seed=seed,
    )


def measure_regions(detectors: Detectors, labels: Labels) -> dict[str, dict[str, float]]:
    """For each region, the number of marked boxes, the share of them found (intersection over union with the best above one half), and the
    mean of that overlap. The patient's box is that around the joints where none was marked. Empty without a region network.
    """
    overlaps: dict[str, list[float]] = {name: [] for name in (detectors.setup.regions if detectors.regions is not None else [])}
    for row, frame in enumerate(labels.frames if overlaps else []):
        found = detectors.find_regions([read_image(frame)])[0]
        for name, shares in overlaps.items():
            marked = patient_box(labels, row) if name == "patient" else frame.regions.get(name)
            if marked is not None:
                boxes = found[name][0]
                shares.append(overlap(boxes[0], np.asarray(marked)) if len(boxes) else 0.0)
    return {
        name: {"marked": len(shares), "found": float(np.mean(np.array(shares) > 0.5)), "overlap": float(np.mean(shares))}
        for name, shares in overlaps.items()
        if shares
    }


def training_key(labels: Labels, options: FinetuneOptions) -> str:
    """Stands for the labels (positions and which frames) and the options; the pictures are taken to be those that were labelled."""
    what = [[frame.frame_id, frame.participant_id, frame.width, frame.height, frame.regions] for frame in labels.frames]
    digest = hashlib.sha256(json.dumps([labels.keypoints, what, asdict(options)], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(labels.position).tobytes() + np.ascontiguousarray(labels.visibility, np.int64).tobytes())
    return digest.hexdigest()[:16]


def _finished(out: Path, key: str) -> bool:
    if not (out / "detectors.json").is_file():
        return False
    return json.loads((out / "detectors.json").read_text(encoding="utf-8")).get("about", {}).get("key") == key

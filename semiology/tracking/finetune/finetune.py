"""Fine-tune the detectors on labelled frames, regions (patient, face) first, then joints, and
evaluate them on held-out participants.
"""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semiology.data.keypoint_names import COCO_17
from semiology.errors import UserError
from semiology.files import begin_folder, content_hash
from semiology.tracking.boxes import iou
from semiology.tracking.finetune.dataset import JointDataset, RegionDataset, frame_box, patient_box
from semiology.tracking.finetune.training import (
    FinetuneOptions,
    JointTraining,
    RegionTraining,
    train,
)
from semiology.tracking.labels.labels import Labels, read_image
from semiology.tracking.pose.detectors import (
    COCO,
    MARGIN,
    Detectors,
    DetectorSetup,
    load_detectors,
    read_description,
)
from semiology.tracking.pose.joint_network import JointNetwork
from semiology.tracking.pose.ssd import REGIONS, region_network, start_from_coco
from semiology.tracking.tracking_error import CUTOFF, ErrorTable, distance, error_table
from semiology.weights import load

VERSION = 1  # raise when the same labels and options train different detectors


def finetune(
    labels: Labels,
    out: str | Path,
    options: FinetuneOptions | None = None,
    *,
    progress: bool = True,
) -> Detectors:
    """Train detectors on labelled frames and write them: OUT/detectors.json, regions.safetensors,
    joints.safetensors.

    Whole participants are held out, and the error on their frames is written beside the weights.
    Checkpoints are saved during training: an interrupted run resumes when it is called again; where
    the result for the same labels and options is there, it is read.

    Raises:
        UserError: initial weights that are not there or of another network, fewer than two
            participants to hold one out, images that are missing or of another size than labelled.
    """
    options, out = options or FinetuneOptions(), Path(out)
    key = training_key(labels, options)
    if _finished(out, key):
        return load_detectors(out)
    training, held_out = split_by_participant(labels, options.held_out, options.seed)
    if len(held_out) and not (held_out.visibility > 0).any():
        raise UserError(
            "labels: the participants held out have no labelled point; label some, or give another"
            " --seed, or --held_out 0"
        )
    detectors = initial_detectors(training, options)
    setup = detectors.setup
    about: dict[str, Any] = {
        "key": key,
        "options": asdict(options),
        "frames": len(training),
        "participants": _people(training),
    }
    frames = crops = None
    if detectors.regions is not None and options.region_steps:
        frames = RegionDataset(training, setup.regions, options.augmentation, options.seed)
        about["frames with a patient"] = len(frames)
    if options.joint_steps:
        crops = JointDataset(
            training, setup.size, setup.margin, setup.region, options.augmentation, options.seed
        )
    begin_folder(out)
    states = out / f"training-{key}"
    if frames is not None:
        regions = RegionTraining(detectors.regions, options)
        train(regions, frames, options.region_steps, states / "regions", options, progress)
    if crops is not None:
        joints = JointTraining(detectors.joints, options)
        train(joints, crops, options.joint_steps, states / "joints", options, progress)
    detectors.to("cpu")
    if len(held_out):
        error, found = (
            measure(detectors, held_out, seed=options.seed),
            measure_regions(detectors, held_out),
        )
        about["held out"] = {
            "participants": _people(held_out),
            "error": error.to_dict(),
            "regions": found,
        }
    made = Detectors(detectors.setup, detectors.joints, detectors.regions, about)
    made.save(out)
    for left in out.glob("training-*"):  # also those of other options
        shutil.rmtree(left, ignore_errors=True)
    return made


def split_by_participant(labels: Labels, fraction: float, seed: int) -> tuple[Labels, Labels]:
    """Split labels into training and held-out participants; the latter are a fraction of the
    participants, at least one, sampled by the seed.

    Raises:
        UserError: fewer than two participants, where some are to be held out.
    """
    people = np.array(sorted(set(labels.participants)))
    if fraction == 0:
        return labels, labels.take(np.zeros(len(labels), bool))
    if len(people) < 2:
        raise UserError(
            f"labels: one participant only ({people[0]}), so nobody can be held out; label frames"
            " of others, or give --held_out 0"
        )
    count = min(max(round(fraction * len(people)), 1), len(people) - 1)
    chosen = np.random.default_rng(seed).choice(people, count, replace=False)
    held_out = np.isin(labels.participants, chosen)
    return labels.take(~held_out), labels.take(held_out)


def initial_detectors(labels: Labels, options: FinetuneOptions) -> Detectors:
    """The networks before training, for the labelled joints, with the initial weights of the
    options.

    Raises:
        UserError: initial weights that are not there or of another network.
    """
    torch.manual_seed(options.seed)
    initial = (
        load_detectors(options.start)
        if options.start not in ("coco", "imagenet", "scratch")
        else None
    )
    default_backbone = (
        "resnet50"
        if options.start == "coco"
        else initial.setup.backbone
        if initial
        else "mobilenet_v3_large"
    )
    backbone = options.backbone or default_backbone
    if backbone != default_backbone and (options.start == "coco" or initial):
        raise UserError(
            f"finetune: the weights to start from are of {default_backbone}, not"
            f" {backbone}; leave --backbone out, or start from others"
        )
    if backbone == "resnet50" and options.start == "scratch":
        raise UserError(
            "finetune: resnet50's batch norms are frozen, so it cannot start from scratch; give"
            " --start coco or imagenet"
        )
    faces = any("face" in frame.regions for frame in labels.frames)
    regions = (
        [name for name in REGIONS if name != "face" or faces] if options.region == "patient" else []
    )
    margin = MARGIN if options.region == "patient" else 1.0
    setup = DetectorSetup(
        list(labels.keypoints), backbone, options.size, options.region, margin, regions
    )
    made = Detectors(
        setup,
        JointNetwork(setup.joints, backbone),
        region_network(len(regions)) if regions else None,
    )
    regions_trained = made.regions is None
    if options.start == "coco":
        made.joints.start_from(load(COCO["joints"]), COCO_17)
        if made.regions is not None:
            start_from_coco(made.regions, load(COCO["regions"]))
            regions_trained = True
    elif options.start == "imagenet":
        made.joints.start_from_imagenet(load(backbone))
    elif initial:
        made.joints.start_from(initial.joints.state_dict(), initial.setup.joints)
        if (
            made.regions is not None
            and initial.regions is not None
            and initial.setup.regions == regions
        ):
            made.regions.load_state_dict(initial.regions.state_dict())
            regions_trained = True
    if not options.joint_steps and not (initial and set(setup.joints) <= set(initial.setup.joints)):
        raise UserError(
            "finetune: joints would stay random; give --joint_steps, or --start FOLDER of detectors"
            " of these joints"
        )
    if not regions_trained and not options.region_steps:
        raise UserError(
            "finetune: the region network would stay random; give --region_steps, or --start coco,"
            " or --region frame"
        )
    return made


def locate_patients(
    detectors: Detectors, labels: Labels, batch: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Detect the joints in labelled frames without using the labels: position (frame, joint, 2) px
    and confidence (frame, joint).

    NaN and 0 where no patient is detected. Of several detections the best is used.
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
            position[places], confidence[places] = detectors.find_joints(
                [images[number] for number in found], boxes
            )
    return position, confidence


def measure(
    detectors: Detectors,
    labels: Labels,
    *,
    cutoff: float = CUTOFF,
    cm_per_px: float | None = None,
    seed: int = 0,
) -> ErrorTable:
    """The detectors' error on labelled frames, as `tracking_error.error_table` defines it."""
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
    """For each region, the number of marked boxes, the fraction of them found (intersection over
    union with the best detection above one half), and the mean of that overlap. Where no box of the
    patient was marked, it is that around the joints. Empty without a region network.
    """
    overlaps: dict[str, list[float]] = {
        name: [] for name in (detectors.setup.regions if detectors.regions is not None else [])
    }
    for row, frame in enumerate(labels.frames if overlaps else []):
        found = detectors.find_regions([read_image(frame)])[0]
        for name, values in overlaps.items():
            marked = patient_box(labels, row) if name == "patient" else frame.regions.get(name)
            if marked is not None:
                boxes = found[name][0]
                values.append(iou(boxes[0], np.asarray(marked)) if len(boxes) else 0.0)
    return {
        name: {
            "marked": len(values),
            "found": float(np.mean(np.array(values) > 0.5)),
            "overlap": float(np.mean(values)),
        }
        for name, values in overlaps.items()
        if values
    }


def training_key(labels: Labels, options: FinetuneOptions) -> str:
    """Hash of all that the detectors depend on: labels, the images' content, options, and the
    initial weights.

    Raises:
        UserError: an image that is missing, or of another size than labelled.
    """
    digest = hashlib.sha256()
    for frame in labels.frames:
        read_image(frame)  # raises for an unusable image before hours of training
        what = [
            frame.frame_id,
            frame.participant_id,
            frame.width,
            frame.height,
            frame.regions,
            content_hash(frame.image),
        ]
        digest.update(json.dumps(what, sort_keys=True).encode())
    digest.update(
        np.ascontiguousarray(labels.position).tobytes()
        + np.ascontiguousarray(labels.visibility, np.int64).tobytes()
    )
    start = (
        read_description(options.start)["sha256"]
        if options.start not in ("coco", "imagenet", "scratch")
        else options.start
    )
    how = {
        name: value for name, value in asdict(options).items() if name not in ("start", "workers")
    }
    digest.update(json.dumps([labels.keypoints, start, how, VERSION], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _finished(out: Path, key: str) -> bool:
    try:
        return read_description(out)["about"].get("key") == key
    except UserError:  # none there, or a damaged one: train again
        return False


def _people(labels: Labels) -> list[str]:
    """Participants, for the record. A video without a participant is labelled by its name, which is
    counted but not passed on.
    """
    named = {frame.participant_id for frame in labels.frames if frame.participant_id != frame.video}
    unnamed = {frame.video for frame in labels.frames if frame.participant_id == frame.video}
    return sorted(named) + (
        [f"{len(unnamed)} videos whose participants were not given"] if unnamed else []
    )

"""Fine-tuning and the curve, on images in which every joint is a dot of its own colour, so that a
position can be read from its colour.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semiology.cli.main import main
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.finetune import training
from semiology.tracking.finetune.curve import CurveOptions, label_count_curve, split_frames
from semiology.tracking.finetune.dataset import (
    Augmentation,
    JointDataset,
    RegionDataset,
    heatmap_targets,
    mirrored_indices,
)
from semiology.tracking.finetune.finetune import (
    finetune,
    initial_detectors,
    measure,
    split_by_participant,
    training_key,
)
from semiology.tracking.finetune.training import FinetuneOptions, JointTraining, sampling_order
from semiology.tracking.labels.coco import write_coco
from semiology.tracking.labels.labels import LabelledFrame, Labels
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import KeypointRCNNOptions
from semiology.tracking.pose.detectors import load_detectors
from semiology.tracking.pose.joint_network import JointNetwork
from semiology.video import write_video

JOINTS = ["left_wrist", "right_wrist", "head"]
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]])
WIDTH, HEIGHT, DOT = 160, 120, 7
STILL = Augmentation(1, 0, 0, 0, 0, 0)
SIDED = Augmentation(
    mirror=0
)  # a mirrored red dot would be the right wrist's, and colours could tell nothing
QUICK = FinetuneOptions(
    start="scratch",
    region="frame",
    size=64,
    batch=8,
    joint_steps=80,
    learning_rate=2e-3,
    augmentation=SIDED,
)


def dots(positions: np.ndarray) -> np.ndarray:
    """A grey image with a dot at each joint, x, y px."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for colour, (at_x, at_y) in zip(COLOURS, positions):
        image[(x - at_x) ** 2 + (y - at_y) ** 2 < DOT**2] = colour
    return image


def dotted(folder, people=5, frames=8, seed=0) -> Labels:
    rng = np.random.default_rng(seed)
    positions, entries = [], []
    for person in range(people):
        for number in range(frames):
            positions.append(
                np.stack([rng.uniform(20, WIDTH - 20, 3), rng.uniform(20, HEIGHT - 20, 3)], axis=1)
            )
            path = folder / f"p{person}/img{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(dots(positions[-1])).save(path)
            entries.append(
                LabelledFrame(
                    f"p{person}/{path.name}",
                    path,
                    f"p{person}",
                    f"P{person}",
                    number,
                    WIDTH,
                    HEIGHT,
                )
            )
    return Labels(JOINTS, entries, np.stack(positions), np.full((len(entries), 3), 2))


def test_in_a_mirror_left_becomes_right():
    assert mirrored_indices(["head", "left_wrist", "left_knee", "right_wrist"]) == [
        0,
        3,
        -1,
        1,
    ]  # where the right knee is, nobody labelled


@pytest.mark.parametrize(
    "what",
    [STILL, Augmentation(light=0, cover=0, mirror=0), Augmentation(light=0, cover=0, mirror=1)],
)
def test_after_any_disturbance_each_joint_lies_on_its_own_colour(tmp_path, what):
    labels = dotted(tmp_path, people=1, frames=4)
    images = JointDataset(labels, 96, 1.0, "frame", what, seed=3)
    seen = 0
    for number in range(12):
        pixels, position, known = images[number]
        for joint in range(3):
            if known[joint]:
                x, y = (position[joint].numpy() * 96).astype(int)
                named = JOINTS[mirrored_indices(JOINTS)[joint]] if what.mirror else JOINTS[joint]
                colour = pixels[:, min(y, 95), min(x, 95)].numpy() * 255
                distances = np.abs(COLOURS - colour).sum(1)
                if (
                    np.abs(labels.position[number % 4] - labels.position[number % 4][:, None])
                    .sum(2)[np.triu_indices(3, 1)]
                    .min()
                    > 40
                ):
                    assert JOINTS[distances.argmin()] == named  # where no dots overlap
                    seen += 1
    assert seen >= 6


def test_boxes_follow_their_picture(tmp_path):
    image = np.full((120, 160, 3), 90, np.uint8)
    image[30:90, 40:100] = [255, 0, 0]
    Image.fromarray(image).save(tmp_path / "a.png")
    frame = LabelledFrame(
        "a", tmp_path / "a.png", "v", "P", 0, 160, 120, {"patient": (40, 30, 100, 90)}
    )
    labels = Labels(["head"], [frame], np.full((1, 1, 2), np.nan), np.zeros((1, 1), int))
    pixels, target = RegionDataset(labels, ["patient", "face"], STILL)[0]
    np.testing.assert_allclose(
        target["boxes"], [[80, 80, 200, 240]]
    )  # 320 px for 160 across and for 120 down
    assert target["labels"].tolist() == [1]
    disturbed = RegionDataset(labels, ["patient", "face"], Augmentation(light=0, cover=0), seed=1)
    for number in range(6):
        pixels, target = disturbed[number]
        left, top, right, bottom = target["boxes"][0].round().int().tolist()
        inside = pixels[0, top + 3 : bottom - 3, left + 3 : right - 3]
        assert (inside > 0.98).all() and (pixels[0] > 0.98).sum() <= (right - left + 2) * (
            bottom - top + 2
        )


def test_a_target_is_a_distribution_around_the_joint():
    heat = heatmap_targets(torch.tensor([[[0.25, 0.75]]]), 56)[0, 0]
    assert heat.sum() == pytest.approx(1.0)
    assert np.unravel_index(int(heat.argmax()), (56, 56)) in [
        (41, 13),
        (41, 14),
        (42, 13),
        (42, 14),
    ]  # between bins 13|14 and 41|42


def test_whole_participants_are_held_out(tmp_path):
    labels = dotted(tmp_path, people=5, frames=2)
    training_part, held_out = split_by_participant(labels, 0.4, seed=1)
    assert len(set(held_out.participants)) == 2 and not set(held_out.participants) & set(
        training_part.participants
    )
    assert len(training_part) + len(held_out) == len(labels)
    with pytest.raises(UserError, match="one participant"):
        split_by_participant(labels.take([0, 1]), 0.2, 0)


def test_draws_go_through_all_frames_before_any_comes_again():
    order = sampling_order(5, 13, seed=0)
    assert (
        sorted(order[:5]) == [0, 1, 2, 3, 4]
        and sorted(order[5:10]) == [5, 6, 7, 8, 9]
        and len(order) == 13
    )


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 2)
    labels = dotted(tmp_path / "labels", people=1, frames=4)
    options = replace(QUICK, batch=2, size=64)

    class Stopped(JointDataset):
        def __getitem__(self, draw):
            if draw >= 12:  # in the seventh of ten batches
                raise KeyboardInterrupt
            return super().__getitem__(draw)

    def trained(kinds, folder):
        torch.manual_seed(0)
        module = JointTraining(JointNetwork(JOINTS), options)
        for kind in kinds:
            images = kind(labels, 64, 1.0, "frame", options.augmentation, 0)
            if kind is Stopped:
                with pytest.raises(KeyboardInterrupt):
                    training.train(module, images, 10, folder, options, False)
                torch.manual_seed(1)
                module = JointTraining(
                    JointNetwork(JOINTS), options
                )  # as another process would begin
            else:
                training.train(module, images, 10, folder, options, False)
        return module.network.state_dict()

    whole, resumed = (
        trained([JointDataset], tmp_path / "a"),
        trained([Stopped, JointDataset], tmp_path / "b"),
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Detectors trained for seconds on forty images of dots, with one of five people held out."""
    folder = tmp_path_factory.mktemp("finetune")
    labels = dotted(folder / "labels")
    return folder, labels, finetune(labels, folder / "detectors", QUICK, progress=False)


def test_training_finds_the_dots_of_people_never_seen(trained):
    _, labels, detectors = trained
    _, unseen = split_by_participant(labels, QUICK.held_out, QUICK.seed)
    before = measure(initial_detectors(labels, QUICK).to("cpu"), unseen).overall.mean.value
    after = detectors.about["held out"]["error"]["overall"]["mean_px"]["value"]
    assert detectors.about["held out"]["participants"] == sorted(set(unseen.participants))
    assert before > 35 and after < 10  # px; an image is 160 wide, a dot 14


def test_what_is_finished_is_only_read(trained):
    folder, labels, _ = trained
    written = (folder / "detectors/detectors.json").stat().st_mtime_ns
    again = finetune(labels, folder / "detectors", QUICK, progress=False)
    assert (folder / "detectors/detectors.json").stat().st_mtime_ns == written
    assert again.setup.joints == JOINTS and again.regions is None
    assert not list((folder / "detectors").glob("training-*"))


def test_other_pictures_are_another_training(trained, tmp_path):
    _, labels, _ = trained
    key = training_key(labels, QUICK)
    assert (
        training_key(labels, replace(QUICK, workers=3))
        == key
        != training_key(labels, replace(QUICK, seed=1))
    )
    copy = dotted(tmp_path)
    Image.fromarray(255 - dots(copy.position[0])).save(copy.frames[0].image)
    assert training_key(copy, QUICK) != key


def test_the_verb_trains_reports_the_error_and_checks_the_joints(tmp_path, capsys):
    labels = dotted(tmp_path / "images", people=3, frames=3)
    write_coco(labels, tmp_path / "images/labels.json")
    arm = (
        "name: arm\npart: body\njoints: [left_wrist, right_wrist, {}]\nedges: [[left_wrist,"
        " right_wrist]]\nroot: right_wrist\n"
    )
    (tmp_path / "other.yaml").write_text(
        arm.format("nose") + "origin: [right_wrist]\nscale: [left_wrist, right_wrist]\n"
    )
    quick = [
        "--start",
        "scratch",
        "--size",
        "64",
        "--batch",
        "2",
        "--joint_steps",
        "2",
        "--region_steps",
        "2",
    ]
    command = [
        "tracking",
        "finetune",
        str(tmp_path / "images/labels.json"),
        "--out",
        str(tmp_path / "out"),
        *quick,
    ]
    assert main([*command, "--skeleton", str(tmp_path / "other.yaml")]) == 2
    assert "'nose'" in capsys.readouterr().err
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert (
        "on 3 frames of 1 participants held out: mean" in printed
        and "patient: " in printed
        and "--pose keypoint-rcnn" in printed
    )
    assert json.loads((tmp_path / "out/detectors.json").read_text())["about"]["frames"] == 6


@pytest.mark.parametrize(
    "wrong",
    [{"learning_rate": -1.0}, {"size": 0}, {"workers": -1}, {"held_out": 1.0}, {"batch": 1}],
)
def test_options_out_of_bounds_are_refused(wrong):
    with pytest.raises(UserError, match="finetune: "):
        FinetuneOptions(**wrong)
    with pytest.raises(UserError, match="augmentation: scale"):
        Augmentation(scale=0)
    with pytest.raises(UserError, match=r"curve: .*cutoff"):
        CurveOptions(cutoff=7)


def test_a_training_that_could_not_end_well_does_not_begin(tmp_path):
    labels = dotted(tmp_path, people=3, frames=2)
    _, held_out = split_by_participant(labels, QUICK.held_out, QUICK.seed)
    hidden = np.where(
        np.isin(labels.participants, held_out.participants)[:, None], 0, labels.visibility
    )
    with pytest.raises(UserError, match=r"held out .*--seed"):
        finetune(
            Labels(JOINTS, labels.frames, labels.position, hidden),
            tmp_path / "out",
            QUICK,
            progress=False,
        )
    with pytest.raises(UserError, match="boxes called patient"):
        finetune(
            labels.select(["head"]),
            tmp_path / "out",
            replace(QUICK, region="patient", region_steps=1),
            progress=False,
        )
    with pytest.raises(UserError, match="--region_steps"):
        finetune(
            labels,
            tmp_path / "out",
            replace(QUICK, region="patient", region_steps=0),
            progress=False,
        )
    with pytest.raises(UserError, match="--joint_steps"):
        finetune(labels, tmp_path / "out", replace(QUICK, joint_steps=0), progress=False)
    with pytest.raises(UserError, match=r"resnet50.*--start coco"):
        finetune(labels, tmp_path / "out", replace(QUICK, backbone="resnet50"), progress=False)
    assert not (tmp_path / "out").exists()


def test_the_backend_tracks_a_video_with_them(trained, tmp_path):
    folder, _, _ = trained
    times = np.arange(20)
    still = np.tile([80.0, 65.0], (20, 1))
    paths = np.stack(
        [
            np.stack([30 + 4 * times, 0 * times + 40], 1),
            np.stack([130 - 3 * times, 0 * times + 90], 1),
            still,
        ],
        1,
    )
    write_video(tmp_path / "dots.mp4", [dots(positions) for positions in paths], 25.0)
    weights = KeypointRCNNOptions(weights=folder / "detectors", batch=8, face=False)
    how = ExtractOptions(pose="keypoint-rcnn", keypoint_rcnn=weights)
    summary = extract_videos([tmp_path / "dots.mp4"], tmp_path / "out", options=how, progress=False)
    assert summary.done == ["dots"] and summary.found["dots"] == {"body": 1.0}
    tracks = Store(tmp_path / "out", plain=True).tracks("dots", "body")
    assert (
        tracks.keypoint.values.tolist() == JOINTS
        and "position_3d" not in tracks
        and tracks.attrs["backend"] == "keypoint-rcnn"
    )
    error = np.linalg.norm(
        tracks["position"].transpose("time", "keypoint", "space").values - paths, axis=2
    )
    assert np.median(error) < 6 and len(error) == 20


def test_joints_that_make_no_body_are_not_lifted(trained, tmp_path):
    folder, _, _ = trained
    write_video(tmp_path / "dots.mp4", [dots(np.array([[30, 40], [130, 90], [80, 65]]))] * 4, 25.0)
    how = ExtractOptions(
        pose="keypoint-rcnn",
        keypoint_rcnn=KeypointRCNNOptions(weights=folder / "detectors", face=False),
        lift=True,
    )
    summary = extract_videos([tmp_path / "dots.mp4"], tmp_path / "out", options=how, progress=False)
    assert [clip for clip, _ in summary.failed] == ["dots"] and "left_shoulder" in summary.failed[
        0
    ][1]


def test_detectors_that_were_changed_or_are_not_there_are_refused(trained, tmp_path):
    folder, _, _ = trained
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("detectors.json", "joints.safetensors"):
        (copy / name).write_bytes((folder / "detectors" / name).read_bytes())
    changed = bytearray((copy / "joints.safetensors").read_bytes())
    changed[-1] ^= 1
    (copy / "joints.safetensors").write_bytes(changed)
    with pytest.raises(UserError, match=r"joints\.safetensors"):
        load_detectors(copy)
    with pytest.raises(UserError, match=r"joints\.safetensors: .*SHA-256"):
        pose_backend(
            "keypoint-rcnn", KeypointRCNNOptions(weights=copy, face=False)
        )  # before any video is opened
    with pytest.raises(UserError, match=r"'abacus'.*cpu, cuda"):
        pose_backend(
            "keypoint-rcnn",
            KeypointRCNNOptions(weights=folder / "detectors", face=False, device="abacus"),
        )
    with pytest.raises(UserError, match=r"nowhere: .*detectors\.json"):
        load_detectors(tmp_path / "nowhere")
    (copy / "detectors.json").write_text("{}")
    with pytest.raises(UserError, match=r"detectors\.json: "):
        load_detectors(copy)
    with pytest.raises(UserError, match=r"--keypoint_rcnn.weights"):
        pose_backend("keypoint-rcnn")


def test_nothing_begins_without_weights_to_begin_with(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path / "empty"))
    labels = dotted(tmp_path, people=2, frames=2)
    for start in ("coco", "imagenet"):
        with pytest.raises(UserError, match="semiology weights get"):
            finetune(labels, tmp_path / "out", FinetuneOptions(start=start), progress=False)
    with pytest.raises(UserError, match="semiology weights get"):
        pose_backend("keypoint-rcnn", KeypointRCNNOptions(weights=Path("coco")))
    (tmp_path / "p1/img001.png").unlink()
    with pytest.raises(UserError, match=r"\.png: no such image"):
        finetune(labels, tmp_path / "out", QUICK, progress=False)
    assert not (tmp_path / "out").exists()


def test_frames_of_a_smaller_count_are_among_those_of_a_larger_and_none_is_tested(tmp_path):
    labels = dotted(tmp_path, people=3, frames=10)
    pool, test = split_frames(labels, 0.2, 8, seed=0)
    assert len(test) == 6 and all(len(rows) == 8 for rows in pool.values())
    assert not set(test) & {row for rows in pool.values() for row in rows}
    with pytest.raises(UserError, match=r"10 labelled frames; 9 .*2 .*11"):
        split_frames(labels, 0.2, 9, seed=0)


def test_the_curve_has_a_point_a_count_with_every_set(tmp_path):
    labels = dotted(tmp_path / "labels", people=3, frames=6)
    how = CurveOptions(
        (0, 1, 4), unseen=0.34, cm_per_px=0.4, finetune=replace(QUICK, joint_steps=6, size=64)
    )
    printed: list[str] = []
    curve = label_count_curve(labels, tmp_path / "out", how, report=printed.append, progress=False)
    assert (
        curve.frames == {0: 0, 1: 2, 4: 8} and len(printed) == 3
    )  # two people are trained on, one is never seen
    assert list(curve.errors[0]) == ["test", "unseen"] and list(curve.errors[4]) == [
        "train",
        "test",
        "unseen",
    ]
    assert (
        curve.errors[4]["unseen"].overall.labelled == 18
        and curve.errors[4]["test"].overall.labelled == 6
    )
    assert (
        "mean error in cm (scale 0.4 cm a px)" in curve.text()
        and "median error in px" in curve.text()
    )
    assert [row["joint"] for row in curve.joints()] == JOINTS and set(curve.joints()[0]) == {
        "joint",
        "train",
        "test",
        "unseen",
    }
    rows, in_cm = curve.rows(), curve.rows("cm")
    assert float(in_cm[1]["unseen"].split()[0]) == pytest.approx(
        0.4 * float(rows[1]["unseen"].split()[0]), abs=0.01
    )
    assert (tmp_path / "out/curve.png").stat().st_size > 10_000
    kept = json.loads((tmp_path / "out/curve.json").read_text())
    assert set(kept["errors"]["4"]["unseen"]["keypoints"]) == set(JOINTS)
    assert (
        (tmp_path / "out/curve.csv").read_text().splitlines()[0].startswith("labelled,frames,train")
    )
    with pytest.raises(UserError, match=r"counts \[2, 1\]"):
        CurveOptions((2, 1))

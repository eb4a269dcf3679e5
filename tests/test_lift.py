import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from semiology import UserError, load_skeleton, make_tracks, read_tracks
from semiology.cli.main import main
from semiology.data.tracks import save_tracks, steps
from semiology.files import content_hash
from semiology.tracking.lift import LifterNetwork, lift, load_lifter
from semiology.tracking.lift.lifter import SHIPPED
from semiology.tracking.lift.network import BONES, bone_lengths, normalise, rigid_body
from semiology.tracking.lift.simulation import (
    HEIGHT,
    WIDTH,
    CameraRange,
    Cameras,
    Motion,
    TrackerNoise,
    read_motions,
    resample,
)
from semiology.tracking.lift.training import (
    MeanDepth,
    Recipe,
    joint_errors,
    participant_means,
    procrustes,
    train_and_evaluate,
    train_lifter,
)

JOINTS = load_skeleton("upper_body_11").names
PLACE = {name: number for number, name in enumerate(JOINTS)}
COCO = [
    "nose",
    *(
        f"{side}_{part}"
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee")
        for side in ("left", "right")
    ),
]


def figure(participant: int, frames: int = 120) -> np.ndarray:
    """(time, 11, 3) m: a swaying person, both forearms circling towards the camera and away."""
    time = np.arange(frames) / 25 + participant
    size = 1 + 0.05 * participant
    rest = {
        "head": (0, -0.3, 0),
        "neck": (0, 0, 0),
        "spine_base": (0, 0.4, 0),
        "left_shoulder": (0.17, 0, 0),
        "left_hip": (0.09, 0.4, 0),
    }
    rest |= {"left_elbow": (0.2, 0.26, 0), "left_wrist": (0.2, 0.26, 0)}
    joints = np.zeros((frames, 11, 3))
    for name, (x, y, z) in rest.items():
        joints[:, PLACE[name]] = (x, y, z)
        if name.startswith("left"):
            joints[:, PLACE[name.replace("left", "right")]] = (-x, y, z)
    for side, phase in (("left", 0.0), ("right", 1.5)):
        angle = 2 * time + phase
        reach = np.stack([0.3 * np.sin(angle), 0.6 * np.cos(angle), -np.ones(frames)], axis=1)
        joints[:, PLACE[f"{side}_wrist"]] += (
            0.24 * reach / np.linalg.norm(reach, axis=1, keepdims=True)
        )
    sway = Rotation.from_euler(
        "yx", np.stack([0.4 * np.sin(0.7 * time), 0.3 * np.sin(0.5 * time)], axis=1)
    ).as_matrix()
    return size * np.einsum("tij,tnj->tni", sway, joints) + (0, 0, 3.0)


def image(joints: np.ndarray) -> np.ndarray:
    """(time, 11, 2) px by a camera of focal length 800 px."""
    return 360 + 800 * joints[..., :2] / joints[..., 2:]


def flat_tracks(**changes):
    return make_tracks(image(figure(0)), JOINTS, 25.0, **changes)


# Cameras and errors


def test_the_virtual_camera_projects_known_points_to_hand_computed_pixels():
    no, quarter = torch.zeros(1), torch.full((1,), math.pi / 2)
    place, focal = torch.tensor([[0.5, 0.0, 4.0]]), torch.tensor([1000.0])
    point = torch.tensor([0.2, -0.4, 1.0]).view(1, 1, 1, 3)

    def seen(azimuth, elevation, roll):
        cameras = Cameras(azimuth, elevation, roll, place, focal)
        return cameras.pixels(cameras.to_camera(point)).flatten().tolist()

    # straight on: (0.7, -0.4, 5.0) m from the lens
    assert seen(no, no, no) == pytest.approx([WIDTH / 2 + 140, HEIGHT / 2 - 80], abs=1e-3)
    # turned to its own right, so what was away comes to the image's right: (1.0, -0.4, -0.2)
    # about the middle, (1.5, -0.4, 3.8) m
    assert seen(quarter, no, no) == pytest.approx(
        [WIDTH / 2 + 1500 / 3.8, HEIGHT / 2 - 400 / 3.8], abs=1e-2
    )
    # seen from straight above, the head's side is near: (0.2, -1.0, -0.4), (0.7, -1.0, 3.6) m
    assert seen(no, quarter, no) == pytest.approx(
        [WIDTH / 2 + 700 / 3.6, HEIGHT / 2 - 1000 / 3.6], abs=1e-2
    )
    # the image turned clockwise, what was above comes to the right: (0.4, 0.2, 1.0), (0.9, 0.2,
    # 5.0) m
    assert seen(no, no, quarter) == pytest.approx([WIDTH / 2 + 180, HEIGHT / 2 + 40], abs=1e-2)


def test_a_point_behind_the_lens_is_missing():
    no = torch.zeros(1)
    cameras = Cameras(no, no, no, torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([500.0]))
    assert cameras.pixels(torch.tensor([0.0, 0.0, -2.0]).view(1, 1, 1, 3)).isnan().all()


def test_drawn_cameras_stay_within_their_ranges():
    cameras = CameraRange(
        azimuth=20, elevation=(-10, 30), roll=5, distance=(2, 3), focal=(1, 2), aside=0.1
    ).sample(500, torch.Generator())
    assert cameras.azimuth.abs().max() <= math.radians(
        20
    ) and cameras.roll.abs().max() <= math.radians(5)
    assert math.radians(-10) <= cameras.elevation.min() and cameras.elevation.max() <= math.radians(
        30
    )
    assert cameras.place[:, 2].min() >= 2 and cameras.place[:, 2].max() <= 3
    assert (cameras.place[:, :2].abs() <= 0.1 * cameras.place[:, 2:]).all()
    assert cameras.focal.min() >= HEIGHT and cameras.focal.max() <= 2 * HEIGHT


def test_procrustes_undoes_turning_scaling_and_moving_but_no_mirror():
    true = np.random.default_rng(0).normal(size=(4, 11, 3))
    turned = 0.3 * true @ Rotation.random(random_state=1).as_matrix().T + (1, -2, 3)
    assert np.abs(procrustes(turned, true) - true).max() < 1e-9
    plain, aligned = joint_errors(turned, true)
    assert aligned.max() < 1e-9 and plain.min() > 0.1
    assert np.linalg.norm(procrustes(true * (-1, 1, 1), true) - true, axis=2).mean() > 0.1


def test_mpjpe_is_the_mean_distance_relative_to_the_neck():
    true = figure(0, frames=3)
    found = true + 5.0  # moved as a whole: no error
    found[1, PLACE["left_wrist"]] += (0.03, 0, 0.04)  # 50 mm over 10 joints
    found[2, PLACE["left_wrist"]] = np.nan
    plain, aligned = joint_errors(found, true)
    assert plain == pytest.approx([0, 0.005, 0])
    assert np.isnan(aligned[2]) and aligned[0] == pytest.approx(0, abs=1e-9)


def test_the_baseline_knows_everything_but_depth():
    motion = Motion("a", figure(0))
    no = torch.zeros(1)
    depths = MeanDepth.of(
        [motion], Cameras(no, no, no, torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([500.0]))
    )
    relative = motion.joints - motion.joints[:, [PLACE["neck"]]]
    flat = depths.lift(motion.joints)
    assert flat[..., :2] == pytest.approx(relative[..., :2])
    assert flat[7, :, 2] == pytest.approx(relative[..., 2].mean(0), abs=1e-6)


# Body, time, tracker


def test_a_rigid_body_has_bones_of_one_length_and_keeps_their_directions():
    joints = figure(0)
    stretched = joints.copy()
    stretched[:, PLACE["left_wrist"]] += (
        0.3
        * np.sin(np.arange(120))[:, None]
        * (joints[:, PLACE["left_wrist"]] - joints[:, PLACE["left_elbow"]])
    )
    built = rigid_body(stretched)
    assert bone_lengths(built).std(0).max() < 1e-9
    assert bone_lengths(stretched).std(0).max() > 0.01
    assert built == pytest.approx(joints, abs=1e-3)  # the stretching was about the true length
    left, right = (BONES.index(f"{side}_wrist - {side}_elbow") for side in ("left", "right"))
    assert bone_lengths(built)[0, left] == pytest.approx(bone_lengths(built)[0, right])


def test_values_are_read_at_other_times_on_straight_lines_and_never_across_a_hole():
    values = np.array([0.0, 10.0, np.nan, 30.0])
    read = resample(values, np.arange(4) / 10, np.array([0.0, 0.05, 0.1, 0.15, 0.3, 0.31]))
    assert read == pytest.approx([0, 5, 10, np.nan, 30, np.nan], nan_ok=True)


def test_a_lost_shoulder_loses_the_neck_and_no_error_changes_nothing():
    position = torch.from_numpy(image(figure(0)))[None].float()
    generator = torch.Generator().manual_seed(0)
    exact = TrackerNoise(jitter=0, drift=0, lost=0, covered=0).track(
        position, torch.tensor([250.0]), generator
    )
    own = [
        PLACE[name] for name in JOINTS if name not in ("neck", "spine_base")
    ]  # those two are middles of others in the image
    assert torch.allclose(exact[:, :, own], position[:, :, own], atol=1e-3)
    shoulders = position[:, :, [PLACE["left_shoulder"], PLACE["right_shoulder"]]]
    assert torch.allclose(exact[:, :, PLACE["neck"]], shoulders.mean(2), atol=1e-3)
    covered = TrackerNoise(jitter=0, drift=0, lost=0, covered=1).track(
        position, torch.tensor([250.0]), generator
    )
    gone = {JOINTS[joint] for joint in range(11) if covered[0, :, joint].isnan().all()}
    assert gone == {"left_hip", "right_hip", "spine_base"}
    lost = TrackerNoise(lost=1, covered=0).track(position, torch.tensor([250.0]), generator)[0]
    either = lost[:, PLACE["left_shoulder"]].isnan() | lost[:, PLACE["right_shoulder"]].isnan()
    assert either.any() and torch.equal(lost[:, PLACE["neck"]].isnan(), either)


# Input and network


def test_what_the_lifter_reads_depends_neither_on_the_pictures_size_nor_on_the_place_in_it():
    position = torch.from_numpy(image(figure(0)))[None].float()
    lengths = torch.from_numpy(bone_lengths(figure(0))[0]).float()
    scaled, seen = normalise(position, lengths)
    other, _ = normalise(3.5 * position + torch.tensor([200.0, -90.0]), lengths)
    assert torch.allclose(scaled, other, atol=1e-4) and seen.min() == 1


def test_frames_without_neck_or_with_too_few_joints_count_as_not_seen():
    position = torch.from_numpy(image(figure(0)))[None].float()
    position[0, 3, PLACE["neck"]] = torch.nan
    position[0, 4, [PLACE[name] for name in JOINTS if name.endswith(("wrist", "elbow", "hip"))]] = (
        torch.nan
    )  # five are left
    position[0, 5, PLACE["left_wrist"]] = torch.nan
    scaled, seen = normalise(position, torch.ones(10))
    assert seen.sum(2)[0, 2:7].tolist() == [11, 0, 0, 10, 11]
    assert scaled[0, 3].abs().max() == 0 and scaled.isfinite().all()


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_receptive_field_is_what_a_change_of_one_frame_reaches(blocks):
    torch.manual_seed(0)
    network = LifterNetwork(torch.ones(10), width=16, blocks=blocks).eval()
    position = torch.randn(1, 101, 11, 2, requires_grad=True)
    network(position, torch.ones(1, 101, 11))[0, 50].square().sum().backward()
    reached = torch.nonzero(position.grad[0].abs().amax((1, 2))).flatten()
    assert network.receptive_field == 3 ** (blocks + 1)
    assert (reached[0].item(), reached[-1].item()) == (
        50 - network.receptive_field // 2,
        50 + network.receptive_field // 2,
    )


def test_the_network_refuses_another_number_of_joints():
    with pytest.raises(
        ValueError, match=r"expected position \(batch, time, 11, 2\).*\(1, 5, 12, 2\)"
    ):
        LifterNetwork(torch.ones(10))(torch.zeros(1, 5, 12, 2), torch.ones(1, 5, 12))


# Training


def test_a_short_training_beats_the_mean_depth_on_people_who_were_not_trained_on():
    people = [Motion(f"p{number}", figure(number)) for number in range(4)]
    views = CameraRange(azimuth=40, elevation=(-10, 30), roll=10)
    tracker = TrackerNoise(jitter=0.003, drift=0.005)
    recipe = Recipe(
        steps=150,
        batch=24,
        width=64,
        learning_rate=5e-3,
        proportions=0.0,
        views=views,
        tracker=tracker,
    )
    lifter, table = train_and_evaluate(
        [people[0], *people[2:]], people[1:2], recipe, progress=False
    )
    assert sorted(table["camera"].unique()) == list(range(8)) and (table["frames"] == 120).all()
    error = participant_means(table).loc["p1"]
    assert (
        error["mpjpe"] < 0.8 * error["tracked_baseline_mpjpe"]
        and error["p_mpjpe"] < 0.8 * error["tracked_baseline_p_mpjpe"]
    )
    assert (
        error["mpjpe"] < error["baseline_mpjpe"] and error["p_mpjpe"] < error["baseline_p_mpjpe"]
    )  # which is given the true x and y
    assert lifter.card["trained_on"]["participants"] == ["p0", "p2", "p3"] and lifter.card[
        "held_out"
    ]["participants"] == ["p1"]


def test_the_same_seed_gives_the_same_lifter():
    recipe = Recipe(steps=3, batch=4, width=8)
    first, second = (
        train_lifter([Motion("p0", figure(0))], recipe, progress=False).network.state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = train_lifter(
        [Motion("p0", figure(0))], replace(recipe, seed=1), progress=False
    ).network.state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_train_and_apply_by_the_command_line(tmp_path, capsys):
    for number in range(2):
        save_tracks(
            make_tracks(None, JOINTS, 30.0, position_3d=figure(number)),
            tmp_path / f"motions/p{number}.nc",
        )
    small = [
        "--recipe.steps",
        "3",
        "--recipe.batch",
        "2",
        "--recipe.width",
        "8",
        "--recipe.frames",
        "40",
        "--progress",
        "false",
    ]
    about = ["--about", "made up for this test"]
    assert (
        main(
            [
                "lift",
                "train",
                str(tmp_path / "motions"),
                "--out",
                str(tmp_path / "own.safetensors"),
                *small,
                *about,
            ]
        )
        == 0
    )
    card = json.loads((tmp_path / "own.json").read_text())
    assert (
        card["about"] == about[1]
        and card["receptive_field_frames"] == 9
        and card["sha256"] == content_hash(tmp_path / "own.safetensors")
    )
    assert {*card["trained_on"]["participants"], *card["held_out"]["participants"]} == {"p0", "p1"}
    save_tracks(flat_tracks(), tmp_path / "flat.nc")
    where = [str(tmp_path / "flat.nc"), "--out", str(tmp_path / "lifted.nc")]
    assert (
        main(
            [
                "lift",
                "apply",
                *where,
                "--weights",
                str(tmp_path / "own.safetensors"),
                "--shoulder_width",
                "0.3",
            ]
        )
        == 0
    )
    lifted = read_tracks(tmp_path / "lifted.nc")
    assert lifted["position_3d"].notnull().all() and steps(lifted)[-1]["weights"] == card["sha256"]
    assert "120 of 120 frames" in capsys.readouterr().out


def test_a_cohort_of_tracks_states_whose_each_recording_is(cohort, tmp_path):
    for file in (cohort / "tracks").glob("*.nc"):
        save_tracks(make_tracks(None, JOINTS, 25.0, position_3d=figure(0, frames=40)), file)
    assert sorted({motion.participant_id for motion in read_motions([cohort])}) == [
        f"p{number}" for number in range(6)
    ]


# The shipped lifter


def test_the_shipped_lifter_is_small_and_what_its_card_states():
    lifter = load_lifter()
    assert SHIPPED.stat().st_size < 5_000_000
    assert lifter.card["sha256"] == content_hash(SHIPPED) and lifter.card["joints"] == JOINTS
    assert lifter.card["receptive_field_frames"] == lifter.network.receptive_field
    assert not set(lifter.card["trained_on"]["participants"]) & set(
        lifter.card["held_out"]["participants"]
    )
    error = lifter.card["held_out"]["error_mm"]
    assert error["mpjpe"] < error["baseline_mpjpe"] and error["p_mpjpe"] < error["baseline_p_mpjpe"]


def test_lifting_finds_depth_in_metres_about_the_neck():
    true = figure(0)
    lifted = lift(flat_tracks())
    joints = lifted["position_3d"].transpose("time", "keypoint", "space_3d").values
    assert np.abs(joints[:, PLACE["neck"]]).max() == 0
    relative = true - true[:, [PLACE["neck"]]]
    flat = relative * (1, 1, 0)
    assert joint_errors(joints, true)[1].mean() < 0.7 * joint_errors(flat, true)[1].mean()
    wrist = PLACE["left_wrist"]
    assert np.corrcoef(joints[:, wrist, 2], relative[:, wrist, 2])[0, 1] > 0.5
    assert (lifted["position"].values == flat_tracks()["position"].values).all()
    assert bone_lengths(joints).std(0).max() < 1e-5


def test_shoulder_width_sets_the_scale():
    narrow = lift(flat_tracks(), shoulder_width=0.25)
    apart = narrow["position_3d"].sel(keypoint="left_shoulder") - narrow["position_3d"].sel(
        keypoint="right_shoulder"
    )
    assert float(np.median(np.sqrt((apart**2).sum("space_3d")))) == pytest.approx(0.25, rel=1e-4)
    with pytest.raises(UserError, match=r"shoulder_width .*-1"):
        lift(flat_tracks(), shoulder_width=-1)


def test_coco_tracks_keep_their_keypoints_and_gain_the_joints_that_they_lack():
    joints = image(figure(0))
    position = np.random.default_rng(0).normal(300, 50, (120, len(COCO), 2))
    for name in COCO:
        if name in JOINTS:
            position[:, COCO.index(name)] = joints[:, PLACE[name]]
    for ear in ("left_ear", "right_ear"):
        position[:, COCO.index(ear)] = joints[:, PLACE["head"]]
    lifted = lift(make_tracks(position, COCO, 25.0))
    assert lifted.keypoint.values.tolist() == [*COCO, "head", "neck", "spine_base"]
    assert (
        lifted["position"].sel(keypoint="nose")
        == position[:, COCO.index("nose")].astype(np.float32)
    ).all()
    assert lifted["position_3d"].sel(keypoint=["nose", "left_knee"]).isnull().all()
    same = lift(flat_tracks())["position_3d"].sel(
        keypoint=JOINTS
    )  # there the neck is tracked: not quite the middle in the image
    np.testing.assert_allclose(lifted["position_3d"].sel(keypoint=JOINTS), same, atol=0.02)
    assert [step["step"] for step in steps(lifted)] == ["lift"]


def test_what_was_not_tracked_is_not_given():
    position = image(figure(0))
    position[10:20, PLACE["left_wrist"]] = np.nan
    position[50, PLACE["left_shoulder"]] = position[50, PLACE["neck"]] = np.nan
    lifted = (
        lift(make_tracks(position, JOINTS, 25.0))["position_3d"]
        .transpose("time", "keypoint", "space_3d")
        .values
    )
    missing = np.isnan(lifted).all(2)
    assert missing[10:20, PLACE["left_wrist"]].all() and missing[50].all()
    assert missing.sum() == 10 + 11
    nothing = lift(make_tracks(np.full((30, 11, 2), np.nan), JOINTS, 25.0))
    assert nothing["position_3d"].isnull().all()


def test_other_rates_are_lifted_at_25_hz():
    fast = make_tracks(
        image(figure(0, frames=120)).repeat(2, axis=0), JOINTS, 50.0
    )  # each frame twice: the same 4.8 s
    slow, fast = (
        lift(tracks)["position_3d"].sel(keypoint="left_wrist").values
        for tracks in (flat_tracks(), fast)
    )
    assert len(fast) == 240 and np.isfinite(fast).all()
    np.testing.assert_allclose(fast[::2], slow, atol=0.05)


# Bad input


def test_tracks_that_cannot_be_lifted_are_refused(tmp_path, capsys):
    with pytest.raises(UserError, match=r"no keypoints for .*left_hip"):
        lift(make_tracks(np.zeros((5, 3, 2)), ["head", "left_shoulder", "right_shoulder"], 25.0))
    with pytest.raises(UserError, match="position_3d"):
        lift(make_tracks(None, JOINTS, 25.0, position_3d=figure(0)))
    with pytest.raises(UserError, match=r"expected \(time, 11, 2\) px.*\(5, 12, 2\)"):
        load_lifter().joints(np.zeros((5, 12, 2)))
    save_tracks(flat_tracks(), tmp_path / "p0.nc")
    assert main(["lift", "train", str(tmp_path), "--out", str(tmp_path / "own.safetensors")]) == 2
    assert "p0.nc" in (message := capsys.readouterr().err) and message.count("\n") == 1
    assert (
        main(
            ["lift", "train", str(tmp_path / "nothing"), "--out", str(tmp_path / "own.safetensors")]
        )
        == 2
    )
    assert main(["lift", "bend"]) == 2


def test_one_participant_is_too_few(tmp_path, capsys):
    save_tracks(make_tracks(None, JOINTS, 25.0, position_3d=figure(0)), tmp_path / "p0.nc")
    assert main(["lift", "train", str(tmp_path), "--out", str(tmp_path / "own.safetensors")]) == 2
    assert "1 participant" in capsys.readouterr().err


def test_weights_with_one_byte_changed_or_without_their_card_are_refused(tmp_path):
    path = tmp_path / "lifter.safetensors"
    content = bytearray(SHIPPED.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"\.json: "):
        load_lifter(path)
    (tmp_path / "lifter.json").write_text(SHIPPED.with_suffix(".json").read_text())
    with pytest.raises(UserError, match="SHA-256"):
        load_lifter(path)
    (tmp_path / "lifter.json").write_text("{}")
    with pytest.raises(UserError, match=r"\.json: .*card"):
        load_lifter(path)

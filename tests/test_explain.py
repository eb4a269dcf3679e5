"""Attribution against networks whose answer is known, and the checks against maps that are right or
wrong by construction.
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from semiology import load_skeleton
from semiology.evaluation.statistics.intervals import wilson
from semiology.experiments.explain.attribution import (
    ClipInput,
    Gated,
    LogOdds,
    bone_coordinates,
    clip_input,
    integrated_gradients,
    mean_pose,
    occlusion,
    valid,
)
from semiology.experiments.explain.checks import (
    FRACTIONS,
    cascade,
    deletion,
    randomised,
    rank_correlation,
    sanity_check,
    stages,
)
from semiology.experiments.explain.document import Findings, agreements
from semiology.experiments.explain.graphs import clip_graphs, explain_graph
from semiology.experiments.explain.maps import ClipMap, course, over_clip, region_shares, share
from semiology.experiments.explain.truth import (
    SignTruth,
    agreement,
    moving_landmarks,
    over_participants,
    sign_truth,
    summary,
)
from semiology.models.networks import AGCN, GAT, Network, StreamShape
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel

SKELETON = load_skeleton("upper_body_11")
NAMES = SKELETON.names
WRIST, NECK = NAMES.index("left_wrist"), NAMES.index("neck")
KINDS = ("joint", "bone", "motion", "deviation")


class Linear(nn.Module):
    """Logits 0 and sum(weight * keypoints): its log-odds of level 1 are that sum, its integrated
    gradients weight * (input - baseline).
    """

    reads = ("keypoints", "keypoint_mask")

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, keypoints: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        total = (keypoints * mask.unsqueeze(1) * self.weight).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(total), total], dim=1)


def clip_of(
    keypoints: torch.Tensor, mask: torch.Tensor | None = None, clip_id: str = "c"
) -> ClipInput:
    time = keypoints.shape[2]
    return ClipInput(
        clip_id,
        "P",
        1,
        keypoints,
        torch.ones(1, time, 11) if mask is None else mask,
        np.arange(time)[None] / 10,
    )


def map_of(joints: np.ndarray, seen: np.ndarray | None = None) -> ClipMap:
    seen = np.ones(joints.shape, bool) if seen is None else seen
    return ClipMap("c", "P", 1, 1, np.arange(len(joints)) / 10, joints, joints, seen, 1.0, 0.0, 0.0)


def test_integrated_gradients_of_a_linear_network_are_weight_times_difference_joint_by_joint():
    torch.manual_seed(0)
    weight, x, baseline = torch.randn(4, 6, 11), torch.randn(1, 4, 6, 11), torch.randn(4, 11)
    mask = torch.ones(1, 6, 11)
    mask[0, 2, 3] = 0
    x[0, 2:, 1, 3] = 0  # frame 1 does not know where the joint moves to
    found = integrated_gradients(
        LogOdds(Linear(weight), 1),
        clip_of(x, mask),
        baseline,
        SKELETON,
        ["joint", "motion"],
        steps=8,
    )
    each = weight * (x[0] - baseline[:, None]) * mask[0]
    each[2:, 1, 3] = 0
    np.testing.assert_allclose(found.joints[0], each.sum(dim=0).detach(), atol=1e-5)
    assert found.joints[0, 2, 3] == 0, "what is missing gets nothing"
    assert found.gap < 1e-4


def test_channels_have_a_value_where_all_that_they_are_made_of_is_seen():
    mask = torch.ones(4, 11)
    mask[1, NECK] = 0
    there = valid(mask, SKELETON, ["joint", "bone", "motion", "deviation"], 2).bool()
    assert there.shape == (8, 4, 11) and (there[0::2] == there[1::2]).all()
    joint, bone, motion, deviation = there[0::2]
    assert (~joint).nonzero().tolist() == [[1, NECK]] == (~deviation).nonzero().tolist()
    hanging = [joint for joint, parent in enumerate(SKELETON.parents) if NECK in (joint, parent)]
    assert (~bone).nonzero().tolist() == [[1, joint] for joint in hanging] and NAMES.index(
        "left_shoulder"
    ) in hanging
    assert (~motion).nonzero().tolist() == [[0, NECK], [1, NECK]]


@pytest.fixture
def with_bones(cohort) -> tuple[ClipInput, ClipInput]:
    """A clip's positions, bones, motion and deviation as they are read, and as they are read where
    the neck was never found.
    """
    source = ClipSource(
        str(cohort), Reading("swing", channels=KINDS, window=16, whole=True, rate=12.5, min_found=0)
    )
    joints = source.clips[0].joints.copy()
    joints[:, NECK] = np.nan
    return clip_input(source, source.clips[0]), clip_input(
        source, replace(source.clips[0], joints=joints)
    )


def test_a_bone_whose_inner_joint_is_missing_gets_nothing_and_is_no_part_of_the_mean_pose(
    with_bones,
):
    whole, lost = with_bones
    shoulder = NAMES.index("left_shoulder")
    assert lost.mask[0, :, shoulder].all() and not lost.keypoints[0, 2:4, :, shoulder].any()
    baseline = mean_pose([whole, lost], SKELETON, KINDS)
    torch.testing.assert_close(
        baseline[2:4, shoulder], whole.keypoints[0, 2:4, :, shoulder].mean(dim=1)
    )
    weight = torch.zeros(8, 16, 11)
    weight[2:4, :, shoulder] = 1  # reads the shoulder's bone, from the neck, and nothing else
    score = LogOdds(Linear(weight), 1)
    found = integrated_gradients(score, lost, baseline, SKELETON, list(KINDS), steps=4)
    assert not found.joints.any() and found.score == found.start == 0
    assert (
        integrated_gradients(score, whole, torch.zeros(8, 11), SKELETON, list(KINDS), steps=4)
        .joints[0, :, shoulder]
        .any()
    )


def test_taking_a_joint_away_is_losing_it(with_bones):
    whole, lost = with_bones
    given = {}

    class Listener(nn.Module):
        def forward(self, keypoints, mask):
            given["keypoints"], given["mask"] = keypoints, mask
            return keypoints.sum(dim=(1, 2, 3))

    gate = torch.ones(1, 16, 11)
    gate[:, :, NECK] = 0
    Gated(Listener(), whole.keypoints[0], whole.mask[0], SKELETON, KINDS)(gate)
    torch.testing.assert_close(given["keypoints"], lost.keypoints)
    torch.testing.assert_close(given["mask"], lost.mask)


def test_occlusion_finds_a_joint_that_is_read_through_its_neighbours_bone_alone(with_bones):
    whole, _ = with_bones
    weight = torch.zeros(8, 16, 11)
    weight[2:4, :, NAMES.index("left_shoulder")] = 1
    found = occlusion(LogOdds(Linear(weight), 1), whole, SKELETON, list(KINDS))
    expected = np.zeros(11)
    expected[[NECK, NAMES.index("left_shoulder")]] = whole.keypoints[
        0, 2:4, :, NAMES.index("left_shoulder")
    ].sum()
    np.testing.assert_allclose(found.joints[0].sum(axis=0), expected, atol=1e-4)


def test_what_only_one_joint_carries_is_given_to_that_joint_by_name():
    for joint in (0, WRIST, 10):
        weight = torch.zeros(2, 6, 11)
        weight[1, 3, joint] = 2
        x = torch.ones(1, 2, 6, 11)
        for found in (
            integrated_gradients(
                LogOdds(Linear(weight), 1),
                clip_of(x),
                torch.zeros(2, 11),
                SKELETON,
                ["joint"],
                steps=4,
            ),
            occlusion(LogOdds(Linear(weight), 1), clip_of(x), SKELETON, ["joint"], pieces=6),
        ):
            where = np.argwhere(np.abs(found.joints[0]) > 1e-6)
            assert where.tolist() == [[3, joint]]
            assert found.joints[0, 3, joint] == pytest.approx(2, abs=1e-5)


def test_the_other_level_has_the_opposite_map():
    weight, x = torch.randn(2, 4, 11), torch.randn(1, 2, 4, 11)
    one, other = (
        integrated_gradients(
            LogOdds(Linear(weight), level), clip_of(x), torch.zeros(2, 11), SKELETON, ["joint"], 4
        )
        for level in (1, 0)
    )
    np.testing.assert_allclose(one.joints, -other.joints, atol=1e-6)


def test_attributions_of_a_network_add_up_to_its_score_by_joints_and_by_bones():
    torch.manual_seed(1)
    network = AGCN(StreamShape(3, SKELETON, 4), widths=[8, 16])
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)  # the published start makes most of the network vanish
    x, mask = torch.randn(2, 4, 32, 11), (torch.rand(2, 32, 11) > 0.1).float()
    kinds = ["joint", "bone"]
    clip = ClipInput("c", "P", 1, x * valid(mask, SKELETON, kinds, 2), mask, np.zeros((2, 32)))
    found = integrated_gradients(
        LogOdds(network, 2), clip, torch.randn(4, 11) * 0.1, SKELETON, kinds, steps=64
    )
    assert found.gap < 0.02 * abs(found.score - found.start)
    assert found.joints.sum(axis=(1, 2)).mean() == pytest.approx(
        found.score - found.start, abs=0.02 * abs(found.score - found.start)
    )
    np.testing.assert_allclose(
        found.bones.sum(axis=(1, 2)), found.joints.sum(axis=(1, 2)), atol=1e-3
    )


def test_turning_one_bone_is_owed_to_that_bone_and_not_to_the_joints_that_it_carries():
    """The forearm, and the upper arm with the forearm hanging on it, are moved; the network reads
    the wrist alone.
    """
    weight = torch.zeros(2, 1, 11)
    weight[0, 0, WRIST] = 1
    elbow = NAMES.index("left_elbow")
    for moved, bone in (([WRIST], WRIST), ([WRIST, elbow], elbow)):
        x = torch.zeros(1, 2, 1, 11)
        x[0, 0, 0, moved] = 1
        found = integrated_gradients(
            LogOdds(Linear(weight), 1), clip_of(x), torch.zeros(2, 11), SKELETON, ["joint"], steps=4
        )
        assert np.argwhere(np.abs(found.bones[0, 0]) > 1e-6).tolist() == [[bone]]
        assert np.argwhere(np.abs(found.joints[0, 0]) > 1e-6).tolist() == [[WRIST]]


def test_bones_put_together_again_are_the_joints():
    beyond, apart = bone_coordinates(SKELETON)
    places = torch.randn(5, 11)
    torch.testing.assert_close((places @ apart) @ beyond.T, places)


def test_the_baseline_is_the_mean_over_seen_frames():
    x = torch.arange(8, dtype=torch.float32).view(1, 1, 8, 1).expand(1, 1, 8, 11).clone()
    mask = torch.ones(1, 8, 11)
    mask[0, 4:, 0] = 0
    pose = mean_pose([clip_of(x, mask), clip_of(x + 10, mask)], SKELETON, ["joint"])
    assert pose[0, 0] == pytest.approx((0 + 1 + 2 + 3) / 4 + 5)
    assert pose[0, 1] == pytest.approx(3.5 + 5)


@pytest.mark.parametrize("whole", [True, False])
def test_windows_know_their_time_and_are_laid_back_onto_the_clip(cohort, whole):
    """Forty frames at 25 Hz: one window of 16 over the whole clip, or three of 16 frames laid over
    it.
    """
    reading = Reading("swing", channels=("joint",), window=16, whole=whole, rate=25)
    source = ClipSource(str(cohort), reading)
    clip = clip_input(source, source.clips[0])
    if whole:
        np.testing.assert_allclose(clip.time[0], np.linspace(0, 39 / 25, 16), atol=1e-6)
    else:
        np.testing.assert_allclose(clip.time[:, 0] * 25, [0, 12, 24], atol=1e-4)
    weight = torch.zeros(2, 16, 11)
    weight[:, :, WRIST] = 1
    found = integrated_gradients(
        LogOdds(Linear(weight), 1), clip, torch.zeros(2, 11), SKELETON, ["joint"], 4
    )
    laid = over_clip(clip, found, 1, reading.rate)
    assert laid.joints.shape == ((16, 11) if whole else (40, 11))
    assert laid.joints.sum() == pytest.approx(found.score - found.start, rel=1e-4), (
        "the mean over windows of what each adds up to"
    )
    if not whole:  # frame 13 lies in the first two of three windows, frame 3 in the first
        joints = source.clips[0].joints[:, WRIST].sum(axis=1)
        assert laid.joints[13, WRIST] == pytest.approx(joints[13] * 2 / 3, rel=1e-4)
        assert laid.joints[3, WRIST] == pytest.approx(joints[3] / 3, rel=1e-4)


def test_shares_are_of_what_speaks_for_the_level():
    assert share(np.array([3.0, -5.0, 1.0])).tolist() == [0.75, 0, 0.25]
    assert share(np.array([-1.0, 0.0])).tolist() == [0, 0]
    face = load_skeleton("face_23")
    joints = {name: 1 / 23 for name in face.names}
    regions = region_shares(joints)
    assert regions == {
        "brow": round(6 / 23, 5),
        "eye": round(8 / 23, 5),
        "nose": round(3 / 23, 5),
        "mouth": round(6 / 23, 5),
    }
    assert region_shares(dict.fromkeys(NAMES, 0.1)) == {}


def saved_model(network: nn.Module, options: Network, shape: StreamShape) -> SavedModel:
    return SavedModel(
        network.eval(),
        options,
        Reading("swing", channels=("joint",)),
        ["absent", "present"],
        shape,
        {},
    )


def test_randomisation_goes_from_the_head_to_the_input_and_ends_with_no_trained_weight():
    shape, options = (
        StreamShape(2, SKELETON, 2),
        Network("agcn", {"widths": [4, 4]}),
    )
    torch.manual_seed(0)
    trained, fresh = options(shape), options(shape)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.fill_(7)
    assert stages(trained) == ["head", "blocks.1", "blocks.0", "norm"]
    for number, (_, network) in enumerate(cascade(saved_model(trained, options, shape), fresh)):
        left = {
            name.rsplit(".", 1)[0]
            for name, value in network.named_parameters()
            if (value == 7).all()
        }
        assert not any(
            name.startswith(stage) for stage in stages(trained)[: number + 1] for name in left
        )
        assert number == 3 or any(name.startswith(stages(trained)[number + 1]) for name in left)


def test_the_sanity_check_refuses_a_map_that_ignores_the_weights_and_passes_the_weights_alone():
    shape, options = (
        StreamShape(2, SKELETON, 2),
        Network("agcn", {"widths": [8]}),
    )
    torch.manual_seed(0)
    saved = saved_model(options(shape), options, shape)
    x = torch.randn(2, 16, 11)

    def edges_of_the_input(_network: nn.Module) -> list[np.ndarray]:
        return [x.diff(dim=1).abs().sum(dim=0).numpy()]

    def the_weights(network: nn.Module) -> list[np.ndarray]:
        return [
            torch.cat([p.flatten() for p in network.parameters() if p.dim() > 1])
            .detach()
            .numpy()[:500]
        ]

    blind = sanity_check([randomised(saved, edges_of_the_input(saved.network), edges_of_the_input)])
    assert blind["correlation"] == pytest.approx(1) and not blind["passed"]
    with torch.no_grad():
        for parameter in saved.network.parameters():
            parameter.normal_()
    sighted = sanity_check([randomised(saved, the_weights(saved.network), the_weights)])
    assert sighted["correlation"] < 0.5 and sighted["passed"]
    assert [row["stage"] for row in sighted["cascade"]] == ["head", "blocks.0", "norm"]


def test_rank_correlation_looks_at_sizes_and_not_at_signs():
    one = np.array([[1.0, -2.0], [3.0, -4.0]])
    assert rank_correlation([one], [-one]) == pytest.approx(1)
    assert rank_correlation([one], [1 / one]) == pytest.approx(-1)
    assert rank_correlation([one], [np.ones((2, 2))]) == 0


def test_deleting_what_matters_first_takes_the_score_down_first():
    """Only the wrist counts, in every frame alike: 16 of 176 cells. In its order all is gone after
    a tenth; in a wrong one, at the end.
    """
    weight = torch.zeros(1, 32, 11)
    weight[:, :, WRIST] = 0.25
    score, clip = LogOdds(Linear(weight), 1), clip_of(torch.ones(1, 1, 32, 11))
    right, wrong = np.zeros((1, 32, 11)), np.zeros((1, 32, 11))
    right[:, :, WRIST], wrong[:, :, WRIST] = 1, -1
    found = deletion(score, clip, right, SKELETON, ["joint"], np.random.default_rng(0))
    full, none = 1 / (1 + np.exp(-8)), 0.5
    assert found.attributed[0] == pytest.approx(full, abs=1e-4) and found.random[
        0
    ] == pytest.approx(full, abs=1e-4)
    np.testing.assert_allclose(
        found.attributed[1:], none, atol=1e-5
    )  # 16 cells are fewer than a tenth of 176, which is 18
    assert found.random[5] == pytest.approx(1 / (1 + np.exp(-4)), abs=0.05), (
        "half of the wrist is left on average"
    )
    backwards = deletion(score, clip, wrong, SKELETON, ["joint"], np.random.default_rng(0))
    assert found.area > 0.2 and backwards.area < 0
    assert len(found.attributed) == len(FRACTIONS)


def test_a_map_on_the_truth_agrees_and_an_even_map_is_at_chance():
    truth = SignTruth(frozenset({"left_elbow", "left_wrist"}), 0.2, 0.5)
    even = agreement(map_of(np.ones((10, 11))), truth, SKELETON)
    assert even["joint_share"] == pytest.approx(2 / 11) == even["joint_chance"]
    assert (
        even["time_share"] == pytest.approx(4 / 10) == even["time_chance"]
    )  # 0.2, 0.3, 0.4 and 0.5 s
    assert even["mirror_share"] == pytest.approx(2 / 11)
    joints = np.zeros((10, 11))
    joints[3, WRIST], joints[9, NAMES.index("right_wrist")], joints[0, 0] = 3, 1, -9
    found = agreement(map_of(joints), truth, SKELETON)
    assert (
        found["joint_share"] == 0.75
        and found["mirror_share"] == 0.25
        and found["time_share"] == 0.75
    )
    assert found["hit"] == 1 and found["time_hit"] == 1
    seen = np.ones((10, 11), bool)
    seen[:, WRIST] = False
    assert agreement(map_of(np.ones((10, 11)) * seen, seen), truth, SKELETON)[
        "joint_chance"
    ] == pytest.approx(1 / 10)


def test_intervals_are_over_participants():
    """Twelve clips of one person say no more than one clip of each of two; and two people say
    nearly nothing.
    """
    one_each = over_participants(
        np.array([0.2, 0.4, 0.6, 0.8]), ["a", "b", "c", "d"], difference=True
    )
    many = over_participants(
        np.repeat([0.2, 0.4, 0.6, 0.8], 12),
        np.repeat(["a", "b", "c", "d"], 12).tolist(),
        difference=True,
    )
    assert one_each == many and one_each[0] < 0.3 and one_each[1] > 0.7
    assert one_each[0] + one_each[1] == pytest.approx(1), (
        "the same arm on both sides of the mean, 0.5"
    )
    assert over_participants(np.array([0.5, 0.5]), ["a", "a"]) == [None, None]


def test_where_all_participants_are_alike_a_rate_has_wilsons_interval_and_a_share_none():
    rows = [{"hit": 1.0, "hit_chance": chance, "joint_share": 0.5} for chance in (0.2, 0.25, 0.3)]
    result = summary(rows, ["a", "b", "c"])
    assert result["hit"] == 1 and result["hit_interval"] == [0.4385, 1] == [
        round(bound, 4) for bound in wilson(3, 3)
    ]
    assert result["hit_above_chance"] == [0.1885, 0.75] and result["joint_share_interval"] == [
        None,
        None,
    ]
    never = summary([row | {"hit": 0.0} for row in rows], ["a", "b", "c"])
    assert never["hit_interval"] == [0, 0.5615] and never["hit_above_chance"] == [-0.25, 0.3115]
    assert summary(rows, ["a", "a", "a"])["hit_interval"] == [None, None]
    assert over_participants(np.array([0.0, 1.0, 0.0, 1.0]), ["a", "a", "b", "b"]) == [
        None,
        None,
    ], "a half in both"


def test_a_clip_without_evidence_counts_as_none_on_the_truth():
    truth = SignTruth(
        frozenset({NAMES[0]}), 0.0, 0.3
    )  # the first joint and the first moment, where argmax of nothing points
    found = agreement(map_of(-np.ones((10, 11))), truth, SKELETON)
    assert [found[name] for name in ("joint_share", "time_share", "hit", "time_hit")] == [
        0,
        0,
        0,
        0,
    ]
    on = np.zeros((10, 11))
    on[1, 0] = 1
    assert course([map_of(on), map_of(-on)]) == course([map_of(on)]) and sum(
        course([map_of(on)])
    ) == pytest.approx(1)
    source = SimpleNamespace(reading=SimpleNamespace(graph=SKELETON))
    maps = [map_of(on), map_of(-on)]
    findings = Findings(
        "t",
        "m",
        "occlusion",
        source,
        True,
        "never seen",
        2,
        [],
        maps=maps,
        predicted=[1, 1],
        truths=[truth, truth],
    )
    result = agreements(findings)
    assert (result["clips"], result["without_evidence"], result["hit"], result["joint_share"]) == (
        2,
        1,
        0.5,
        0.5,
    )


def test_the_truth_of_a_phantom_names_the_arm_that_is_held_and_the_landmarks_that_move(tmp_path):
    (tmp_path / "truth").mkdir()
    rendered = {
        "dystonia": {"kind": "across", "side": "left", "start": 1.5, "stop": 4.0},
        "emotion": {"kind": "smile", "side": "", "start": 2, "stop": 3},
    }
    (tmp_path / "truth" / "c1.json").write_text(json.dumps({"rendered": rendered}))
    arm, face = sign_truth(tmp_path, "c1", "dystonia"), sign_truth(tmp_path, "c1", "emotion")
    assert arm == SignTruth(frozenset({"left_elbow", "left_wrist"}), 1.5, 4.0)
    assert {"mouth_left", "mouth_right"} <= face.joints, "a smile draws the corners of the mouth"
    assert not any("brow" in name or "nose" in name for name in face.joints)
    assert {"left_brow_inner", "right_brow_inner"} <= moving_landmarks("anger")
    assert (
        sign_truth(tmp_path, "c1", "dystonia_side") is None
        and sign_truth(tmp_path, "c2", "dystonia") is None
    )


def test_the_data_dependent_graph_of_a_clip_is_a_softmax_over_source_joints():
    torch.manual_seed(0)
    network = AGCN(StreamShape(2, SKELETON, 2), widths=[4, 8]).eval()
    x = torch.randn(1, 2, 16, 11)
    made = clip_graphs(network, clip_of(x))
    assert made.shape == (2, 3, 11, 11)
    torch.testing.assert_close(made.sum(dim=-2), torch.ones(2, 3, 11))
    layer = network.blocks[0].graph
    first = (
        network.norm(x.permute(0, 3, 1, 2).reshape(1, 22, 16))
        .view(1, 11, 2, 16)
        .permute(0, 2, 3, 1)
    )
    torch.testing.assert_close(made[0], (layer.adjacency(first) - layer.fixed - layer.learned)[0])


def test_gnn_explainer_finds_the_joint_that_a_graph_network_was_taught():
    torch.manual_seed(0)
    network = GAT(StreamShape(2, SKELETON, 1), width=8, blocks=1)
    x, target = torch.randn(96, 1, 8, 11) * 0.2, torch.arange(96) % 2
    x[:, 0, :, WRIST] += (target * 2 - 1)[:, None]
    optimiser = torch.optim.AdamW(network.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x, torch.ones(96, 8, 11)), target).backward()
        optimiser.step()
    result = explain_graph(network, clip_of(x[1:2]), 1, SKELETON, epochs=60)
    assert result.joints.shape == (4, 11) and result.bones.shape == (10,)
    assert NAMES[result.joints.mean(axis=0).argmax()] == "left_wrist"

"""Clips of any length: windows of equal segments, snippets of whole frames, and the networks
that put segments together.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from semiology import UserError, load_skeleton
from semiology.data.store import Store
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.experiments.explain import explain
from semiology.experiments.loso import run_loso
from semiology.experiments.probe import layer_features, layer_names
from semiology.models.networks import AGCN, GAT, TCN, Aggregator, Network, Segments, StreamShape
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.modules import DistillationModule, StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import SavedModel, load_model
from semiology.models.training.trainer import fit, score
from semiology.models.training.windows import nearest_snippet, segment_starts
from semiology.timeline.predict import scores

SKELETON = load_skeleton("upper_body_11")
SHAPE = StreamShape(2, SKELETON, 2, 5)
BODY = {"encoder": {"stream": "agcn", "options": {"widths": [8, 8]}}}
FRAME = Reading(
    "seizure_type", part="frame", appearance="snippets", channels=(), rate=15, window=8, segments=3
)


@pytest.fixture
def cohort(shared_cohort):
    return shared_cohort  # only read here


def body(cohort, **reading) -> ClipSource:
    return ClipSource(
        str(cohort),
        Reading(
            **{"label": "swing", "channels": ("joint",), "window": 4, "segments": 3, **reading}
        ),
    )


def tagged(length: int) -> ClipData:
    """A clip whose joints carry their frame in x and their own number in y."""
    frame, joint = np.meshgrid(np.arange(length), np.arange(11), indexing="ij")
    return ClipData("clip", "p", 0, np.stack([frame, joint], axis=2).astype(np.float32))


@pytest.fixture
def frames(tmp_path):
    """Six people with one seizure each from two cameras; nothing is stored but snippets, a vector
    of 4 every 8 frames, higher in TCS.
    """
    store, rows = Store(tmp_path / "store"), []
    (tmp_path / "videos").mkdir()
    for person in range(6):
        for view in ("left", "right"):
            clip_id, count = f"p{person}_{view}", 5 + person
            features = np.random.default_rng([person, len(view)]).normal(size=(count, 4)) + 3 * (
                person % 2
            )
            store.write(clip_id, "snippets", "0" * 16, (features, np.arange(count) * 8 / 15))
            store.note(
                clip_id, {}, {"snippets": {"key": "0" * 16, "depends": {"rate": 15.0, "frames": 8}}}
            )
            (tmp_path / f"videos/{clip_id}.mp4").write_bytes(clip_id.encode())
            rows.append(
                [
                    clip_id,
                    f"p{person}",
                    f"videos/{clip_id}.mp4",
                    0,
                    "n/a",
                    ("FOS", "TCS")[person % 2],
                    f"seizure-{person}",
                    view,
                ]
            )
    columns = [
        "clip_id",
        "participant_id",
        "video",
        "start",
        "end",
        "seizure_type",
        "recording_id",
        "view",
    ]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    (tmp_path / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"p{person}\n" for person in range(6))
    )
    sidecar = {"seizure_type": {"Role": "label", "Levels": {"FOS": "", "TCS": ""}}}
    (tmp_path / "clips.json").write_text(
        json.dumps(sidecar | {name: {"Role": "covariate"} for name in ("recording_id", "view")})
    )
    return tmp_path


def frame_source(frames, reading=FRAME) -> ClipSource:
    return ClipSource(str(frames), reading, str(frames / "store"))


# Aggregators, by hand


def test_the_mean_is_over_what_was_seen():
    x, mask = (
        torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]]),
        torch.tensor([[1.0, 1.0, 0.0]]),
    )
    mean = Aggregator(2, kind="mean")
    assert mean.forward_features(x, mask).tolist() == [[2.0, 4.0]]
    assert mean.forward_features(x, torch.zeros(1, 3)).tolist() == [[0.0, 0.0]]


def test_attention_by_hand():
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    network = Aggregator(2, kind="attention")
    assert network.weights(x, torch.ones(1, 3))[0].tolist() == pytest.approx([1 / 3] * 3), (
        "it starts as the mean"
    )
    network.query.data = torch.tensor(
        [np.log(3) * 2**0.5, 0.0], dtype=torch.float32
    )  # exp(log 3) = 3 for the first, 1 for the second
    weights = network.weights(x, torch.tensor([[1.0, 1.0, 0.0]]))
    assert weights[0].tolist() == pytest.approx([0.75, 0.25, 0.0])
    features = network.forward_features(x, torch.tensor([[1.0, 1.0, 0.0]]))
    assert features[0].tolist() == pytest.approx([0.75, 0.25])
    assert network.weights(torch.randn(4, 7, 2), torch.ones(4, 7)).sum(1).tolist() == pytest.approx(
        [1.0] * 4
    )


@pytest.mark.parametrize("kind", ["mean", "lstm", "blstm", "attention"])
def test_a_masked_snippet_is_as_if_it_had_never_been_there(kind):
    torch.manual_seed(0)
    network, x, mask = Aggregator(5, kind=kind, width=6), torch.randn(3, 4, 5), torch.ones(3, 4)
    if kind == "attention":
        torch.nn.init.normal_(network.query)
    mask[0, 1] = mask[1, 3] = mask[1, 0] = 0
    found = network(x, mask)
    assert torch.allclose(found[0], network(x[:1, [0, 2, 3]])[0], atol=1e-6)
    assert torch.allclose(found[1], network(x[1:2, [1, 2]])[0], atol=1e-6)
    assert torch.allclose(found[2], network(x[2:])[0], atol=1e-6)
    other = torch.where(mask[..., None] > 0, x, 1e3 * torch.randn_like(x))
    assert torch.equal(network(other, mask), found)


@pytest.mark.parametrize("kind", ["mean", "lstm", "blstm", "attention"])
def test_a_recording_in_which_nothing_was_seen_breaks_nothing(kind):
    network = Aggregator(5, kind=kind, width=6)
    network(torch.randn(2, 4, 5), torch.tensor([[1.0] * 4, [0.0] * 4])).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_recurrent_aggregators_know_the_order_and_attention_does_not():
    torch.manual_seed(0)
    x = torch.randn(3, 5, 7)
    attention = Aggregator(7, kind="attention")
    torch.nn.init.normal_(attention.query)
    assert torch.allclose(attention(x), attention(x.flip(1)), atol=1e-6)
    blstm = Aggregator(7, kind="blstm")
    assert not torch.allclose(
        blstm(x, torch.ones(3, 5)), blstm(x.flip(1), torch.ones(3, 5)), atol=1e-3
    )


# Which frames each segment holds


def test_each_segment_holds_exactly_its_frames(cohort):
    dataset = ClipDataset(body(cohort, channels=("joint", "motion")), [tagged(40)], NO_CHANGE, None)
    assert len(dataset) == 1
    example = dataset[0]
    assert example["keypoints"].shape == (3, 4, 4, 11) and example["keypoint_mask"].shape == (
        3,
        4,
        11,
    )
    # 40 frames in segments 0-12, 13-25, 26-39; four frames in the middle of each: rooms of 9, 9 and
    # 10, half of 9 rounded to even
    assert example["keypoints"][:, 0, :, 5].tolist() == [
        [4, 5, 6, 7],
        [17, 18, 19, 20],
        [31, 32, 33, 34],
    ]
    assert (example["keypoints"][:, 1] == torch.arange(11.0)).all()
    assert example["keypoints"][:, 2, :, 5].tolist() == [[1, 1, 1, 0]] * 3, (
        "no movement from one segment to the next"
    )


def test_training_draws_the_places_that_segment_starts_draws(cohort):
    dataset = ClipDataset(
        body(cohort, gamma=0.5), [tagged(400)], NO_CHANGE, np.random.default_rng(3)
    )
    rng = np.random.default_rng(3)
    expected = segment_starts(400, 4, 3, 0.5, rng)
    example = dataset[0]
    assert example["keypoints"][:, 0, 0, 0].tolist() == expected.tolist()
    assert example["keypoints"][:, 0, 3, 0].tolist() == (expected + 3).tolist()
    assert dataset[0]["keypoints"][:, 0, 0, 0].tolist() != expected.tolist()


def test_all_segments_of_a_clip_are_changed_alike(cohort):
    still = ClipData(
        "clip",
        "p",
        0,
        np.tile(np.random.default_rng(0).normal(size=(1, 11, 2)), (60, 1, 1)).astype(np.float32),
    )
    wild = Augmentation(rotation=90, scale=0.5, mirror=0.5, joint_dropout=0.3)
    dataset = ClipDataset(body(cohort), [still], wild, np.random.default_rng(0))
    drawn = [dataset[0] for _ in range(8)]
    for example in drawn:
        assert torch.allclose(example["keypoints"], example["keypoints"][:1, :, :1], atol=1e-6)
        assert torch.equal(
            example["keypoint_mask"], example["keypoint_mask"][:1, :1].expand(3, 4, 11)
        )
    assert not torch.allclose(drawn[0]["keypoints"], drawn[1]["keypoints"], atol=1e-2)


def test_a_clip_shorter_than_a_window_is_padded_in_every_segment(cohort):
    example = ClipDataset(body(cohort, window=16), [tagged(10)], NO_CHANGE, None)[0]
    assert example["keypoints"][:, 0, :, 0].tolist() == [[*range(10), *[0] * 6]] * 3
    assert example["keypoint_mask"].sum(1)[:, 0].tolist() == [10, 10, 10]


def test_appearance_follows_its_segments(cohort):
    clip = replace(
        tagged(40), appearance=np.stack([np.arange(40), -np.arange(40)], axis=1).astype(np.float32)
    )
    example = ClipDataset(body(cohort, appearance="body_vgg"), [clip], NO_CHANGE, None)[0]
    assert torch.equal(example["appearance"][:, 0], example["keypoints"][:, 0, :, 0])
    assert torch.equal(example["appearance"][:, 1], -example["appearance"][:, 0]) and example[
        "appearance_mask"
    ].shape == (3, 4)


# Snippets of whole frames


def test_the_snippet_that_starts_nearest():
    starts = np.array([0, 8, 16, 48])  # nothing was extracted between 16 and 48
    nearest, near = nearest_snippet(starts, np.array([0, 3, 4, 5, 16, 24, 25, 33, 47, 48, 55]))
    assert nearest.tolist() == [0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3]
    assert near.tolist() == [True, True, True, True, True, True, False, False, True, True, True]
    assert nearest_snippet(np.array([0]), np.array([0, 5]))[0].tolist() == [0, 0]


def test_a_segment_gets_the_vector_of_its_own_snippet(frames):
    source = frame_source(frames)
    clip = next(clip for clip in source.clips if clip.clip_id == "p3_left")  # 8 snippets: 64 frames
    assert (
        clip.starts.tolist() == [0, 8, 16, 24, 32, 40, 48, 56]
        and len(clip.joints) == 64
        and clip.joints.nbytes == 0
    )
    tags = replace(clip, appearance=np.arange(8, dtype=np.float32)[:, None] * [1, 10])
    tags.appearance[6] = np.nan
    example = ClipDataset(source, [tags], NO_CHANGE, None)[0]
    # segments 0-20, 21-41, 42-63: centres start at 6, 28 (half of 13 is 6.5, rounded to even) and
    # 49; nearest starts 8, 24 and 48
    assert segment_starts(64, 8, 3, 4.0, None).tolist() == [6, 27, 49]
    assert example["appearance"].tolist() == [[[1], [10]], [[3], [30]], [[0], [0]]]
    assert example["appearance_mask"].tolist() == [[1], [1], [0]]
    assert set(example) == {"appearance", "appearance_mask", "duration", "target", "clip"}


def test_a_drawn_snippet_is_the_nearest_to_its_draw(frames):
    source = frame_source(frames)
    clip = next(
        clip for clip in source.clips if clip.clip_id == "p5_right"
    )  # 10 snippets: 80 frames
    tags = replace(clip, appearance=np.arange(10, dtype=np.float32)[:, None])
    dataset, rng = (
        ClipDataset(source, [tags], NO_CHANGE, np.random.default_rng(1)),
        np.random.default_rng(1),
    )
    for _ in range(20):
        drawn = segment_starts(80, 8, 3, 4.0, rng)
        assert (np.abs(dataset[0]["appearance"][:, 0, 0].numpy() * 8 - drawn) <= 4).all()


def test_without_segments_a_snippet_is_a_window(frames):
    source = frame_source(frames, replace(FRAME, segments=0, windows=3))
    dataset = ClipDataset(source, source.clips[:1], NO_CHANGE, None)
    assert len(dataset) == 3 and dataset[2]["appearance"].shape == (4, 1)
    np.testing.assert_allclose(dataset[2]["appearance"][:, 0], source.clips[0].appearance[-1])


def test_a_seizure_too_short_for_its_segments_repeats_snippets(frames):
    source = frame_source(frames, replace(FRAME, segments=16))
    example = ClipDataset(source, source.clips[:1], NO_CHANGE, np.random.default_rng(0))[
        0
    ]  # 5 snippets
    assert example["appearance"].shape == (16, 4, 1) and example["appearance_mask"].min() == 1


def test_a_clip_without_snippets_is_not_assessable_with_a_reason(frames):
    store = Store(frames / "store")
    features = np.full((20, 4), np.nan)
    features[0] = 1
    store.write("p0_left", "snippets", "0" * 16, (features, np.arange(20) * 8 / 15))
    store.write("p1_left", "snippets", "0" * 16, (np.empty((0, 4)), np.empty(0)))
    source = frame_source(frames)
    assert len(source.clips) == 10
    assert {clip.clip_id: clip.reason for clip in source.not_assessable} == {
        "p0_left": "5% of the snippets have features; 10% are required",
        "p1_left": "shorter than one snippet of 8 frames",
    }


def test_snippets_of_another_size_or_rate_are_refused_with_what_there_is(frames):
    with pytest.raises(
        UserError,
        match=(
            "holds snippets of 8 frames at 15 Hz, the reading asks for 16 at 15 Hz; set window: 8"
            " and rate: 15"
        ),
    ):
        _ = frame_source(frames, replace(FRAME, window=16)).clips
    with pytest.raises(UserError, match="asks for 8 at 25 Hz"):
        _ = frame_source(frames, replace(FRAME, rate=25)).clips
    with pytest.raises(UserError, match="clip p0_left: no snippets in"):
        _ = ClipSource(str(frames), FRAME, str(frames / "elsewhere")).clips
    with pytest.raises(UserError, match="give the store"):
        _ = ClipSource(str(frames), FRAME).clips


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"whole": True, "segments": 2}, "`whole` resamples the clip"),
        ({"segments": -1}, "reading.segments: -1"),
        ({"gamma": 0.0}, "reading.gamma: 0"),
        ({"gamma": float("nan")}, "reading.gamma: nan"),
        ({"part": "frame"}, 'the part "frame" has snippets and nothing else'),
        ({"appearance": "snippets"}, "snippets are of the frame"),
        (
            {"part": "frame", "appearance": "body_vgg"},
            'the part "frame" has snippets and nothing else',
        ),
        ({"part": "frame", "appearance": "snippets"}, r"set channels: \[\]"),
        (
            {"part": "frame", "appearance": "snippets", "channels": (), "whole": True},
            "whole: false",
        ),
        ({"channels": ()}, "reading.channels: none"),
    ],
)
def test_readings_that_do_not_go_together(wrong, message):
    with pytest.raises(UserError, match=message):
        Reading(**{"label": "swing", **wrong})


# The network over segments


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("AGCN", {"widths": [8, 8]}),
        ("GAT", {"width": 8, "blocks": 1}),
        ("TCN", {"width": 8, "blocks": 2}),
    ],
)
def test_a_segment_in_which_nobody_was_seen_has_no_influence_and_the_encoder_learns(
    encoder, options
):
    torch.manual_seed(0)
    network = Segments(
        SHAPE, {"stream": encoder.lower(), "options": {**options, "dropout": 0.0}}, "attention"
    )
    values, mask = (
        (torch.randn(2, 4, 5, 12), torch.ones(2, 4, 12))
        if encoder == "TCN"
        else (torch.randn(2, 4, 2, 12, 11), torch.ones(2, 4, 12, 11))
    )
    mask[0, 2] = 0
    other = values.clone()
    other[0, 2] = 1e4
    network.train()  # batch norm would see the empty segment, if it were encoded
    assert torch.equal(network(values, mask), network(other, mask))
    network(values, mask)[:, 1].sum().backward()
    first = next(
        parameter
        for name, parameter in network.encoder.named_parameters()
        if "weight" in name and parameter.ndim > 1
    )
    assert first.grad.abs().sum() > 0
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert (
        not any(name.startswith("encoder.head") for name in trained)
        and "aggregator.head.weight" in trained
    )
    assert torch.isfinite(network(values, torch.zeros_like(mask))).all()


def test_one_segment_and_the_mean_are_the_plain_network(cohort):
    one, plain = body(cohort, segments=1, window=16), body(cohort, segments=0, window=16, windows=1)
    clips = [clip for clip in plain.clips if len(clip.joints) == 40]
    agcn = AGCN(plain.shape, widths=[8, 8]).eval()
    over = Segments(one.shape, BODY["encoder"], "mean").eval()
    over.encoder.load_state_dict(agcn.state_dict())
    over.head.load_state_dict(agcn.head.state_dict())
    assert len(clips) == 11
    for mine, theirs in zip(
        ClipDataset(one, clips, NO_CHANGE, None), ClipDataset(plain, clips, NO_CHANGE, None)
    ):
        assert torch.equal(mine["keypoints"][0], theirs["keypoints"])
        expected = agcn(theirs["keypoints"][None], theirs["keypoint_mask"][None])
        assert torch.allclose(
            over(mine["keypoints"][None], mine["keypoint_mask"][None]), expected, atol=1e-6
        )


def test_segments_are_counted_by_the_data_and_not_by_the_network():
    network = Segments(SHAPE, kind="blstm", width=4)
    for count in (1, 2, 16):
        assert network(torch.randn(3, count, 5, 1), torch.ones(3, count, 1)).shape == (3, 2)
    assert network.features == 8 and network.forward_features(
        torch.randn(3, 2, 5, 1), torch.ones(3, 2, 1)
    ).shape == (3, 8)
    with pytest.raises(ValueError, match="segment axis"):
        network(torch.randn(3, 5, 7), torch.ones(3, 7))
    with pytest.raises(ValueError, match="segment axis"):
        Segments(SHAPE, BODY["encoder"])(torch.randn(3, 2, 12, 11), torch.ones(3, 12, 11))


def test_networks_that_cannot_be_built_say_so():
    keypoints, images = replace(SHAPE, appearance_channels=0), replace(SHAPE, keypoint_channels=0)
    make = Network("segments", {"encoder": {"stream": "tcn", "options": {"layers": 2}}})
    with pytest.raises(UserError, match="has no option layers"):
        make(SHAPE)
    with pytest.raises(UserError, match="no appearance features"):
        Network("segments")(keypoints)
    for stream in (AGCN, GAT):
        with pytest.raises(ValueError, match="no keypoints"):
            stream(images)
    with pytest.raises(ValueError, match="one window's values and their mask"):
        Segments(SHAPE, {"stream": "segments"})
    with pytest.raises(ValueError, match="a TCN standardises"):
        Segments(SHAPE, BODY["encoder"], standardised=True)


def test_features_are_standardised_on_training_clips_alone_where_it_is_requested(frames):
    source = frame_source(frames)
    for options, wanted in (
        ({"standardised": True}, True),
        ({"encoder": {"stream": "tcn"}}, True),
        ({}, False),
    ):
        data = ClipDataModule(source, ["p0", "p1"], validation=0, augmentation=NO_CHANGE)
        module = StreamModule(Network("segments", {"kind": "mean", **options}))
        fit(module, data, Schedule(epochs=1, patience=None, device="cpu"), seed=0)
        rows = np.concatenate(
            [clip.appearance for clip in source.clips if clip.participant_id not in ("p0", "p1")]
        )
        expected = rows.mean(axis=0) if wanted else np.zeros(4)
        np.testing.assert_allclose(module.network.encoder.feature_mean.numpy(), expected, rtol=1e-5)
        assert ("standardisation" in data.seen) == wanted


def test_a_network_and_a_reading_that_do_not_fit_are_refused(cohort):
    schedule = Schedule(epochs=1, patience=None, device="cpu")
    plain, over = (Network("agcn", {"widths": [8]}), Network("segments", BODY))
    with pytest.raises(
        UserError,
        match="agcn: reads one window, and the reading makes 3 segments; make it the encoder",
    ):
        fit(StreamModule(plain), ClipDataModule(body(cohort), ["p0"]), schedule, 0)
    with pytest.raises(UserError, match="segments: reads segments, and the reading makes none"):
        fit(StreamModule(over), ClipDataModule(body(cohort, segments=0), ["p0"]), schedule, 0)
    with pytest.raises(UserError, match="the teacher: reads one window"):
        fit(DistillationModule(over, TCN(SHAPE)), ClipDataModule(body(cohort), ["p0"]), schedule, 0)


# From the cohort to predictions


def test_pose_segments_learn_are_saved_and_score_a_new_clip(cohort, tmp_path):
    source = body(cohort, channels=("joint", "motion"), window=8)
    data = ClipDataModule(source, ["p0", "p1"], validation=0, repeats=4)
    options = Network("segments", {**BODY, "kind": "blstm", "width": 8})
    module = fit(
        StreamModule(options, learning_rate=0.01),
        data,
        Schedule(epochs=20, patience=None, device="cpu"),
        seed=0,
    )
    _, probabilities = score(module, data)
    assert [clip.target for clip in data.held_out] == probabilities.argmax(1).tolist()
    about = {"seconds": source.window_seconds}
    assert about["seconds"] == pytest.approx(1.6), "an example spans the clip: 40 frames at 25 Hz"
    SavedModel(module.network, options, source.reading, source.levels, data.shape, about).save(
        tmp_path / "model"
    )
    saved = load_model(tmp_path / "model")
    assert saved.reading == source.reading and saved.reading.segments == 3
    for number, clip in enumerate(data.held_out):
        np.testing.assert_allclose(scores(saved, clip.joints)[0], probabilities[number], atol=1e-5)
    assert scores(saved, tagged(3000).joints).shape == (1, 2)
    found = layer_features(saved, str(cohort))
    assert layer_names(saved) == ["input", "features", "logits"] == list(found)
    assert len(found["features"].table) == 11
    with pytest.raises(UserError, match=r"no layer 'encoder.blocks.0'"):
        layer_features(saved, str(cohort), layers=["encoder.blocks.0"])


def test_two_views_of_a_seizure_end_in_one_statement(frames):
    schedule = Schedule(epochs=6, patience=None, device="cpu")
    models = {
        kind: Model(
            Network("segments", {"kind": kind, "width": 8}), learning_rate=0.05, schedule=schedule
        )
        for kind in ("attention", "blstm")
    }
    where = {"cohort": str(frames), "store": str(frames / "store"), "out": str(frames / "run")}
    result = run_loso(
        Protocol(
            **where,
            tasks={"type": Task(FRAME)},
            models=models,
            validation=0.0,
            keep=True,
            final=True,
        )
    )
    assert (result.refused, result.failed) == ({}, {})
    rows = pd.read_csv(frames / "run/predictions.csv")
    assert len(rows) == 2 * 12 and rows["recording_id"].nunique() == 6
    evaluated = json.loads((frames / "run/metrics.json").read_text())["tasks"]["type"]["models"][
        "blstm"
    ]
    own = rows[rows["model"] == "blstm"].groupby("recording_id")
    correct = (own["score"].mean() > 0.5) == (own["truth"].first() == "TCS")
    assert (
        evaluated["by"]["recording"]["metrics"]["accuracy"]["value"]
        == pytest.approx(correct.mean())
        and correct.mean() > 0.8
    )
    sources = json.loads((frames / "run/sources.json").read_text())
    assert sources["clips"]["p0_left"]["duration"] == pytest.approx(4 * 8 / 15, abs=1e-3), (
        "to the start of the fifth snippet"
    )
    assert load_model(frames / "run/models/type/blstm").reading == FRAME
    with pytest.raises(UserError, match="no model of type reads keypoints only"):
        explain(frames / "run")

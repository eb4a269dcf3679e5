"""GESTURES: where snippets are taken, aggregators, the public layout, how seizures are assigned
to folds, and a small run to its verdict.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from published_layout import write_view
from scipy.stats import beta, kstest

from semiology.cli.main import main
from semiology.data.gestures import View, duration, read_feature_set, read_vectors
from semiology.data.result import from_options
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.experiments.reproduce.gestures import (
    GesturesProtocol,
    by_seizure,
    by_subject,
    probabilities,
    reproduce_gestures,
    sampled,
    train_aggregator,
)
from semiology.experiments.reproduce.settings import protocol_file
from semiology.files import read_yaml
from semiology.models.networks.segments import Aggregator
from semiology.models.training.windows import segment_starts


def test_snippets_at_the_centres_by_hand():
    # 100 frames, 4 segments of 25; a snippet of 9 has room for starts 0 to 16, 25 to 41, ...
    assert segment_starts(100, 9, 4, 4.0, None).tolist() == [8, 33, 58, 83]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 4.0])
def test_the_place_in_a_segment_is_beta_distributed(gamma):
    rng = np.random.default_rng(0)
    starts = np.array(
        [segment_starts(8_008, 8, 2, gamma, rng) for _ in range(1500)]
    )  # room of 3996 in each segment
    assert kstest(starts[:, 0] / 3996, beta(gamma, gamma).cdf).pvalue > 0.01
    assert kstest((starts[:, 1] - 4004) / 3996, beta(gamma, gamma).cdf).pvalue > 0.01


def test_the_limits_of_gamma():
    rng = np.random.default_rng(0)
    assert np.array_equal(
        segment_starts(100, 9, 4, float("inf"), rng), segment_starts(100, 9, 4, 4.0, None)
    )
    ends = np.array([segment_starts(100, 9, 4, 1e-6, rng) for _ in range(100)]) - np.arange(4) * 25
    assert set(ends.ravel()) == {0, 16}


@pytest.mark.parametrize(
    ("frames", "snippet", "segments"), [(100, 8, 4), (131, 8, 16), (128, 8, 16), (37, 5, 7)]
)
def test_every_snippet_lies_in_its_own_segment(frames, snippet, segments):
    rng, edges = np.random.default_rng(0), np.arange(segments + 1) * frames // segments
    for _ in range(200):
        starts = segment_starts(frames, snippet, segments, 0.7, rng)
        assert (starts >= edges[:-1]).all() and (starts + snippet <= edges[1:]).all()


def test_a_video_shorter_than_its_snippets_has_them_overlap_inside_it():
    assert segment_starts(20, 8, 4, 4.0, np.random.default_rng(0)).tolist() == [
        0,
        3,
        8,
        12,
    ]  # centres 2.5, 7.5, 12.5, 17.5
    assert segment_starts(8, 8, 4, 4.0, np.random.default_rng(0)).tolist() == [0, 0, 0, 0]
    for frames in range(8, 130):
        starts = segment_starts(frames, 8, 16, 4.0, np.random.default_rng(0))
        assert starts.min() >= 0 and starts.max() + 8 <= frames and (np.diff(starts) >= 0).all()


@pytest.mark.parametrize(
    ("frames", "segments", "gamma"), [(7, 4, 4.0), (100, 0, 4.0), (100, 4, 0.0)]
)
def test_impossible_segments_are_refused(frames, segments, gamma):
    with pytest.raises(ValueError, match=r"snippet|positive"):
        segment_starts(frames, 8, segments, gamma, None)


def test_the_mean_knows_no_order_and_the_recurrent_ones_do():
    torch.manual_seed(0)
    x = torch.randn(3, 5, 7)
    for kind, features in (("mean", 7), ("lstm", 64), ("blstm", 128)):
        network = Aggregator(7, kind=kind).eval()
        assert network.features == features and network.forward_features(x).shape == (3, features)
        assert torch.allclose(network(x), network.head(network.forward_features(x)))
        assert torch.allclose(network(x), network(x.flip(1)), atol=1e-6) == (kind == "mean")
    assert torch.allclose(Aggregator(7, kind="mean").forward_features(x), x.mean(1))
    with pytest.raises(ValueError, match="expected"):
        Aggregator(8)(x)
    with pytest.raises(ValueError, match="kind"):
        Aggregator(7, kind="sum")


def test_the_blstm_reads_the_same_backwards_with_its_directions_exchanged():
    torch.manual_seed(0)
    network, x = Aggregator(7, kind="blstm").eval(), torch.randn(2, 5, 7)
    forwards, backwards = network.forward_features(x).chunk(2, dim=1)
    lstm = torch.nn.LSTM(7, 64, batch_first=True)
    lstm.load_state_dict(
        {
            name.removesuffix("_reverse"): value
            for name, value in network.recurrent.state_dict().items()
            if "reverse" in name
        }
    )
    assert torch.allclose(lstm(x.flip(1))[1][0][0], backwards, atol=1e-6) and not torch.allclose(
        forwards, backwards
    )


def feature_set(
    folder: Path, subjects: int = 6, frames: int = 24, snippet: int = 4, rate: int = 4
) -> pd.DataFrame:
    """Two seizures a subject, two views each: in TCS every second half carries a pattern of its
    own.
    """
    rng = np.random.default_rng(0)
    pattern, rows = rng.normal(size=512), []
    for subject in range(subjects):
        for seizure in range(2):
            tonic_clonic = (subject + seizure) % 2 == 0
            name = f"{subject:03d}_{seizure + 1:02d}"
            for view in "LS":
                vectors = rng.normal(0, 0.2, (frames, 512))
                vectors[frames // 2 :] += pattern * tonic_clonic
                write_view(folder / f"features_fpc_{snippet}_fps_{rate}/{name}_{view}", vectors)
            rows.append(
                [
                    f"{subject:03d}",
                    f"{seizure + 1:02d}",
                    "",
                    "3.5" if tonic_clonic else "",
                    "0.5" if tonic_clonic else "",
                    "6",
                ]
            )
    table = pd.DataFrame(
        rows, columns=["Subject", "Seizure", "Discard", "OnsetClonic", "RatioGTCS", "Duration"]
    )
    table.to_csv(folder / "seizures.csv", index=False)
    return table


@pytest.fixture(scope="module")
def public(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("public")
    feature_set(folder)
    return folder


@pytest.fixture
def own(tmp_path) -> Path:
    """Three subjects, to be damaged."""
    feature_set(tmp_path, subjects=3, frames=12)
    return tmp_path


def test_the_layout_is_read(public):
    data = read_feature_set(public, 4, 4, shortest=6.0)
    assert [view.clip_id for view in data.views[:3]] == [
        "000_01_L",
        "000_01_S",
        "000_02_L",
    ] and len(data.views) == 24
    first = data.views[0]
    assert (first.recording_id, first.participant_id, first.target) == (
        "000_01",
        "000",
        1,
    ) and data.views[2].target == 0
    assert first.features.shape == (24, 512) and data.notes == []
    written = torch.load(
        public / "features_fpc_4_fps_4/000_01_L/000_01_L_000007.pth", weights_only=True
    )
    assert np.array_equal(first.features[7], written.numpy())


def test_duration_counts_the_last_snippet():
    assert duration(1, 8, 15) == pytest.approx(8 / 15) and duration(218, 8, 15) == pytest.approx(15)


def test_frame_numbers_are_ordered_as_numbers(tmp_path):
    for frame in (9, 10, 100):
        torch.save(torch.full((512,), float(frame)), tmp_path / f"frame_{frame}.pth")
    assert read_vectors(tmp_path)[:, 0].tolist() == [9, 10, 100]


def test_frame_numbers_with_gaps_are_reported(own):
    assert read_feature_set(own, 4, 4, shortest=1.0).notes == []
    where = own / "features_fpc_4_fps_4"
    (where / "001_01_L/001_01_L_000003.pth").unlink()
    for path in where.glob("002_02_S/*.pth"):  # every third frame: a step as good as any other
        path.rename(path.with_name(f"{3 * int(path.stem[-6:]):06d}.pth"))
    note = "1 views whose frame numbers have gaps, read as if they had none: 001_01_L"
    assert read_feature_set(own, 4, 4, shortest=1.0).notes == [note]


def test_an_impossible_correlation_is_refused_before_anything_is_trained(public, tmp_path):
    for correlation in (-0.1, 7.0, float("nan")):
        with pytest.raises(UserError, match=r"correlation: .* is not possible; give 0"):
            reproduce_gestures(
                GesturesProtocol(str(public), str(tmp_path / "run"), snippet=4, rate=4), correlation
            )
    assert not (tmp_path / "run").exists()


def test_what_is_left_out_is_counted(own):
    features = own / "features_fpc_4_fps_4"
    table = pd.read_csv(own / "seizures.csv", dtype=str)
    table.loc[0, "Discard"] = "Small"  # 000_01: one view
    table.loc[1, "Discard"] = "Yes"  # 000_02: none
    table.loc[2, "RatioGTCS"] = "0.4"  # 001_01: no OnsetClonic
    table.to_csv(own / "seizures.csv", index=False)
    (features / "001_02_L").rename(own / "elsewhere")  # one view
    for view in "LS":
        (features / f"002_01_{view}").rename(own / f"gone_{view}")  # none
        for path in sorted((features / f"002_02_{view}").iterdir())[4:]:
            path.unlink()  # short
    data = read_feature_set(own, 4, 4, shortest=3.0)
    assert [view.clip_id for view in data.views] == ["000_01_L", "001_01_L", "001_01_S", "001_02_S"]
    assert data.views[1].target == 0
    assert data.notes == [
        "1 seizures left out, both views discarded in seizures.csv: 000_02",
        "1 seizures left out, without features: 002_01",
        "1 seizures left out, shorter than 3 s: 002_02",
        "2 seizures read from one view, the other is discarded or missing: 000_01, 001_02",
        "1 seizures with only one of OnsetClonic (which decides) and RatioGTCS: 001_01",
    ]


def damage_column(folder):
    pd.read_csv(folder / "seizures.csv", dtype=str).drop(columns="OnsetClonic").to_csv(
        folder / "seizures.csv", index=False
    )


def damage_discard(folder):
    (folder / "seizures.csv").write_text(
        (folder / "seizures.csv").read_text().replace("001,01,,", "001,01,Maybe,")
    )


def damage_twice(folder):
    (folder / "seizures.csv").write_text(
        (folder / "seizures.csv").read_text().replace("001,02", "001,01")
    )


def damage_name(folder):
    (folder / "seizures.csv").write_text(
        (folder / "seizures.csv").read_text().replace("001,02", "001,")
    )


def damage_length(folder):
    torch.save(torch.zeros(511), folder / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth")


def damage_numbers(folder):
    torch.save(
        torch.full((512,), float("nan")),
        folder / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth",
    )


def damage_half(folder):
    path = folder / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth"
    path.write_bytes(path.read_bytes()[:900])


def damage_nothing_in_it(folder):
    (folder / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth").write_bytes(b"")


def damage_dictionary(folder):
    torch.save(
        {"features": torch.zeros(512)}, folder / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth"
    )


def damage_order(folder):
    where = folder / "features_fpc_4_fps_4/001_01_L"
    (where / "001_01_L_000003.pth").rename(where / "last.pth")


def damage_folder(folder):
    (folder / "features_fpc_4_fps_4").rename(folder / "features_fpc_16_fps_15")


def damage_all(folder):
    for path in (folder / "features_fpc_4_fps_4").iterdir():
        path.rename(path.with_name(f"x{path.name}"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_column, "seizures.csv: column OnsetClonic missing; it has Subject"),
        (damage_discard, "row 4, column Discard: 'Maybe'; known are Yes, Large, Small"),
        (damage_twice, "row 5: seizure 01 of this subject is there twice"),
        (damage_name, "row 5: Subject and Seizure have to be there"),
        (
            damage_length,
            r"001_01_L_000003.pth: holds a tensor of shape \(511,\), not a vector of 512 numbers",
        ),
        (damage_numbers, "001_01_L_000003.pth: holds numbers that are not finite"),
        (damage_half, "001_01_L_000003.pth: damaged"),
        (damage_nothing_in_it, "001_01_L_000003.pth: damaged"),
        (damage_dictionary, "holds a dict, not a vector"),
        (damage_order, "without a frame number of their own"),
        (damage_folder, "there is features_fpc_16_fps_15: set snippet and rate to match"),
        (damage_all, "no features of any seizure"),
        (lambda folder: (folder / "seizures.csv").unlink(), "seizures.csv: not found"),
        (lambda folder: (folder / "seizures.csv").write_text(""), "seizures.csv: not a table"),
    ],
)
def test_bad_input_is_refused_with_its_place(own, damage, message):
    damage(own)
    with pytest.raises(UserError, match=message):
        read_feature_set(own, 4, 4, shortest=1.0)


class Planted:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_planted_pickle_is_refused_and_not_run(own, tmp_path):
    planted = tmp_path / "was_run"
    torch.save(Planted(planted), own / "features_fpc_4_fps_4/001_01_L/001_01_L_000003.pth")
    with pytest.raises(UserError, match="refused: it holds more than a tensor"):
        read_feature_set(own, 4, 4, shortest=1.0)
    assert not planted.exists()


def views_of(subjects: dict[str, list[int]]) -> list[View]:
    """Both views of seizures given as subject -> targets; without features."""
    return [
        View(
            f"{subject}_{number}_{end}",
            f"{subject}_{number}",
            subject,
            target,
            np.zeros((1, 512), np.float32),
        )
        for subject, targets in subjects.items()
        for number, target in enumerate(targets)
        for end in "LS"
    ]


def test_seizures_are_assigned_round_the_folds_tonic_clonic_first():
    assignment = by_seizure(views_of({"a": [1, 0], "b": [0, 1], "c": [1, 0]}), 2)
    assert assignment == {"a_0": 0, "b_1": 1, "c_0": 0, "a_1": 1, "b_0": 0, "c_1": 1}


def test_subjects_are_never_divided_and_both_kinds_are_spread():
    views = views_of({f"{number:02d}": [number % 2, 1, 0] for number in range(20)})
    assignment = by_subject(views, 5, seed=1)
    owner = {view.recording_id: view.participant_id for view in views}
    folds_of = {
        subject: {fold for name, fold in assignment.items() if owner[name] == subject}
        for subject in set(owner.values())
    }
    assert all(len(folds) == 1 for folds in folds_of.values())
    target = {view.recording_id: view.target for view in views}
    shares = [
        np.mean([target[name] for name, fold in assignment.items() if fold == number])
        for number in range(5)
    ]
    assert min(shares) > 0.3 and max(shares) < 0.7
    assert by_subject(views, 5, seed=1) == assignment != by_subject(views, 5, seed=2)


def test_seizures_that_cannot_be_assigned_are_refused():
    with pytest.raises(UserError, match="2 subjects cannot be split into 3 folds"):
        by_subject(views_of({"a": [1, 0], "b": [0, 1]}), 3)
    with pytest.raises(UserError, match="fold 5 of 5 got no seizure"):
        by_seizure(views_of({"a": [1, 0], "b": [0, 1]}), 5)
    with pytest.raises(UserError, match="not of both kinds"):
        by_seizure(views_of({"a": [1, 0], "b": [0]}), 2)


def test_the_shipped_config_is_the_papers_protocol():
    paper = from_options(read_yaml(protocol_file("gestures_table")), GesturesProtocol, "")
    assert paper == GesturesProtocol("my_features", "my_run")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gamma": 0}, "gamma: 0"),
        ({"folds": 1}, "folds: 1"),
        ({"segments": (4, 4)}, "each once"),
        ({"segments": (0,)}, "segments: 0"),
        ({"splits": ()}, "one or more"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        GesturesProtocol("features", "out", **changed)


def test_training_on_snippets_learns_the_pattern_and_repeats_itself(public):
    data = read_feature_set(public, 4, 4, shortest=1.0)
    protocol = GesturesProtocol("", "", snippet=4, rate=4, epochs=8, device="cpu")
    assert sampled(data.views, 4, 8, 4.0, None).shape == (24, 8, 512)
    held_out, training = data.views[:4], data.views[4:]
    scores = [
        probabilities(train_aggregator(training, "blstm", 4, protocol, 1), held_out, 4, 4)
        for _ in range(2)
    ]
    assert np.array_equal(scores[0], scores[1]) and np.allclose(scores[0].sum(1), 1)
    assert ((scores[0][:, 1] > 0.5) == [view.target for view in held_out]).all()


def test_from_features_to_a_verdict(public, tmp_path, capsys):
    out = tmp_path / "run"
    small = [
        "--snippet",
        "4",
        "--rate",
        "4",
        "--shortest",
        "1",
        "--segments",
        "[16]",
        "--aggregators",
        "[mean,blstm]",
        "--folds",
        "4",
    ]
    call = [
        "reproduce",
        "gestures",
        "--config",
        str(protocol_file("gestures_table")),
        "--features",
        str(public),
        "--out",
        str(out),
        *small,
    ]
    assert main([*call, "--epochs", "6", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert any(
        line.startswith("TCS (folds by seizure), BLSTM, 16 segments, accuracy")
        and "0.99 (0.94 to 1.00)" in line
        for line in printed.splitlines()
    )
    assert "folds by subject minus folds by seizure" in printed

    table = read_predictions(out / "predictions.csv")
    assert (
        set(table["task"]) == {"TCS (folds by seizure)", "TCS (folds by subject)"}
        and len(table) == 2 * 2 * 24
    )
    assert (table["clip_id"].str[:-2] == table["recording_id"]).all()
    seizures = table[
        (table["task"] == "TCS (folds by seizure)") & (table["model"] == "blstm_16")
    ].groupby("recording_id")
    right = seizures["score"].mean().gt(0.5) == seizures["truth"].first().eq("TCS")

    content = json.loads((out / "reproduction.json").read_text())
    by_name = {row["what"]: row for row in content["rows"]}
    best = by_name["TCS (folds by seizure), BLSTM, 16 segments, accuracy"]
    assert (
        best["published"] == 0.989
        and best["obtained"] == pytest.approx(right.mean(), abs=1e-6)
        and right.mean() > 0.9
    )
    assert by_name["TCS (folds by subject), mean, 16 segments, accuracy"]["published"] is None
    assert [found["model"] for found in content["folds"]] == ["mean_16", "blstm_16"]
    assert "6 subjects, 6 FOS and 6 TCS instead of 68, 106 and 77 [T]" in content["deviations"]
    assert "epochs: 6 instead of 400 [C]" in content["deviations"] and content["not_run"] == []

    for split, both_sides in (("seizure", True), ("subject", False)):
        shared = []
        for path in sorted((out / f"folds/TCS-by-{split}/seed-0").glob("*.json")):
            record = json.loads(path.read_text())
            seen = record["models"]["blstm_16"]["seen"]["weights"]
            assert not {clip[:-2] for clip in seen} & {
                clip[:-2] for clip in record["held_out_clips"]
            }  # no seizure on both sides
            shared.append(bool({record["clips"][clip] for clip in seen} & set(record["held_out"])))
        assert len(shared) == 4 and any(shared) == both_sides

    before = (
        (out / "predictions.csv").read_bytes(),
        (out / "folds/TCS-by-subject/seed-0/1.json").stat().st_mtime_ns,
    )
    assert main([*call, "--epochs", "6", "--device", "cpu"]) == 0  # nothing is trained again
    assert before == (
        (out / "predictions.csv").read_bytes(),
        (out / "folds/TCS-by-subject/seed-0/1.json").stat().st_mtime_ns,
    )
    assert main(["report", str(out)]) == 0
    assert "Compared with the paper" in (out / "report.html").read_text(encoding="utf-8")
    main(["audit", str(out)])
    checks = {
        check["name"]: check for check in json.loads((out / "audit.json").read_text())["checks"]
    }
    assert (
        checks["participants"]["result"] == "failed"
        and checks["weights"]["result"] == checks["table"]["result"] == "passed"
    )
    assert all("folds by seizure" in detail for detail in checks["participants"]["details"])

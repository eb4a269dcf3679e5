"""Snippets through the store: extraction beside tracks and without them, keys, short clips, the
audit; and real videos.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.evaluation.audit.sources import used_weights
from semiology.files import content_hash
from semiology.models.features import load_snippet_network, prepare_frame
from semiology.models.features.r2plus1d import R2Plus1D, Shape, initialise
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_videos
from semiology.tracking.extraction.keys import trained_on
from semiology.tracking.extraction.options import SnippetOptions
from semiology.video import read_frames, write_video


def write_weights(path: Path, seed: int = 0, **metadata: object) -> Path:
    torch.manual_seed(seed)
    network = R2Plus1D(Shape.make(2, depth=10, width=0.0625))
    initialise(network)
    save_file(
        network.state_dict(), path, {name: json.dumps(value) for name, value in metadata.items()}
    )
    return path


@pytest.fixture
def weights(tmp_path) -> Path:
    return write_weights(tmp_path / "small.safetensors")


def film(path: Path, frames: int, fps: float = 15.0) -> Path:
    path.parent.mkdir(exist_ok=True)
    noise = (
        np.random.default_rng(0).integers(0, 200, (8, 10, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    )
    write_video(path, (noise + np.uint8(2 * (number % 25)) for number in range(frames)), fps)
    return path


def cohort_of(folder: Path, clips: list[tuple[str, str, str, str]]) -> Cohort:
    """clip_id, video, start, end; one participant."""
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    rows = ["clip_id\tparticipant_id\tvideo\tstart\tend\tsign"]
    rows += [f"{clip}\tP1\t{video}\t{start}\t{end}\tno" for clip, video, start, end in clips]
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    sidecar = {
        "sign": {
            "Role": "label",
            "LongName": "sign",
            "Description": "a sign",
            "Levels": {"no": "absent", "yes": "present"},
        }
    }
    (folder / "clips.json").write_text(json.dumps(sidecar))
    return Cohort.read(folder, check_videos=False)


def only(weights: Path, **how) -> ExtractOptions:
    return ExtractOptions(pose="none", snippet_weights=weights, snippets=SnippetOptions(**how))


def test_a_cohort_without_tracks_gets_snippets_alone_and_a_second_run_does_no_work(
    tmp_path, weights
):
    film(tmp_path / "videos" / "a.mp4", 60)
    cohort = cohort_of(
        tmp_path, [("c1", "videos/a.mp4", "0", "n/a"), ("c2", "videos/a.mp4", "1", "3")]
    )
    summary = extract_cohort(cohort, tmp_path / "store", options=only(weights), progress=False)
    assert (
        summary.done == ["c1", "c2"]
        and summary.found == {}
        and summary.nobody == []
        and "warning" not in summary.text()
    )
    store = Store(tmp_path / "store")
    assert sorted(store.record("c1")["stages"]) == ["snippets"]
    features, time = store.features("c1", "snippets")
    assert (
        features.shape == (7, 32) and features.dtype == np.float32
    )  # 60 frames: starts 0, 8, ..., 48
    np.testing.assert_allclose(time, np.arange(7) * 8 / 15)
    assert store.features("c2", "snippets")[0].shape == (
        3,
        32,
    )  # 30 frames from 1 s on, time counted from there
    assert store.features("c2", "snippets")[1][0] == 0
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")}
    assert extract_cohort(
        cohort, tmp_path / "store", options=only(weights), progress=False
    ).skipped == ["c1", "c2"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")} == written


def test_what_is_stored_is_what_the_network_returns_for_those_frames(tmp_path, weights):
    video = film(tmp_path / "videos" / "a.mp4", 60, fps=30)
    extract_cohort(
        cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")]),
        tmp_path / "store",
        options=only(weights),
        progress=False,
    )
    images = np.stack([prepare_frame(frame.image) for frame in read_frames(video, fps=15)])
    expected = load_snippet_network(weights).embed(
        np.stack([images[start : start + 8] for start in (0, 8, 16)])
    )
    np.testing.assert_array_equal(Store(tmp_path / "store").features("c1", "snippets")[0], expected)


def test_the_key_changes_with_every_parameter_and_not_with_the_batch(tmp_path, weights):
    film(tmp_path / "videos" / "a.mp4", 40)
    other = write_weights(tmp_path / "other.safetensors", seed=1)
    base = only(weights, precision="fp32")
    changes = {
        "base": base,
        "frames": only(weights, precision="fp32", frames=16),
        "stride": only(weights, precision="fp32", stride=4),
        "precision": only(weights, precision="bf16"),
        "weights": replace(base, snippet_weights=other),
    }
    keys = {}
    for name, options in changes.items():
        cohort = cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
        extract_cohort(cohort, tmp_path / "store", options=options, progress=False)
        keys[name] = Store(tmp_path / "store").path("c1", "snippets").name
    for name, start, end in (("start", "0.5", "n/a"), ("end", "0", "2")):
        extract_cohort(
            cohort_of(tmp_path, [("c1", "videos/a.mp4", start, end)]),
            tmp_path / "store",
            options=base,
            progress=False,
        )
        keys[name] = Store(tmp_path / "store").path("c1", "snippets").name
    assert len(set(keys.values())) == 7
    depends = Store(tmp_path / "store").record("c1")["stages"]["snippets"]["depends"]
    assert depends == {
        **{
            "stage": "snippets",
            "sha256": content_hash(tmp_path / "videos" / "a.mp4"),
            "start": 0.0,
            "end": 2.0,
            "pixel_aspect": None,
            "fields": "auto",
        },
        **{
            "rate": 15.0,
            "crop": 0.05,
            "size": 112,
            "frames": 8,
            "stride": 8,
            "precision": "fp32",
            "network": content_hash(weights),
        },
    }
    cohort = cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
    summary = extract_cohort(
        cohort, tmp_path / "store", options=only(weights, precision="fp32", batch=2), progress=False
    )
    assert (
        summary.skipped == ["c1"]
        and Store(tmp_path / "store").path("c1", "snippets").name == keys["base"]
    )


def test_snippets_stand_beside_tracks_and_leave_their_keys_alone(tmp_path, weights):
    film(tmp_path / "videos" / "a.mp4", 20)
    cohort = cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
    extract_cohort(cohort, tmp_path / "store", progress=False)
    before = Store(tmp_path / "store").record("c1")["stages"]
    assert extract_cohort(
        cohort, tmp_path / "store", options=ExtractOptions(snippet_weights=weights), progress=False
    ).done == ["c1"]
    after = Store(tmp_path / "store").record("c1")["stages"]
    assert (
        sorted(after) == ["body", "face", "snippets"]
        and {part: after[part] for part in before} == before
    )


def test_a_clip_shorter_than_a_snippet_is_stored_without_any_and_reported_by_its_id(
    tmp_path, weights, capsys
):
    film(tmp_path / "videos" / "secret.mp4", 40)
    film(tmp_path / "videos" / "brief.mp4", 6)
    cohort_of(
        tmp_path,
        [("short", "videos/brief.mp4", "0", "n/a"), ("long", "videos/secret.mp4", "0", "n/a")],
    )
    where = [
        "extract",
        str(tmp_path),
        "--store",
        str(tmp_path / "store"),
        "--pose",
        "none",
        "--snippet_weights",
        str(weights),
    ]
    assert main(where) == 0
    output = capsys.readouterr().out
    assert (
        "warning: short: shorter than one snippet" in output
        and "secret" not in output
        and "brief" not in output
    )
    store = Store(tmp_path / "store")
    assert store.features("long", "snippets")[0].shape == (5, 32)
    assert store.features("short", "snippets")[0].shape == (0, 32)
    for clip in ("short", "long"):  # a second run has nothing to do
        assert store.has(clip, "snippets")
    source = ClipSource(
        str(tmp_path),
        Reading("sign", part="frame", appearance="snippets", channels=(), rate=15, window=8),
        str(tmp_path / "store"),
    )
    assert [clip.clip_id for clip in source.clips] == ["long"]
    assert [clip.reason for clip in source.not_assessable] == [
        "shorter than one snippet of 8 frames"
    ]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (ExtractOptions(pose="none"), "nothing to extract; give --snippet_weights"),
        (
            ExtractOptions(pose="none", face_weights=Path("vgg.safetensors")),
            "read crops around tracks",
        ),
        (ExtractOptions(pose="none", snippet_weights=Path("gone.pth")), "weights get r2plus1d_18"),
    ],
)
def test_what_cannot_be_extracted_is_reported_before_the_first_clip(tmp_path, options, fault):
    with pytest.raises(UserError, match=fault):
        extract_videos([film(tmp_path / "videos" / "a.mp4", 20)], tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()


def test_a_network_of_our_own_knows_the_frames_of_its_snippets(tmp_path):
    film(tmp_path / "videos" / "a.mp4", 20)
    cohort = cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
    own = write_weights(tmp_path / "own.safetensors", frames=16)
    with pytest.raises(
        UserError,
        match=(
            r"own\.safetensors: .*16 frames, not 8;"
            r" give --snippets.frames 16"
        ),
    ):
        extract_cohort(cohort, tmp_path / "store", options=only(own), progress=False)
    assert extract_cohort(
        cohort, tmp_path / "store", options=only(own, frames=16), progress=False
    ).done == ["c1"]


def test_a_clip_that_brings_features_has_no_video_to_open(tmp_path, weights):
    film(tmp_path / "videos" / "a.mp4", 20)
    (tmp_path / "own.safetensors").write_bytes(b"")
    cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
    table = tmp_path / "clips.tsv"
    header, filmed = table.read_text().splitlines()
    table.write_text(
        f"{header}\tfeatures\n{filmed}\tn/a\nc2\tP1\tn/a\t0\tn/a\tno\town.safetensors\n"
    )
    summary = extract_cohort(
        Cohort.read(tmp_path), tmp_path / "store", options=only(weights), progress=False
    )
    assert (summary.done, summary.without_video, summary.failed) == (["c1"], ["c2"], [])
    assert summary.text().startswith("1 clips: 1 extracted") and "\n1 more clips" in summary.text()
    table.write_text(table.read_text().replace(f"{filmed}\tn/a\n", ""))
    with pytest.raises(UserError, match="nothing to extract"):
        extract_cohort(
            Cohort.read(tmp_path), tmp_path / "store", options=only(weights), progress=False
        )


def test_impossible_snippets_are_refused():
    with pytest.raises(UserError, match="stride=0"):
        SnippetOptions(stride=0)


def test_the_audit_knows_whom_the_snippet_network_was_trained_on(tmp_path):
    film(tmp_path / "videos" / "a.mp4", 20)
    cohort = cohort_of(tmp_path, [("c1", "videos/a.mp4", "0", "n/a")])
    for name, metadata, expected in (
        ("own", {"participants": ["P1"]}, ["P1"]),
        ("silent", {}, None),
    ):
        path = write_weights(tmp_path / f"{name}.safetensors", **metadata)
        extract_cohort(cohort, tmp_path / name, options=only(path), progress=False)
        stages = Store(tmp_path / name).record("c1")["stages"]
        assert used_weights(stages) == {
            content_hash(path): {"what": "snippets", "origin": None, "participants": expected}
        }
        assert trained_on(only(path)) == (
            {} if expected is None else {content_hash(path): expected}
        )
    published = {
        "snippets": {
            "depends": {
                "network": "91a641e6c2ab531d1aca5f4321b4d802ec5c3babc15df855cdb6e39c6a1107c8"
            }
        }
    }
    assert [entry["participants"] for entry in used_weights(published).values()] == [
        []
    ]  # a public set


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["dance_720x406.mp4", "room_cam01_portrait.mp4", "walking_1768x994.mp4"]
)
def test_real_people_become_snippets(testdata, tmp_path, weights, name):
    video = testdata / "people" / name
    (tmp_path / "videos").symlink_to(video.parent)
    cohort = cohort_of(tmp_path, [("c1", f"videos/{name}", "0", "1.6")])
    stored = []
    for turn in ("first", "second"):
        options = only(weights, precision="fp32", stride=4)
        assert extract_cohort(cohort, tmp_path / turn, options=options, progress=False).done == [
            "c1"
        ]
        stored.append(Store(tmp_path / turn).features("c1", "snippets"))
    (features, time), (again, _) = stored
    np.testing.assert_array_equal(features, again)
    assert (
        features.shape == (5, 32) and np.isfinite(features).all()
    )  # 24 frames at 15 Hz, whatever the video's own rate
    np.testing.assert_allclose(time, np.arange(5) * 4 / 15)
    assert (
        np.linalg.norm(np.diff(features, axis=0), axis=1) > 0
    ).all()  # people move: no two snippets are the same
    images = [prepare_frame(frame.image) for frame in read_frames(video, 0, 1.6, 15)]
    expected = load_snippet_network(weights, precision="fp32").embed(
        np.stack([np.stack(images[4:12])])
    )
    np.testing.assert_allclose(features[1:2], expected, rtol=1e-3, atol=1e-6)

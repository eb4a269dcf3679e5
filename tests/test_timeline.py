"""A video of any length in one pass: windows, the patient as he goes along, live sources, what was
stopped goes on.
"""

import http.server
import json
import socket
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from semiology import UserError, load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.files import content_hash, write_text
from semiology.models.features import load_snippet_network, snippet_features
from semiology.models.features.r2plus1d import R2Plus1D, Shape
from semiology.models.networks import Network, StreamShape
from semiology.models.training.clips import ClipData, ClipSource, prepare
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel, load_model
from semiology.phantom import make_phantom
from semiology.timeline.events import Hysteresis, read_events
from semiology.timeline.predict import Windows, find_models, probabilities, snippet_probabilities
from semiology.timeline.stream import TimelineOptions, timeline
from semiology.timeline.stream.buffers import KeypointBuffer, SnippetBuffer
from semiology.timeline.stream.options import thresholds_of
from semiology.timeline.stream.patient import OnlinePatient
from semiology.timeline.stream.record import Record
from semiology.timeline.stream.signs import Sign
from semiology.tracking.extraction import ExtractOptions, extract_tracks
from semiology.tracking.extraction.tracks import required_keypoints
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import Landmarks
from semiology.video import read_frames, write_video
from semiology.video.live import BoundedQueue, LiveFrames, growing_frames, without_credentials
from semiology.video.reader import Damage, SourceFrame, source_frames

FAST = TimelineOptions(
    fps=12.5, length=1.6, step=0.8, block=1.92
)  # windows of 20 frames every 10, blocks of 24 = 4 looks for faces
TABLES = "timeline.csv", "events.tsv"


def save_model(
    folder: Path, label: str, levels: list[str], part: str = "body", **about
) -> SavedModel:
    """An AGCN with random weights and a head that makes the most of small differences, so that its
    probabilities move.
    """
    skeleton = {"body": "upper_body_11", "face": "face_23"}[part]
    reading = Reading(
        label, part=part, skeleton=skeleton, channels=("joint", "motion"), rate=12.5, window=20
    )
    options, shape = (
        Network("agcn", {"widths": [4, 4]}),
        StreamShape(len(levels), load_skeleton(skeleton), 4),
    )
    torch.manual_seed(3)
    network = options(shape).eval()
    with torch.no_grad():
        network.head.weight.mul_(30)
    saved = SavedModel(
        network,
        options,
        reading,
        levels,
        shape,
        {"task": label, "seconds": 1.6, "trackers": ["blazepose"], **about},
    )
    saved.save(folder)
    return saved


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A run with a model of two levels on the body, and one of three on the face."""
    folder = tmp_path_factory.mktemp("run")
    save_model(folder / "models/swing/agcn", "swing", ["absent", "present"])
    save_model(folder / "models/side/agcn", "side", ["none", "left", "right"], part="face")
    return folder


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> Path:
    """Five seconds of a phantom's seizure, MPEG-2."""
    folder = make_phantom(
        tmp_path_factory.mktemp("phantom"),
        subjects=1,
        clips_per_subject=1,
        seconds=(5, 5),
        seed=5,
        progress=False,
    )
    return next((folder / "videos").glob("*.mpg"))


@pytest.fixture(scope="session")
def whole(video, run, tmp_path_factory) -> Path:
    """The undisturbed timeline of that video."""
    out = tmp_path_factory.mktemp("whole")
    timeline(str(video), run, out, FAST, progress=False)
    return out


def same(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in TABLES)


# windows


def landmarks_at(x: float) -> Landmarks:
    names = pose_backend("blazepose").keypoints["body"]
    position = np.random.default_rng(0).normal(300, 50, (len(names), 2))
    position[names.index("left_wrist"), 0] = x
    return Landmarks(position, np.full(len(names), 0.9), np.zeros((len(names), 3)))


def predictions(saved: SavedModel, recent: KeypointBuffer, first: int, end: int):
    return probabilities(saved, prepare(recent.tracks("body", first, end), saved.reading))


def test_windows_lie_where_length_and_step_say_and_the_last_ends_with_the_video(run):
    saved = save_model(run / "other", "swing", ["absent", "present"])
    sign = Sign(
        "swing", saved, Windows(1.6, 0.8), 12.5, thresholds_of({"swing": saved}, None)[0]["swing"]
    )
    recent = KeypointBuffer(pose_backend("blazepose"), [saved.reading], sign.length, 12.5)
    path = 300 + 100 * np.sin(np.arange(57))
    rows = []
    for index, x in enumerate(path):
        recent.add(index, True, {"body": landmarks_at(x)})
        for more, _ in sign.advance(
            index + 1, lambda first, end: predictions(saved, recent, first, end)
        ):
            rows += more
            assert (rows[-1].end * 12.5) == pytest.approx(
                index + 1
            )  # as soon as the window is whole
    last, _ = sign.finish(57, lambda first, end: predictions(saved, recent, first, end))
    times = [(row.start, row.end) for row in rows + last]
    np.testing.assert_allclose(
        times, [(0, 1.6), (0.8, 2.4), (1.6, 3.2), (2.4, 4.0), (37 / 12.5, 57 / 12.5)]
    )
    assert {row.level for row in rows} == {"present"}
    # the fourth window by hand: frames 30 to 49, all of the body's keypoints
    names = pose_backend("blazepose").keypoints["body"]
    position = np.stack([landmarks_at(x).position for x in path[30:50]])
    tracks = make_tracks(position, names, 12.5, confidence=np.full((20, 33), 0.9))
    assert rows[3].probability == probabilities(saved, prepare(tracks, saved.reading))["present"]


def test_every_class_but_the_first_is_a_sign_and_a_window_without_a_patient_is_not_assessable(run):
    saved = save_model(run / "third", "side", ["none", "left", "right"])
    sign = Sign(
        "side", saved, Windows(1.6, 0.8), 12.5, thresholds_of({"side": saved}, None)[0]["side"]
    )
    recent = KeypointBuffer(pose_backend("blazepose"), [saved.reading], sign.length, 12.5)
    assert recent.kept["body"].shape == (
        20,
        10,
        6,
    )  # eleven joints: two ears, shoulders, elbows, wrists, hips
    for index in range(20):
        recent.add(index, True, {})
    [(rows, events)] = sign.advance(20, lambda first, end: predictions(saved, recent, first, end))
    assert [(row.level, row.probability) for row in rows] == [
        ("left", None),
        ("right", None),
    ] and events == []


def test_a_model_over_segments_reads_a_window_of_any_length(run):
    skeleton, levels = load_skeleton("upper_body_11"), ["FOS", "TCS"]
    encoder = {"stream": "agcn", "options": {"widths": [4, 4]}}
    options, shape = (
        Network("segments", {"encoder": encoder, "kind": "blstm", "width": 4}),
        StreamShape(2, skeleton, 2),
    )
    reading = Reading("seizure_type", channels=("joint",), rate=12.5, window=8, segments=4)
    torch.manual_seed(0)
    SavedModel(options(shape).eval(), options, reading, levels, shape, {"seconds": 4.0}).save(
        run / "segments"
    )
    saved = load_model(run / "segments")
    sign = Sign("seizure type", saved, Windows(4.0, 2.0), 12.5, {"TCS": Hysteresis()})
    recent = KeypointBuffer(pose_backend("blazepose"), [saved.reading], sign.length, 12.5)
    rows = []
    for index in range(75):
        recent.add(index, True, {"body": landmarks_at(300 + index)})
        rows += [
            row
            for more, _ in sign.advance(
                index + 1, lambda first, end: predictions(saved, recent, first, end)
            )
            for row in more
        ]
    assert [(row.level, row.start, row.end) for row in rows] == [
        ("TCS", 0.0, 4.0),
        ("TCS", 2.0, 6.0),
    ]
    # by hand: 50 frames in four segments, a window of eight at the centre of each
    tracks = prepare(recent.tracks("body", 25, 75), reading)
    parts = [ClipData("", "", 0, tracks[start : start + 8]) for start in (2, 14, 27, 39)]
    source = ClipSource.from_clips(parts, replace(reading, segments=0), ["FOS", "TCS"])
    examples = [ClipDataset(source, [part], NO_CHANGE, None)[0] for part in parts]
    inputs = [
        torch.stack([example[name] for example in examples])[None]
        for name in ("keypoints", "keypoint_mask")
    ]
    with torch.inference_mode():
        assert rows[1].probability == pytest.approx(
            saved.network(*inputs).softmax(1)[0, 1].item(), abs=6e-5
        )


def test_snippets_of_the_stream_are_those_of_extraction(video, tmp_path):
    torch.manual_seed(0)
    layers = R2Plus1D(Shape.make(2, depth=10, width=0.0625))
    save_file(layers.state_dict(), tmp_path / "small.safetensors")
    network = load_snippet_network(tmp_path / "small.safetensors", precision="fp32")
    vectors, starts = snippet_features(
        read_frames(video, fps=15), network, length=8, stride=8, batch=1
    )
    options = Network("segments", {"kind": "mean"})
    shape = StreamShape(2, load_skeleton("upper_body_11"), 0, network.channels)
    reading = Reading(
        "type", part="frame", channels=(), appearance="snippets", rate=15.0, window=8, segments=2
    )
    saved = SavedModel(
        options(shape).eval(), options, reading, ["FOS", "TCS"], shape, {"seconds": 3.2}
    )
    recent = SnippetBuffer(network, [saved], 80, 25.0, 8)
    for index, frame in enumerate(read_frames(video)):
        recent.add(index, frame.image)
        if index == 79:
            early = recent.window(0, 80)
    assert early[1].tolist() == [0, 8, 16, 24, 32, 40] and early[2] == 48  # 3.2 s at 15 Hz
    np.testing.assert_allclose(early[0], vectors[:6], rtol=1e-5, atol=1e-6)
    late, places, frames = recent.window(40, 120)  # from 1.6 s on: 24 frames of 15 Hz
    np.testing.assert_allclose(late, vectors[3:9], rtol=1e-5, atol=1e-6)
    assert places.tolist() == [0, 8, 16, 24, 32, 40] and np.round(starts[3] * 15) == 24
    again = SnippetBuffer(network, [saved], 80, 25.0, 8)
    again.restore(recent.arrays())
    np.testing.assert_array_equal(again.window(40, 120)[0], late)
    # two segments of 24 frames, the snippet nearest to the centre of each: those that start at 8
    # and 32
    with torch.inference_mode():
        chosen = torch.from_numpy(late[[1, 4]].T.copy()).T[
            None, :, :, None
        ]  # (1, segment, channel, 1)
        expected = saved.network(chosen, torch.ones(1, 2, 1)).softmax(1)[0, 1].item()
    assert snippet_probabilities(saved, late, places, frames)["TCS"] == pytest.approx(
        expected, abs=6e-5
    )
    with pytest.raises(UserError, match=r"\b5 numbers .*--snippet_weights"):
        SnippetBuffer(
            network, [replace(saved, shape=replace(shape, appearance_channels=5))], 80, 25.0, 8
        )


def test_a_model_of_snippets_is_followed_without_tracking_and_goes_on_where_it_was(
    video, tmp_path, monkeypatch
):
    torch.manual_seed(0)
    layers = R2Plus1D(Shape.make(2, depth=10, width=0.0625))
    save_file(layers.state_dict(), tmp_path / "small.safetensors")
    options, shape = (
        Network("segments", {"kind": "mean"}),
        StreamShape(2, load_skeleton("upper_body_11"), 0, 32),
    )
    reading = Reading(
        "type", part="frame", channels=(), appearance="snippets", rate=15.0, window=8, segments=2
    )
    about = {
        "seconds": 2.0,
        "task": "type",
        "snippet_networks": [content_hash(tmp_path / "small.safetensors")],
    }
    SavedModel(options(shape).eval(), options, reading, ["FOS", "TCS"], shape, about).save(
        tmp_path / "model"
    )
    chosen = replace(FAST, fps=15.0, length=2.0, snippet_weights=tmp_path / "small.safetensors")
    with pytest.raises(UserError, match="weights"):
        timeline(
            str(video),
            tmp_path / "model",
            tmp_path / "none",
            replace(chosen, snippet_weights=None),
            progress=False,
        )
    save_file(
        {name: 2 * value for name, value in layers.state_dict().items()},
        tmp_path / "other.safetensors",
    )
    with pytest.raises(UserError, match=r"type: .*--snippet_weights"):
        timeline(
            str(video),
            tmp_path / "model",
            tmp_path / "none",
            replace(chosen, snippet_weights=tmp_path / "other.safetensors"),
            progress=False,
        )
    timeline(str(video), tmp_path / "model", tmp_path / "whole", chosen, progress=False)
    assert pd.read_csv(tmp_path / "whole/timeline.csv")["probability"].notna().all()

    def killed(*given):
        block(*given)
        raise KeyboardInterrupt

    block = Record.block
    monkeypatch.setattr(Record, "block", killed)
    with pytest.raises(KeyboardInterrupt):
        timeline(str(video), tmp_path / "model", tmp_path / "stopped", chosen, progress=False)
    monkeypatch.setattr(Record, "block", block)
    timeline(str(video), tmp_path / "model", tmp_path / "stopped", chosen, progress=False)
    assert same(tmp_path / "stopped", tmp_path / "whole")


# from the command line, and what was stopped


def test_a_video_is_followed_from_end_to_end(whole, video, run, capsys):
    table = pd.read_csv(whole / "timeline.csv")
    assert list(table.columns) == ["task", "level", "start", "end", "probability"]
    result = json.loads((whole / "timeline.json").read_text())
    count = result["frames"]["grid"]
    assert (
        count == -(-len(list(source_frames(video))) // 2) == 63
        and result["complete"]
        and result["ended"] is None
    )
    starts = [*range(0, count - 19, 10), *([count - 20] if (count - 20) % 10 else [])]
    for task, level in [("swing", "present"), ("side", "left"), ("side", "right")]:
        own = table[(table["task"] == task) & (table["level"] == level)]
        assert own["start"].tolist() == [round(start / 12.5, 3) for start in starts]
    assert table["probability"].notna().all() and result["found"]["body"] == 1.0
    events = read_events(whole / "events.tsv")
    assert (
        events.duration == pytest.approx(count / 12.5)
        and len(events.events) == len(result["events"]) > 0
    )
    assert (whole / "timeline.png").stat().st_size > 1000
    before = (whole / "timeline.json").stat().st_mtime_ns
    options = [
        "--fps",
        "12.5",
        "--length",
        "1.6",
        "--step",
        "0.8",
        "--block",
        "1.92",
        "--progress",
        "false",
    ]
    assert (
        main(["timeline", str(video), "--model", str(run), "--out", str(whole), *options]) == 0
    )  # all done: nothing is done again
    assert (whole / "timeline.json").stat().st_mtime_ns == before
    assert "untuned thresholds" in capsys.readouterr().out


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(whole, video, run, tmp_path, monkeypatch):
    """Killed after the block's rows are in the table and before its state is written."""
    block, blocks = 2, []

    def killed(record, rows):
        add(record, rows)
        blocks.append(1)
        if len(blocks) == block:
            raise KeyboardInterrupt

    add = Record.add
    monkeypatch.setattr(Record, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        timeline(str(video), run, tmp_path, FAST, progress=False)
    assert not (tmp_path / "timeline.json").exists() and (tmp_path / "state.safetensors").exists()
    samples, update = [], OnlinePatient.update
    monkeypatch.setattr(Record, "add", add)
    monkeypatch.setattr(
        OnlinePatient, "update", lambda *given: (samples.append(given[1]), update(*given))[1]
    )
    timeline(str(video), run, tmp_path, FAST, progress=False)
    assert same(tmp_path, whole)
    # the state of the first block knows the sample at its end
    assert samples[0] == pytest.approx(1.92 + 0.48)


def test_a_state_of_other_options_and_a_damaged_one_start_again(whole, tmp_path):
    complete = json.loads((whole / "timeline.json").read_text())

    def copied() -> Record:
        for name in ("timeline.csv", "events.tsv", "state.safetensors"):
            (tmp_path / name).write_bytes((whole / name).read_bytes())
        return Record(tmp_path, complete["key"], complete["video"])

    state, arrays = copied().resume()
    assert state["frames"] == 48 and arrays["recent/body"].shape == (
        20,
        10,
        6,
    )  # two blocks of 24 frames in 63
    assert (
        (tmp_path / "timeline.csv").stat().st_size
        == state["bytes"]
        < (whole / "timeline.csv").stat().st_size
    )
    copied()
    assert Record(tmp_path, "another", complete["video"]).resume() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["timeline.csv"]
    assert (tmp_path / "timeline.csv").read_text() == "task,level,start,end,probability\n"
    record = copied()
    (tmp_path / "state.safetensors").write_bytes(b"half")
    assert record.resume() is None


def test_the_timeline_of_another_video_is_not_written_over(whole, tmp_path):
    for held in ("timeline.json", "state.safetensors"):  # a complete run, and one that was stopped
        folder = tmp_path / held
        folder.mkdir()
        (folder / held).write_bytes((whole / held).read_bytes())
        with pytest.raises(UserError, match=rf"{held}: .*--out"):
            Record(folder, "key", "0" * 64)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file: .*\(File exists\).*--out"):
        Record(tmp_path / "file", "key", "0" * 64)


def test_a_complete_run_whose_tables_were_changed_is_not_taken_for_complete(whole, tmp_path):
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    document = json.loads((whole / "timeline.json").read_text())
    record = Record(tmp_path, document["key"], document["video"])
    assert record.finished(document["source_bytes"]) == document and record.finished(1) is None
    (tmp_path / "events.tsv").write_text("x")
    assert record.finished(document["source_bytes"]) is None


# live


def test_a_file_that_grows_is_followed_while_it_is_written(whole, video, run, tmp_path):
    content = video.read_bytes()
    growing = tmp_path / "growing.mpg"
    growing.write_bytes(content[:40_000])

    def write():
        for place in range(40_000, len(content), 40_000):
            time.sleep(0.02)
            with open(growing, "ab") as stream:
                stream.write(content[place : place + 40_000])

    writer = threading.Thread(target=write)
    writer.start()
    result = timeline(
        str(growing), run, tmp_path / "out", replace(FAST, growing=2.0), progress=False
    )
    writer.join()
    assert same(tmp_path / "out", whole)
    assert result["frames"]["dropped"] == 0 and result["latency_s"]["largest"] > 0


def lossless(path: Path, images: list[np.ndarray]) -> None:
    """A file of these images, bit for bit, 25 Hz."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image).reformat(format="bgr0")))
        container.mux(stream.encode(None))


def test_a_recording_of_two_files_has_the_timeline_of_the_one_file(video, run, tmp_path):
    images = [frame.image for frame in read_frames(video)]
    lossless(tmp_path / "whole.mkv", images)
    lossless(tmp_path / "a.mkv", images[:60])
    lossless(tmp_path / "b.mkv", images[60:])
    rows = ["recording_id\tvideo\tstart", "night\ta.mkv\t0", "night\tb.mkv\t2.4"]
    (tmp_path / "recordings.tsv").write_text("\n".join(rows) + "\n")
    timeline(str(tmp_path / "whole.mkv"), run, tmp_path / "one", FAST, progress=False)
    night = f"{tmp_path}/recordings.tsv#night"
    result = timeline(night, run, tmp_path / "two", FAST, progress=False)
    assert same(tmp_path / "one", tmp_path / "two")
    assert result["complete"] and result["ended"] is None
    again = timeline(night, run, tmp_path / "two", FAST, progress=False)
    assert again == json.loads((tmp_path / "two" / "timeline.json").read_text())


@pytest.fixture
def camera(video):
    """A "camera" on this machine: sends what the test gives it, and then hangs up or hangs."""
    content = video.read_bytes()
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "video/mpeg")
            self.end_headers()
            part = content if self.path == "/whole" else content[: len(content) // 2]
            try:
                for place in range(0, len(part), 20_000):
                    self.wfile.write(part[place : place + 20_000])
                    time.sleep(0.02)
                if self.path == "/stalls":
                    release.wait(30)
            except OSError:
                pass  # whoever looked has gone

        def log_message(self, *given):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    release.set()
    server.shutdown()


def test_a_camera_gives_latencies_and_cannot_be_replayed(camera, run, tmp_path):
    result = timeline(f"{camera}/whole", run, tmp_path, FAST, progress=False)
    assert (
        result["complete"] and result["latency_s"]["largest"] >= result["latency_s"]["median"] > 0
    )
    assert result["duration_s"] == pytest.approx(5, abs=0.5) and result["frames"]["dropped"] >= 0
    assert read_events(tmp_path / "events.tsv").duration == pytest.approx(
        result["duration_s"], abs=1e-3
    )
    with pytest.raises(UserError, match=rf"{tmp_path}: .*--out"):
        timeline(f"{camera}/whole", run, tmp_path, FAST, progress=False)


def test_a_camera_that_stalls_ends_with_a_message_and_its_results(camera, run, tmp_path, capsys):
    options = ["--fps", "12.5", "--length", "1.6", "--stall", "1.5", "--progress", "false"]
    assert (
        main(
            [
                "timeline",
                f"{camera}/stalls",
                "--model",
                str(run),
                "--out",
                str(tmp_path / "out"),
                *options,
            ]
        )
        == 1
    )
    assert " 1.5 s" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "out/timeline.csv")) > 0
    assert json.loads((tmp_path / "out/timeline.json").read_text())["complete"] is False


def test_ctrl_c_ends_a_camera_properly(camera, run, tmp_path, monkeypatch, capsys):
    taken = []

    def stopped(sign, frames, predictions):
        if len(taken) == 30:
            raise KeyboardInterrupt
        taken.append(frames)
        return advance(sign, frames, predictions)

    advance = Sign.advance
    monkeypatch.setattr(Sign, "advance", stopped)
    assert (
        main(
            [
                "timeline",
                f"{camera}/whole",
                "--model",
                str(run),
                "--out",
                str(tmp_path),
                "--fps",
                "12.5",
                "--progress",
                "false",
            ]
        )
        == 0
    )
    assert json.loads((tmp_path / "timeline.json").read_text())["ended"] == "stopped by the user"
    assert (tmp_path / "events.tsv").is_file()


def test_a_slow_worker_loses_the_oldest_frames_and_they_are_counted():
    queue = BoundedQueue(limit=4, drop=True)
    for number in range(10):
        queue.put(number)
    assert queue.dropped == 6 and [queue.get() for _ in range(4)] == [6, 7, 8, 9]
    done = threading.Event()

    def read(damage: Damage):
        for index in range(100):
            yield SourceFrame(index / 25, index, 0.04, None)
        done.set()

    source = LiveFrames(read, 5.0, drop=True, limit=8)
    taken = []
    for frame in source:
        assert done.wait(5)  # the gate: nothing more is taken before the reader has come to its end
        taken.append(frame.index)
    assert (
        len(taken) + source.dropped == 100
        and taken[-8:] == list(range(92, 100))
        and len(taken) <= 9
    )


def test_a_reader_of_a_growing_file_waits_and_loses_nothing(video):
    index = [frame.index for frame in growing_frames(video, 0.1)]
    assert index == list(range(len(index))) and len(index) == len(list(source_frames(video)))


# what is wrong


def test_a_video_that_ends_in_a_frame_ends_the_timeline_there(video, run, tmp_path, capsys):
    content = video.read_bytes()
    cut = tmp_path / "cut.mpg"
    cut.write_bytes(content[: len(content) // 2 + 1234])
    options = ["--fps", "12.5", "--length", "1.6", "--progress", "false"]
    assert (
        main(["timeline", str(cut), "--model", str(run), "--out", str(tmp_path / "out"), *options])
        == 0
    )
    ended = json.loads((tmp_path / "out/timeline.json").read_text())["ended"]
    assert ended in capsys.readouterr().out and "middle of a frame" in ended
    table = pd.read_csv(tmp_path / "out/timeline.csv")
    assert 1.6 < table["end"].max() < 4 and table["probability"].notna().all()


def test_a_window_longer_than_the_video_is_the_whole_video(run):
    saved = save_model(run / "fourth", "swing", ["absent", "present"])
    sign = Sign("swing", saved, Windows(100.0, 1.0), 12.5, {"present": Hysteresis()})
    recent = KeypointBuffer(pose_backend("blazepose"), [saved.reading], sign.length, 12.5)
    for index in range(25):
        recent.add(index, True, {"body": landmarks_at(300 + index)})
        assert (
            list(sign.advance(index + 1, lambda first, end: predictions(saved, recent, first, end)))
            == []
        )
    [row], _ = sign.finish(25, lambda first, end: predictions(saved, recent, first, end))
    assert (row.start, row.end) == (0, 2) and row.probability is not None


def test_tuned_thresholds_make_the_events_and_have_to_name_every_sign(whole, run, tmp_path):
    models = find_models(run)
    tuned = {
        "swing": {"present": asdict(Hysteresis(on=0.9, off=0.1))},
        "side": {"left": asdict(Hysteresis())},
    }
    write_text(tmp_path / "thresholds.json", json.dumps({"signs": tuned}))
    with pytest.raises(UserError, match=r"thresholds\.json: .*side right.*--thresholds"):
        thresholds_of(models, tmp_path / "thresholds.json")
    tuned["side"]["right"] = asdict(Hysteresis(shortest=3.0))
    write_text(tmp_path / "thresholds.json", json.dumps({"signs": tuned}))
    thresholds, is_tuned = thresholds_of(models, tmp_path / "thresholds.json")
    assert (
        is_tuned
        and thresholds["swing"]["present"].on == 0.9
        and thresholds["side"]["right"].shortest == 3.0
    )
    assert thresholds_of(models, None) == (
        {
            "side": {level: Hysteresis() for level in ("left", "right")},
            "swing": {"present": Hysteresis()},
        },
        False,
    )


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nowhere.mp4", {}, r"nowhere\.mp4"),
        ("ftp://127.0.0.1/a.mpg", {}, "ftp://.*rtsp://"),
        ("http://127.0.0.1/a.mpg", {"growing": 1.0}, "--growing.*--stall"),
        ("nowhere.mp4", {"growing": 1.0}, r"nowhere\.mp4"),
        ("VIDEO", {"fps": 10.0}, r" 12\.5 frames .* fps .* 10$"),
        ("VIDEO", {"fps": 50.0}, r" 25 frames .* fps=50 .* 25 or less"),
        ("VIDEO", {"thresholds": Path("nowhere.json")}, "nowhere.json"),
    ],
)
def test_a_source_that_cannot_be_followed_is_refused(
    source, options, message, video, run, tmp_path
):
    with pytest.raises(UserError, match=message):
        timeline(
            source.replace("VIDEO", str(video)),
            run,
            tmp_path / "out",
            replace(FAST, **options),
            progress=False,
        )
    assert not (tmp_path / "out").exists()


def test_options_that_make_no_sense_are_refused():
    for name in ("fps", "length", "step", "block", "growing", "stall"):
        for value in (0.0, float("nan"), float("inf")):
            with pytest.raises(UserError, match=f"{name}={value:g};"):
                TimelineOptions(**{name: value})
    with pytest.raises(UserError, match=r"length=0\.05 s .* 25 Hz"):
        TimelineOptions(length=0.05)


def test_no_models_and_models_of_another_tracker_are_refused(video, tmp_path):
    with pytest.raises(UserError, match=rf"{tmp_path}: .*semiology loso"):
        timeline(str(video), tmp_path, tmp_path / "out", FAST, progress=False)
    save_model(
        tmp_path / "models/swing/agcn", "swing", ["absent", "present"], trackers=["keypoint-rcnn"]
    )
    with pytest.raises(UserError, match=r"keypoint-rcnn, not by blazepose.*--pose"):
        timeline(str(video), tmp_path, tmp_path / "out", FAST, progress=False)


def test_a_camera_that_is_not_there_is_refused_without_its_password(run, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}") as caught:
        timeline(
            f"http://me:secret@127.0.0.1:{port}/a?key=1",
            run,
            tmp_path / "out",
            FAST,
            progress=False,
        )
    assert "secret" not in str(caught.value) and "key" not in str(caught.value)
    assert without_credentials("rtsp://me:secret@10.0.0.1:554/live") == "rtsp://10.0.0.1:554/live"


def test_formats_that_need_their_end_are_not_read_while_they_grow(tmp_path):
    images = [np.full((64, 96, 3), 9 * n, np.uint8) for n in range(20)]
    for suffix, message in ((".mp4", r"a\.mp4: .*index"), (".avi", r"a\.avi: .*avi")):
        write_video(tmp_path / f"a{suffix}", iter(images), 25)
        with pytest.raises(UserError, match=message):
            list(growing_frames(tmp_path / f"a{suffix}", 0.2))
    connections = []
    with socket.socket() as listener:  # a playlist that calls itself a video: nobody is called
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts"
        (tmp_path / "list.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(UserError, match=r"list\.m3u8"):
            list(growing_frames(tmp_path / "list.m3u8", 0.2))
        with pytest.raises(TimeoutError):
            connections.append(listener.accept())
    assert not connections
    write_video(tmp_path / "a.mkv", iter(images), 25)
    assert len(list(growing_frames(tmp_path / "a.mkv", 0.2))) == 20


@pytest.mark.realdata
def test_a_real_dancer_is_followed_from_end_to_end(testdata, run, tmp_path):
    result = timeline(
        str(testdata / "people/dance_720x406.mp4"),
        run,
        tmp_path,
        replace(FAST, step=1.6),
        progress=False,
    )
    assert (
        result["found"]["body"] > 0.95 and 0.4 < result["found"]["face"] < 0.8
    )  # she turns her back for a third of the time
    assert result["duration_s"] == pytest.approx(15, abs=0.1)
    table = pd.read_csv(tmp_path / "timeline.csv")
    assert table.loc[table["task"] == "swing", "probability"].notna().all()


def test_only_the_keypoints_that_are_read_are_held(video):
    everything = extract_tracks(video, 0, 1, ExtractOptions(fps=12.5))
    keep = required_keypoints(
        [load_skeleton("upper_body_11"), load_skeleton("face_23")], pose_backend("blazepose")
    )
    assert keep["body"][:2] == ["left_ear", "right_ear"] and len(keep["body"]) == 10
    kept = extract_tracks(video, 0, 1, ExtractOptions(fps=12.5), keep)
    for part, names in keep.items():
        assert kept[part].keypoint.values.tolist() == names
        assert kept[part].equals(everything[part].sel(keypoint=names))

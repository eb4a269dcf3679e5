"""Clips that are tracked again from the page: a process of its own for each, one at a time."""

import json
import time

import numpy as np
import pytest

from semiology.cli.main import main
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.review.retrack import Tracking, lost_stages
from semiology.tracking.extraction import ExtractOptions
from semiology.video import write_video


@pytest.fixture
def rooms(tmp_path):
    """Two clips of half a second in which there is nobody."""
    for name, grey in (("c1", 80), ("c2", 120)):
        images = (np.full((96, 128, 3), grey + number, np.uint8) for number in range(12))
        write_video(tmp_path / f"{name}.mp4", images, 25)
    (tmp_path / "participants.tsv").write_text("participant_id\nP1\n")
    rows = "".join(f"{name}\tP1\t{name}.mp4\t0\tn/a\tno\n" for name in ("c1", "c2"))
    header = "clip_id\tparticipant_id\tvideo\tstart\tend\tsign\n"
    (tmp_path / "clips.tsv").write_text(header + rows)
    levels = {"no": "absent", "yes": "present"}
    (tmp_path / "clips.json").write_text(json.dumps({"sign": {"Role": "label", "Levels": levels}}))
    return tmp_path


def ended(tracking: Tracking, job: str) -> dict:
    while True:
        state = next(each for each in tracking.list() if each["job"] == job)
        if state["state"] not in ("waiting", "running"):
            return state
        time.sleep(0.05)


def test_extract_takes_chosen_clips_and_refuses_unknown_ones(rooms, capsys):
    store = rooms / "store"
    assert main(["extract", str(rooms), "--store", str(store), "--clips", "c11"]) == 2
    assert "there is no clip 'c11'; is 'c1' meant?" in capsys.readouterr().err
    assert main(["extract", str(rooms), "--store", str(store), "--clips", "c2"]) == 0
    assert Store(store).has("c2", "body") and not Store(store).has("c1", "body")
    out = str(rooms / "out")
    assert main(["extract", str(rooms / "c1.mp4"), "--out", out, "--clips", "c1"]) == 2
    assert "--clips: chooses clips of a cohort" in capsys.readouterr().err


def test_jobs_run_one_after_the_other_with_the_given_options(rooms):
    tracking = Tracking(rooms, rooms / "store", ["--fps=12.5"])
    first, second = tracking.add("c1"), tracking.add("c2")
    assert tracking.add("c2") == second  # it waits already
    assert [job["clip_id"] for job in tracking.list()] == ["c1", "c2"]
    assert ended(tracking, first["job"]) == {**first, "state": "done", "share": 1.0}
    assert ended(tracking, second["job"])["state"] == "done"
    assert Store(rooms / "store").tracks("c1", "body").attrs["fps"] == 12.5
    tracking.close()


def test_a_clip_that_cannot_be_read_fails_with_the_reason(rooms):
    (rooms / "c1.mp4").write_bytes(b"")
    tracking = Tracking(rooms, rooms / "store")
    job = ended(tracking, tracking.add("c1")["job"])
    assert job["state"] == "failed" and "0 bytes" in job["fault"]
    assert "c1.mp4" not in job["fault"]
    wrong = Tracking(rooms, rooms / "store", ["--fps=-1"])
    job = ended(wrong, wrong.add("c1")["job"])
    assert job["fault"] == "semiology extract: extract: fps=-1 Hz; give a positive number"


def test_what_a_clip_would_lose_is_named_with_the_option_that_keeps_it(tmp_path):
    store = Store(tmp_path)
    entry = {"key": "k1", "depends": {"fps": 12.5}}
    stages = ("body", "face", "hands", "face_vgg", "snippets", "flow")
    store.note("c1", {}, {stage: entry for stage in stages})
    lost = "a clip that is tracked again loses it without"
    assert lost_stages(store, ["c1", "c2"], ExtractOptions(flow=True)) == [
        f"the store holds face_vgg; {lost} --extract.face_weights FILE",
        f"the store holds hands; {lost} --extract.hands true",
        "the store's tracks have 12.5 Hz; a clip that is tracked again gets 25 Hz without"
        " --extract.fps 12.5",
    ]
    same = ExtractOptions(fps=12.5, flow=True, hands=True, face_weights=tmp_path / "vgg")
    assert lost_stages(store, ["c1"], same) == lost_stages(store, ["c2"], ExtractOptions()) == []


def test_what_waits_is_taken_out_what_runs_is_stopped_and_nothing_runs_on_after_the_end(rooms):
    tracking = Tracking(rooms, rooms / "store")
    first, second = tracking.add("c1"), tracking.add("c2")
    assert tracking.stop(second["job"])["state"] == "stopped"
    assert tracking.stop(first["job"])["state"] == "stopped"
    third = tracking.add("c2")
    assert ended(tracking, third["job"])["state"] == "done"
    assert not Store(rooms / "store").has("c1", "body")
    assert tracking.stop(third["job"])["state"] == "done"  # it has ended: it stays so
    with pytest.raises(UserError, match="there is no such job"):
        tracking.stop("9")
    tracking.add("c1")
    while tracking.list()[-1]["state"] == "waiting":
        time.sleep(0.01)
    process = tracking._process
    tracking.close()
    assert process.poll() is not None
    assert tracking.list()[-1]["state"] == "stopped"

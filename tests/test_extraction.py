import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.data.tracks import make_tracks, read_tracks, save_tracks
from semiology.errors import UserError
from semiology.parallel import Workers
from semiology.tracking.extraction import (
    ExtractOptions,
    ExtractSummary,
    extract_cohort,
    extract_tracks,
    extract_videos,
    found_fraction,
    run,
)
from semiology.video import write_video


@pytest.fixture
def empty_room(tmp_path) -> Path:
    """A video of one second in which there is nobody."""
    path = tmp_path / "videos" / "room.mp4"
    path.parent.mkdir()
    write_video(path, (np.full((144, 176, 3), 90 + number, np.uint8) for number in range(25)), 25)
    return path


def cohort_of(folder: Path, clips: list[tuple[str, str, str]], **times: str) -> Cohort:
    """clip_id, video, tracks; one participant."""
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    rows = ["clip_id\tparticipant_id\tvideo\ttracks\tstart\tend\tsign"]
    rows += [
        f"{clip}\tP1\t{video}\t{tracks}\t{times.get('start', '0')}\t{times.get('end', 'n/a')}\tno"
        for clip, video, tracks in clips
    ]
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


def test_nobody_in_the_video_gives_empty_tracks_and_a_warning(empty_room, tmp_path):
    summary = extract_videos([empty_room], tmp_path / "out", progress=False)
    assert summary.done == ["room"] and summary.nobody == ["room"]
    assert "\nwarning: room: " in summary.text()
    for part, keypoints in [("body", 33), ("face", 478)]:
        tracks = read_tracks(tmp_path / "out" / "room" / f"{part}.nc")
        assert dict(tracks.sizes) == {"time": 25, "space": 2, "space_3d": 3, "keypoint": keypoints}
        assert np.isnan(tracks.position).all() and (tracks.confidence == 0).all()
        assert (tracks.attrs["width"], tracks.attrs["height"], tracks.attrs["fps"]) == (
            176,
            144,
            25,
        )


def test_a_second_run_does_no_work_and_other_parameters_do(empty_room, tmp_path):
    assert extract_videos([empty_room], tmp_path / "out", progress=False).done == ["room"]
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "room").iterdir()}
    again = extract_videos([empty_room], tmp_path / "out", progress=False)
    assert again.skipped == ["room"] and again.found == {"room": {"body": 0.0, "face": 0.0}}
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "room").iterdir()
    } == written
    assert extract_videos(
        [empty_room], tmp_path / "out", options=ExtractOptions(fps=12.5), progress=False
    ).done == ["room"]
    assert read_tracks(tmp_path / "out" / "room" / "body.nc").sizes["time"] == 13


def test_a_copied_video_is_known_by_its_content_and_a_changed_one_is_made_again(
    empty_room, tmp_path
):
    cohort = cohort_of(tmp_path, [("c1", "videos/room.mp4", "n/a")])
    extract_cohort(cohort, tmp_path / "store", progress=False)
    first = Store(tmp_path / "store").path("c1", "body")
    shutil.copyfile(empty_room, tmp_path / "copy.mp4")
    (tmp_path / "copy.mp4").replace(empty_room)  # another time of change, the same bytes
    assert extract_cohort(cohort, tmp_path / "store", progress=False).skipped == ["c1"]
    write_video(empty_room, (np.full((144, 176, 3), 40, np.uint8) for _ in range(10)), 25)
    assert extract_cohort(cohort, tmp_path / "store", progress=False).done == ["c1"]
    assert Store(tmp_path / "store").path("c1", "body") != first


def test_bad_clips_are_listed_without_file_names_and_the_others_go_on(empty_room, tmp_path):
    (tmp_path / "videos" / "empty.mp4").write_bytes(b"")
    (tmp_path / "videos" / "text.avi").write_text("not a video")
    clips = [
        ("c1", "videos/empty.mp4", "n/a"),
        ("c2", "videos/room.mp4", "n/a"),
        ("c3", "videos/text.avi", "n/a"),
        ("c4", "videos/gone.mp4", "n/a"),
    ]
    summary = extract_cohort(
        cohort_of(tmp_path, clips), tmp_path / "store", workers=Workers(jobs=2), progress=False
    )
    assert summary.done == ["c2"] and [clip_id for clip_id, _ in summary.failed] == [
        "c1",
        "c3",
        "c4",
    ]
    assert "0 bytes" in summary.failed[0][1] and "no such file" in summary.failed[2][1]
    assert not any(name in summary.text() for name in ("empty.mp4", "text.avi", "gone.mp4"))
    assert "1 extracted, 0 were there already, 3 failed" in summary.text()


def test_whatever_a_library_raises_in_one_clip_costs_that_clip_only(
    empty_room, tmp_path, monkeypatch
):
    clips = [("c1", "videos/room.mp4", "n/a"), ("c2", "videos/room.mp4", "n/a")]
    make = run._tracks

    def fails_in_the_first(source, *arguments):
        if source.clip_id == "c1":
            raise cv2.error("OpenCV: (-201:Incorrect size of input array)")
        return make(source, *arguments)

    monkeypatch.setattr(run, "_tracks", fails_in_the_first)
    summary = extract_cohort(cohort_of(tmp_path, clips), tmp_path / "store", progress=False)
    assert summary.done == ["c2"]
    assert summary.failed == [
        ("c1", "error in extraction: OpenCV: (-201:Incorrect size of input array)")
    ]


def test_damaged_tracks_in_the_store_cost_their_own_clip_only(empty_room, tmp_path):
    shutil.copy(empty_room, tmp_path / "videos" / "other.mp4")
    cohort = cohort_of(
        tmp_path, [("c1", "videos/room.mp4", "n/a"), ("c2", "videos/other.mp4", "n/a")]
    )
    extract_cohort(cohort, tmp_path / "store", progress=False)
    (
        tmp_path / "store" / "c1" / "record.json"
    ).unlink()  # so that the share of frames found has to be read again
    body = next((tmp_path / "store" / "c1").glob("body-*.nc"))
    body.write_bytes(body.read_bytes()[:1000])
    summary = extract_cohort(cohort, tmp_path / "store", progress=False)
    assert summary.skipped == ["c2"] and [clip_id for clip_id, _ in summary.failed] == ["c1"]
    assert "netCDF" in summary.failed[0][1]
    body.unlink()  # as the message says
    assert extract_cohort(cohort, tmp_path / "store", progress=False).done == ["c1"]


def test_tracks_that_are_brought_along_are_cut_and_kept(tmp_path):
    position = np.arange(100.0)[:, None, None] * np.ones((1, 1, 2))  # x of frame n is n
    save_tracks(make_tracks(position, ["left_wrist"], 10), tmp_path / "hand.nc")
    cohort = cohort_of(tmp_path, [("c1", "n/a", "hand.nc")], start="2", end="5")
    summary = extract_cohort(cohort, tmp_path / "store", progress=False)
    assert summary.found == {"c1": {"body": 1.0}}
    tracks = Store(tmp_path / "store").tracks("c1", "body")
    assert tracks.position.values[:, 0, 0].tolist() == list(range(20, 50))
    assert tracks.time.values[[0, 1, -1]].tolist() == pytest.approx([0, 0.1, 2.9])
    late = cohort_of(tmp_path, [("c1", "n/a", "hand.nc")], start="50", end="60")
    assert (
        "no frame from 50 s on"
        in extract_cohort(late, tmp_path / "store", progress=False).failed[0][1]
    )


def test_two_videos_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"v\.mp4 and .*v\.avi"):
        extract_videos([tmp_path / "a" / "v.mp4", tmp_path / "b" / "v.avi"], tmp_path / "out")


def test_weights_that_are_not_there_stop_before_the_first_clip(empty_room, tmp_path):
    with pytest.raises(UserError, match="semiology pretrain expression"):
        extract_videos(
            [empty_room],
            tmp_path / "out",
            options=ExtractOptions(face_weights=tmp_path / "none.safetensors"),
        )
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_nothing_half_written_and_goes_on(empty_room, tmp_path):
    for number in range(3):
        shutil.copyfile(empty_room, tmp_path / "videos" / f"room{number}.mp4")
    videos = [str(tmp_path / "videos" / f"room{number}.mp4") for number in range(3)]
    code = """
import glob, os, signal, sys, threading, time
from semiology.tracking.extraction import extract_videos

def die():
    while not glob.glob(sys.argv[1] + "/*/record.json"):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)

# in the run itself: another process may be late on a busy machine
threading.Thread(target=die, daemon=True).start()
extract_videos(sys.argv[2:], sys.argv[1], progress=False)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out"), *videos],
        cwd=Path(__file__).parents[1],
        timeout=300,
    )
    assert ran.returncode == -signal.SIGKILL
    complete = {path.parent.name for path in (tmp_path / "out").glob("*/record.json")}
    assert 1 <= len(complete) < 3
    for path in (tmp_path / "out").glob("*/body.nc"):
        assert read_tracks(path).sizes["time"] == 25
    summary = extract_videos(videos, tmp_path / "out", progress=False)
    assert set(summary.skipped) == complete and len(summary.done) == 3 - len(complete)


def test_found_fraction_leaves_holes_in_the_video_out():
    position = np.full((4, 1, 2), 5.0)
    position[[1, 3]] = np.nan
    assert found_fraction(
        make_tracks(position, ["nose"], 25, source_index=np.array([0, 1, 2, -1]))
    ) == pytest.approx(2 / 3)
    unscored = np.full((4, 1), np.nan)
    tracks = make_tracks(
        position, ["nose"], 25, source_index=np.array([0, 1, 2, -1]), confidence=unscored
    )
    assert found_fraction(tracks) == pytest.approx(2 / 3)  # found is found, with a score or without


def test_summary_names_the_clip_where_least_was_found():
    summary = ExtractSummary(
        done=["a", "b"], found={"a": {"body": 1.0, "face": 0.5}, "b": {"body": 0.5, "face": 1.0}}
    )
    assert "body found in 75.0% of frames; least in b (50.0%)" in summary.text()


@pytest.mark.realdata
def test_a_talking_face_is_tracked_in_every_frame(testdata):
    tracks = extract_tracks(testdata / "faces/carphone_176x144.mp4", 1.0, 2.0)
    assert found_fraction(tracks["body"]) == found_fraction(tracks["face"]) == 1.0
    assert tracks["body"].sizes["time"] == 25
    assert tracks["body"].source_time.values[0] == pytest.approx(1.0, abs=0.02)
    nose = tracks["body"].position.sel(keypoint="nose").values
    tip = tracks["face"].position.sel(keypoint="mesh_001").values
    assert np.linalg.norm(nose - tip, axis=1).max() < 12  # px; the face is some 60 px wide


@pytest.mark.realdata
def test_everybody_whom_the_first_pass_saw_is_stored_on_request(testdata, tmp_path):
    options = ExtractOptions(fps=5, face_every=2, people=True)
    video = testdata / "people/dance_720x406.mp4"
    extract_videos([video], tmp_path, options=options, progress=False)
    store = Store(tmp_path, plain=True)
    people, time = store.features("dance_720x406", "people")
    column = dict(zip(store.channels("dance_720x406", "people"), people.T))
    assert len(time) > 30 and (np.diff(time) >= 0).all()
    assert set(column["person"]) == {0.0} and (column["is_patient"] == 1).all()
    middle = (column["head_x0"] + column["head_x1"]) / 2
    inside = (column["body_x0"] <= middle) & (middle <= column["body_x1"])
    assert inside.all() and 0.2 < column["face_seen"].mean() < 0.9
    assert (np.abs(column["angle"]) < np.pi / 4).all()
    tracks = store.tracks("dance_720x406", "body")
    assert tracks.attrs["patient_by"] == "presence" and tracks.attrs["patient_people"] == 1

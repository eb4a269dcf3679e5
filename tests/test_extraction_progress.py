import time

import numpy as np
import pytest

from semiology.tracking.extraction.progress import (
    ClipProgress,
    Progress,
    clip_length,
    progress_stages,
)
from semiology.video import Frame, write_video


def frames(length: float, fps: float) -> list[Frame]:
    return [Frame(number, number / fps, 0.0, 0, None) for number in range(round(length * fps) + 1)]


def test_a_clip_is_marked_by_a_byte_a_second_and_its_passes_share_it_by_what_they_cost(tmp_path):
    marks = ClipProgress(tmp_path / "clip")
    marks.begin(["faces", "tracks"])  # 1 and 4
    assert list(marks.watch(frames(10, 2), "faces")) == frames(10, 2)
    assert (tmp_path / "clip").stat().st_size == 2
    list(marks.watch(frames(5, 25), "tracks"))
    assert (tmp_path / "clip").stat().st_size == 6
    list(marks.watch(frames(10, 25), "tracks"))
    assert (tmp_path / "clip").stat().st_size == 10


def test_a_worker_that_does_not_see_the_display_works_on(tmp_path):
    marks = ClipProgress(tmp_path / "elsewhere" / "clip")
    marks.begin(["faces"])
    assert len(list(marks.watch(frames(3, 1), "faces"))) == 4


def test_a_display_that_is_gone_stops_no_work(tmp_path):
    (tmp_path / "display").mkdir()
    marks = ClipProgress(tmp_path / "display" / "clip")
    marks.begin(["faces"])
    (tmp_path / "display" / "clip").unlink()
    (tmp_path / "display").rmdir()
    assert len(list(marks.watch(frames(3, 1), "faces"))) == 4


def test_tracks_take_two_passes_and_features_one_each():
    assert progress_stages(["body", "face"]) == ["faces", "tracks"]
    assert progress_stages(["face", "face_vgg", "snippets"]) == [
        "faces",
        "tracks",
        "face_vgg",
        "snippets",
    ]
    assert progress_stages(["snippets"]) == ["snippets"]


def test_the_display_counts_frames_of_all_clips_and_names_no_file(tmp_path, capfd):
    video = tmp_path / "jane_doe.mp4"
    write_video(video, (np.full((32, 32, 3), 9, np.uint8) for _ in range(50)), 25)
    assert clip_length(video, 0.5, None) == pytest.approx(1.5)
    assert clip_length(video, 0.5, 1.0) == 0.5
    assert clip_length(tmp_path / "gone.mp4", 0, None) == 0
    with Progress([(video, 0.0, None), (video, 0.0, 40.0)], 25, True) as shown:
        shown.file(1).write_bytes(b"." * 20)
        time.sleep(0.1)
        shown.done(0)
    last = capfd.readouterr().err.replace("\n", "").split("\r")[-1]
    assert "550 of 1050 frames" in last and "1 of 2 clips" in last
    assert "jane" not in last
    assert not shown.file(1).exists()

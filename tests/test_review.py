"""Which clips to look at first: signs that are there by construction, and none where there are
none.
"""

import numpy as np
import pytest
import xarray as xr

from semiology.data.keypoint_names import COCO_17, FACE_68
from semiology.data.result import allowing
from semiology.data.tracks import make_tracks
from semiology.tracking.extraction import ExtractOptions, ExtractSummary, extract_videos
from semiology.tracking.extraction.review import BONES, Review, look_first
from semiology.video import write_video

# a standing person, 200 px a metre: nose, then pairs of left and right; x and y in m
METRES = {
    "nose": (0, -0.25),
    "shoulder": (0.18, 0),
    "elbow": (0.2, 0.29),
    "wrist": (0.2, 0.55),
    "hip": (0.1, 0.5),
    "knee": (0.1, 0.92),
    "ankle": (0.1, 1.34),
    "eye": (0.03, -0.28),
    "ear": (0.07, -0.27),
}


def person(frames: int = 200, pixels: float = 200.0) -> np.ndarray:
    """(frame, keypoint, 2) px, swaying by 5 px and with the noise of a tracker, 1 px."""
    places = []
    for name in COCO_17:
        side, _, joint = name.rpartition("_")
        x, y = METRES[joint]
        places.append((400 + pixels * (x if side == "left" else -x), 300 + pixels * y))
    sway = 5 * np.sin(np.arange(frames) / 10)[:, None, None]
    return np.array(places) + sway + np.random.default_rng(1).normal(0, 1, (frames, 17, 2))


def tracks(position: np.ndarray, names: list[str] = COCO_17, **more) -> xr.Dataset:
    return make_tracks(position, names, 25.0, **more)


def signs(**parts: xr.Dataset) -> dict[str, float]:
    review = Review()
    review.add(parts)
    return review.shares()


def rows(*joints: str) -> list[int]:
    return [number for number, name in enumerate(COCO_17) if name.endswith(joints)]


def face(position: np.ndarray) -> np.ndarray:
    """68 points within 30 px of the nose."""
    angle = np.linspace(0, 2 * np.pi, 68)
    return position[:, :1] + 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_one_persons_tracks_have_no_sign_also_when_he_comes_nearer_or_is_turned():
    position = person()
    assert signs(body=tracks(position), face=tracks(face(position), FACE_68)) == {}
    nearer = person()[:1] * np.linspace(1, 2, 200)[:, None, None]  # twice as large in 8 s
    assert signs(body=tracks(nearer)) == {}
    turned = person()
    turned[:, :, 0] = 400 + (turned[:, :, 0] - 400) * np.cos(np.arange(200) / 30)[:, None]
    assert signs(body=tracks(turned)) == {}


def test_another_ones_trunk_below_the_head_is_seen_by_the_bones():
    position = person()
    position[80:120][:, rows("shoulder", "elbow", "wrist", "hip", "knee", "ankle")] += [120, 0]
    found = signs(body=tracks(position))
    # nose to neck is 50 px; beside the other's, hypot(50, 120) = 130 px
    assert found["bones"] == pytest.approx(40 / 200)
    assert found["jumps"] == pytest.approx(2 / 199, abs=1e-4)  # there and back, of 199 steps
    assert set(found) == {"bones", "jumps"}


def test_a_wrist_that_leaps_is_seen_at_its_frames():
    position = person()
    position[50, rows("left_wrist")] += [0, 100]  # 0.5 m in 0.04 s, and back
    assert signs(body=tracks(position))["jumps"] == pytest.approx(2 / 199, abs=1e-4)
    slow = person()
    slow[50:, rows("wrist")] += np.minimum(np.arange(150), 20)[:, None, None] * 4.0
    assert "jumps" not in signs(body=tracks(slow))  # 4 px a frame, 0.5 m/s


def test_a_face_beside_the_bodys_head_is_seen():
    position = person()
    marks = face(position)
    marks[150:] += [200, 0]
    found = signs(body=tracks(position), face=tracks(marks, FACE_68))
    assert found == {"head": 0.25}


def test_points_that_are_unsure_missing_or_not_tracked_are_no_signs():
    position = person()
    wild = position.copy()
    wild[::2, rows("wrist")] += 300
    sure = np.ones((200, 17))
    sure[:, rows("wrist")] = 0.3
    assert signs(body=tracks(wild, confidence=sure)) == {}
    gone = position.copy()
    gone[20:180] = np.nan
    assert signs(body=tracks(gone)) == {}
    assert signs(body=tracks(position[:, :1], ["led"])) == {}
    assert signs(face=tracks(face(position), FACE_68)) == {}


def test_blocks_give_what_the_whole_gives_in_any_order_of_parts():
    position = person()
    position[80:120][:, rows("shoulder", "hip")] += [120, 0]
    body, marks = tracks(position), tracks(face(position) + np.array([100, 0]), FACE_68)
    review = Review()
    for start in range(0, 200, 60):
        review.add({"face": marks.isel(time=slice(start, start + 60))})
    review.add({"body": body})
    assert review.shares() == signs(body=body, face=marks)


def test_rejected_points_count_where_tracks_have_them():
    body = tracks(person())
    codes = np.zeros((200, 17), np.int8)
    codes[:, 0] = 2
    rejected = body.assign(rejected=(("time", "keypoint"), codes))
    assert signs(body=rejected) == {"rejected": pytest.approx(1 / 17, abs=1e-4)}


def test_clips_are_named_in_the_order_of_doubt_with_all_reasons():
    found = {
        "fine": {"body": 1.0, "face": 0.1},
        "empty": {"body": 0.0, "face": 0.0},
        "leaps": {"body": 0.3, "face": 0.0},
        "two": {"body": 1.0, "face": 1.0},
        "worse": {"body": 1.0, "face": 1.0},
        "slight": {"body": 0.9, "face": 0.9},
    }
    seen = {
        "leaps": {"jumps": 0.03},
        "two": {"bones": 0.2},
        "worse": {"bones": 0.4, "jumps": 0.02},
        "slight": {"bones": 0.01, "jumps": 0.005},
    }
    first = look_first(found, seen)
    assert list(first) == ["empty", "worse", "two", "leaps"]
    assert first["leaps"] == [
        "points leap faster than bodies move in 3.0% of frames",
        "the body was not found in 70.0% of frames",
    ]
    assert len(first["worse"]) == 2 and first["empty"] == ["nobody was found in any frame"]
    text = ExtractSummary(done=list(found), found=found, signs=seen).text()
    lines = text.splitlines()
    at = lines.index("look first at (thresholds are our choice):")
    assert [line.split(":")[0].strip() for line in lines[at + 1 : at + 5]] == list(first)
    many = {f"c{number:02d}": {"body": 0.0} for number in range(14)}
    text = ExtractSummary(done=list(many), found=many).text()
    assert "look first at (thresholds are our choice), and 4 more:" in text
    assert text.count(": nobody was found in any frame\n") == 10


def test_the_bones_are_between_points_that_trackers_have():
    ends = {end for bone in BONES for end in bone} - {"neck", "mid_hip"}
    assert ends <= set(COCO_17)


LEAPER = """
import numpy as np
from semiology.data.keypoint_names import COCO_17
from semiology.tracking.pose.base import Landmarks

class Leaper:
    name, keypoints, in_metres = "leaper", {"body": COCO_17}, frozenset()
    def parameters(self): return {}
    def track(self, frames):
        for number, _ in enumerate(frames):
            position = np.array(PLACES)
            position[9] += 100 * (number == 10)  # the left wrist
            yield {"body": Landmarks(position, np.ones(17))}
"""


def test_the_record_keeps_the_signs_for_the_next_run(tmp_path, monkeypatch):
    places = np.round(person(1)[0]).tolist()
    (tmp_path / "leaping_tracker.py").write_text(LEAPER.replace("PLACES", str(places)))
    monkeypatch.syspath_prepend(str(tmp_path))
    write_video(tmp_path / "v.mp4", np.full((25, 144, 176, 3), 90, np.uint8), 25)
    options = ExtractOptions(pose="leaping_tracker:Leaper", limbs=False)
    for worked in (["v"], []):
        with allowing(["leaping_tracker"]):
            summary = extract_videos(
                [tmp_path / "v.mp4"], tmp_path / "out", options=options, progress=False
            )
        assert summary.done == worked and summary.signs == {"v": {"jumps": 0.0833, "bones": 0.04}}
        # there and back of 24 steps; the forearm, of 52 px, is longer in one of 25 frames
        reasons = "bones are longer than the body's size allows in 4.0% of frames; points leap"
        assert f"  v: {reasons} faster than bodies move in 8.3% of frames" in summary.text()

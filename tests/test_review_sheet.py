"""The contact sheet of a review, the curves under a clip, and the frames to look at."""

import json

import numpy as np
import pandas as pd
import pytest
from report_run import write_predictions

from semiology import make_tracks
from semiology.data.cohort import Cohort
from semiology.data.limbs import CODE
from semiology.data.store import Store
from semiology.review.sheet import (
    Sheet,
    curves,
    decimated,
    next_frames,
    run_probabilities,
    worst_frames,
)
from semiology.timeline.events.timeline import Timeline
from semiology.video import write_video

BODY = ["nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_wrist"]
REST = np.array([[50.0, 20], [60, 40], [40, 40], [60, 90], [40, 90], [70, 60]])  # torso of 50 px


def body(frames: int = 100, fps: float = 25.0, **more):
    tracks = make_tracks(np.repeat(REST[None], frames, axis=0), BODY, fps, **more)
    tracks["confidence"][:] = 0.9
    return tracks


@pytest.fixture
def cohort(tmp_path) -> Cohort:
    """c1 is tracked, c2 has a damaged record, c3 a video of two seconds, c4 stated ends."""
    rows = [
        "c1\tP1\tgone.mp4\t0\tn/a\tno\tbefore",
        "c2\tP1\tgone.mp4\t0\tn/a\tno\tafter",
        "c3\tP1\troom.mp4\t0.5\tn/a\tno\tafter",
        "c4\tP1\tgone.mp4\t10\t13.5\tno\tafter",
    ]
    header = "clip_id\tparticipant_id\tvideo\tstart\tend\tsign\tvisit\n"
    (tmp_path / "clips.tsv").write_text(header + "\n".join(rows) + "\n")
    (tmp_path / "participants.tsv").write_text("participant_id\nP1\n")
    levels = {"no": "absent", "yes": "present"}
    (tmp_path / "clips.json").write_text(json.dumps({"sign": {"Role": "label", "Levels": levels}}))
    write_video(tmp_path / "room.mp4", (np.full((32, 32, 3), n, np.uint8) for n in range(50)), 25)
    store = Store(tmp_path / "store")
    who = {"by": "click", "certainty": 1.0, "people": 2, "face": 0.5, "lying": 0.25}
    stated = {f"patient_{name}": value for name, value in who.items()}
    store.write("c1", "body", "k1", body().assign_attrs(stated))
    entry = {"key": "k1", "found": 0.4, "infrared": None, "missing": 0.1, "signs": {"jumps": 0.5}}
    store.note("c1", {}, {"body": entry})
    (tmp_path / "store/c2").mkdir()
    (tmp_path / "store/c2/record.json").write_text("{")
    return Cohort.read(tmp_path, check_videos=False)


def test_a_row_states_what_the_record_and_the_tracks_state(cohort):
    c1, c2, c3, c4 = Sheet(Store(cohort.folder / "store")).rows(cohort)
    assert c1 == {
        "clip_id": "c1",
        "participant_id": "P1",
        "visit": "before",
        "duration": 4.0,
        "tracked": True,
        "found": {"body": 0.4},
        "infrared": 0.0,
        "missing": 0.1,
        "followed": {"by": "click", "certainty": 1.0, "people": 2, "lying": 0.25},
        "look": [
            "points leap faster than bodies move in 50.0% of frames",
            "the body was not found in 60.0% of frames",
        ],
        "probabilities": None,
        "fault": None,
    }
    assert not c2["tracked"] and "record.json" in c2["fault"] and c2["duration"] is None
    assert (c3["tracked"], c3["duration"], c3["look"], c3["followed"]) == (False, 1.5, [], None)
    assert c4["duration"] == 3.5
    json.dumps([c1, c2, c3, c4])  # plain numbers all of them


def test_clips_with_tracks_of_their_own_need_no_store(shared_cohort, tmp_path):
    rows = Sheet(Store(tmp_path)).rows(Cohort.read(shared_cohort))
    assert len(rows) == 12 and all(row["tracked"] for row in rows)
    assert {row["duration"] for row in rows} == {1.6}  # 40 rows at 25 Hz


def test_probabilities_are_the_preferred_models_mean_over_seeds(tmp_path):
    write_predictions(tmp_path, seeds=(0, 1))
    found = run_probabilities(tmp_path)
    assert list(found) == [f"P{number}_a" for number in range(1, 9)]
    # AGCN errs in P1, the preferred model, distilled AGCN, does not
    assert found["P1_a"] == {"dystonia": {"absent": 0.9, "present": 0.1}}
    table = pd.read_csv(tmp_path / "predictions.csv")
    second = (table["seed"] == 1) & (table["clip_id"] == "P1_a") & (table["model"] == "agcn_kd")
    table.loc[second, "score"] = 0.3
    table.loc[second, "scores"] = json.dumps({"absent": 0.7, "present": 0.3})
    table.to_csv(tmp_path / "predictions.csv", index=False)
    assert run_probabilities(tmp_path)["P1_a"] == {"dystonia": {"absent": 0.8, "present": 0.2}}
    write_predictions(tmp_path / "calibrated", plausible=True)
    assert run_probabilities(tmp_path / "calibrated")["P1_a"]["dystonia"]["present"] == 0.2


def test_a_wrist_that_moves_one_torso_a_second_is_drawn_so_and_the_nose_at_rest(cohort):
    tracks = body()
    moved = tracks["position"].transpose("time", "keypoint", "space").values.copy()
    moved[:, BODY.index("left_wrist"), 0] += 50 * tracks["time"].values
    tracks["position"] = (("time", "keypoint", "space"), moved)
    tracks["confidence"][90:, BODY.index("left_wrist")] = 0.1
    drawn = curves(tracks)
    assert drawn["time"][:2] == [0.0, 0.04] and len(drawn["time"]) == 100
    by_name = {curve["name"]: curve for curve in drawn["curves"]}
    assert list(by_name) == ["speed, nose", "speed, left_wrist", "confidence, body"]
    wrist, nose = by_name["speed, left_wrist"], by_name["speed, nose"]
    assert wrist["unit"] == nose["unit"] == "torso lengths/s"
    assert wrist["values"][50] == pytest.approx(1.0) and nose["values"][50] == 0.0
    assert wrist["values"][95] is None  # of a point that is hardly believed
    assert by_name["confidence, body"]["values"][95] == pytest.approx((5 * 0.9 + 0.1) / 6, abs=1e-4)


def test_a_timeline_is_drawn_at_the_windows_whose_middle_is_nearest():
    windows = np.array([[0.0, 2.0, 0.1], [1.0, 3.0, 0.7], [2.0, 4.0, np.nan]])
    drawn = curves(body(125), timeline=Timeline({("dystonia (pose)", "present"): windows}, 4.0))
    curve = drawn["curves"][-1]
    assert (curve["name"], curve["unit"]) == ("probability, dystonia (pose): present", "")
    at = dict(zip(drawn["time"], curve["values"]))
    assert (at[0.0], at[1.4], at[1.6], at[2.4], at[3.0], at[4.4]) == (
        0.1,
        0.1,
        0.7,
        0.7,
        None,
        None,
    )
    alone = curves(None, timeline=Timeline({("a", "b"): windows}, 4.0))
    assert alone["time"] == [1.0, 2.0, 3.0] and alone["curves"][0]["values"] == [0.1, 0.7, None]


def test_a_long_curve_keeps_its_extremes_in_their_order_and_its_gaps():
    time = np.arange(100_003) / 25
    curve = np.sin(time)
    curve[[12_345, 54_321]] = 9.0, -9.0
    curve[60_000:70_000] = np.nan
    places, (kept,) = decimated(time, [curve])
    assert len(places) == len(kept) <= 2000 and (np.diff(places) >= 0).all()
    width = np.diff(places).max() * 2
    for extreme, row in ((9.0, 12_345), (-9.0, 54_321)):
        (place,) = np.flatnonzero(kept == extreme)
        assert abs(places[place] - time[row]) < width
    gone = places[np.isnan(kept)]
    assert gone.min() == pytest.approx(2400, abs=width)
    assert gone.max() == pytest.approx(2800, abs=width)
    rising = decimated(np.arange(9000.0), [np.arange(9000.0)])[1][0]
    assert (np.diff(rising) > 0).all()
    short = decimated(time[:2000], [curve[:2000]])
    assert short[0] is not None and len(short[0]) == 2000


def test_the_worst_frames_are_those_of_low_confidence_leaps_and_rejected_points():
    tracks = body(source_index=np.arange(100) * 2)  # of a video at 50 Hz
    tracks["confidence"][20] = 0.2
    tracks["position"].transpose("time", "keypoint", "space")[60, 5] += 80.0
    rejected = np.zeros((100, len(BODY)), np.int8)
    rejected[80, :2] = CODE["leap"]
    tracks["rejected"] = (("time", "keypoint"), rejected)
    found = {place["frame"]: place for place in worst_frames(tracks)}
    assert found[40] == {"frame": 40, "time": 0.8, "reason": "mean confidence 0.20"}
    assert found[160]["reason"] == "2 of 6 points rejected"
    assert found[120]["reason"] == "a point jumps"
    assert set(found) == {40, 120, 160}
    offered = {place["frame"]: place["reason"] for place in next_frames(tracks)}
    assert offered[40] == "least confidence" and offered[120] == "a point jumps"
    assert 40 not in {place["frame"] for place in next_frames(tracks, corrected=[40])}


def test_good_tracks_have_no_worst_frame():
    assert worst_frames(body()) == []

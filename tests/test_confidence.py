"""Calibration of a tracker's confidence against labelled frames: the map, its test on participants
left out, its file.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from semiology import make_tracks
from semiology.cli.main import main
from semiology.data.tracks import read_tracks, save_tracks, steps
from semiology.errors import UserError
from semiology.tracking.confidence import (
    ConfidenceMap,
    Points,
    fit_confidence,
    labelled_points,
    read_map,
    write_map,
)
from semiology.tracking.labels.labels import LabelledFrame, Labels
from semiology.tracking.tracking_error import as_labels

NAMES = ["left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_wrist"]
# shoulders 40 px apart, hips 100 px below them: the torso is 100 px long
PLACES = np.array([[120, 50], [80, 50], [115, 150], [85, 150], [150, 100]], float)


def points_of(people: int = 2) -> Points:
    """Of each participant, four points at confidence 0.2, one of them right, and four at 0.9, three
    of them right; right ones are 0.1 torso lengths off, wrong ones 0.5.
    """
    confidence = np.tile([0.2] * 4 + [0.9] * 4, people)
    error = np.tile([0.1, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.5], people)
    return Points(confidence, error, np.repeat([f"P{n}" for n in range(people)], 8))


def test_the_map_is_the_share_that_is_right_and_is_tested_on_others():
    fitted = fit_confidence(points_of())
    assert fitted.probability(np.array([0.2, 0.9, 0.55])) == pytest.approx([0.25, 0.75, 0.5])
    assert (fitted.points, fitted.participants, fitted.within) == (16, 2, 0.25)
    assert fitted.tested["raw"]["ece"] == pytest.approx((0.05 + 0.15) / 2)
    assert fitted.tested["calibrated"]["ece"] == pytest.approx(0)
    assert "0.100 by the tracker's confidence, 0.000 calibrated" in fitted.text()


def test_a_participant_is_tested_by_the_map_of_the_others():
    points = points_of()
    error = np.where(points.participant == "P1", 0.5, points.error)  # P1 is never right
    fitted = fit_confidence(Points(points.confidence, error, points.participant))
    # P0 by P1's map: 0 where a half is right; P1 by P0's: 0.25 and 0.75 where none is
    assert fitted.tested["calibrated"]["ece"] == pytest.approx((8 * 0.5 + 4 * 0.25 + 4 * 0.75) / 16)


def test_not_found_stays_not_found_and_found_stays_found():
    fitted = ConfidenceMap([0.2, 0.9], [0.0, 0.75], 0.25, 16, 2)
    made = fitted.probability(np.array([0.0, np.nan, 0.1, 0.9]))
    np.testing.assert_array_equal(made, [0, np.nan, 0.01, 0.75])
    tracks = make_tracks(PLACES[None].repeat(2, 0), NAMES, 25, confidence=np.full((2, 5), 0.9))
    calibrated = fitted.apply(tracks)
    assert (calibrated["confidence"] == 0.75).all()
    xr.testing.assert_equal(calibrated["position"], tracks["position"])
    assert steps(calibrated)[-1] == {"step": "calibrate_confidence", "within": 0.25, "points": 16}


def test_one_participant_is_too_few():
    with pytest.raises(UserError, match=r"1 participant .* two or more"):
        fit_confidence(points_of(1))
    with pytest.raises(UserError, match="within=0"):
        fit_confidence(points_of(), within=0)


def labelled(video: str, participant: str, names: list[str] = NAMES) -> Labels:
    frames = [
        LabelledFrame(f"{video}/{n}", Path(f"{video}/img{n}.png"), video, participant, n, 640, 480)
        for n in range(4)
    ]
    columns = [NAMES.index(name) for name in names]
    return Labels(names, frames, PLACES[None, columns].repeat(4, 0), np.full((4, len(names)), 2))


def test_errors_against_labels_are_in_torso_lengths():
    wrong = PLACES.copy()
    wrong[4] += (30, 40)  # the wrist is 50 px off: half of a torso
    tracks = make_tracks(wrong[None].repeat(4, 0), NAMES, 25, confidence=np.full((4, 5), 0.9))
    found = labelled_points(
        {"v": tracks}, as_labels(make_tracks(PLACES[None].repeat(4, 0), NAMES, 25), "v")
    )
    assert found.error.reshape(4, 5) == pytest.approx(np.tile([0, 0, 0, 0, 0.5], (4, 1)))
    assert set(found.participant) == {"v"} and found.confidence == pytest.approx(0.9)
    arm = as_labels(
        make_tracks(PLACES[None].repeat(4, 0), NAMES, 25).sel(keypoint=["left_wrist"]), "v"
    )
    with pytest.raises(
        UserError, match=r"left_shoulder and right_shoulder are not labelled.*--torso_px"
    ):
        labelled_points({"v": tracks}, arm)
    assert labelled_points({"v": tracks}, arm, torso_px=200).error == pytest.approx(0.25)


def test_a_map_comes_back_from_its_file_and_others_are_refused(tmp_path):
    fitted = fit_confidence(points_of())
    path = write_map(fitted, tmp_path)
    assert read_map(path).before == fitted.before and read_map(path).tested["raw"]["ece"] > 0
    drawn = (tmp_path / "reliability.svg").read_text()
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "8 points" in drawn
    for content in ({}, {**json.loads(path.read_text()), "after": [0.9, 0.1]}):
        other = tmp_path / "other.json"
        other.write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"other\.json: not a map"):
            read_map(other)


def test_the_verbs_fit_on_labelled_videos_and_replace_the_confidence(tmp_path, capsys):
    from semiology.tracking.labels.coco import write_coco
    from semiology.tracking.labels.labels import concatenate_labels

    tracks = make_tracks(PLACES[None].repeat(4, 0), NAMES, 25, confidence=np.full((4, 5), 0.6))
    for video in ("one", "two"):
        save_tracks(tracks, tmp_path / "tracks" / f"{video}.nc")
    labels = concatenate_labels([labelled("one", "P1"), labelled("two", "P2")])
    write_coco(labels, tmp_path / "labels.json")
    out = tmp_path / "made"
    assert (
        main(
            [
                "tracking",
                "calibrate",
                str(tmp_path / "tracks"),
                str(tmp_path / "labels.json"),
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert "40 points of 2 participants" in capsys.readouterr().out
    made = tmp_path / "calibrated.nc"
    arguments = [
        "tracking",
        "confidence",
        str(tmp_path / "tracks/one.nc"),
        str(out / "confidence_map.json"),
    ]
    assert main([*arguments, "--out", str(made)]) == 0
    assert (read_tracks(made)["confidence"] == 1).all()  # every point was right
    assert main(["tracking", "calibrate", str(tmp_path / "tracks"), "--out", str(out)]) == 2
    assert "give TRACKS LABELS, or a phantom COHORT --store DIR" in capsys.readouterr().err

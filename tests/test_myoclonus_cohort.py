"""The verb myoclonus on a small cohort of synthetic tracks, as a user runs it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.tracks import make_tracks, read_tracks, save_tracks
from semiology.errors import UserError
from semiology.severity.jerks import read_jerks
from semiology.severity.myoclonus import Settings, score_cohort
from semiology.severity.myoclonus.run import captions, marks
from semiology.video import read_frames, write_video

FPS = 25.0
PLACES = {  # px, of somebody who sits 100 px of torso tall; the legs are out of the frame
    **{"nose": (160, 50), "left_ear": (170, 50), "right_ear": (150, 50)},
    **{
        f"{side}_{joint}": (160 + sign * x, y)
        for side, sign in (("left", 1), ("right", -1))
        for joint, x, y in (("shoulder", 30, 80),)
    },
    **{
        "left_elbow": (205, 120),
        "right_elbow": (115, 120),
        "left_wrist": (200, 160),
        "right_wrist": (120, 160),
    },
    **{"left_hip": (180, 180), "right_hip": (140, 180)},
}


def person(
    path: Path, seconds: float, jerks: list[float], seed: int = 0, seen: bool = True
) -> None:
    """Tracks of somebody who sits still (jitter of 0.05 px), whose left wrist jumps by 5 px and
    back at each of `jerks` (s).
    """
    time = np.arange(round(seconds * FPS)) / FPS
    position = np.array([*PLACES.values()])[None] + np.random.default_rng(seed).normal(
        0, 0.05, (len(time), len(PLACES), 2)
    )
    for jerk in jerks:
        position[:, list(PLACES).index("left_wrist"), 1] -= 5 * np.exp(
            -0.5 * ((time - jerk) / 0.05) ** 2
        )
    if not seen:
        position[:] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tracks(make_tracks(position, list(PLACES), FPS, width=320, height=240), path)


RESTLESS = [1 + 0.8 * number for number in range(12)]  # 12 jerks in about 11 s
ROWS = [  # clip, participant, panel, visit, rating, jerks
    ("sub-01_v1", "sub-01", "action", "baseline", "8", RESTLESS),
    ("sub-01_v2", "sub-01", "action", "week-12", "2", [3.0, 7.0]),
    ("sub-02_v1", "sub-02", "action", "baseline", "1", []),
    ("sub-03_v1", "sub-03", "action", "baseline", "n/a", []),
    ("sub-04_v1", "sub-04", "rest", "baseline", "0", []),
]


@pytest.fixture
def cohort(shared, tmp_path) -> Path:
    """A copy of the cohort, in the test's own folder."""
    return shutil.copytree(shared, tmp_path / "cohort")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """Four participants: two visits, one visit, never in view, ten frames. Each clip also names a
    video of a telling name.
    """
    folder = tmp_path_factory.mktemp("myoclonus") / "cohort"
    rows = ["clip_id\tparticipant_id\tvideo\ttracks\tstart\tend\tpanel\tvisit\trater"]
    for clip_id, participant, panel, visit, rating, jerks in ROWS:
        seconds = 0.4 if participant == "sub-04" else 12.0
        person(folder / "tracks" / f"{clip_id}.nc", seconds, jerks, seen=participant != "sub-03")
        rows.append(
            f"{clip_id}\t{participant}\tvideos/Jane_Doe_{clip_id}.mp4\ttracks/{clip_id}.nc\t0\tn/a"
            f"\t{panel}\t{visit}\t{rating}"
        )
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    people = sorted({row[1] for row in ROWS})
    (folder / "participants.tsv").write_text("\n".join(["participant_id", *people]) + "\n")
    score = {
        "Role": "score",
        "Minimum": 0,
        "Maximum": 10,
        "Of": "umrs_action",
        "Rater": "A < B & C",
    }
    (folder / "clips.json").write_text(json.dumps({"rater": score}))
    return folder


def run(cohort: Path, out: Path, *more: str) -> int:
    return main(["myoclonus", str(cohort), "--out", str(out), *more])


def counts(capsys) -> list[int]:
    """Clips measured, clips reused and participants scored, of the summary's first line."""
    return [int(number) for number in re.findall(r"\d+", capsys.readouterr().out.splitlines()[0])]


def table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / name, sep="\t")


def test_a_cohort_is_scored(cohort, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(cohort, out) == 0
    assert counts(capsys) == [5, 0, 4]
    scores = table(out, "scores.tsv").set_index(["participant_id", "visit"])
    restless, calm = scores.loc[("sub-01", "baseline")], scores.loc[("sub-01", "week-12")]
    # left wrist, 5 % of the torso's length: moderate, class 3. 12 jerks in 11 s: class 4; 2 in 11
    # s: class 2
    assert (
        restless.umrs_action,
        calm.umrs_action,
        scores.loc[("sub-02", "baseline")].umrs_action,
    ) == (12, 6, 0)
    assert restless.umrs_total_parts == 5  # face, neck, trunk, arms: the legs have no keypoints
    assert (restless.rater, calm.rater) == (8, 2) and scores.rater_fitted.isna().all()
    items = table(out, "items.tsv").set_index(["participant_id", "visit", "part"])
    arm = items.loc[("sub-01", "baseline", "left_arm")]
    assert (arm.jerks, arm.frequency_class, arm.amplitude_class, arm.side) == (12, 4, 3, "left")
    assert items.loc[("sub-01", "baseline", "sum")].score == 12 and np.isnan(
        items.loc[("sub-03", "baseline", "sum")].score
    )
    assert arm.amplitude == pytest.approx(0.05, abs=0.01)
    jerks = read_jerks(out / "jerks" / "sub-01_v1.tsv")
    assert {jerk.joint for jerk in jerks} == {"left_wrist"} and np.allclose(
        [jerk.peak for jerk in jerks], RESTLESS, atol=0.05
    )


def test_nobody_in_view_and_ten_frames_are_not_scored(cohort, tmp_path):
    out = tmp_path / "out"
    assert run(cohort, out) == 0
    scores = table(out, "scores.tsv").set_index("participant_id")
    for participant in ("sub-03", "sub-04"):
        assert (
            np.isnan(scores.loc[participant].umrs_total)
            and scores.loc[participant].umrs_total_parts == 0
        )
    assert '<svg viewBox="-66 0' not in (out / "reports" / "sub-03.html").read_text()  # no trace
    assert '<svg viewBox="-66 0' in (out / "reports" / "sub-01.html").read_text()
    assert "n/a at baseline" in (out / "reports" / "sub-04.html").read_text()


def test_missing_visits_and_fits_have_a_reason(cohort, tmp_path):
    out = tmp_path / "out"
    run(cohort, out)
    found = table(out, "changes.tsv").set_index(["participant_id", "score"])
    assert found.loc[("sub-01", "umrs_action")].change == -6
    assert found.loc[("sub-01", "rater")].change == -6
    gone = found.loc[("sub-02", "umrs_total")]
    assert np.isnan(gone.change) and gone.reason.endswith(" week-12")
    assert set(found.index.get_level_values("score")) == {
        "umrs_action",
        "umrs_total",
        "rater",
    }  # nothing was fitted
    (fit,) = table(out, "fits.tsv").itertuples()
    assert (fit.participants, fit.visits, fit.predicted) == (2, 3, 0) and "8" in fit.reason


def test_a_second_run_measures_nothing_again(cohort, tmp_path, capsys):
    out = tmp_path / "out"
    run(cohort, out)
    written = {
        path: path.stat().st_mtime_ns
        for folder in ("jerks", "measures")
        for path in (out / folder).iterdir()
    }
    scores = (out / "scores.tsv").read_text()
    capsys.readouterr()
    assert run(cohort, out) == 0
    assert counts(capsys) == [0, 5, 4]
    assert (
        written == {path: path.stat().st_mtime_ns for path in written}
        and scores == (out / "scores.tsv").read_text()
    )
    (out / "measures" / "sub-02_v1.json").write_text("{")
    person(cohort / "tracks" / "sub-01_v1.nc", 12, [])
    run(cohort, out)
    assert counts(capsys) == [2, 3, 4]  # the damaged one, and the one of other tracks
    run(cohort, out, "--seen", "20")
    assert counts(capsys) == [0, 5, 4] and table(out, "scores.tsv").umrs_total.isna().all()
    run(cohort, out, "--within", "0.2")
    assert counts(capsys) == [5, 0, 4]


def test_a_bad_clip_is_listed_and_the_others_are_scored(cohort, tmp_path, capsys):
    (cohort / "tracks" / "sub-02_v1.nc").write_bytes(b"no netCDF")
    out = tmp_path / "out"
    assert run(cohort, out) == 1
    (failed,) = table(out, "failed.tsv").itertuples()
    assert failed.clip_id == "sub-02_v1" and "netCDF" in failed.reason
    assert "tracks/" not in failed.reason
    assert f"sub-02_v1: {failed.reason}" in capsys.readouterr().out
    report = (out / "reports" / "sub-02.html").read_text()
    assert failed.reason in report and "<figure" not in report
    scores = table(out, "scores.tsv").set_index("participant_id")
    assert (
        len(scores) == 5
        and (scores.loc["sub-02"].clips, scores.loc["sub-02"].rater) == (0, 1)
        and np.isnan(scores.loc["sub-02"].umrs_total)
    )
    gone = (
        table(out, "changes.tsv")
        .set_index(["participant_id", "score"])
        .loc[("sub-02", "umrs_total")]
    )
    assert gone.reason.endswith(" baseline and week-12")


def test_a_clinicians_score_may_not_hide_one_of_ours(cohort, tmp_path, capsys):
    for name in ("umrs_action", "seconds"):
        text = (cohort / "clips.tsv").read_text().replace("\trater", f"\t{name}")
        folder = tmp_path / name
        shutil.copytree(cohort, folder)
        (folder / "clips.tsv").write_text(text)
        (folder / "clips.json").write_text(
            (cohort / "clips.json").read_text().replace('"rater"', f'"{name}"')
        )
        assert run(folder, tmp_path / "out") == 2
        printed = capsys.readouterr().err
        assert "clips.json: " in printed and f" '{name}' " in printed


def test_a_cohort_without_tracks_needs_a_store(cohort, tmp_path, capsys):
    text = (cohort / "clips.tsv").read_text()
    (cohort / "clips.tsv").write_text(text.replace("tracks/sub-02_v1.nc", "n/a"))
    assert run(cohort, tmp_path / "out") == 2
    printed = capsys.readouterr().err
    assert "sub-02_v1" in printed and "--store DIR" in printed
    assert run(cohort, tmp_path / "out", "--store", str(tmp_path / "store")) == 1
    assert table(tmp_path / "out", "failed.tsv").clip_id.tolist() == ["sub-02_v1"]


def test_a_store_that_is_none_and_that_nobody_needs_is_refused(cohort, tmp_path, capsys):
    assert run(cohort, tmp_path / "out", "--store", str(tmp_path / "store")) == 2
    assert str(tmp_path / "store") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_stops_at_once(cohort, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert run(cohort, tmp_path / "out") == 2
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_nothing_that_is_written_names_a_video_and_reports_escape(cohort, tmp_path):
    text = (
        (cohort / "clips.tsv")
        .read_text()
        .replace("week-12", "<u>12</u>")
        .replace("\taction\t", "\t<i>action\t")
    )
    (cohort / "clips.tsv").write_text(text)
    out = tmp_path / "out"
    assert run(cohort, out, "--overlay") == 1  # there are no such videos
    assert not [
        path
        for path in out.rglob("*")
        if path.is_file() and (b"Jane" in path.read_bytes() or "Jane" in path.name)
    ]
    report = (out / "reports" / "sub-01.html").read_text()
    assert "&lt;u&gt;12&lt;/u&gt;" in report and "<u>" not in report and "<i>" not in report
    assert "A &lt; B &amp; C" in report and "<script" not in report and "//" not in report


def test_jerks_are_ringed_in_the_video(cohort, tmp_path):
    head, *rows = (cohort / "clips.tsv").read_text().splitlines()
    row = next(row for row in rows if row.startswith("sub-01_v2")).replace(
        "\tn/a\t", "\t4\t"
    )  # its first 4 s, with a jerk at 3 s
    (cohort / "clips.tsv").write_text(f"{head}\n{row}\n")
    (cohort / "videos").mkdir()
    write_video(cohort / row.split("\t")[2], [np.zeros((240, 320, 3), np.uint8)] * 100, FPS)
    out = tmp_path / "out"
    assert run(cohort, out, "--overlay") == 0
    frames = list(read_frames(out / "overlays" / "sub-01_v2.mp4"))
    assert len(frames) == 100

    def magenta(second: float) -> int:
        """Pixels of the colour of rings around the left wrist."""
        around = frames[round(second * FPS)].image[130:190, 170:230].astype(int)
        return int(((around[..., 0] > 130) & (around[..., 2] > 100) & (around[..., 1] < 110)).sum())

    assert magenta(3.0) > 50 and magenta(2.0) == magenta(3.8) == 0


def test_marks_and_captions_follow_the_jerks(cohort, tmp_path):
    out = tmp_path / "out"
    run(cohort, out)
    tracks, jerks = (
        read_tracks(cohort / "tracks" / "sub-01_v2.nc"),
        read_jerks(out / "jerks" / "sub-01_v2.tsv"),
    )
    assert [len(points) for points in marks(tracks, jerks)][75] == 1 and len(
        marks(tracks, jerks)[125]
    ) == 0
    assert (
        captions(tracks, jerks)[75].startswith("3.00 s\nleft arm: ")
        and captions(tracks, jerks)[125] == "5.00 s"
    )
    smaller = [
        replace(jerk, joint="left_elbow", amplitude=jerk.amplitude / 2) for jerk in jerks
    ]  # of the same arm: one ring, on the wrist
    assert np.array_equal(marks(tracks, [*jerks, *smaller])[75], marks(tracks, jerks)[75])


def test_settings_that_cannot_be():
    with pytest.raises(UserError, match=r"seen=0 s, within=0\.1 s"):
        Settings(seen=0)


def test_an_empty_cohort_is_scored_to_empty_tables(cohort, tmp_path):
    (cohort / "clips.tsv").write_text((cohort / "clips.tsv").read_text().splitlines()[0] + "\n")
    summary = score_cohort(
        Cohort.read(cohort, check_videos=False), None, tmp_path / "out", progress=False
    )
    assert (summary.measured, summary.failed, summary.participants) == ([], {}, 0)
    assert table(tmp_path / "out", "scores.tsv").empty

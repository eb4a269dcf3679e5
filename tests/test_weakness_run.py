"""The verb weakness on synthetic faces: tables, resume, clips that cannot be measured, and what the
page must not contain.
"""

import re

import numpy as np
import pandas as pd
import pytest
from synthetic_face import filmed, own_face, turned
from weak_faces import performed, write_weak_cohort

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.tracks import save_tracks
from semiology.errors import UserError
from semiology.severity.weakness.run import WeaknessOptions, measure_weakness

PEOPLE = {  # group, what the left and the right half of the face can do
    "c1": ("control", 0.80, 0.80),
    "c2": ("control", 0.95, 0.97),
    "c3": ("control", 1.05, 1.03),
    "c4": ("control", 1.20, 1.18),
    "p1": ("patient", 0.4, 1.0),
    "p2": ("patient", 1.0, 0.6),
    "p3": ("patient", 0.7, 0.7),
}


def table(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values="n/a").dropna(
        axis="columns", how="all"
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The cohort and what the verb made of it."""
    folder = write_weak_cohort(
        tmp_path_factory.mktemp("weak") / "cohort", PEOPLE, scores={"p1": 8, "p2": 5, "p3": 5}
    )
    out = folder.parent / "out"
    assert main(["weakness", str(folder), "--out", str(out), "--draws", "100"]) == 0
    return folder, out


def test_scores_follow_the_weakness_and_sides_are_recovered(measured):
    people = table(measured[1] / "participants.tsv").set_index("participant_id")
    assert people["weaker_side"].to_dict() == {
        **dict.fromkeys(("c1", "c2", "c3", "c4", "p3"), "none"),
        "p1": "left",
        "p2": "right",
    }
    assert (
        people.loc["p1", "score"]
        == people.loc["p1", "score_left"]
        > people.loc["p1", "score_right"]
    )
    assert (
        people.loc["p1", "score_left"]
        > people.loc["p3", "score_left"]
        > people.loc[["c2", "c3", "c4"], "score_left"].max()
    )
    assert people["doctor"].dropna().to_dict() == {
        "p1": 8,
        "p2": 5,
        "p3": 5,
    }  # for `semiology agreement`
    assert (
        people["measures"] == "8 of 16"
    ).all()  # eye aperture, closure, corner lift, smile reach


def test_measures_are_those_that_were_put_there(measured):
    """The left eye of p1, 0.4 strong: the lid stands 0.10 x (0.5 + 0.2) over the lower one. A smile
    moves a corner by 0.12 x strength.
    """
    people = table(measured[1] / "participants.tsv").set_index("participant_id")
    assert people.loc["p1", "eye aperture, left"] == pytest.approx(0.07, abs=0.002)
    assert people.loc["p1", "eye aperture, right"] == pytest.approx(0.10, abs=0.002)
    lift = people.loc["p1", ["corner lift, left", "corner lift, right"]]
    assert lift.tolist() == pytest.approx([0.4 * 0.12, 0.12], abs=0.003)
    frames = pd.read_csv(measured[1] / "measures/p1_baseline_rest.csv")
    assert len(frames) == 60 and frames["left_eye_aperture"].to_numpy() == pytest.approx(
        0.07, abs=0.002
    )


def test_groups_are_compared_by_one_value_a_participant(measured):
    groups = table(measured[1] / "groups.tsv").set_index(["measure", "side"])
    row = groups.loc[("corner lift", "left")]
    assert (row["group"], row["n"], row["n_control"], row["panel"]) == (
        "patient",
        3,
        4,
        "happiness",
    )
    assert row["u"] == 2 and row["effect"] == pytest.approx(
        2 * 2 / 12 - 1
    )  # 0.4 and 0.7 win none of four, 1.0 wins two
    assert groups.loc[("corner lift", "asymmetry"), "median"] > 0


def test_a_second_run_measures_nothing_again(measured, capsys):
    folder, out = measured
    before = {path: path.stat().st_mtime_ns for path in (out / "measures").iterdir()}
    page = (out / "report.html").read_bytes()
    assert main(["weakness", str(folder), "--out", str(out), "--draws", "100"]) == 0
    assert re.findall(r"\d+", capsys.readouterr().out.splitlines()[0]) == ["21", "0", "21", "0"]
    assert {path: path.stat().st_mtime_ns for path in (out / "measures").iterdir()} == before
    assert (out / "report.html").read_bytes() == page


def test_a_clip_that_changed_is_measured_again(tmp_path):
    folder = write_weak_cohort(tmp_path / "cohort", {"p1": ("patient", 0.4, 1.0)}, panels=["rest"])
    cohort = Cohort.read(folder)
    first = measure_weakness(cohort, tmp_path / "out", progress=False)
    save_tracks(performed("rest", 1.0, 1.0), folder / "tracks/p1_baseline_rest.nc")
    second = measure_weakness(cohort, tmp_path / "out", progress=False)
    assert (first.done, second.done) == (["p1_baseline_rest"], ["p1_baseline_rest"])
    name = "eye aperture, left"
    assert second.tables["participants"][name][0] > first.tables["participants"][name][0] + 0.02
    assert not any(note.startswith("panel ") for note in second.notes)
    (folder / "clips.tsv").write_text(
        (folder / "clips.tsv").read_text().replace("\trest\t", "\tresting\t")
    )
    named = measure_weakness(Cohort.read(folder), tmp_path / "out", progress=False)
    assert any(note.startswith("panel resting: ") for note in named.notes)
    (tmp_path / "out/measures/p1_baseline_rest.csv").unlink()
    assert measure_weakness(cohort, tmp_path / "out", progress=False).done == ["p1_baseline_rest"]


def test_bad_clips_are_listed_and_the_others_go_on(tmp_path, capsys):
    folder = write_weak_cohort(
        tmp_path / "cohort",
        {**PEOPLE, "p4": ("patient", 0.5, 0.5)},
        panels=["rest"],
        visits={"p4": ["a", "b", "c"]},
    )
    away = filmed([own_face()] * 30, heads=[turned(yaw=70)] * 30)
    save_tracks(away.where(False), folder / "tracks/p1_baseline_rest.nc")  # nobody in any frame
    save_tracks(away, folder / "tracks/p2_baseline_rest.nc")  # the face looks aside
    save_tracks(performed("rest", 0.7, 0.7, frames=10), folder / "tracks/p3_baseline_rest.nc")
    save_tracks(
        away.assign_coords(keypoint=[f"joint_{n}" for n in range(68)]),
        folder / "tracks/p4_a_rest.nc",
    )
    (folder / "tracks/p4_b_rest.nc").write_bytes(b"no tracks")
    (folder / "tracks/p4_c_rest.nc").unlink()
    assert main(["weakness", str(folder), "--out", str(tmp_path / "out"), "--draws", "50"]) == 1
    printed = capsys.readouterr().out
    failed = table(tmp_path / "out/failed.tsv").set_index("clip_id")["reason"]
    assert list(failed.index) == [
        f"{clip}_rest"
        for clip in ("p1_baseline", "p2_baseline", "p3_baseline", "p4_a", "p4_b", "p4_c")
    ]
    assert (
        failed["p3_baseline_rest"]
        == "the face is assessable for 0.4 s; 2 s are needed to measure a movement"
    )
    assert failed["p1_baseline_rest"] == failed["p2_baseline_rest"]
    assert "assessable in no frame" in failed["p1_baseline_rest"]
    assert "joint_0, joint_1" in failed["p4_a_rest"] and "netCDF" in failed["p4_b_rest"]
    # files are named after participants: no reason may name one
    assert not failed.str.contains(r"\.nc").any()
    for clip, what in failed.items():
        assert f"failed: {clip}: {what}" in printed and clip in (
            tmp_path / "out/report.html"
        ).read_text(encoding="utf-8")
    people = table(tmp_path / "out/participants.tsv").set_index("participant_id")
    assert (people.loc[["p1", "p2", "p3", "p4"], "measures"] == "0 of 16").all()
    assert people.loc[["p1", "p2", "p3", "p4"], "reason"].str.contains("0 of 16.*50%").all()
    assert people.loc["p1", "group"] == "patient"
    assert (
        people.loc["c1", "eye aperture, left"] > 0
        and len(table(tmp_path / "out/clips.tsv")) == len(PEOPLE) + 3
    )


def test_bad_folders_and_options_are_named(tmp_path):
    folder = write_weak_cohort(tmp_path / "cohort", {"p1": ("patient", 1, 1)}, panels=["rest"])
    cohort = Cohort.read(folder)
    (tmp_path / "file").write_text("")
    for message, out, options in (
        (f"{tmp_path}/file: ", tmp_path / "file", WeaknessOptions()),
        (
            f"{tmp_path}/nothing: .*<clip_id>.csv",
            tmp_path / "out",
            WeaknessOptions(expression_tables=tmp_path / "nothing"),
        ),
        (
            "pretrain expression IMAGES",
            tmp_path / "out",
            WeaknessOptions(expression_weights=tmp_path / "nothing"),
        ),
        (
            f"{folder}: .*; p1_baseline_rest: .*p1_baseline_rest.csv",
            tmp_path / "out",
            WeaknessOptions(expression_tables=tmp_path),
        ),
    ):
        with pytest.raises(UserError, match=message):
            measure_weakness(cohort, out, options=options, progress=False)


def test_a_clinicians_score_must_not_have_the_name_of_ours(tmp_path):
    folder = write_weak_cohort(tmp_path / "cohort", {"p1": ("patient", 1, 1)}, panels=["rest"])
    for file in ("clips.tsv", "clips.json"):
        (folder / file).write_text(
            (folder / file).read_text(encoding="utf-8").replace("doctor", "asymmetry"),
            encoding="utf-8",
        )
    with pytest.raises(UserError, match=r"clips\.json: .* 'asymmetry' "):
        measure_weakness(Cohort.read(folder), tmp_path / "out", progress=False)


def test_visits_are_scored_separately_and_a_missing_one_is_noted(tmp_path):
    visits = {person: ["baseline", "week-12"] for person in ("c1", "p1")}
    folder = write_weak_cohort(tmp_path / "cohort", PEOPLE, panels=["rest"], visits=visits)
    save_tracks(
        performed("rest", 1.0, 1.0), folder / "tracks/p1_week-12_rest.nc"
    )  # p1 has recovered
    options = WeaknessOptions(draws=50)
    found = measure_weakness(Cohort.read(folder), tmp_path / "out", options=options, progress=False)
    people = found.tables["participants"].set_index(["participant_id", "visit"])
    assert (
        people.loc[("p1", "baseline"), "weaker_side"] == "left"
        and people.loc[("p1", "week-12"), "weaker_side"] == "none"
    )
    assert "p2: no clip of week-12" in found.notes and "p1: no clip of week-12" not in found.notes
    assert (found.tables["groups"]["n"] + found.tables["groups"]["n_control"]).max() == len(
        PEOPLE
    )  # the first visit of each


def test_equal_values_or_no_controls_give_no_comparison(tmp_path):
    same = {person: (group, 0.9, 0.9) for person, (group, _, _) in PEOPLE.items()}
    folder = write_weak_cohort(tmp_path / "same", same, panels=["rest"])
    groups = (
        measure_weakness(Cohort.read(folder), tmp_path / "a", progress=False)
        .tables["groups"]
        .set_index(["measure", "side"])
    )
    equal, absent = groups.loc[("eye aperture", "left")], groups.loc[("corner lift", "left")]
    assert (equal["n"], equal["n_control"]) == (3, 4) and "equal" in equal["note"]
    assert absent["n"] == 0 and absent["note"] == "0 values in the group; 3 are needed"
    assert np.isnan([equal["p"], equal["effect"], absent["p"], absent["effect"]]).all()
    folder = write_weak_cohort(
        tmp_path / "alone", {"p1": ("", 0.4, 1.0), "p2": ("", 1.0, 1.0)}, panels=["rest"]
    )
    found = measure_weakness(Cohort.read(folder), tmp_path / "b", progress=False)
    assert any("'control'" in note and "--control" in note for note in found.notes)
    people = found.tables["participants"]
    assert people["score"].isna().all() and people["weaker_side"].tolist() == ["left", "none"]
    assert found.tables["groups"].empty and (tmp_path / "b/report.html").is_file()


def test_expressions_of_tables_reach_the_groups(tmp_path):
    folder = write_weak_cohort(tmp_path / "cohort", PEOPLE, panels=["happiness"])
    tables = tmp_path / "tables"
    tables.mkdir()
    for clip in Cohort.read(folder).clips:
        weak = PEOPLE[clip.participant_id][0] == "patient"
        happy = (
            np.linspace(0.4, 0.2, 251) if weak else np.full(251, 0.9)
        )  # ten seconds; the patients' smile fades by 0.02 a second
        rows = "".join(f"{frame},0.99,{value},{1 - value}\n" for frame, value in enumerate(happy))
        (tables / f"{clip.clip_id}.csv").write_text(
            "frame,FaceScore,Happy,Neutral\n" + rows, encoding="utf-8"
        )
    options = WeaknessOptions(expression_tables=tables, table_fps=25.0, draws=50)
    found = measure_weakness(Cohort.read(folder), tmp_path / "out", options=options, progress=False)
    happiness = (
        found.tables["groups"].query("family == 'expression'").set_index("measure").loc["happiness"]
    )
    assert (happiness["median"], happiness["median_control"], happiness["effect"]) == (
        pytest.approx(0.3),
        pytest.approx(0.9),
        -1,
    )
    assert set(found.tables["expressions"]["emotion"]) == {"happiness"}  # no panel elicits neutral
    long = pd.read_csv(tmp_path / "out/expressions/p1_baseline_happiness.csv")
    assert list(long) == ["clip_id", "time", "emotion", "score", "found"] and len(long) == 2 * 251
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "expression: happiness" in page
    (p1,) = re.findall("Expression, p1_baseline_happiness: .*?</figcaption>", page)
    assert (
        "happiness \N{MINUS SIGN}1.20 per minute (\N{MINUS SIGN}1.20 to \N{MINUS SIGN}1.20)" in p1
        and "neutral" not in p1
    )
    measure_weakness(
        Cohort.read(folder), tmp_path / "out", options=WeaknessOptions(draws=50), progress=False
    )
    assert not list(
        (tmp_path / "out/expressions").iterdir()
    )  # tables that are no longer given leave nothing


def test_the_patients_face_is_chosen_for_all_tables_or_for_each(tmp_path):
    folder = write_weak_cohort(tmp_path / "cohort", PEOPLE, panels=["happiness"])
    tables = tmp_path / "tables"
    tables.mkdir()
    clips = [clip.clip_id for clip in Cohort.read(folder).clips]
    for number, clip_id in enumerate(clips):  # the patient is Person_0 in every second table
        faces = ("Person_0", "Person_1")[:: 1 - 2 * (number % 2)]
        rows = [
            f"{frame},0.99,{happy},{face}"
            for frame in range(251)
            for face, happy in zip(faces, (0.75, 0.25))
        ]
        text = "\n".join(["frame,FaceScore,Happy,Identity", *rows])
        (tables / f"{clip_id}.csv").write_text(text, encoding="utf-8")

    def scores(individual):
        options = WeaknessOptions(
            expression_tables=tables, table_fps=25.0, draws=50, table_individual=individual
        )
        found = measure_weakness(
            Cohort.read(folder), tmp_path / "out", options=options, progress=False
        )
        assert sorted(found.done + found.skipped) == sorted(clips)
        table = found.tables["clips"].set_index("clip_id")
        return table.loc[clips, "expression_happiness"].tolist()

    own = [("Person_0", "Person_1")[number % 2] for number in range(len(clips))]
    named = tmp_path / "faces.tsv"
    named.write_text(
        "\n".join(["clip_id\tindividual", *(f"{c}\t{who}" for c, who in zip(clips, own))])
    )
    with pytest.raises(UserError, match=r"2 individuals.*Person_0, Person_1"):
        scores(None)
    assert scores("Person_0") == [(0.75, 0.25)[number % 2] for number in range(len(clips))]
    assert scores(str(named)) == [0.75] * len(clips)
    named.write_text("clip_id\tface\n")
    with pytest.raises(UserError, match="individual"):
        scores(str(named))


def test_the_page_needs_nothing_else_escapes_everything_and_names_no_video(tmp_path):
    people = {
        person: (group.replace("patient", "<script>x</script>"), left, right)
        for person, (group, left, right) in PEOPLE.items()
    }
    folder = write_weak_cohort(tmp_path / "cohort", people, panels=["upgaze"])
    clips = (folder / "clips.tsv").read_text(encoding="utf-8").splitlines()
    named = [
        clips[0] + "\tvideo",
        *(
            f"{line}\t{'n/a' if number else 'Jane_Doe.mp4'}"
            for number, line in enumerate(clips[1:])
        ),
    ]
    first = named[1].split("\t")
    named[1] = "\t".join([*first[:2], "n/a", *first[3:]])  # a video, and no tracks
    (folder / "clips.tsv").write_text(
        "\n".join(named).replace("\tbaseline\t", "\t<i>first</i>\t", 2) + "\n", encoding="utf-8"
    )
    found = measure_weakness(
        Cohort.read(folder, check_videos=False),
        tmp_path / "out",
        options=WeaknessOptions(draws=50),
        progress=False,
    )
    assert found.failed[0][0] == "c1_baseline_upgaze" and "--store DIR" in found.failed[0][1]
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert (
        "<script" not in page
        and "&lt;script&gt;" in page
        and "<i>" not in page
        and "&lt;i&gt;first" in page
    )
    assert not re.search(r'(src|href)="(?!#|data:image/svg\+xml;base64,)', page)
    assert "http" not in re.sub(r'http-equiv|src="data:[^"]*"', "", page)
    lids = re.findall(r'<img alt="Upper lids, (\w+)" src="data:image/svg\+xml;base64,', page)
    assert lids == [f"{person}_baseline_upgaze" for person in PEOPLE if person != "c1"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or "Jane" not in path.read_text(encoding="utf-8")
    assert found.tables["clips"].set_index("clip_id")["assessable"].isna().to_dict() == {
        f"{person}_baseline_upgaze": person == "c1" for person in PEOPLE
    }

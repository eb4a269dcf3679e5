"""A folder of videos and marks becomes a cohort: clips, labels of each rater, remarks."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from test_marks import aligned, eaf, tier
from test_marks_frames import box, tracks

from semiology.cli.main import main
from semiology.data.cohort import Cohort, check_cohort
from semiology.data.events import Event, EventTable, read_events, write_events
from semiology.data.marks import edf
from semiology.data.marks.cohort import import_cohort
from semiology.data.marks.cut import Cut, Span
from semiology.errors import UserError
from semiology.video import write_video

TERMS = "terms:\n  tonisch: tonic\n  Pflege: null\nvalues: {links: left}\n"


def video(path, seconds=40.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = (np.full((48, 64, 3), 5 * (n % 40), np.uint8) for n in range(round(5 * seconds)))
    write_video(path, frames, 5)


def elan(path, media, rater, *marks):
    """Marks (text, onset s, end s), each on the tier "signs" of a rater."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [round(1000 * time) for _, *own in marks for time in own]
    own = [aligned(f"a{n}", 2 * n + 1, 2 * n + 2, mark[0]) for n, mark in enumerate(marks)]
    about = f'ANNOTATOR="{rater}"' if rater else ""
    link = f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/old/{media}" MIME_TYPE="video/mp4"/>'
    eaf(path, times, tier("signs", "top", *own, about=about), media=link if media else "")


def boris(path, rater, **observations):
    """A project: of each video's stem (code, onset s, end s), on player 1 of another computer."""
    codes = sorted({code for own in observations.values() for code, *_ in own})
    content = {
        "project_format_version": "7.0",
        "behaviors_conf": {
            str(n): {"code": one, "type": "State event"} for n, one in enumerate(codes)
        },
        "observations": {
            f"obs {stem}": {
                "file": {"1": [f"C:\\films\\{stem}.mp4"]},
                "independent_variables": {"observer": rater},
                "events": [[time, "", code, "", ""] for code, *times in own for time in times],
            }
            for stem, own in observations.items()
        },
    }
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two participants: anna marked a, b and c; bo marked a and b."""
    folder = tmp_path_factory.mktemp("films")
    for name in ("p1/a.mp4", "p1/b.mp4", "p2/c.mp4"):
        video(folder / name)
    video(folder / "p2/d.mp4", 2)
    first = [("tonisch", 10, 14), ("clonic", 14, 20.5), ("tonisch", 33.25, 34), ("Pflege", 1, 39)]
    elan(folder / "p1/a.eaf", "a.mp4", "anna", *first)
    elan(folder / "p1/b.eaf", "b.mp4", "anna", ("clonic", 3, 38))
    elan(folder / "p2/c.eaf", "c.mp4", "anna", ("Pflege", 1, 2))
    (folder / "terms.yaml").write_text(TERMS)
    boris(folder / "bo.boris", "bo", a=[("clonic", 12, 21), ("aura", 33, 33.5)], b=[("aura", 3, 5)])
    return folder


def table(folder, *columns):
    clips = pd.read_csv(folder / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    return clips[list(columns)].to_numpy().tolist()


def test_clips_are_cut_around_marks_and_hold_what_each_rater_marked(films, tmp_path):
    """a: 10 to 21 s and 33 to 34 s, widened by 5 s; b: 3 to 38 s, to both ends of the video."""
    result = import_cohort(films, tmp_path / "c", terms=films / "terms.yaml")
    assert result.remarks.failed == {} and result.unused == {}
    assert (result.participants, result.videos, result.clips) == (1, 2, 3)
    assert result.raters == ["anna", "bo"] and result.labels == ["aura", "clonic", "tonic"]
    assert table(tmp_path / "c", "clip_id", "participant_id", "start", "end") == [
        ["a_01", "p1", "5.000", "26.000"],
        ["a_02", "p1", "28.000", "39.000"],
        ["b_01", "p1", "0.000", "n/a"],
    ]
    columns = ("clonic@anna", "clonic@bo", "clonic", "tonic@anna", "tonic", "aura@bo", "aura")
    assert table(tmp_path / "c", *columns) == [
        ["present", "present", "present", "present", "present", "absent", "absent"],
        ["absent", "absent", "absent", "present", "present", "present", "present"],
        ["present", "absent", "n/a", "absent", "absent", "present", "present"],
    ]
    assert "aura@anna" not in json.loads((tmp_path / "c/clips.json").read_text())
    assert "anna marked no aura anywhere: no column aura@anna" in result.remarks.guesses
    assert (
        "labels on which raters differ, n/a there (1): clonic, 1 clips" in result.remarks.left_out
    )
    assert "videos without marks that can be read (1): p2/d.mp4" in result.remarks.left_out


def test_whole_videos_are_clips_and_one_without_a_sign_is_marked_too(films, tmp_path):
    """Of c anna marked what is no sign: she saw none. bo did not mark it: n/a."""
    import_cohort(films, tmp_path / "c", terms=films / "terms.yaml", whole=True)
    assert table(
        tmp_path / "c", "clip_id", "participant_id", "clonic@anna", "clonic@bo", "aura"
    ) == [
        ["a", "p1", "present", "present", "present"],
        ["b", "p1", "present", "absent", "present"],
        ["c", "p2", "absent", "n/a", "n/a"],
    ]


def test_the_cohort_is_what_cohort_check_accepts_and_its_events_have_the_marks(films, tmp_path):
    import_cohort(films, tmp_path / "c", terms=films / "terms.yaml", whole=True)
    report = check_cohort(tmp_path / "c")
    assert report.ok and report.resolutions == {"64x48": 3}
    assert (tmp_path / "c/videos/a.mp4").resolve() == (films / "p1/a.mp4").resolve()
    anna = read_events(tmp_path / "c/events/anna/a_events.tsv")
    found = [(event.onset, event.offset, event.sign) for event in anna.events]
    assert found == [(10, 14, "tonic"), (14, 20.5, "clonic"), (33.25, 34, "tonic")]
    assert anna.duration == 40 and read_events(tmp_path / "c/events/anna/c_events.tsv").events == []


def test_phases_are_clips_by_sign_or_tier_and_no_label(films, tmp_path):
    """Clonic of a: 14 to 20.5 s by anna, 12 to 21 s by bo: one clip. The tonic part until 14 s
    overlaps it, the second one does not.
    """
    options = {"terms": films / "terms.yaml", "phases": ["clonic"]}
    import_cohort(films, tmp_path / "c", **options)
    rows = table(tmp_path / "c", "clip_id", "start", "end", "phase", "tonic", "aura")
    assert rows == [
        ["a_clonic", "12.000", "21.000", "clonic", "present", "absent"],
        ["b_clonic", "3.000", "38.000", "clonic", "absent", "present"],
    ]
    assert list(Cohort.read(tmp_path / "c").labels) == ["aura", "aura@bo", "tonic", "tonic@anna"]
    result = import_cohort(films, tmp_path / "d", **(options | {"phases": ["signs"]}))
    assert [row[0] for row in table(tmp_path / "d", "clip_id")][:3] == [
        "a_tonic",
        "a_clonic",
        "a_tonic_2",
    ]
    assert result.labels == ["aura", "clonic"]  # bo's, which are on no tier


def test_stretches_without_marks_are_clips_where_that_is_wanted(films, tmp_path):
    """Of a, 10 to 21 and 33 to 34 of 40 s are marked: the middles of 0-10, 21-33 and 34-40 s."""
    import_cohort(films, tmp_path / "c", terms=films / "terms.yaml", before=0, after=0, unmarked=6)
    assert table(tmp_path / "c", "start", "end", "clonic", "tonic", "aura")[:5] == [
        ["2.000", "8.000", "absent", "absent", "absent"],
        ["10.000", "21.000", "present", "present", "absent"],
        ["24.000", "30.000", "absent", "absent", "absent"],
        ["33.000", "34.000", "absent", "present", "present"],
        ["34.000", "n/a", "absent", "absent", "absent"],
    ]


def test_a_mark_that_touches_a_clip_is_not_in_it():
    """Instants count where they are; a mark without an end where it begins."""
    events = read_rows(("tonic", 0, 4), ("jerk", 4, 0), ("aura", 5, None), ("jerk", 9, 0))
    span = Span(4, 9)
    assert [span.holds(event) for event in events] == [False, True, True, False]
    cut = Cut(before=1, after=2)
    assert cut.spans([EventTable(events, 9.5)]) == [(0, 7, ""), (8, float("inf"), "")]
    assert Cut(before=0, after=0).spans([EventTable(events[1:2], 9.5)]) == []


def read_rows(*rows):
    return [Event(onset, lasts, sign) for sign, onset, lasts in rows]


def test_one_rater_has_columns_by_the_signs_alone(tmp_path):
    """A flat folder: the participant is the name's beginning. Nobody is named in the table."""
    video(tmp_path / "in/p1_x.mp4", 4)
    video(tmp_path / "in/p1 y.mp4", 4)
    video(tmp_path / "in/Jörg.mp4", 4)
    marks = "video;onset;end;label\np1_x.mp4;0,5;1;end\np1 y.mp4;1;n/a;end\nJörg.mp4;1;2;jerk\n"
    (tmp_path / "in/marks.csv").write_text(marks)
    (tmp_path / "in/notes.csv").write_text("who,what\na,b\n")
    result = import_cohort(tmp_path / "in", tmp_path / "c", whole=True)
    rows = table(tmp_path / "c", "clip_id", "participant_id", "sign_end", "jerk")
    assert sorted(rows) == [
        ["Jorg", "Jorg", "absent", "present"],
        ["p1-y", "p1", "present", "absent"],
        ["p1_x", "p1", "present", "absent"],
    ]
    guesses = "\n".join(result.remarks.guesses)
    for guess in (
        "participants are the beginnings of the videos' names: Jorg, p1",
        "participant 'Jörg' is called Jorg",
        "video p1 y.mp4 is called p1-y",
        "the label of 'end' is sign_end",
        "a mark without an end counts for the clip in which it begins",
        "called unknown",
    ):
        assert guess in guesses
    assert result.remarks.left_out == ["tables without onsets and labels (1): notes.csv"]


def test_videos_of_one_name_belong_to_the_marks_beside_them(tmp_path, capsys):
    """A project for both names none of the two, which is said; the folders of marks may be others
    of the same names.
    """
    for who in ("p1", "p2"):
        video(tmp_path / f"in/videos/{who}/film.mp4", 4)
        elan(tmp_path / f"in/marks/{who}/film.eaf", "film.mp4", "anna", ("tonic", 1, 2))
    boris(tmp_path / "in/bo.boris", "bo", film=[("clonic", 1, 2)])
    options = ["--out", str(tmp_path / "c"), "--participant", "videos/([^/]+)/"]
    assert main(["cohort", "import", str(tmp_path / "in"), *options]) == 1
    out, err = capsys.readouterr()
    assert table(tmp_path / "c", "clip_id", "participant_id", "video", "tonic") == [
        ["p1_film_01", "p1", "videos/p1_film.mp4", "present"],
        ["p2_film_01", "p2", "videos/p2_film.mp4", "present"],
    ]
    assert err.splitlines() == [
        "semiology cohort import: bo.boris: 2 videos could be that of film.mp4:"
        " videos/p1/film.mp4, videos/p2/film.mp4; put the marks beside theirs, or rename one"
    ]
    assert "guess: video videos/p1/film.mp4 is called p1_film" in out.splitlines()


def test_each_bad_file_is_a_line_and_the_others_go_on(tmp_path, capsys):
    folder = tmp_path / "in"
    for name in ("p1/a.mp4", "p1/b.mp4", "p2/moved.mp4"):
        video(folder / name, 4)
    (folder / "p2/broken.mp4").write_bytes(b"no video")
    elan(folder / "p1/a.eaf", "a.mp4", "anna", ("tonic", 1, 2))
    elan(folder / "p1/a2.eaf", "a.mp4", "anna", ("clonic", 1, 2))
    elan(folder / "p1/a3.eaf", "a.mp4", "anna", ("tonic", 1, 2))
    elan(folder / "p1/b.eaf", "b.mp4", "anna", ("tonic", 1, 9))
    elan(folder / "p2/broken.eaf", "broken.mp4", "anna", ("tonic", 1, 2))
    elan(folder / "p2/moved.eaf", "old.avi", "anna", ("tonic", 1, 2))
    elan(folder / "p2/gone.eaf", "gone.mp4", "anna", ("tonic", 1, 2))
    eaf(folder / "p2/empty.eaf", [None, None], tier("t", "top", aligned("a", 1, 2, "x")))
    assert main(["cohort", "import", str(folder), "--out", str(tmp_path / "c")]) == 1
    out, err = capsys.readouterr()
    assert table(tmp_path / "c", "clip_id", "tonic") == [
        ["a_01", "present"],
        ["moved_01", "present"],
    ]
    lines = dict(line.split(": ", 2)[1:] for line in err.splitlines())
    assert sorted(lines) == ["p1/a2.eaf", "p1/b.eaf", "p2/broken.eaf", "p2/empty.eaf"]
    assert "is by anna, whose marks of this video are in p1/a.eaf already" in lines["p1/a2.eaf"]
    assert "reach beyond the end of b at 4.000 s" in lines["p1/b.eaf"]
    assert "time" in lines["p2/empty.eaf"]
    said = out.splitlines()
    assert "guess: p2/moved.eaf: its video old.avi is not there, p2/moved.mp4 is taken" in said
    assert "left out: the same marks again (1): p1/a3.eaf" in said
    assert "left out: marks without a video (1): p2/gone.eaf (of gone.mp4)" in said
    assert "left out: videos without marks that can be read (2): p1/b.mp4, p2/broken.mp4" in said


def test_raters_are_named_apart_by_the_files(tmp_path):
    video(tmp_path / "in/p1.mp4", 4)
    for who, sign in (("anna", "tonic"), ("bo", "clonic")):
        elan(tmp_path / f"in/{who}/p1.eaf", "p1.mp4", "", (sign, 1, 2))
    one = import_cohort(tmp_path / "in", tmp_path / "c")
    assert one.raters == ["unknown"] and list(one.remarks.failed) == ["bo/p1.eaf"]
    two = import_cohort(tmp_path / "in", tmp_path / "d", rater="^([a-z]+)/")
    assert two.raters == ["anna", "bo"] and two.remarks.failed == {}
    assert table(tmp_path / "d", "tonic@anna", "clonic@bo") == [["present", "present"]]


def test_a_table_without_events_is_of_the_only_rater_and_an_eeg_without_is_nobodys(tmp_path):
    """Of b somebody saw no sign, of c nobody has looked; a has its annotations in the EEG."""
    for name in "abc":
        video(tmp_path / f"in/{name}.mp4", 4)
        edf.write(
            EventTable([Event(1, 1, "tonic")] if name == "a" else [], 4),
            tmp_path / f"in/{name}.edf",
        )
    write_events(tmp_path / "in/b_events.tsv", [], 4)
    result = import_cohort(tmp_path / "in", tmp_path / "c", whole=True)
    assert table(tmp_path / "c", "clip_id", "tonic") == [["a", "present"], ["b", "absent"]]
    assert "EEGs without annotations (2): b.edf, c.edf" in result.remarks.left_out
    assert "b_events.tsv: has no mark: unknown saw none" in result.remarks.guesses
    assert "a.edf: seconds of the EEG are taken for seconds of a.mp4" in result.remarks.guesses


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"phases": ["rest"]}, "no mark with an end is called rest; signs are .*clonic"),
        ({"phases": ["tonic"], "whole": True}, "leave one out"),
        ({"whole": True, "unmarked": 3}, "goes with clips around marks only"),
        ({"before": -1}, "seconds of 0 or more"),
        ({"participant": "("}, "is no regular expression"),
        ({"participant": "z"}, "no video in it has marks"),
        ({"terms": "none.yaml"}, "no such file"),
    ],
)
def test_what_makes_no_cohort_is_refused_and_leaves_nothing(films, tmp_path, options, why):
    with pytest.raises(UserError, match=why):
        import_cohort(films, tmp_path / "c", **options)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_stays_half_written(films, tmp_path, monkeypatch):
    (tmp_path / "c").mkdir()
    (tmp_path / "c/clips.tsv").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        import_cohort(films, tmp_path / "c")
    assert (tmp_path / "c/clips.tsv").read_text() == "mine"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("semiology.data.marks.cohort.shutil.copyfile", full)
    with pytest.raises(UserError, match="cannot be copied"):
        import_cohort(films, tmp_path / "d", copy=True)
    assert os.listdir(tmp_path) == ["c"]
    monkeypatch.undo()
    import_cohort(films, tmp_path / "d", copy=True)
    assert not (tmp_path / "d/videos/a.mp4").is_symlink()
    assert (tmp_path / "d/videos/a.mp4").read_bytes() == (films / "p1/a.mp4").read_bytes()


def test_a_cohort_in_the_folder_is_not_read_again(tmp_path):
    video(tmp_path / "p1/a.mp4", 4)
    elan(tmp_path / "p1/a.eaf", "a.mp4", "anna", ("tonic", 1, 2))
    import_cohort(tmp_path, tmp_path / "cohort")
    result = import_cohort(tmp_path, tmp_path / "second")
    assert result.remarks.left_out == ["folders that are cohorts already (1): cohort"]
    assert result.remarks.failed == {} and result.clips == 1


def test_numbers_of_frames_become_seconds_and_sidecars_are_no_marks(tmp_path):
    """CVAT's frames 50 and 75 of a video of 5 a second are 10 and 15 s; the video's metadata and a
    camera's XML are no marks, and no fault.
    """
    folder = tmp_path / "ward"
    video(folder / "c1.mp4")
    tracks(folder / "annotations.xml", ("tonic", box(50), box(75, 1)))
    (folder / "c1.json").write_text('{"camera": "4"}')
    (folder / "C0001M01.XML").write_text("<NonRealTimeMeta/>")
    result = import_cohort(folder, tmp_path / "cohort", before=1, after=2)
    assert table(tmp_path / "cohort", "start", "end", "tonic") == [["9.000", "17.000", "present"]]
    assert any(
        "frames became seconds at 5 frames a second" in one for one in result.remarks.guesses
    )
    assert not result.remarks.failed
    left = "files that hold no marks which can be read (2): C0001M01.XML, c1.json"
    assert left in result.remarks.left_out

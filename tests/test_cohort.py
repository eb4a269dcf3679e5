import json
import pickle  # noqa: TID251  # worker processes send exceptions this way
import re
import shutil
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from safetensors.numpy import save_file

from semiology.data.cohort import Cohort, CohortError, check_cohort
from semiology.data.cohort.label import current_tags
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
from semiology.experiments.probe.features import cohort_target
from semiology.video import VideoError, write_video

EXAMPLE = Path(__file__).resolve().parents[1] / "data_manifests" / "example"


@pytest.fixture
def folder(tmp_path) -> Path:
    """The example of data_manifests, with a video of 2 s at 25 Hz (10 s for the last clip) for each
    clip.
    """
    folder = tmp_path / "cohort"
    shutil.copytree(EXAMPLE, folder)
    for line in (folder / "clips.tsv").read_text().splitlines()[1:]:
        video = folder / line.split("\t")[2]
        video.parent.mkdir(exist_ok=True)
        write_video(
            video,
            [np.full((48, 64, 3), 90, np.uint8)] * (250 if "sub-03" in video.name else 50),
            25,
        )
    return folder


def edit(folder: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (folder / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / name).write_text(text)


def faults(folder: Path) -> list[str]:
    with pytest.raises(CohortError) as caught:
        Cohort.read(folder)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + len(caught.value.faults)
    return [line.strip() for line in lines[1:]]


def places(folder: Path) -> list[tuple[str, int | None, str | None]]:
    """File, row and column of each fault."""
    with pytest.raises(CohortError) as caught:
        Cohort.read(folder)
    return [(fault.file, fault.row, fault.column) for fault in caught.value.faults]


def test_a_cohort_is_read(folder):
    cohort = Cohort.read(folder)
    assert [(p.participant_id, p.sex, p.age, p.covariates) for p in cohort.participants] == [
        ("sub-01", "F", 31, {"group": "phantom"}),
        ("sub-02", "M", 24, {"group": "phantom"}),
        ("sub-03", "M", None, {"group": "phantom"}),
    ]
    clip = cohort.clips[1]
    assert (clip.clip_id, clip.participant_id, clip.video) == (
        "sub-01_sz-02",
        "sub-01",
        "videos/sub-01_sz-02.mpg",
    )
    assert (clip.start, clip.end, clip.tracks) == (0.0, 12.0, "")
    assert clip.labels == {"dystonia": "present", "emotion": None, "dystonia_side": "right"}
    assert clip.covariates == {"camera": "night"}


def test_labels_keep_the_order_of_their_levels(folder):
    labels = Cohort.read(folder).labels
    assert list(labels) == ["dystonia", "emotion", "dystonia_side"]
    assert (
        list(labels["dystonia"].levels) == ["absent", "present"]
        and labels["dystonia"].positive == "present"
    )
    assert labels["emotion"].positive is None
    assert (
        labels["dystonia_side"].mirror == {"left": "right", "right": "left"}
        and labels["dystonia"].mirror == {}
    )
    assert (labels["dystonia"].hed, labels["emotion"].ilae_term) == (
        "Semiology-dystonic",
        "focal emotional (affective) seizure",
    )


def test_scored_leaves_out_clips_without_a_score(folder):
    cohort = Cohort.read(folder)
    assert [clip.clip_id for clip in cohort.scored("emotion")] == [
        "sub-01_sz-01",
        "sub-02_sz-01",
        "sub-03_sz-01",
    ]
    assert len(cohort.scored("dystonia")) == 4
    with pytest.raises(UserError, match=r"'tremor'.* dystonia, emotion, dystonia_side"):
        cohort.scored("tremor")


def test_every_fault_is_reported_at_once(folder):
    edit(
        folder,
        "clips.tsv",
        ("0\t12\tpresent\tnone\tleft", "5\t5\tPresent\tnone\tleft"),
        ("sub-01_sz-02\tsub-01", "sub-01_sz-01\tsub-1"),
        ("videos/sub-02_sz-01.avi\t0\t12", "videos/other.avi\t-1\t12,5"),
        ("sub-03_sz-01\tsub-03\tvideos/sub-03_sz-01.asf", "sub 03\tsub-03\t../sub-03_sz-01.asf"),
    )
    found = dict(zip(places(folder), faults(folder)))
    assert list(found) == [
        ("clips.tsv", 2, "dystonia"),
        ("clips.tsv", 2, None),
        ("clips.tsv", 3, "clip_id"),
        ("clips.tsv", 3, "participant_id"),
        ("clips.tsv", 4, "start"),
        ("clips.tsv", 4, "end"),
        ("clips.tsv", 4, "video"),
        ("clips.tsv", 5, "clip_id"),
        ("clips.tsv", 5, "video"),
    ]
    assert found["clips.tsv", 2, "dystonia"] == (
        "clips.tsv: row 2, column \"dystonia\": unknown level 'Present'; its levels are absent,"
        " present; n/a = not scored"
    )
    assert found["clips.tsv", 2, None] == (
        "clips.tsv: row 2: ends at 5 s, not after its start at 5 s; correct start or end"
    )
    for place, values in {
        (3, "clip_id"): ["'sub-01_sz-01'", "row 2"],
        (3, "participant_id"): ["'sub-1'", "participants.tsv", "'sub-01'"],
        (4, "start"): ["'-1'", "seconds"],
        (4, "end"): ["'12,5'", "12.5"],
        (4, "video"): ["no such file"],
        (5, "clip_id"): ["'sub 03'"],
        (5, "video"): ["(..)"],
    }.items():
        assert all(value in found["clips.tsv", *place] for value in values)


@pytest.mark.parametrize(
    ("old", "new", "column", "named"),
    [
        ("videos/sub-01_sz-01.mp4", "/data/a.mp4", "video", "absolute"),
        ("videos/sub-01_sz-01.mp4", "C:/data/a.mp4", "video", "absolute"),
        ("videos/sub-01_sz-01.mp4", "videos\\a.mp4", "video", "backslash"),
        ("sub-01_sz-01", "..", "clip_id", "'..'"),
        ("sub-01_sz-01", "1.2E+05", "clip_id", "'1.2E+05'"),
        ("sub-01_sz-01", "n/a", "clip_id", "empty"),
        ("\t12\tpresent", "\t00:12\tpresent", "end", "'00:12'"),
        ("\t12\tpresent", "\tnan\tpresent", "end", "'nan'"),
        ("\t12\tpresent", "\tsoon\tpresent", "end", "'soon'"),
    ],
)
def test_cells_that_cannot_be(folder, old, new, column, named):
    edit(folder, "clips.tsv", (old, new))
    (fault,) = faults(folder)
    assert places(folder) == [("clips.tsv", 2, column)] and named in fault


def test_a_click_on_the_patient_belongs_to_its_clip(folder):
    lines = (folder / "clips.tsv").read_text().splitlines()
    cells = ["patient", "9.5,310,220", *["n/a"] * (len(lines) - 2)]
    table = "".join(f"{line}\t{cell}\n" for line, cell in zip(lines, cells, strict=True))
    (folder / "clips.tsv").write_text(table)
    clips = Cohort.read(folder).clips
    assert [clip.patient for clip in clips] == ["9.5,310,220", None, None, None]
    assert all("patient" not in clip.covariates for clip in clips)
    edit(folder, "clips.tsv", ("9.5,310,220", "12.5,310,220"))
    (fault,) = faults(folder)
    assert "row 2" in fault and "lasts 12 s" in fault and "from the clip's start" in fault
    edit(folder, "clips.tsv", ("12.5,310,220", "Mr Smith"))
    assert places(folder) == [("clips.tsv", 2, "patient")] and "TIME,X,Y" in faults(folder)[0]


@pytest.mark.parametrize(
    ("changes", "row", "column", "values"),
    [
        ([("sub-02\tM", "sub-01\tM")], 3, "participant_id", ["'sub-01'", "row 2"]),
        ([("\t31\t", "\t310\t")], 2, "age", ["'310'"]),
        ([("\tF\t", "\twoman\t")], 2, "sex", ["'woman'", "F, M, O"]),
        ([("participant_id", "Participant_ID")], 1, "participant_id", ['"Participant_ID"']),
        ([("\tgroup", "\tage")], 1, "age", ["twice"]),
        ([("\t31\tphantom", "\t31")], 2, None, ["3 cells", "4"]),
    ],
)
def test_faults_of_participants(folder, changes, row, column, values):
    edit(folder, "participants.tsv", *changes)
    at = places(folder).index(("participants.tsv", row, column))
    assert all(value in faults(folder)[at] for value in values)


def test_zeros_that_a_spreadsheet_dropped_are_guessed(folder):
    for name in ("participants.tsv", "clips.tsv"):
        (folder / name).write_text((folder / name).read_text().replace("sub-01\t", "001\t"))
    edit(folder, "clips.tsv", ("sub-01_sz-01\t001", "sub-01_sz-01\t1"))
    assert places(folder) == [("clips.tsv", 2, "participant_id")]
    assert "'1'" in faults(folder)[0] and "'001'" in faults(folder)[0]


@pytest.mark.parametrize(
    ("column", "entry", "message"),
    [
        ("dystonia", {"Role": "label"}, '"Levels" is missing; add it'),
        (
            "dystonia",
            {"Role": "label", "Levels": {"present": ""}},
            '"Levels" needs two levels or more',
        ),
        (
            "dystonia",
            {"Role": "label", "Level": {}, "Levels": {"absent": "", "present": ""}},
            '"Level" is not known here',
        ),
        (
            "dystonia",
            {"Role": "label", "Levels": {"absent": "", "present": "", "n/a": ""}},
            "'n/a'",
        ),
        ("dystonia", {"Role": "target"}, 'give it a "Role": "label"'),
        (
            "dystonia",
            {"Role": "label", "Levels": "absent, present"},
            '"Levels": Input should be a valid dictionary',
        ),
        (
            "dystonia_side",
            {
                "Role": "label",
                "Levels": {"none": "", "left": "", "right": ""},
                "Mirror": {"left": "Right"},
            },
            "names the level 'Right', which \"Levels\" does not; its levels are none, left, right",
        ),
        (
            "dystonia_side",
            {
                "Role": "label",
                "Levels": {"none": "", "left": "", "right": ""},
                "Mirror": {"left": "right", "right": "none"},
            },
            "sends 'left' to 'right' but not back",
        ),
    ],
)
def test_faults_of_the_sidecar(folder, column, entry, message):
    sidecar = json.loads((folder / "clips.json").read_text())
    sidecar[column] = entry
    (folder / "clips.json").write_text(json.dumps(sidecar))
    (fault,) = faults(folder)
    assert fault.startswith(f'clips.json: column "{column}": ') and message in fault


def test_sidecar_and_table_name_the_same_columns(folder):
    edit(folder, "clips.json", ('"dystonia":', '"dystonic":'))
    assert faults(folder) == [
        (
            'clips.json: column "dystonic": clips.tsv has no such column; add it there or delete'
            " the entry"
        ),
        (
            'clips.tsv: row 1, column "dystonia": this column is not described in clips.json; '
            'add it there with "Role": "label", "score" or "covariate"'
        ),
    ]


@pytest.fixture
def rated(folder) -> Path:
    """The example with a rater's score and a visit for each of its four clips."""
    rows = (folder / "clips.tsv").read_text().splitlines()
    added = ["umrs\tvisit", "2.5\tbaseline", "4\tweek-12", "n/a\tbaseline", "0\tweek-12"]
    (folder / "clips.tsv").write_text("".join(f"{row}\t{more}\n" for row, more in zip(rows, added)))
    sidecar = json.loads((folder / "clips.json").read_text())
    sidecar["umrs"] = {
        "Role": "score",
        "Units": "points",
        "Minimum": 0,
        "Maximum": 4,
        "Rater": "first",
        "Of": "action",
    }
    (folder / "clips.json").write_text(json.dumps(sidecar))
    return folder


def test_scores_are_numbers_and_no_labels(rated):
    cohort = Cohort.read(rated)
    assert [clip.scores for clip in cohort.clips] == [
        {"umrs": 2.5},
        {"umrs": 4.0},
        {"umrs": None},
        {"umrs": 0.0},
    ]
    score = cohort.scores["umrs"]
    assert (score.units, score.minimum, score.maximum, score.rater, score.of) == (
        "points",
        0,
        4,
        "first",
        "action",
    )
    assert "umrs" not in cohort.labels and all(
        "umrs" not in {**clip.labels, **clip.covariates} for clip in cohort.clips
    )
    assert cohort.clips[0].covariates == {
        "camera": "day",
        "visit": "baseline",
    }  # visit is known: clips.json need not describe it


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("moderate", "'moderate'.*points"),
        ("2,5", r"'2,5'.* 2\.5$"),
        ("nan", "'nan'.*points"),
        ("4.5", r"'4\.5'.* 4,.*clips\.json"),
        ("-1", r"'-1'.* 0,.*clips\.json"),
    ],
)
def test_scores_that_cannot_be(rated, cell, named):
    edit(rated, "clips.tsv", ("\t2.5\t", f"\t{cell}\t"))
    (fault,) = faults(rated)
    assert places(rated) == [("clips.tsv", 2, "umrs")] and re.search(named, fault)


def test_faults_of_a_score_in_the_sidecar(rated):
    edit(rated, "clips.json", ('"Minimum": 0', '"Minimum": 4'))
    assert (
        faults(rated)[0]
        == 'clips.json: column "umrs": "Minimum" is 4, not below "Maximum", 4; correct them'
    )
    edit(rated, "clips.json", ('"Minimum": 4', '"Mirror": {}'))
    assert (
        faults(rated)[0]
        == 'clips.json: column "umrs": "Mirror" is not known here; correct its spelling or'
        " delete it"
    )


def test_visits_follow_clips_json_else_their_names(rated):
    assert Cohort.read(rated).visits == ["baseline", "week-12"]
    sidecar = json.loads((rated / "clips.json").read_text())
    sidecar["visit"] = {"Role": "covariate", "Levels": {"week-12": "", "baseline": ""}}
    (rated / "clips.json").write_text(json.dumps(sidecar))
    assert Cohort.read(rated).visits == ["week-12", "baseline"]
    edit(rated, "clips.tsv", ("\tweek-12", "\tweek 12"))
    assert places(rated) == [("clips.tsv", 3, "visit")]
    assert re.search("'week 12'.* week-12, baseline$", faults(rated)[0])


def test_scores_can_be_probed_for(rated):
    assert cohort_target(rated, "umrs").to_dict() == {
        "sub-01_sz-01": 2.5,
        "sub-01_sz-02": 4,
        "sub-03_sz-01": 0,
    }


def test_the_table_counts_scores(rated):
    report = check_cohort(rated)
    assert report.scores == {"umrs": [2.5, 4.0, 0.0]}
    assert "umrs                2.5 (0-4)                 3 (75 %)" in str(report)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "JSON"), ("[]", "object"), ('{"camera": {}, "camera": {}}', '"camera"')],
)
def test_a_sidecar_that_is_no_json(folder, text, message):
    (folder / "clips.json").write_text(text)
    assert any(fault.startswith("clips.json: ") and message in fault for fault in faults(folder))


@pytest.mark.parametrize("missing", ["participants.tsv", "clips.tsv", "clips.json"])
def test_a_missing_file_is_one_fault(folder, missing):
    (folder / missing).unlink()
    assert places(folder) == [(missing, None, None)]


def test_missing_columns_are_reported_once(folder):
    edit(
        folder,
        "clips.tsv",
        ("clip_id\tparticipant_id\tvideo\tstart", "clip_id\tperson\tfilm\tstart"),
    )
    header = [place for place in places(folder) if place[1] == 1]
    assert [column for _, _, column in header if column not in ("person", "film")] == [
        "participant_id",
        "video",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_what_spreadsheets_write_is_read(folder, encoding):
    edit(folder, "participants.tsv", ("\tphantom", "\tGrüße"))
    text = (folder / "participants.tsv").read_text(encoding="utf-8") + "\t\t\t\n"
    (folder / "participants.tsv").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    cohort = Cohort.read(folder)
    assert cohort.participants[0].covariates == {"group": "Grüße"} and len(cohort.participants) == 3
    assert any("Windows-1252" in note for note in cohort.notes) == (encoding == "cp1252")


def test_other_kinds_of_table_are_named(folder):
    text = (folder / "clips.tsv").read_text()
    (folder / "clips.tsv").write_text(text.replace("\t", ";"))
    assert (
        "clips.tsv: row 1: its columns are separated by semicolons, not tabs; save it as text"
        " separated by tabs" in faults(folder)
    )
    (folder / "clips.tsv").write_bytes(b"PK\x03\x04rest of a workbook")
    assert "clips.tsv: is a spreadsheet workbook; save it as tab-separated text" in faults(folder)
    (folder / "clips.tsv").rename(folder / "clips.csv")
    assert "clips.tsv: is missing; there is clips.csv: save it as tab-separated text" in faults(
        folder
    )
    (folder / "clips.tsv").write_text("")
    assert (
        "clips.tsv: is empty; its first row names the columns: clip_id, participant_id, start, end"
        in faults(folder)
    )
    (folder / "clips.tsv").write_text(text + 'sub-03_sz-02\t"sub-03\n')
    assert any("look for a stray quotation mark" in fault for fault in faults(folder))


def test_tracks_may_stand_in_for_a_video(folder):
    (folder / "a.csv").write_text("x")
    edit(folder, "clips.tsv", ("\tvideo\t", "\ttracks\t"))
    text = (folder / "clips.tsv").read_text()
    for line in text.splitlines()[1:]:
        text = text.replace(line.split("\t")[2], "a.csv")
    (folder / "clips.tsv").write_text(text)
    assert {(clip.video, clip.tracks) for clip in Cohort.read(folder).clips} == {("", "a.csv")}
    assert check_cohort(folder).resolutions == {}
    (folder / "clips.tsv").write_text(text.replace("a.csv", "n/a", 1))
    assert faults(folder) == [
        "clips.tsv: row 2: names neither a video nor tracks nor features; give one of them"
    ]


def test_notes_say_what_is_allowed_but_odd(folder):
    (folder / "participants.tsv").write_text(
        (folder / "participants.tsv").read_text() + "sub-04\tF\t40\tphantom\n"
    )
    edit(folder, "clips.tsv", ("videos/sub-02_sz-01.avi", "videos/sub-01_sz-01.mp4"))
    assert Cohort.read(folder).notes == [
        "participants without a clip: sub-04",
        "emotion: no clip has the level anger",
        "participants sub-01, sub-02 share one video; leaving one out would not leave it unseen",
    ]


def test_videos_are_looked_for_only_on_request(folder):
    shutil.rmtree(folder / "videos")
    assert len(faults(folder)) == 4
    assert len(Cohort.read(folder, check_videos=False).clips) == 4


def test_errors_survive_the_way_between_processes(folder):
    (folder / "clips.json").unlink()
    with pytest.raises(CohortError) as caught:
        Cohort.read(folder)
    for error in (caught.value, VideoError("a.mp4", "is empty")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_the_table_of_the_cohort(folder):
    edit(folder, "clips.tsv", ("sub-03_sz-01.asf\t0\t12", "sub-03_sz-01.asf\t4\tn/a"))
    report = check_cohort(folder)
    assert report.ok and json.loads(json.dumps(report.to_dict()))["participants"] == 3
    assert report.groups == {"sex": {"M": 2, "F": 1}, "group": {"phantom": 3}}
    assert report.clips_per_participant == [1, 1, 2]
    assert report.labels["dystonia"].clips == {"absent": 2, "present": 2}
    assert report.labels["dystonia"].participants == {"absent": 2, "present": 1}
    assert (
        report.labels["emotion"].not_scored == 1
        and report.labels["emotion"].scored_participants == 3
    )
    assert report.durations == [12, 12, 12, pytest.approx(6, abs=0.2)] and report.by_header == 1
    assert report.resolutions == {"64x48": 4} and report.frame_rates == {"25 Hz": 4}
    assert report.containers == {"asf": 1, "avi": 1, "mp4": 1, "mpeg": 1}
    assert any(
        note.startswith(
            "sub-01_sz-01 runs past the end of its video, which by its header lasts 2.0 s"
        )
        for note in report.notes
    )
    text = str(report).splitlines()
    assert text[0] == "participants  3 (M: 2, F: 1); age median 27.5 (24-31) years"
    assert text[2] == "clips         4; per participant median 1 (1-2)"
    assert "dystonia            absent                    2 (50 %)        2 (67 %)" in text
    assert "                    present                   2 (50 %)        1 (33 %)" in text


def test_videos_that_cannot_be_opened_end_the_table(folder):
    (folder / "videos/sub-02_sz-01.avi").write_bytes(b"")
    report = check_cohort(folder)
    assert not report.ok and report.to_dict()["ok"] is False
    assert report.failures == {"sub-02_sz-01": "is empty (0 bytes); copy it again from its source"}
    assert str(report).endswith(
        "videos that cannot be opened (1):\n  sub-02_sz-01: is empty (0 bytes); copy it again from"
        " its source"
    )
    assert sum(report.resolutions.values()) == 3


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match="none: "):
        Cohort.read(tmp_path / "none")


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_names_with_accents_are_found_however_they_are_coded(folder, stored):
    """macOS stores an accent as a letter of its own; tables mostly hold one letter for both."""
    written = "NFD" if stored == "NFC" else "NFC"
    name = "videos/séance/Müller_1.mp4"
    target = folder / normalize(stored, name)
    target.parent.mkdir()
    (folder / "videos/sub-01_sz-01.mp4").rename(target)
    edit(folder, "clips.tsv", ("videos/sub-01_sz-01.mp4", normalize(written, name)))
    clip = Cohort.read(folder).clips[0]
    assert (folder / clip.video).is_file() and clip.video == normalize(stored, name)
    assert check_cohort(folder).ok
    (folder / "recordings.tsv").write_text(
        f"recording_id\tvideo\tstart\nnight\t{normalize(written, name)}\t0\n", encoding="utf-8"
    )
    (part,) = Cohort.read(folder).recordings["night"].parts
    assert part.path == target


def test_two_files_whose_names_look_the_same_are_not_guessed_between(folder):
    for form in ("NFC", "NFD"):
        (folder / "videos" / normalize(form, "é.mp4")).write_bytes(b"x")
    edit(folder, "clips.tsv", ("videos/sub-01_sz-01.mp4", normalize("NFC", "videos/é.mp4")))
    assert Cohort.read(folder).clips[0].video == normalize("NFC", "videos/é.mp4")


@pytest.fixture
def tracked(tmp_path) -> Path:
    """A cohort of two clips with tracks of 10 s at 50 Hz in place of videos."""
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-01\n")
    (tmp_path / "clips.tsv").write_text(
        "clip_id\tparticipant_id\ttracks\tstart\tend\n"
        "whole\tsub-01\twhole.nc\t0\tn/a\npart\tsub-01\tpart.nc\t2\t6\n"
    )
    (tmp_path / "clips.json").write_text("{}")
    tracks = make_tracks(np.ones((500, 1, 2)), ["nose"], 50, width=640, height=480)
    for name in ("whole", "part"):
        save_tracks(tracks, tmp_path / f"{name}.nc")
    return tmp_path


def test_own_tracks_tell_their_length_rate_and_size(tracked):
    report = check_cohort(tracked)
    assert report.ok and report.durations == [10.0, 4.0] and report.by_header == 0
    assert report.frame_rates == {"50 Hz": 2} and report.containers == {"nc": 2}
    assert report.resolutions == {"640x480": 2}


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (lambda tracks: tracks.assign_attrs(fps=np.nan), "nan frames a second"),
        (lambda tracks: tracks.assign_attrs(fps=-50.0), "-50 frames a second"),
        (
            lambda tracks: tracks.assign_coords(time=tracks.time.values[::-1]),
            "back in time in row 1, from 9.98 s to 9.96 s",
        ),
        (
            lambda tracks: tracks.assign_coords(time=np.where(np.arange(500) == 7, np.nan, 1.0)),
            "no time in row 7",
        ),
    ],
)
def test_own_tracks_with_an_impossible_clock_are_listed(tracked, fault, what):
    tracks = make_tracks(np.ones((500, 1, 2)), ["nose"], 50)
    fault(tracks).to_netcdf(tracked / "part.nc", engine="h5netcdf")
    report = check_cohort(tracked)
    assert not report.ok and list(report.failures) == ["part"] and what in report.failures["part"]
    assert report.durations == [10.0, 4.0]  # the table states the second


def test_own_tracks_that_end_before_the_clip_are_noted(tracked):
    edit(tracked, "clips.tsv", ("\t2\t6", "\t2\t60"))
    assert "part runs past the end of its tracks, which last 10.0 s" in check_cohort(tracked).notes


def test_own_features_are_opened(tracked):
    edit(tracked, "clips.tsv", ("\ttracks\t", "\tfeatures\t"))
    edit(tracked, "clips.tsv", ("whole.nc", "whole.safetensors"), ("part.nc", "part.safetensors"))
    rows = np.arange(20, dtype=np.float32)
    save_file(
        {"features": np.ones((20, 3), np.float32), "time": rows}, tracked / "whole.safetensors"
    )
    save_file(
        {"features": np.ones((20, 3), np.float32), "time": -rows}, tracked / "part.safetensors"
    )
    report = check_cohort(tracked)
    assert report.durations == [20.0, 4.0] and report.frame_rates == {"1 Hz": 1}
    assert report.failures == {"part": "its features go back in time in row 1, from -0 s to -1 s"}


@pytest.mark.parametrize("cell", ["1e300", "1e9"])
@pytest.mark.parametrize("column", ["start", "end"])
def test_times_above_a_year_are_named_by_row_and_column(folder, column, cell):
    lines = [line.split("\t") for line in (folder / "clips.tsv").read_text().splitlines()]
    lines[2][lines[0].index(column)] = cell
    (folder / "clips.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
    assert f"clips.tsv: row 3, column \"{column}\": '{cell}' is " in "\n".join(faults(folder))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Semiology-motor-dystonic", "Semiology-dystonic"),
        ("Semiology-motor-automatisms-hypermotor", "Semiology-hypermotor"),
        ("Semiology-experiential-affective-emotional", "Semiology-affective-emotional"),
        ("Semiology-motor-myoclonic", "Semiology-myoclonic-jerk"),
        ("Semiology-motor-automatisms-pedal", "Semiology-automatisms"),
        ("Semiology-sensory-autonomic-sensation", "Semiology-autonomic-sensation"),
        ("Semiology-language-related-aphasia", "Semiology-aphasia"),
        ("Postictal-semiology-nose-wiping", "Postictal-nose-wiping"),
        ("(Semiology-motor-tonic, Left), Red", "(Semiology-tonic, Left), Red"),
        # of 2.1.0 already
        ("Semiology-autonomic-sensation", "Semiology-autonomic-sensation"),
        ("Semiology-motor-behavioral-arrest", "Semiology-motor-behavioral-arrest"),
        ("Semiology-elementary-motor", "Semiology-elementary-motor"),
        ("Semiology-sensory-other", "Semiology-sensory-other"),
        ("Semiology-myoclonic-jerk", "Semiology-myoclonic-jerk"),
    ],
)
def test_old_hed_tags_are_read_by_their_new_names(old, new):
    assert current_tags(old) == new


def test_a_translated_hed_tag_is_noted(folder):
    edit(folder, "clips.json", ("Semiology-dystonic", "Semiology-motor-dystonic"))
    cohort = Cohort.read(folder)
    assert cohort.labels["dystonia"].hed == "Semiology-dystonic"
    assert [note for note in cohort.notes if "1.1.0" in note and note.startswith("dystonia: ")]


def test_hed_tags_are_validated_where_hedtools_is_installed(folder):
    pytest.importorskip("hed")
    edit(folder, "clips.json", ("Semiology-dystonic", "Semiology-bogus"))
    notes = [note for note in check_cohort(folder).notes if "Semiology-bogus" in note]
    assert len(notes) == 1 and "not valid in HED-SCORE 2.1.0" in notes[0]


def test_tracks_of_an_odd_rate_or_length_are_named(cohort):
    """Eleven clips of 40 frames at 25 Hz; one of them was imported as 50 Hz, one has 400 frames."""
    for name, rate, frames in (("p0_0", 50.0, 40), ("p1_1", 25.0, 480)):
        position = np.random.default_rng(0).normal(200, 20, (frames, 1, 2))
        save_tracks(make_tracks(position, ["nose"], rate), cohort / f"tracks/{name}.nc")
    report = check_cohort(cohort)
    assert report.tracks["p0_0"] == (0.8, 50) and report.tracks["p1_1"] == (19.2, 25)
    assert "own tracks    median 1.6 (0.8-19.2) s, 25 (25-50) Hz" in str(report)
    assert "most tracks have 25 Hz; others: p0_0 50 Hz: is that their rate?" in report.notes
    long = "half of the tracks last 1.6 s or less; far from that: p1_1 19.2 s:"
    assert [note for note in report.notes if note.startswith(long)]


def test_of_like_tracks_nothing_is_noted(cohort):
    report = check_cohort(cohort)
    assert len(report.tracks) == 12
    assert not [note for note in report.notes if "tracks" in note]


def test_a_level_that_no_row_has_right_is_told_once_with_the_number_of_rows(tmp_path):
    people = [f"p{number}" for number in range(40)]
    (tmp_path / "participants.tsv").write_text("\n".join(["participant_id", *people]))
    rows = [f"c{own}\t{own}\tt.nc\t0\tn/a\tsigns {own}" for own in people]
    header = "clip_id\tparticipant_id\ttracks\tstart\tend\tsign"
    (tmp_path / "clips.tsv").write_text("\n".join([header, *rows]))
    levels = {"sign": {"Role": "label", "Levels": {"absent": "", "present": ""}}}
    (tmp_path / "clips.json").write_text(json.dumps(levels))
    with pytest.raises(CohortError) as caught:
        Cohort.read(tmp_path, check_videos=False)
    assert len(caught.value.faults) == 40
    first, only = str(caught.value).splitlines()
    assert first.endswith("the cohort has 40 faults") and "row 2" in only
    assert "unknown level 'signs p0'" in only and only.endswith("(and 39 more like this)")

"""What a user's mistakes say, from the command line: one clear line, an exit status, nothing lost,
no traceback.
"""

import json
import wave

import numpy as np
import pytest

from semiology.cli.main import main
from semiology.video import write_video


def grey_video(path, seconds: float = 1.0) -> None:
    write_video(
        path, (np.full((96, 128, 3), 90 + n % 3, np.uint8) for n in range(int(seconds * 25))), 25
    )


@pytest.fixture
def bad_cohort(tmp_path):
    """One clip a kind of bad video; `grey` can be read, but nobody is in it."""
    videos = tmp_path / "cohort/videos"
    videos.mkdir(parents=True)
    grey_video(videos / "grey.mp4")
    grey_video(videos / "whole.mp4")
    (videos / "truncated.mp4").write_bytes((videos / "whole.mp4").read_bytes()[:400])
    (videos / "empty.mp4").write_bytes(b"")
    with wave.open(str(videos / "audio.wav"), "wb") as sound:
        (
            sound.setnchannels(1),
            sound.setsampwidth(2),
            sound.setframerate(8000),
            sound.writeframes(bytes(16000)),
        )
    rows = [
        (name.split(".")[0], name)
        for name in ("grey.mp4", "truncated.mp4", "empty.mp4", "audio.wav", "missing.mp4")
    ]
    lines = [
        f"{clip_id}\tp{number}\tvideos/{name}\t0\tn/a\tabsent"
        for number, (clip_id, name) in enumerate(rows)
    ]
    write_tables(tmp_path / "cohort", lines, 5)
    return tmp_path / "cohort"


def write_tables(folder, lines: list[str], people: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\tstart\tend\tdystonia\n" + "\n".join(lines) + "\n"
    )
    (folder / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"p{n}\n" for n in range(people))
    )
    (folder / "clips.json").write_text(
        json.dumps({"dystonia": {"Role": "label", "Levels": {"absent": "", "present": ""}}})
    )


def test_an_extraction_goes_on_past_bad_clips_and_lists_each_in_one_line(bad_cohort, capsys):
    assert main(["extract", str(bad_cohort), "--store", str(bad_cohort / "store")]) == 1
    printed = capsys.readouterr().out
    failed = {
        line.split(": ")[1]: line for line in printed.splitlines() if line.startswith("failed")
    }
    assert set(failed) == {"truncated", "empty", "audio", "missing"}
    assert "no video" in failed["audio"]
    assert "warning: grey: nobody was found" in printed
    assert (
        "Traceback" not in printed and str(bad_cohort) not in printed
    )  # clips by their id, never by a patient's file
    assert sorted(path.parent.name for path in (bad_cohort / "store").rglob("body-*.nc")) == [
        "grey"
    ]
    assert main(["extract", str(bad_cohort), "--store", str(bad_cohort / "store")]) == 1
    assert "1 were there already, 4 failed" in capsys.readouterr().out


def test_a_check_of_the_cohort_lists_them_too(bad_cohort, capsys):
    assert main(["cohort", "check", str(bad_cohort)]) == 2
    printed = capsys.readouterr().err
    assert 'row 6, column "video": there is no such file' in printed and "Traceback" not in printed


def test_every_fault_of_the_tables_is_reported_at_once(tmp_path, capsys):
    grey_video(tmp_path / "a.mp4")
    lines = [
        "c1\tp0\ta.mp4\t0\t1\tabsent",
        "c1\tp0\ta.mp4\t0\t1\tsevere",
        "c2\tp9\ta.mp4\t2\t1\tabsent",
    ]
    write_tables(tmp_path, lines, 2)
    assert main(["cohort", "check", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    for fault in (
        'row 3, column "clip_id"',
        'row 3, column "dystonia"',
        'row 4, column "participant_id"',
        "row 4: ends at 1 s, not after its start at 2 s",
    ):
        assert fault in printed
    assert "absent, present" in printed  # which levels there are


def test_a_participant_without_clips_is_noted(tmp_path, capsys):
    grey_video(tmp_path / "a.mp4")
    write_tables(tmp_path, ["c1\tp0\ta.mp4\t0\t1\tabsent"], 2)
    assert main(["cohort", "check", str(tmp_path)]) == 0
    assert "p1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["extract", "nowhere.mp4", "--out", "out"], "nowhere"),
        (["extract", "somewhere.mp4"], "need --out"),
        (["report", "nowhere"], "not found"),
        (["predict", "nowhere.mp4", "--model", "."], "holds no trained models"),
        (["fly"], "no verb 'fly'"),
    ],
)
def test_a_wrong_command_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) in (1, 2)
    output = capsys.readouterr()
    printed = [line for line in (output.out + output.err).splitlines() if message in line]
    assert len(printed) == 1 and "Traceback" not in output.err


@pytest.mark.parametrize("verb", ["extract", "deidentify"])
def test_videos_none_of_which_is_there_are_wrong_input(verb, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([verb, "no.mp4", "neither.mp4", "--out", str(out)]) == 2
    assert "no.mp4, neither.mp4: no such file" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_of_tracks_that_is_not_there_is_named_once(tmp_path, capsys):
    assert main(["lift", "train", "no.nc", "--out", str(tmp_path / "lifter.safetensors")]) == 2
    assert capsys.readouterr().err.count("no.nc") == 1


def test_a_config_that_is_not_text_is_refused(tmp_path, capsys):
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe")
    assert main(["loso", "--config", str(tmp_path / "run.yaml")]) == 2
    assert "not text in UTF-8" in capsys.readouterr().err

"""Files of others and of killed processes: YAML and JSON within bounds, temporary files, cells of
tables that a spreadsheet would compute.
"""

import os
import subprocess
import sys

import pandas as pd
import pytest

from semiology import UserError
from semiology.data.cohort.table import by_cell, from_cell, to_cell
from semiology.files import (
    atomic_folder,
    atomic_path,
    begin_folder,
    parse_yaml,
    read_json,
    read_yaml,
    remove_parts,
)


def doubling(steps):
    """A list of two, then a list of two aliases of the list before, and so on."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{step}: &a{step} [*a{step - 1}, *a{step - 1}]" for step in range(1, steps)]
    return "\n".join(lines)


def test_yaml_aliases_are_read_and_those_that_multiply_are_refused():
    assert parse_yaml("a: &same [1, 2]\nb: *same") == {"a": [1, 2], "b": [1, 2]}
    assert parse_yaml(doubling(3))["a2"] == [[["x", "x"], ["x", "x"]], [["x", "x"], ["x", "x"]]]
    for text in (doubling(40), "&a [*a]", "*b"):  # 2 ** 40 values of 600 letters; its own part
        with pytest.raises(ValueError, match="alias"):
            parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200,
        "- " * 5000 + "a",
        "a: [",
        "!!timestamp soon",
        "!!bool maybe",
        "1" * 5000,
        "a: 2026-99-99",
        "!!python/object/apply:os.getcwd []",
        "\x00",
    ],
)
def test_what_is_no_plain_yaml_is_one_line_with_the_path(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a.yaml: not YAML \(.*\); correct it") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_a_yaml_file_is_read_up_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("semiology.files.LONGEST_YAML", 10)
    (tmp_path / "a.yaml").write_text("a: 345678\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": 345678}
    (tmp_path / "a.yaml").write_text("a: 3456789\n")
    with pytest.raises(UserError, match="longer than"):
        read_yaml(tmp_path / "a.yaml")


def test_json_in_json_a_hundred_thousand_times_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"a\.json: not JSON .*too deep"):
        read_json(tmp_path / "a.json")


def killed(path):
    """Write half of a file in another process, which is killed; its temporary file."""
    code = (
        "import os, sys; from semiology.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as part: part.write_text('half'); print(part, flush=True);"
        " os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    return type(path)(done.stdout.strip())


def test_what_a_killed_process_left_is_deleted_and_nothing_else(tmp_path):
    left = killed(tmp_path / "clip" / "body.nc")
    assert left.read_text() == "half" and left.suffix == ".nc"
    foreign = left.with_name(f".part-00000000-{os.getpid()}-abcdefgh.nc")  # of another machine
    old = left.with_name(".part-00000000-1-abcdefgh.nc")
    ours = left.with_name(".part-notes.nc")  # a name that we never give
    for path in (foreign, old, ours):
        path.touch()
    os.utime(old, (0, 0))
    with atomic_path(tmp_path / "clip" / "face.nc") as open_now:
        remove_parts(tmp_path)  # not below
        assert left.exists()
        begin_folder(tmp_path)
        assert {*(tmp_path / "clip").iterdir()} == {foreign, ours, open_now}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip"]


def test_a_folder_that_a_killed_process_left_is_deleted_with_all_in_it(tmp_path):
    code = (
        "import os, sys; from semiology.files import atomic_folder\n"
        "with atomic_folder(sys.argv[1]) as part:\n"
        " (part / 'videos').mkdir(); (part / 'videos' / 'sz.mp4').touch()\n"
        " os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "cohort"], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "videos" / "sz.mp4").exists()
    with atomic_folder(tmp_path / "cohort") as part:
        (part / "clips.tsv").touch()
        remove_parts(tmp_path)  # its own is left alone
    assert [*tmp_path.rglob("*")] == [tmp_path / "cohort", tmp_path / "cohort" / "clips.tsv"]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError), atomic_folder(tmp_path / "cohort") as part:
        (part / "clips.tsv").touch()
        raise ValueError
    assert not [*tmp_path.iterdir()]
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "mine.txt").touch()
    with pytest.raises(UserError, match="is there already"), atomic_folder(tmp_path / "cohort"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["cohort", "mine.txt"]


def test_a_file_that_a_running_process_writes_is_left_alone(tmp_path):
    code = (
        "import sys; from semiology.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as part: print(part, flush=True); input()"
    )
    target = tmp_path / "body.nc"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, target], stdin=pipe, stdout=pipe, text=True
    ) as writer:
        part = type(target)(writer.stdout.readline().strip())
        remove_parts(tmp_path)
        assert part.exists()
        writer.communicate("\n")
    assert writer.returncode == 0 and [*tmp_path.iterdir()] == [target]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*; choose another folder"):
        begin_folder(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    "text", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-a", "-"]
)
def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe_and_is_read_back(text):
    assert to_cell(text) == f"'{text}"
    assert from_cell(to_cell(text)) == text


@pytest.mark.parametrize("value", ["-1", "+2.5", "-1e-3", "left", "'left'", "", "a=b", -1.5, None])
def test_numbers_and_other_text_stay_as_they_are(value):
    assert to_cell(value) == value == from_cell(value)


def test_a_table_is_written_and_read_back_with_its_text_and_its_numbers():
    table = pd.DataFrame({"=a": ["=1", "b", None], "-2": [-1.5, 2.0, 3.0], "n": [-1, 2, 3]})
    written = by_cell(table, to_cell)
    assert written.to_csv(index=False).splitlines() == [
        "'=a,-2,n",
        "'=1,-1.5,-1",
        "b,2.0,2",
        ",3.0,3",
    ]
    pd.testing.assert_frame_equal(by_cell(written, from_cell), table)

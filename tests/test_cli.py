"""The list of verbs says what each verb's own help says, lacks no action, and costs no heavy
import.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from semiology.cli.main import TASKS, VERBS, main

PAGE = (Path(__file__).resolve().parents[1] / "docs/verbs.md").read_text(encoding="utf-8")
WITHOUT_TORCH = """phantom, phantom seizures, cohort check, extract, report, audit, agreement,
    myoclonus, weakness, events score, events tune, events find, clock fit, clock convert, weights,
    deidentify,
    tracks import, tracks export, tracking, tracking select, tracking correct, tracking error,
    tracking truth, doctor"""


@pytest.fixture
def printed(capsys, monkeypatch):
    """What `semiology ... --help` prints, unwrapped."""
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*arguments: str) -> str:
        try:
            assert main([*arguments, "--help"]) == 0
        except SystemExit as done:
            assert done.code == 0
        return capsys.readouterr().out

    return run


def lines_of_verbs(text: str) -> dict[str, tuple[list[str], str]]:
    """Verb -> its actions and its line in the list of verbs."""
    lines = {}
    for verb, line in re.findall(r"^  (\w+) +(.*(?:\n {4,}.*)*)", text, flags=re.M):
        actions, what = re.fullmatch(
            r"(?:(\w+(?: \| \w+)+): )?(.*)", " ".join(line.split())
        ).groups()
        lines[verb] = (actions.split(" | ") if actions else [], what)
    return lines


def own_actions(text: str) -> list[str]:
    """The actions in a verb's own help: the list of actions, a parser's subcommands or choices, or
    the other cohorts of the phantom.
    """
    usage = text.split("\n\n")[0]
    if "ACTION" in usage:
        return re.findall(r"^  (\w+)  ", text, flags=re.M)
    if choices := re.search(r"\] \{([\w,]+)\}", usage):
        return choices[1].split(",")
    return re.findall(r"semiology phantom (\w+) OUT", text)


def test_every_verb_stands_under_its_task(printed):
    text = printed()
    assert re.findall(r"^(\w.*):$", text, flags=re.M) == list(TASKS)
    assert list(lines_of_verbs(text)) == list(VERBS)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("verb", VERBS)
def test_the_line_of_a_verb_is_the_first_sentence_of_its_help_and_names_its_actions(verb, printed):
    actions, line = lines_of_verbs(printed())[verb]
    own = printed(verb)
    description = " ".join(own.split("\n\n")[1].split())
    assert line and re.split(r"\.(?: (?=[A-Z])|$)", description)[0] == line
    assert own_actions(own) == actions


def test_the_newest_actions_are_in_the_list(printed):
    lines = lines_of_verbs(printed())
    assert lines["phantom"][0] == ["seizures", "actions", "myoclonus", "weakness", "contact"]
    assert lines["reproduce"][0] == ["hou2022", "gestures", "myasthenia", "s3"]


def test_every_line_of_an_action_is_the_first_sentence_of_its_help(printed):
    for verb in ("cohort", "tracks", "events", "reproduce", "pretrain", "lift", "tracking"):
        for action, line in re.findall(r"^  (\w+) +(.*)", printed(verb), flags=re.M):
            description = " ".join(printed(verb, action).split("\n\n")[1].split())
            assert re.split(r"\.(?: (?=[A-Z])|$)", description)[0] == line


def test_every_verb_and_action_is_on_the_page_of_verbs_under_its_task(printed):
    sections = dict(re.findall(r"^## (.*)\n\n((?:.*\n)*?)(?=\n## |\Z)", PAGE, flags=re.M))
    lines = lines_of_verbs(printed())
    for task, verbs in TASKS.items():
        named = re.findall(r"`(\w+(?: \w+)?)", sections[task])
        for verb in verbs:
            for action in lines[verb][0]:
                assert f"{verb} {action}" in named
            assert verb in {name.split()[0] for name in named}


def test_help_imports_nothing_heavy():
    code = f"""
import contextlib, io, sys
from semiology.cli.main import main
heavy = ("numpy", "jsonargparse", "torch")
with contextlib.redirect_stdout(io.StringIO()):
    main(["--help"])
assert not [name for name in heavy if name in sys.modules]
for case in {[case.split() for case in WITHOUT_TORCH.split(",")]!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([*case, "--help"])
    assert "torch" not in sys.modules, case
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["loso", "--help"], ["weights", "list"]])
def test_whoever_reads_the_output_may_stop_reading(arguments):
    code = "import sys; from semiology.cli.main import main; sys.exit(main(sys.argv[1:]))"
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert ran.stderr == "" and ran.returncode in (0, 141)  # argparse passes over it by itself


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_under_the_output_is_one_sentence():
    code = "import sys; from semiology.cli.main import main; sys.exit(main(['--help']))"
    with open("/dev/full", "w") as full:
        ran = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE)
    assert ran.stderr == b"semiology: the standard output: No space left on device\n"
    assert ran.returncode == 2


@pytest.mark.parametrize("columns", [0, 60, 200])
def test_bars_are_seen_on_a_terminal_of_any_size(columns):
    """A container's or a batch system's terminal may have no columns and no rows."""
    code = """
from semiology.cli.main import main
main(["--version"])
from tqdm import tqdm
for _ in tqdm(range(3), "reading"):
    pass
"""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", columns and 24, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TQDM")}
    subprocess.run([sys.executable, "-c", code], stderr=its, stdout=subprocess.DEVNULL, env=plain)
    assert b"reading: 100%" in os.read(ours, 65536)
    os.close(its)
    os.close(ours)


def test_a_map_in_the_place_of_a_list_is_one_sentence(tmp_path, capsys):
    (tmp_path / "options.yaml").write_text("raters: {a: 1, b: 2}\n")
    with pytest.raises(SystemExit):
        main(["agreement", "--config", str(tmp_path / "options.yaml")])
    assert "a map stands where a list of values belongs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("participants: [1, sub-02]", "YAML made the number 1 of a name; write names of digits in"),
        ("participants: [01, sub-02]", "YAML makes another number of 01; .* as '01'"),
        ("depth: 010", "YAML makes another number of 010; write a number without leading zeros"),
        ("seed: 1:30", "YAML makes another number of 1:30;"),
    ],
)
def test_what_yaml_reads_as_another_number_is_refused(tmp_path, capsys, option, said):
    (tmp_path / "options.yaml").write_text(f"{option}\n")
    with pytest.raises(SystemExit):
        main(["pretrain", "action", "--config", str(tmp_path / "options.yaml")])
    assert re.search(said, capsys.readouterr().err)


def test_a_verb_works_where_the_standard_error_is_closed():
    done = subprocess.run(
        ["sh", "-c", '"$0" -m semiology.cli.main --version 2>&-', sys.executable],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("semiology ")

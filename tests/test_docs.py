"""The code in README and docs runs as it stands, and prints what stands beside and below it."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from page_code import IMAGES, Output, rewritten, run_block, run_page

import semiology
from semiology.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "docs/examples").glob("*.md"))
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *EXAMPLES,
    ROOT / "data_manifests/README.md",
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_blocks_run_and_print_what_the_page_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data_manifests", "configs"):
        Path(folder).symlink_to(ROOT / folder)
    outputs = [
        output
        for block in run_page(page.read_text(encoding="utf-8"), page.name)
        for output in block
    ]
    assert [output for output in outputs if not output.agrees] == []
    if page in EXAMPLES:
        assert [output for output in outputs if output.shown is None] == []
        for figure in Path().glob("*.png"):
            kept, made = plt.imread(IMAGES / figure.name), plt.imread(figure)
            assert kept.shape == made.shape and np.sqrt(((kept - made) ** 2).mean()) < 0.05, (
                f"{figure}: make examples"
            )


def test_each_figure_of_the_examples_is_small_and_on_a_page_whose_code_makes_it():
    text = {page.name: page.read_text(encoding="utf-8") for page in EXAMPLES}
    for figure in IMAGES.iterdir():
        assert figure.stat().st_size < 60_000, figure
        assert [
            name
            for name, page in text.items()
            if f"images/examples/{figure.name})" in page and f'"{figure.name}"' in page
        ], figure


@pytest.mark.parametrize(
    ("code", "text", "agrees"),
    [
        ("print(2 + 1)  # 3", None, [True]),
        ("2 + 1  # 3", None, [True]),
        ("2 + 1  # 3: one a joint", None, [True]),
        ("2 + 1  # 4", None, [False]),
        ("2 + 1  # 3 joints", None, [False]),
        ("print(True)  # 1", None, [False]),
        ("print({'a': 1})  # {'a': 1}", None, [True]),
        ("print('/tmp/a/b.csv', 7)  # ... 7", None, [True]),
        ("value = 2 + 1  # a comment, since nothing is printed", None, []),
        ("# 4\nprint(3)", None, [True]),
        ("for n in range(2):\n    print(n)  # 0 1", None, [True]),
        ("print(1)\nprint(2)", "1\n2\n", [True]),
        ("print(1)\nprint(2)", "1\n3\n", [False]),
        ("print(1)  # 1\nprint(2)", "2\n", [True, True]),
        ("value = 1", "1\n", [False]),
    ],
)
def test_what_counts_as_an_output_and_when_it_agrees(code, text, agrees):
    assert [output.agrees for output in run_block(code + "\n", text, {}, "page")] == agrees


def test_an_output_names_its_line_and_a_page_is_rewritten_with_what_it_prints(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n```python\nx = 2\nx + 1  # 4\nprint(x)\n```\n\n```text\n5\n```\n\nText.\n"
    )
    ((beside, below),) = run_page(page.read_text(), "page")
    assert beside == Output(5, "4", "3\n", beside=True) and below == Output(
        7, "5\n", "2\n", beside=False
    )
    assert rewritten(page) == page.read_text().replace(
        "\n5\n", "\n2\n"
    )  # what stands beside a statement is left to its author


def test_the_readmes_road_from_videos_to_a_report(tmp_path, monkeypatch, capsys):
    """Every shell line under "Your own videos", on a phantom of four people in place of the user's
    cohort.
    """
    monkeypatch.chdir(tmp_path)
    assert (
        main(
            [
                "phantom",
                "my_cohort",
                "--subjects",
                "4",
                "--clips_per_subject",
                "1",
                "--seconds",
                "[2,2]",
                "--dystonia",
                "0.5",
                "--seed",
                "13",
            ]
        )
        == 0
    )
    readme = ROOT / "README.md"
    for block in blocks(readme, "yaml"):
        name = re.match(r"# (\S+\.yaml)", block)
        assert name, "a YAML block in the README begins with its file's name"
        assert "epochs: 40" in block
        Path(name[1]).write_text(block.replace("epochs: 40", "epochs: 2"), encoding="utf-8")
    video = next(Path("my_cohort/videos").glob("sub-01*"))
    ran = []
    for line in "\n".join(blocks(readme, "bash")).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            assert words[0] == "semiology", line
            words = [str(video) if word.startswith("my_cohort/videos/") else word for word in words]
            assert main(words[1:]) in ((0, 1) if words[1] == "loso" else (0,)), line
            ran.append(words[1])
    assert ran == ["doctor", "cohort", "extract", "loso", "predict"]
    assert Path("my_run/report.html").is_file() and Path("my_prediction/overlay.mp4").is_file()
    assert "all well" in capsys.readouterr().out


def test_every_verb_is_on_the_page_of_verbs_and_every_link_leads_somewhere():
    page = (ROOT / "docs/verbs.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"`{verb}" not in page] == []
    for source in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", source.read_text(encoding="utf-8")):
            assert (source.parent / target).exists(), f"{source.name} links to {target}"


def test_every_public_name_is_on_the_api_page_and_in_the_readme():
    api = (ROOT / "docs/api/index.md").read_text(encoding="utf-8")
    headings = re.findall(r'heading: "semiology\.(\w+)"', api)
    assert sorted(headings) == sorted(semiology.__all__)
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## From Python")[2]
    named = re.findall(r"`(\w+)`", table.partition("| | |")[2].partition("\n\n")[0])
    assert sorted(named) == sorted(semiology.__all__)


def test_what_contributing_says_is_where_is_there():
    page = (ROOT / "docs/contributing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| Where [^|]*\| `([^`]+)` \| (.*) \|$", page, flags=re.M)
    assert len(rows) == page.count("| Where ")
    for file, there in rows:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(
            rf"^( *def |class |){re.escape(re.findall('`([^`]+)`', there)[0])}\b", text, re.M
        ), file
        for other in re.findall(r"`([\w/]+\.(?:py|jinja))`", there):
            assert (ROOT / other).is_file() or (ROOT / file).with_name(other).is_file(), other


def test_what_the_page_of_source_tags_quotes_stands_in_the_file_it_names():
    page = (ROOT / "docs/source_tags.md").read_text(encoding="utf-8")
    examples = page.partition("## Examples")[2].partition("## ")[0]
    rows = re.findall(r"^\| .*\]\(([^)]+)\)[^|]*\| `([^`]+)`.*\|$", examples, flags=re.M)
    assert len(rows) == examples.count("\n| ") - 1
    for file, quoted in rows:
        text = (ROOT / "docs" / file).read_text(encoding="utf-8")
        assert quoted in " ".join(text.split()), (file, quoted)

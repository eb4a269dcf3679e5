"""The code in README and docs runs as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from semiology.cli.main import VERBS, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "data_manifests/README.md",
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_blocks_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data_manifests", "configs"):
        Path(folder).symlink_to(ROOT / folder)
    names: dict = {"__name__": page.stem}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


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
                "3",
            ]
        )
        == 0
    )
    readme = ROOT / "README.md"
    for block in blocks(readme, "yaml"):
        name = re.match(r"# (\S+\.yaml)", block)
        assert name, "a YAML block in the README begins with its file's name"
        Path(name[1]).write_text(block, encoding="utf-8")
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

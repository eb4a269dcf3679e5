"""The verb demo: its stages and their times. The stages themselves are tested each by its own
verb.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from semiology.cli import demo
from semiology.cli.demo import Times, middle_frame, run_demo
from semiology.errors import UserError
from semiology.tracking.extraction import ExtractOptions
from semiology.video import write_video

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def at(monkeypatch, *seconds: float) -> None:
    """Let the clock show these times, one after the other."""
    monkeypatch.setattr(demo.time, "monotonic", iter(seconds).__next__)


def test_a_stages_time_is_that_of_all_calls_until_it_is_done(tmp_path, monkeypatch):
    times = Times.read(tmp_path / "stages.tsv")
    at(monkeypatch, 0, 30, 100, 110)
    with times.of("rendering"):
        pass
    with pytest.raises(KeyboardInterrupt), times.of("tracking"):
        raise KeyboardInterrupt
    assert times.rows()[1:] == [
        ("rendering", "30.0", "75.0%", "yes"),
        ("tracking", "10.0", "25.0%", "no"),
        ("total", "40.0", "100.0%", ""),
    ]
    resumed = Times.read(tmp_path / "stages.tsv")
    at(monkeypatch, 0, 0, 50)
    with resumed.of("rendering"):  # finds its work there
        pass
    with resumed.of("tracking"):
        pass
    assert resumed.seconds == {"rendering": 30.0, "tracking": 60.0}
    assert Times.read(tmp_path / "stages.tsv").rows() == resumed.rows()


def test_another_table_of_times_counts_as_none(tmp_path):
    (tmp_path / "stages.tsv").write_text("name\tvalue\na\t1\n")
    assert Times.read(tmp_path / "stages.tsv").seconds == {}


def test_the_stages_run_in_order_and_the_report_is_the_last(tmp_path, monkeypatch, capsys):
    run, called = tmp_path / "run", []
    monkeypatch.setattr(demo, "verb", lambda arguments: called.append(list(arguments)))
    monkeypatch.setattr(demo, "at_once", called.extend)
    monkeypatch.setattr(demo, "middle_frame", lambda video, picture: None)
    assert run_demo([str(run), "--configs", str(CONFIGS)]) == 0
    assert [command[0] for command in called] == [
        *("phantom", "extract"),  # the first look
        *("phantom", "cohort", "pretrain", "pretrain", "extract", "tracking"),
        *("loso", "explain", "report"),
    ]
    assert f"{run / 'first_look' / 'sub-01_sz-01.png'}" in capsys.readouterr().out
    for command in called:  # every file that a stage reads is there
        config = command[command.index("--config") + 1] if "--config" in command else None
        assert config is None or Path(config).is_file()


def test_without_configs_the_demo_says_where_they_are(tmp_path):
    with pytest.raises(UserError, match="clone of the repository"):
        run_demo([str(tmp_path / "run"), "--configs", str(tmp_path)])


def test_the_demo_is_tracked_at_the_rate_that_its_networks_read():
    tracked = yaml.safe_load((CONFIGS / "demo_extract.yaml").read_text())
    options = ExtractOptions(**tracked)
    tasks = yaml.safe_load((CONFIGS / "demo.yaml").read_text())["tasks"]
    assert {task["reading"]["rate"] for task in tasks.values()} == {options.fps}


def test_the_middle_frame_of_a_film(tmp_path):
    film = [np.full((64, 96, 3), level, np.uint8) for level in (20, 60, 100, 140, 180)]
    write_video(tmp_path / "film.mp4", film, 25)
    middle_frame(tmp_path / "film.mp4", tmp_path / "middle.png")
    assert np.asarray(Image.open(tmp_path / "middle.png")).mean() == pytest.approx(100, abs=25)

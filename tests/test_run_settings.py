"""The settings of a run: defined once, read without torch, checked leniently in a finished run."""

import subprocess
import sys

import pytest

from semiology import UserError
from semiology.evaluation.run.files import read_config


def test_settings_and_records_are_read_without_torch():
    code = (
        "import sys;"
        "import semiology.evaluation.run.settings, semiology.evaluation.run.records;"
        "import semiology.evaluation.run.files, semiology.evaluation.report;"
        "print(sorted({'torch', 'lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_finished_run_may_lack_settings_and_have_others_but_what_it_has_is_of_the_right_kind(
    tmp_path,
):
    path = tmp_path / "config.yaml"
    path.write_text(
        "models: {agcn: {schedule: {epochs: 4, mood: high}}, tcn: null}\nweather: fair\n"
    )
    config, text = read_config(path)
    assert config["models"]["agcn"]["schedule"]["epochs"] == 4 and "weather" in text
    path.write_text("models: {agcn: {schedule: {epochs: many}}}\n")
    with pytest.raises(UserError, match=r"config\.yaml: models\.agcn\.schedule\.epochs: "):
        read_config(path)
    path.write_text("fusions: [{task: both, model: mean}]\n")
    with pytest.raises(UserError, match=r"config\.yaml: fusions\.0\.members: "):
        read_config(path)

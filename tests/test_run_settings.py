"""The settings of a run: defined once, read without torch, checked leniently in a finished run."""

import subprocess
import sys

import pytest

from semiology import UserError
from semiology.evaluation.run.files import places_from, places_of, read_config, run_size
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.models.networks import Network
from semiology.models.training.reading import Reading


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


def reading():
    return Reading(label="dystonia", part="body", skeleton="upper_body_11")


@pytest.mark.parametrize(
    "name",
    [
        *("agcn/kd", "../../../esc", "..", "", "a\\b", "a\nb", "con", "nul.txt", "a:b", "a."),
        *("x" * 300, "a\u202eb"),
    ],
)
def test_a_name_that_cannot_name_a_file_is_refused_before_any_work(name):
    network = Network("agcn")
    with pytest.raises(UserError, match=r"model .* cannot name a file|model .* use at most 100"):
        Protocol("c", "o", {"dystonia (pose)": Task(reading())}, {name: Model(network)})
    with pytest.raises(UserError, match=r"task .* cannot name a file|task .* use at most 100"):
        Protocol("c", "o", {name: Task(reading())}, {"agcn": Model(network)})


def test_a_task_needs_a_letter_or_digit_for_its_folder():
    with pytest.raises(UserError, match="task '\\(\\)': its folder is named by its letters"):
        Protocol("c", "o", {"()": Task(reading())}, {"agcn": Model(Network("agcn"))})
    named = Protocol(
        "c", "o", {"Dystonie (Körper) 1.5 s": Task(reading())}, {"a b": Model(Network("agcn"))}
    )
    assert list(named.tasks) == ["Dystonie (Körper) 1.5 s"]


def test_a_config_names_folders_from_the_run_where_they_have_a_folder_in_common(tmp_path):
    run = tmp_path / "runs" / "a"
    settings = {"cohort": str(tmp_path / "data"), "store": None, "out": str(run), "jobs": 2}
    kept = places_from(settings, run)
    assert kept == {"cohort": "../../data", "store": None, "out": ".", "jobs": 2}
    assert places_of(kept, run / "config.yaml") == settings
    assert places_of(kept, run / "mine.yaml") == kept  # a config of the user's: from here
    assert places_of(kept | {"out": "run"}, run / "config.yaml")["cohort"] == "../../data"
    apart = places_from(settings | {"cohort": "/elsewhere"}, run)
    assert apart["cohort"] == "/elsewhere"
    assert places_of(apart, run / "config.yaml")["cohort"] == "/elsewhere"


def test_a_run_says_how_large_it_is_and_nothing_where_it_holds_no_predictions(tmp_path):
    assert run_size(tmp_path) == ""
    table = tmp_path / "predictions.csv"
    table.write_text("clip_id,participant_id,model\n")
    assert run_size(tmp_path) == ""
    table.write_text("clip_id,participant_id,model\na,p,agcn\nb,p,agcn\na,p,tcn\nc,q,tcn\n")
    assert run_size(tmp_path) == f"{tmp_path}: 3 clips of 2 participants, 2 models"
    table.write_text("clip_id,model\na,agcn\n")
    assert run_size(tmp_path) == ""

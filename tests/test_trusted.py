"""A config or a model of somebody else runs nothing of theirs: no class that it names is imported
or built, unless the caller allows its module. The class that is named here would write a file.
"""

import copy
import sys
from pathlib import Path

import pytest
import torch
import yaml

import semiology
from semiology import UserError, load_skeleton
from semiology.cli.main import main
from semiology.data.result import allowed_modules, allowing, from_options
from semiology.evaluation.run.settings import Protocol
from semiology.files import read_json, write_json
from semiology.models.networks import AGCN, Network, StreamShape
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel, load_model

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SHAPE = StreamShape(2, load_skeleton("upper_body_11"), 3)
NAMED = {"class_path": "planted_networks.Own", "init_args": {}}
CODE = """
from pathlib import Path
from semiology.models.networks.agcn import AGCN
(Path(__file__).parent / "imported").touch()
class Own(AGCN):
    def __init__(self, shape, widths=(8,)):
        (Path(__file__).parent / "built").touch()
        super().__init__(shape, widths)
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The folder of a module that could be imported; what was done with it: "imported", "built"."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "planted_networks.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "planted_networks", raising=False)
    yield lambda: {path.name for path in folder.iterdir()} & {"imported", "built"}
    sys.modules.pop("planted_networks", None)


def settings() -> dict:
    return {
        "cohort": "no_cohort",
        "out": "run",
        "tasks": {"a": {"reading": {"label": "dystonia", "part": "body"}}},
        "models": {"agcn": {"network": {"stream": "agcn", "options": {"widths": [8]}}}},
    }


def put(content: dict, place: str, value: object) -> dict:
    """A copy with a value at a place such as models/agcn/network."""
    content = copy.deepcopy(content)
    *above, last = place.split("/")
    inner = content
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return content


def run(*arguments: str) -> int | str | None:
    try:
        return main(arguments)
    except SystemExit as done:
        return done.code


PLACES = [
    "cohort",
    "tasks",
    "tasks/a",
    "tasks/a/reading",
    "tasks/a/split",
    "models",
    "models/agcn",
    "models/agcn/network",
    "models/agcn/network/stream",
    "models/agcn/network/options",
    "models/agcn/network/options/dropout",
    "models/agcn/schedule",
    "split",
    "fusions",
    "augmentation",
    "batch_size",
    "selections",
]
FORMS = [NAMED, "planted_networks.Own", str(NAMED), [NAMED]]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", FORMS, ids=["map", "path", "text", "list"])
def test_a_config_of_loso_builds_no_class(planted, tmp_path, monkeypatch, place, value):
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(yaml.safe_dump(put(settings(), place, value)))
    assert run("loso", "--config", "run.yaml") == 2
    with pytest.raises(UserError):
        semiology.loso(put(settings(), place, value))
    assert planted() == set()


def test_a_command_line_builds_no_class_either(planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(yaml.safe_dump(settings()))
    for more in (["--split", "planted_networks.Own"], ["--split.class_path=planted_networks.Own"]):
        assert run("loso", "--config", "run.yaml", *more) == 2
    assert planted() == set()


TRAINER = ("accelerator", "callbacks", "logger", "plugins", "profiler", "strategy")


@pytest.mark.parametrize(
    "place",
    [
        "model",
        "model/class_path",
        "model/init_args/network",
        "model/init_args/network/stream",
        "model/init_args/network/options/dropout",
        "data",
        "data/source",
        "data/source/reading",
        "data/augmentation",
        "optimizer",
        "lr_scheduler",
        "ckpt_path",
        *(f"trainer/{name}" for name in TRAINER),
    ],
)
def test_a_config_of_train_builds_no_class(planted, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((CONFIGS / "train_agcn.yaml").read_text())
    for value in FORMS:
        Path("run.yaml").write_text(yaml.safe_dump(put(content, place, value)))
        assert run("train", "fit", "--config", "run.yaml") == 2
    assert planted() == set()


def test_classes_of_lightning_are_not_built_from_a_config_and_allow_is_no_setting(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load((CONFIGS / "train_agcn.yaml").read_text())
    for change in (
        {"trainer": {"logger": {"class_path": "lightning.pytorch.loggers.CSVLogger"}}},
        {"trainer": {"callbacks": "ModelCheckpoint"}},
    ):
        Path("run.yaml").write_text(yaml.safe_dump(content | change))
        assert run("train", "fit", "--config", "run.yaml") == 2
        assert "only classes of semiology are built from a config" in capsys.readouterr().err
    for change in ({"allow": "planted_networks"}, {"weights_only": False}):
        Path("run.yaml").write_text(yaml.safe_dump(content | change))
        assert run("train", "fit", "--config", "run.yaml") == 2
        assert f"does not accept option '{next(iter(change))}'" in capsys.readouterr().err
    Path("run.yaml").write_text(yaml.safe_dump(settings() | {"allow": ["planted_networks"]}))
    assert run("loso", "--config", "run.yaml") == 2
    with pytest.raises(UserError, match="no option 'allow'"):
        from_options(settings() | {"allow": ["planted_networks"]}, Protocol, "loso")


class Planted:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_checkpoint_that_holds_more_than_tensors_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Planted(tmp_path / "was_run")}, "planted.ckpt")
    content = yaml.safe_load((CONFIGS / "train_agcn.yaml").read_text())
    Path("run.yaml").write_text(yaml.safe_dump(content | {"ckpt_path": "planted.ckpt"}))
    assert run("train", "fit", "--config", "run.yaml") == 2
    assert "ckpt_path: holds more than tensors" in capsys.readouterr().err
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("paper", ["hou2022", "myasthenia"])
def test_settings_of_a_reproduction_build_no_class(planted, tmp_path, paper):
    (tmp_path / "clips.tsv").touch()
    for value in FORMS:
        changed = {"models": {"agcn": {"network": value}}}
        (tmp_path / "settings.yaml").write_text(yaml.safe_dump(changed))
        with pytest.raises(UserError):
            semiology.reproduce(
                paper, cohort=tmp_path, out=tmp_path / "run", settings=tmp_path / "settings.yaml"
            )
    assert planted() == set()


def test_a_model_folder_builds_no_class_unless_its_module_is_allowed(planted, tmp_path):
    options = Network("agcn", {"widths": [8]})
    reading = Reading(label="dystonia", part="body", skeleton="upper_body_11")
    SavedModel(AGCN(SHAPE, [8]), options, reading, ["no", "yes"], SHAPE, {}).save(tmp_path)
    content = read_json(tmp_path / "model.json")
    content["network"]["stream"] = "planted_networks.Own"
    write_json(tmp_path / "model.json", content, checksummed=True)
    with pytest.raises(UserError, match="needs --allow planted_networks on the command line"):
        load_model(tmp_path)
    with allowing(["planted"]), pytest.raises(UserError, match="needs --allow planted_networks"):
        load_model(tmp_path)
    assert planted() == set()
    with allowing(["planted_networks"]):
        assert type(load_model(tmp_path).network).__name__ == "Own"
    assert planted() == {"imported", "built"}
    assert allowed_modules() == ()


def test_an_allowed_network_stays_one_in_another_process_with_the_networks_among_its_options(
    planted,
):
    encoder = {"stream": "planted_networks.Own", "options": {"widths": [8]}}
    with pytest.raises(UserError, match="needs --allow planted_networks"):
        Network("segments", {"encoder": encoder})(SHAPE)
    assert planted() == set()
    with allowing(["planted_networks"]):
        network = Network("segments", {"encoder": encoder})
    sent = copy.deepcopy(network)  # as a worker gets it
    assert type(sent(SHAPE).encoder).__name__ == "Own"


def test_options_of_a_network_are_what_a_file_can_hold():
    with pytest.raises(UserError, match="widths: Linear; options are numbers, text, lists"):
        Network("agcn", {"widths": [torch.nn.Linear(1, 1)]})


def test_the_command_line_allows_a_module_and_says_so(planted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = put(settings(), "models/agcn/network/stream", "planted_networks.Own")
    Path("run.yaml").write_text(yaml.safe_dump(content))
    assert run("loso", "--config", "run.yaml", "--allow", "planted_networks") == 2
    said = capsys.readouterr().err
    assert "classes of planted_networks may be named" in said
    assert "no_cohort" in said.splitlines()[-1]  # the next thing that is wrong
    assert planted() == {"imported"}
    for module in ("", "../planted", "jsonargparse"):
        assert run("loso", "--config", "run.yaml", f"--allow={module}") == 2
    assert allowed_modules() == ()


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: &a [x, x]\n" * 2 + "b: &b [*a, *a]\nc: &c [*b, *missing]", "a: ${b}"]
)
def test_a_config_is_read_within_bounds_and_as_it_stands(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(text)
    for verb in ("loso", "train fit", "extract", "timeline"):
        assert run(*verb.split(), "--config", "run.yaml") == 2
    with pytest.raises(UserError, match=r"run\.yaml"):
        semiology.loso("run.yaml")


def test_a_text_in_a_config_that_would_grow_as_yaml_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    steps = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    content = settings() | {"batch_size": "{" + ", ".join(steps) + "}"}  # 2 ** 40 values
    Path("run.yaml").write_text(yaml.safe_dump(content))
    assert run("loso", "--config", "run.yaml") == 2
    assert "its aliases add more than" in capsys.readouterr().err
    with pytest.raises(UserError, match="its aliases add more than"):
        semiology.loso(content)

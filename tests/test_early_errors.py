"""Mistakes in a config are found before torch is imported."""

import inspect
import json
import subprocess
import sys

import pytest
import yaml

from semiology.models.networks import NETWORKS, Network
from semiology.models.networks.base import _stated_options

RIGHT = {
    "tasks": {"swing": {"reading": {"label": "swing", "window": 16}}},
    "models": {"agcn": {"network": {"stream": "agcn", "options": {"widths": [8]}}}},
    "validation": 0.0,
}
MISTAKES = {  # what stands wrong in the text of the config, and a part of the answer
    "no such cohort": (("cohort: ", "cohort: elsewhere_"), "there is no such folder"),
    "no such key": (("validation: ", "validatoin: "), "'validatoin' is not accepted"),
    "no such label": (("label: swing", "label: sing"), "defines no label 'sing'"),
    "no such skeleton": (("window: 16", "skeleton: kinect_25"), "skeleton 'kinect_25': not found"),
    "no such joints": (("window: 16", "skeleton: kinect_20"), "hold no keypoints for"),
    "other dimensions": (("window: 16", "dimensions: 3"), "dimensions: 3 requested"),
    "no such network": (("stream: agcn", "stream: agnc"), "stream 'agnc': cannot be imported"),
    "no such option": (("widths", "width"), "agcn: has no option width"),
}
RUN = """
import json, sys
from semiology.cli.main import main
for path in sys.argv[1:]:
    try:
        status = main(["loso", "--config", path])
    except SystemExit as stopped:
        status = stopped.code
    print(json.dumps([status, sorted({"torch", "lightning", "sklearn"} & set(sys.modules))]))
    print("=====", file=sys.stderr, flush=True)
"""


def test_mistakes_are_answered_without_torch(shared_cohort, tmp_path):
    text = yaml.safe_dump({"cohort": str(shared_cohort), "out": str(tmp_path / "run"), **RIGHT})
    paths = []
    for name, (change, _) in MISTAKES.items():
        assert text.count(change[0]) == 1
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(text.replace(*change))
    command = [sys.executable, "-c", RUN, *map(str, paths)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = found.stderr.split("=====")[:-1]
    for (_, expected), answer in zip(MISTAKES.values(), answers, strict=True):
        assert expected in " ".join(answer.split()) and "Traceback" not in answer
    assert {tuple(map(str, json.loads(line))) for line in found.stdout.splitlines()} == {
        ("2", "[]")
    }
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("stream", NETWORKS)
def test_options_read_from_the_source_are_those_of_the_class(stream):
    stated = _stated_options(stream)
    known = list(inspect.signature(Network(stream)._class).parameters)[1:]
    assert stated is None or stated == known
    assert stated == known or stream not in ("agcn", "tcn", "gat", "ctrgcn", "transformer")

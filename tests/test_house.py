"""The order of the packages, and what `make bench NAME=house` counts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def house(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import house

    yield house
    sys.modules.pop("house")


def test_packages_import_only_what_stands_below_them():
    """In a process of its own: the linter's logging setup switches off every other logger."""
    code = "import sys, importlinter.cli as c; sys.exit(c.lint_imports(no_cache=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_the_whole_of_evaluation_is_imported_without_torch():
    code = (
        "import sys, pkgutil, importlib, semiology.evaluation as e\n"
        "names = [m.name for m in pkgutil.walk_packages(e.__path__, e.__name__ + '.')]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, torch = run.stdout.split()
    assert int(count) > 30 and torch == "False"


def test_every_entry_of_the_package_has_a_place_in_the_order(house):
    entries = {Path(name).stem for name in house.top_level()} - {"__init__", "py"}
    assert {name for layer in house.layers() for name in layer} == entries


def test_a_circle_is_found_once_and_what_leads_to_it_is_not_in_it(house, monkeypatch):
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("c", "e"), ("f", "g"), ("g", "f")]
    monkeypatch.setattr(house, "imports", lambda: pairs)
    assert house.import_circles() == ("a <-> b <-> c", "f <-> g")


def test_imports_up_and_sideways_are_found_and_those_down_or_within_are_not(house, monkeypatch):
    pairs = [
        ("semiology.data.tracks", "semiology.files"),
        ("semiology.data.tracks", "semiology.data.skeleton"),
        ("semiology.data.tracks", "semiology.models.streams"),
        ("semiology.weights", "semiology.parallel"),
        ("semiology.video", "semiology"),
    ]
    monkeypatch.setattr(house, "imports", lambda: pairs)
    assert house.upward_imports() == (
        "semiology.data.tracks -> semiology.models.streams",
        "semiology.weights -> semiology.parallel",
        "semiology.video -> semiology",
    )


def test_docstrings_are_counted_in_public_names_and_their_words_everywhere(house):
    path = ROOT / "semiology/errors.py"
    source = '''"""One two three four five."""
def sleep(): ...
def _private():
    """Four words are too-few."""
class Held:
    """A class of six whole words."""
    def method(self): ...
    def _hidden(self): ...
'''
    trees = {path: ast.parse(source)}
    assert list(house.undocumented(trees)) == [
        "semiology/errors.py:2 sleep",
        "semiology/errors.py:7 Held.method",
    ]
    assert list(house.short_docstrings(trees)) == ["semiology/errors.py:3 Four words are too-few."]


def test_no_import_runs_up_and_no_modules_import_each_other_in_a_circle(house):
    assert len(house.imports()) > 1000  # the graph is there: an empty one has no circles either
    assert house.upward_imports() == ()
    assert house.import_circles() == ()
    assert len(house.top_level()) <= 16

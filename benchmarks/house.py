"""The shape of the code, counted from the code: entries, imports, files, docstrings, lines.

`make bench NAME=house`; with `ARGS=--offenders` each name that misses a target is printed too. The
order of the packages is that of the import linter's contract in pyproject.toml.
"""

import argparse
import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grimp
from record import record

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "semiology"
WORDS = 5  # of a docstring, at least
COLUMNS = 100  # of a line, at most


@dataclass(frozen=True)
class Count:
    """One figure beside its target.

    Attributes:
        value: what was counted.
        lowest: of the values that meet the target.
        highest: of them; the target is met from `lowest` to `highest`.
        offenders: what was counted, where one could mend it.
    """

    value: float
    highest: float
    lowest: float = 0
    offenders: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the value meets its target."""
        return self.lowest <= self.value <= self.highest

    @property
    def target(self) -> str:
        """The target in words."""
        if self.lowest:
            return f"{self.lowest:g} to {self.highest:g}"
        return f"at most {self.highest:g}" if self.highest else "0"


def main() -> int:
    """Print every count beside its target and record them; exit status 0 where all are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--offenders", action="store_true", help="print what misses its target")
    arguments = parser.parse_args()
    counts = count_all()
    for name, count in counts.items():
        state = "met" if count.met else "NOT met"
        print(f"{name:<42} {count.value:>6g}   target {count.target:<12} {state}")
        if arguments.offenders and not count.met:
            print(*(f"    {offender}" for offender in count.offenders), sep="\n")
    missed = [name for name, count in counts.items() if not count.met]
    return record(
        "house",
        {name: count.value for name, count in counts.items()},
        "; ".join(f"{name} {count.target}" for name, count in counts.items()),
        not missed,
        headline=f"{len(counts) - len(missed)} of {len(counts)} counts meet their targets",
    )


def count_all() -> dict[str, Count]:
    """Every count by its name."""
    entries = top_level()
    files = sorted(PACKAGE.rglob("*.py"))
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    up, circles = upward_imports(), import_circles()
    bare = tuple(undocumented(trees))
    short = tuple(short_docstrings(trees))
    long = tuple(long_lines())
    middle = [name_of(path) for path in sorted(files, key=lambda path: lengths[path])]
    return {
        "entries at the top level of semiology/": Count(len(entries), 16, offenders=entries),
        "imports that run up the order of packages": Count(len(up), 0, offenders=up),
        "circles of modules that import each other": Count(len(circles), 0, offenders=circles),
        "Python files in semiology/": Count(len(files), 320, offenders=tuple(middle)),
        "median lines of a file": Count(median(lengths.values()), 200, 100, tuple(middle)),
        "public names without a docstring": Count(len(bare), 0, offenders=bare),
        f"docstrings under {WORDS} words": Count(len(short), 0, offenders=short),
        f"lines over {COLUMNS} columns": Count(len(long), 0, offenders=long),
    }


def name_of(path: Path) -> str:
    """A file's path in the repository."""
    return path.relative_to(ROOT).as_posix()


def top_level() -> tuple[str, ...]:
    """Folders and files at the top of the package, what Python itself writes aside."""
    return tuple(sorted(path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"))


def layers() -> list[list[str]]:
    """Packages and modules from the highest to the lowest; those of one list are side by side."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def imports() -> list[tuple[str, str]]:
    """Every (importer, imported) pair of the package's modules: imports within functions too, those
    for annotations only not.
    """
    graph = grimp.build_graph("semiology", exclude_type_checking_imports=True, cache_dir=None)
    return sorted(
        (module, imported)
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    )


def upward_imports() -> tuple[str, ...]:
    """Imports of something that stands higher, or beside."""
    rank = {name: i for i, layer in enumerate(layers()) for name in layer}
    rank["__init__"] = -1
    found = []
    for importer, imported in imports():
        above, below = (
            module.split(".")[1] if "." in module else "__init__" for module in (importer, imported)
        )
        if above != below and rank[below] <= rank[above]:
            found.append(f"{importer} -> {imported}")
    return tuple(found)


def import_circles() -> tuple[str, ...]:
    """Groups of modules each of which leads back to itself: strongly connected components."""
    after: dict[str, set[str]] = {}
    for importer, imported in imports():
        after.setdefault(importer, set()).add(imported)
    reached = {module: reachable(module, after) for module in after}
    circles = {
        frozenset(other for other in found if module in reached.get(other, set()))
        for module, found in reached.items()
        if module in found
    }
    return tuple(sorted(" <-> ".join(sorted(circle)) for circle in circles))


def reachable(module: str, after: dict[str, set[str]]) -> set[str]:
    """Modules that a module imports, directly or through others."""
    found: set[str] = set()
    ahead = [module]
    while ahead:
        new = after.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Public functions and classes of a module, and the public methods of these classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, kinds) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


def undocumented(trees: dict[Path, ast.Module]) -> Iterator[str]:
    """Public names without a docstring, where they stand."""
    for path, tree in trees.items():
        for name, node in definitions(tree):
            if not ast.get_docstring(node):
                yield f"{name_of(path)}:{node.lineno} {name}"


def short_docstrings(trees: dict[Path, ast.Module]) -> Iterator[str]:
    """Docstrings of fewer than WORDS words, of modules and private names too."""
    kinds = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            text = ast.get_docstring(node) if isinstance(node, kinds) else None
            if text and len(text.split()) < WORDS:
                yield f"{name_of(path)}:{getattr(node, 'lineno', 1)} {text}"


def long_lines() -> Iterator[str]:
    """Lines of the package, the tests and the benchmarks that are too wide."""
    for folder in ("semiology", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if len(line) > COLUMNS:
                    yield f"{name_of(path)}:{number} {len(line)} columns"


if __name__ == "__main__":
    raise SystemExit(main())

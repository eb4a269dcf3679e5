"""What functions of the public API return, and how they read their options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields, is_dataclass
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from semiology.errors import UserError
from semiology.files import AliasesMultiply, parse_yaml

T = TypeVar("T")
ROWS = 12  # rows of a table, lines of a list or dict that are printed [our choice]


class Result(Mapping[str, Any]):
    """What a function of the public API returns: fields by name, printed for reading, and as HTML
    in a notebook.

    Parameters
    ----------
    title : str
        What was computed; the first line when it is printed.
    **values
        The fields: numbers, text, paths, lists, dicts, tables (pandas.DataFrame).

    Raises
    ------
    AttributeError
        No such field; those that exist are named.

    Examples
    --------
    >>> result = semiology.Result("Extraction", clips=12, failed=["sub-03_sz-01"])
    >>> result.clips
    12
    >>> print(result)
    Extraction
      clips   12
      failed  sub-03_sz-01
    """

    def __init__(self, title: str, **values: Any) -> None:
        self._title, self._values = title, values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # also while a copy is made, before there are fields
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        raise AttributeError(f"{self._title}: no field {name!r}; fields are {', '.join(self)}")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        width = max(map(len, self._values), default=0) + 2
        lines = [self._title]
        for name, value in self._values.items():
            first, *more = _as_text(value).split("\n")
            lines.append(f"  {name:<{width}}{first}".rstrip())
            lines += [f"  {'':<{width}}{line}".rstrip() for line in more]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left;vertical-align:top'>{escape(name)}</th>"
            f"<td style='text-align:left'>{_as_html(value)}</td></tr>"
            for name, value in self._values.items()
        )
        return f"<strong>{escape(self._title)}</strong><table>{rows}</table>"


def _as_text(value: Any) -> str:
    if hasattr(value, "to_string"):
        if not len(value):
            return "no rows"
        text = value.head(ROWS).to_string(index=False)
        return text + (f"\n... {len(value)} rows" if len(value) > ROWS else "")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return _first([line for key in value for line in _entry(key, value[key])])
    if isinstance(value, list | tuple):
        return _first([line for entry in value for line in _as_text(entry).split("\n")])
    return "none" if value is None else str(value)


def _entry(key: Any, value: Any) -> list[str]:
    """A key with its value; several lines and nested mappings are indented below it."""
    lines = _as_text(value).split("\n")
    if len(lines) == 1 and not (isinstance(value, Mapping) and value):
        return [f"{key}: {lines[0]}"]
    return [f"{key}:", *(f"  {line}" for line in lines)]


def _first(lines: list[str]) -> str:
    more = [f"... {len(lines) - ROWS} more lines"] if len(lines) > ROWS else []
    return "\n".join(lines[:ROWS] + more) or "none"


def _as_html(value: Any) -> str:
    if hasattr(value, "to_html"):
        return value.to_html(index=False, max_rows=ROWS, escape=True)
    return f"<pre style='margin:0'>{escape(_as_text(value))}</pre>"


def run_folder(run: str | Path | Result) -> Path:
    """Where a run is: its folder, or the `folder` of the result that made it.

    Raises
    ------
    UserError
        A result without a folder, or something that is neither a path nor a result.
    """
    folder = run.get("folder") if isinstance(run, Result) else run
    if not isinstance(folder, str | Path):
        raise UserError(
            f"run: expected a run's folder or what `loso` returned, got {type(run).__name__}"
        )
    return Path(folder)


def from_options(options: Mapping[str, Any], kind: type[T], where: str) -> T:
    """The dataclass `kind` of options by name, its values checked; nested dataclasses may be given
    as mappings.

    Parameters
    ----------
    options : mapping
        Name -> value, as keyword arguments or a YAML file give them.
    kind : type
        A dataclass.
    where : str
        The function or file, for messages.

    Raises
    ------
    UserError
        An option that does not exist, or a value of another kind.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    mode = guard_parsing()
    if not isinstance(options, Mapping):
        raise UserError(f"{where}: expected options by name, got {options!r}")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := [name for name in options if name not in known]:
        raise UserError(f"{where}: no option {unknown[0]!r}; options are {', '.join(known)}")
    for field in fields(kind):  # type: ignore[arg-type]
        given = options.get(field.name, {})
        if is_dataclass(field.default_factory) and not (
            isinstance(given, Mapping) or is_dataclass(given)
        ):
            raise UserError(f"{where}: {field.name}: expected options by name, got {given!r}")
    parser = ArgumentParser(exit_on_error=False, parser_mode=mode)
    parser.add_class_arguments(kind, None)
    try:
        parsed = parser.parse_object(_bounded(_plain(options)))
        instantiated = parser.instantiate_classes(parsed)
    except UserError:
        raise
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(f"{where}: {in_our_words(str(error))}") from error
    return kind(**{name: getattr(instantiated, name) for name in known})


_allowed: tuple[str, ...] = ()  # modules whose classes configs and model.json may name


@contextmanager
def allowing(modules: Iterable[str]) -> Iterator[None]:
    """While it lasts, configs and model.json may name classes in these modules and below them,
    whose code then runs. Else they may name our own classes only.

    Raises
    ------
    UserError
        Not the import path of a module.
    """
    global _allowed
    modules, before = tuple(modules), _allowed
    for module in modules:
        names = module.split(".")
        if not all(name.isidentifier() for name in names) or names[0] == "jsonargparse":
            raise UserError(
                f"allow {module!r}: not the import path of a module, such as my_networks"
            )
    _allowed = tuple(dict.fromkeys((*before, *modules)))
    try:
        yield
    finally:
        _allowed = before


def allowed_modules() -> tuple[str, ...]:
    """The modules of the user's own whose classes may be named now."""
    return _allowed


def is_allowed(path: str) -> bool:
    """Whether the class at an import path is in one of the allowed modules, or below one."""
    return any(path.startswith(f"{module}.") for module in _allowed)


_permitted: set[str] = set()  # modules that jsonargparse may import since an earlier --allow


def guard_parsing() -> str:
    """Make jsonargparse import nothing for a value but our own classes and those of the allowed
    modules, build no class that a value names where any value may stand, and read no address.

    These are settings of the process; jsonargparse has no others.

    Returns
    -------
    str
        The parser mode: YAML within the bounds of `parse_yaml`.
    """
    from jsonargparse import set_loader, set_parsing_settings

    set_parsing_settings(
        import_path_denylist=["*", *(_permitted - {*_allowed})],
        import_path_allowlist=["semiology", *_allowed],
        instantiate_subclass_spec_in_any=False,
        config_read_mode_urls_enabled=False,
        config_read_mode_fsspec_enabled=False,
    )
    _permitted.update(_allowed)
    set_loader("bounded_yaml", _load, exceptions=(ValueError,))
    return "bounded_yaml"


def _load(text: str) -> Any:
    from jsonargparse import get_loader

    return _bounded(parse_yaml(text, get_loader("yaml")))


def _bounded(value: Any) -> Any:
    """The value, whose texts jsonargparse reads as YAML once more where it expects a number.

    Raises
    ------
    AliasesMultiply
        One of them would grow.
    """
    if isinstance(value, Mapping):
        for entry in value.values():
            _bounded(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            _bounded(entry)
    elif isinstance(value, str) and "*" in value:
        try:
            parse_yaml(value)
        except AliasesMultiply:
            raise
        except ValueError:
            pass  # any other text
    return value


def in_our_words(message: str) -> str:
    """A message of jsonargparse without its own terms, in one line."""
    message = re.sub(
        r"Parser key \"(.+?)\": Expected an? <class '(\w+)'>\. Got value: ",
        r"\1: expected \2, got ",
        " ".join(message.split()),
    )
    message = re.sub(
        r"\S*functools\.partial.* argument after \*\* must be a mapping, not (\w+)",
        r"a \1 stands where settings by name belong",
        message,
    )
    return re.sub(
        r"Importing '(.+?)' is not allowed, .*? to allow it\.",
        r"\1: only classes of semiology are built from a config; another one needs --allow MODULE"
        r" on the command line (allow=[...] from Python), as its code then runs",
        message,
    )


def _plain(value: Any) -> Any:
    """Options as a YAML file would hold them: paths as text."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return str(value) if isinstance(value, Path) else deepcopy(value)

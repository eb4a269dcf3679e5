"""Templates into text, the filters that they use, and JSON objects as tables."""

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from semiology.evaluation.statistics.results import model_name, show

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """Fill in a template of `templates/`: `.html.jinja` escapes every value that is not Markup,
    `.md.jinja` every value as `markdown` does.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
        finalize=markdown if template.endswith(".md.jinja") else None,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "show": show,
        "plain": plain,
        "model": model_name,
        "sentence": sentence,
        "percent": percent,
        "counts": lambda value: f"{value:.1f}".removesuffix(".0"),
        "cell": cell,
        "code": code,
    }
    environment.globals["style"] = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(**values)


def plain(name: Any) -> str:
    """A name for a reader: "left_wrist" -> "left wrist"."""
    return str(name).replace("_", " ")


def sentence(text: Any) -> str:
    """The text with a capital at its start."""
    text = str(text)
    return text[:1].upper() + text[1:]


def percent(fraction: float | None) -> str:
    """A fraction as whole per cent; a dash for None."""
    return "–" if fraction is None else f"{100 * fraction:.0f}\N{NO-BREAK SPACE}%"


def markdown(value: Any) -> str:
    """A value as text of a Markdown page or of a cell of its tables: no HTML, no link, no image."""
    text = " ".join(str(value).split("\n"))
    text = re.sub(r"([\\`\[\]|])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: Any) -> Markup:
    """The text, escaped, with parts between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def listed(words: Any) -> str:
    """A list in words: "a", "a and b", "a, b and c"."""
    *first, last = [plain(word) for word in words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def cell(value: Any) -> str:
    """Any JSON value as text of a table cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {cell(entry)}" for name, entry in value.items())
    return "–" if value is None else str(value)


WIDEST = 8  # columns; a wider table is transposed, to fit on paper [our choice]


def tables_of(name: str, data: Any) -> list[dict[str, Any]]:
    """A JSON object as tables: its plain values in one, every nested object in one of its own.

    A list of objects is one table with a row each. A table has `title`, `columns` (empty: none
    named) and `rows` (name, cells). `name` is the title where the content has none.
    """
    if isinstance(data, list):
        return [_records(plain(name), data)] if data else []
    if not isinstance(data, dict):
        return [{"title": plain(name), "columns": [], "rows": [("", [cell(data)])]}]
    plain_values = {key: value for key, value in data.items() if not _nested(value)}
    tables = (
        [
            {
                "title": "",
                "columns": [],
                "rows": [(key, [cell(value)]) for key, value in plain_values.items()],
            }
        ]
        if plain_values
        else []
    )
    nested = {key: value for key, value in data.items() if isinstance(value, dict) and value}
    if (
        not plain_values
        and nested
        and all(
            not isinstance(entry, dict) for value in nested.values() for entry in value.values()
        )
    ):
        tables = [_table("", nested)]  # rows of one table: {"body": {...}, "face": {...}}
    else:
        tables += [_table(key, value) for key, value in nested.items()]
    return tables + [
        _records(plain(key), value)
        for key, value in data.items()
        if isinstance(value, list) and _nested(value)
    ]


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)
    )


def _records(title: str, entries: list[Any]) -> dict[str, Any]:
    rows = [entry if isinstance(entry, dict) else {"": entry} for entry in entries]
    first, *columns = dict.fromkeys(column for row in rows for column in row)
    cells = [
        (cell(row.get(first, "")), [cell(row.get(column, "")) for column in columns])
        for row in rows
    ]
    return {"title": title, "columns": [plain(column) for column in columns], "rows": cells}


def _table(title: str, data: dict[str, Any]) -> dict[str, Any]:
    rows = {name: value if isinstance(value, dict) else {"": value} for name, value in data.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if len(columns) > WIDEST:
        rows, columns = (
            {
                column: {name: row[column] for name, row in rows.items() if column in row}
                for column in columns
            },
            list(rows),
        )
    cells = [
        (plain(name), [cell(row.get(column, "")) for column in columns])
        for name, row in rows.items()
    ]
    return {
        "title": plain(title),
        "columns": [] if columns == [""] else [plain(column) for column in columns],
        "rows": cells,
    }

"""JSON objects as tables: what the page shows of files whose content it need not understand."""

from typing import Any

from semiology.evaluation.report.rendering import cell, plain

WIDEST = 8  # columns; a wider table is turned on its side, to fit on paper [our choice]


def tables_of(name: str, data: Any) -> list[dict[str, Any]]:
    """A JSON object as tables: its plain values in one, every object within it in one of its own (objects within that become rows).

    A list of objects is one table with a row each. A table has `title`, `columns` (empty: none named) and `rows` (name, cells).
    `name` is the title where the content has none.
    """
    if isinstance(data, list):
        return [_records(plain(name), data)] if data else []
    if not isinstance(data, dict):
        return [{"title": plain(name), "columns": [], "rows": [("", [cell(data)])]}]
    plain_values = {key: value for key, value in data.items() if not _nested(value)}
    tables = [{"title": "", "columns": [], "rows": [(key, [cell(value)]) for key, value in plain_values.items()]}] if plain_values else []
    nested = {key: value for key, value in data.items() if isinstance(value, dict) and value}
    if not plain_values and nested and all(not isinstance(entry, dict) for value in nested.values() for entry in value.values()):
        tables = [_table("", nested)]  # rows of one table: {"body": {...}, "face": {...}}
    else:
        tables += [_table(key, value) for key, value in nested.items()]
    return tables + [_records(plain(key), value) for key, value in data.items() if isinstance(value, list) and _nested(value)]


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value))


def _records(title: str, entries: list[Any]) -> dict[str, Any]:
    rows = [entry if isinstance(entry, dict) else {"": entry} for entry in entries]
    first, *columns = dict.fromkeys(column for row in rows for column in row)
    cells = [(cell(row.get(first, "")), [cell(row.get(column, "")) for column in columns]) for row in rows]
    return {"title": title, "columns": [plain(column) for column in columns], "rows": cells}


def _table(title: str, data: dict[str, Any]) -> dict[str, Any]:
    rows = {name: value if isinstance(value, dict) else {"": value} for name, value in data.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if len(columns) > WIDEST:
        rows, columns = {column: {name: row[column] for name, row in rows.items() if column in row} for column in columns}, list(rows)
    cells = [(plain(name), [cell(row.get(column, "")) for column in columns]) for name, row in rows.items()]
    return {"title": plain(title), "columns": [] if columns == [""] else [plain(column) for column in columns], "rows": cells}

"""Templates into text: the page (HTML, everything escaped) and the model card (Markdown)."""

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from semiology.evaluation.statistics.results import model_name, show

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """The text of a template in `templates/`; what ends in `.html.jinja` escapes every value that is not Markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
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
    """A name as a reader sees it: "left_wrist" -> "left wrist"."""
    return str(name).replace("_", " ")


def sentence(text: Any) -> str:
    """The text with a capital at its start."""
    text = str(text)
    return text[:1].upper() + text[1:]


def percent(share: float | None) -> str:
    """A share as whole per cent; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def code(text: Any) -> Markup:
    """The text, escaped, with what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def listed(words: Any) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = [plain(word) for word in words] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def cell(value: Any) -> str:
    """Any JSON value in a table's cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {cell(entry)}" for name, entry in value.items())
    return "–" if value is None else str(value)

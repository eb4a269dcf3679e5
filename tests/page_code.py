"""The Python blocks of a page of the docs: run in the page's order, with what they print beside
what the page shows.

What a statement prints may stand beside it as a comment, up to an explanation after a colon; the
value of an expression too: `x  # 3: one a joint`. What no comment states is printed below the
code, in a block of type `text`. `...` stands for what differs between machines.

    python tests/page_code.py docs/examples/*.md    # writes the blocks of type text and the figures
"""

import ast
import contextlib
import doctest
import io
import os
import re
import shutil
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files, wherever this runs

IMAGES = Path(__file__).resolve().parents[1] / "docs/images/examples"
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?P<below>\n```text\n(?P<text>.*?)^```\n)?", flags=re.M | re.S
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_TRUE_FOR_1


@dataclass(frozen=True)
class Output:
    """What was printed, and what the page shows for it: beside a statement, or below its block.
    None where it shows nothing.
    """

    line: int
    shown: str | None
    printed: str
    beside: bool

    @property
    def agrees(self) -> bool:
        if self.shown is None:
            return True
        ends = [match.start() for match in re.finditer(":(?= )", self.shown)] if self.beside else []
        shown = [self.shown, *(self.shown[:end] for end in ends)]
        return any(
            doctest.OutputChecker().check_output(
                f"{text.strip()}\n", f"{self.printed.strip()}\n", FLAGS
            )
            for text in shown
        )


def run_page(text: str, name: str) -> Iterator[list[Output]]:
    """The outputs of each block, the one below it last. Runs in the working directory."""
    names: dict[str, Any] = {"__name__": name}
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start("code"))
        yield run_block(block["code"], block["text"], names, name, first)


def run_block(
    code: str, text: str | None, names: dict[str, Any], name: str, first: int = 0
) -> list[Output]:
    """Run one block with the names of those before it; `first` is the number of the page's lines
    above its code.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip()
    }
    outputs, below = [], ""
    for statement in ast.parse(code, name).body:
        beside = comments.get(statement.end_lineno or 0)
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            if beside and isinstance(
                statement, ast.Expr
            ):  # as at the prompt: the value of an expression is printed
                exec(compile(ast.Interactive([statement]), name, "single"), names)
            else:
                exec(compile(ast.Module([statement], []), name, "exec"), names)
        if beside and stream.getvalue():
            outputs.append(
                Output(first + (statement.end_lineno or 0), beside, stream.getvalue(), beside=True)
            )
        else:
            below += stream.getvalue()
    if below or text is not None:
        outputs.append(Output(first + code.count("\n") + 1, text, below, beside=False))
    return outputs


def rewritten(page: Path) -> str:
    """The page with what its blocks print below them. Runs in the working directory."""
    text = page.read_text(encoding="utf-8")
    runs = run_page(text, page.name)

    def with_output(block: re.Match[str]) -> str:
        below = "".join(output.printed for output in next(runs) if not output.beside)
        code = f"```python\n{block['code']}```\n"
        return f"{code}\n```text\n{below}```\n" if below else code

    return BLOCK.sub(with_output, text)


def main(pages: list[Path]) -> None:
    here = Path.cwd()
    for page in [page.resolve() for page in pages]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            page.write_text(rewritten(page), encoding="utf-8")
            for figure in Path().glob("*.png"):
                shutil.copy(figure, IMAGES / figure.name)
            os.chdir(here)


if __name__ == "__main__":
    main([Path(page) for page in sys.argv[1:]])

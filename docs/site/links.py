"""Pages of the site for files outside docs/ that a page links to (`../configs/hou2022.yaml`), so
that no link leaves the site.
"""

import re
from pathlib import Path
from posixpath import join, normpath, relpath

from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<=\]\()(\.\./[^)#\s]+)")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".md": "markdown"}


def on_files(files, config):
    """Add a page `files/<path>.md` for each file or folder outside docs/ that a page links to."""
    for page in list(files.documentation_pages()):
        for target in LINK.findall(page.content_string):
            if (
                path := _outside(page.src_uri, target)
            ) and f"files/{path}.md" not in files.src_uris:
                files.append(_page(config, path))
    return files


def on_page_markdown(markdown, page, **_):
    """Let the links lead to these pages."""
    here = page.file.src_uri

    def inside(match: re.Match[str]) -> str:
        path = _outside(here, match[1])
        return relpath(f"files/{path}.md", join("/", here, "..")[1:] or ".") if path else match[1]

    return markdown if here.startswith("files/") else LINK.sub(inside, markdown)


def _outside(page: str, target: str) -> str | None:
    """The path from the top of the repository of a link's target, where it is there and not in
    docs/.
    """
    path = normpath(join("docs", page, "..", target))
    return path if not path.startswith(("docs/", "..")) and (ROOT / path).exists() else None


def _page(config, path: str) -> File:
    return File.generated(
        config, f"files/{path}.md", content=_shown(path), inclusion=InclusionLevel.NOT_IN_NAV
    )


def _shown(path: str) -> str:
    """A page that shows the text of a file, or of each file of a folder."""
    there = ROOT / path
    texts = [f"---\nsearch:\n  exclude: true\n---\n# {path}\n"]
    for file in (
        sorted(file for file in there.iterdir() if file.is_file()) if there.is_dir() else [there]
    ):
        heading = f"## {file.name}\n\n" if there.is_dir() else ""
        text = file.read_text(encoding="utf-8").replace("```", "` ` `")
        texts.append(f"{heading}```{LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n```\n")
    return "\n".join(texts)

"""The documentation site is built without a warning, holds every page, needs no network, and its
links lead somewhere.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "link": "href",
}


class Page(HTMLParser):
    """What a page loads, where it links to, and the ids that it has."""

    def __init__(self, text: str):
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = {name: value for name, value in attrs if value is not None}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if (attribute := LOADS.get(tag)) in values:
            self.loaded.append(values[attribute])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    proxies = {
        f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")
    }  # a port where nothing answers
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **proxies, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {
        path: Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }


def test_every_page_of_docs_is_built_and_in_the_navigation(site, pages):
    written = {
        path.relative_to(ROOT / "docs").with_suffix(".html")
        for path in (ROOT / "docs").rglob("*.md")
    }
    assert written <= {path.relative_to(site) for path in pages}
    index = pages[site / "index.html"]
    assert (
        written - {Path(link.partition("#")[0]) for link in index.links} - {Path("index.html")}
        == set()
    )


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, page in pages.items():
        assert [
            url
            for url in page.loaded
            if urlsplit(url).scheme not in ("", "data") or url.startswith("//")
        ] == [], path
        assert 'class="mermaid' not in path.read_text(encoding="utf-8"), (
            "diagrams are drawn by a script that the theme fetches"
        )
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert [
            url
            for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", text)
            if re.match(r"https?:|//", url)
        ] == [], style
    assert not list(site.rglob("*.woff*"))


def test_every_link_and_everything_loaded_is_in_the_site(site, pages):
    for path, page in pages.items():
        for link in page.links + page.loaded:
            url = urlsplit(link)
            if url.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert target.is_file(), f"{path.relative_to(site)} links to {link}"
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].ids | {"__toc", "top"}, (
                    f"{path.relative_to(site)} links to {link}"
                )


def test_the_search_works_from_the_disk(site, pages):
    """The index is a script, since a page from the disk may read no file, and the shim for workers
    is the copy here.
    """
    index = (site / "search/search_index.js").read_text(encoding="utf-8")
    assert (
        index.startswith("var __index = ")
        and "auc_chance.html" in index
        and "api/networks.html" in index
    )
    assert "site/iframe-worker.js" in pages[site / "index.html"].loaded


def test_a_link_out_of_docs_leads_to_a_page_that_shows_the_file(site):
    shown = re.sub(
        "<[^>]*>", "", (site / "files/configs/hou2022.yaml.html").read_text(encoding="utf-8")
    )
    assert "A tag says where a constant comes from" in shown
    assert 'href="files/configs/hou2022.yaml.html"' in (site / "reproduce.html").read_text(
        encoding="utf-8"
    )


def test_the_api_pages_have_signatures_and_docstrings(site):
    text = re.sub("<[^>]*>", "", (site / "api/index.html").read_text(encoding="utf-8"))
    assert "make_tracks" in text and "fps" in text and "confidence" in text


def test_the_citation_has_what_the_format_requires():
    """Citation File Format 1.2.0: the keys that it requires, of the work and of each reference."""
    record = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert record["cff-version"] == "1.2.0" and record["type"] == "software"
    assert {"message", "title", "authors"} <= record.keys()
    for reference in record["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
        assert re.fullmatch(r"10\.\d{4,9}/\S+", reference.get("doi", "10.0000/none"))

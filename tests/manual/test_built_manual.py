"""The built manual: Sphinx has nothing to say, links and anchors lead somewhere, and nothing comes from other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.tools import ROOT
from tools.manual.navigation import sections

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@dataclass
class Page(HTMLParser):
    """What a page has, links to, and loads."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(values["id"] or "")
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        if values.get(_LOADED.get(tag, "")):
            self.loaded.append(values[_LOADED[tag]] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual, built as `make docs` does: a warning is an error."""
    folder = tmp_path_factory.mktemp("manual") / "site"
    # In a process of its own, because autodoc may load modules again.
    built = subprocess.run([sys.executable, "-m", "tools.manual", folder], cwd=ROOT, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of it; the files of examples are none."""
    return {path: Page(path) for path in site.rglob("*.html") if "_downloads" not in path.parts}


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for page in pages.values():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            anchor = unquote(parts.fragment)
            known = {"", "top", *(pages[target].ids if target in pages else (anchor,))}
            if not target.is_file() or anchor not in known:
                broken.append(f"{page.path.relative_to(site)}: {link}")
    assert len(pages) > 50
    assert not broken


def test_nothing_is_loaded_from_other_hosts(site: Path, pages: dict[Path, Page]) -> None:
    foreign = {url for page in pages.values() for url in page.loaded if urlsplit(url).netloc}
    assert not foreign
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import\s+|url\()[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_page_is_in_the_sidebar_and_the_search(site: Path, pages: dict[Path, Page]) -> None:
    shown = {Path(site / "docs" / unquote(link)).resolve() for link in pages[site / "docs" / "index.html"].links}
    named = [page for section in sections((ROOT / "docs" / "index.md").read_text("utf-8")) for page in section.pages]
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    for page in named:
        assert (site / f"{page}.html").resolve() in shown
        assert f'"{page}"' in index


def test_docstrings_are_in_the_pages_of_the_api(pages: dict[Path, Page], site: Path) -> None:
    for page, name in {
        "server": "app_server.Server.run_until_shutdown",
        "client": "app_server.client.ClientSession.force_roundtrip",
        "notebook": "app_server.notebook.show",
        "asgi": "app_server.asgi.BokehASGI.update_sessions",
        "testing": "app_server.testing.OpenApp.find",
        "jobs": "app_server.jobs.submit",
        "hooks": "app_server.session.context.SessionContext.bookmark",
    }.items():
        assert name in pages[site / "docs" / "api" / f"{page}.html"].ids


def test_first_page_leads_to_the_manual(pages: dict[Path, Page], site: Path) -> None:
    assert pages[site / "index.html"].links == ["docs/index.html"]

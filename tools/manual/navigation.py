"""The navigation of the built manual: docs/index.md is read for it, so each page has one place to be listed in.

A heading above a table of links becomes a caption of the sidebar, and the pages that the table names follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import normpath

from sphinx.application import Sphinx

INDEX = "docs/index"
_HEADING = re.compile(r"^(#{2,3}) +(.+?) *$")
_PAGE = re.compile(r"\]\(([\w./-]+)\.md\)")


@dataclass(frozen=True)
class Section:
    """A part of the sidebar: its caption, and its pages in their order, as Sphinx names them."""

    caption: str
    pages: tuple[str, ...]


def sections(index: str) -> list[Section]:
    """The sections that have a table of pages."""
    found: dict[str, list[str]] = {}
    parent = caption = ""
    for line in index.splitlines():
        if heading := _HEADING.match(line):
            parent = heading[2] if heading[1] == "##" else parent
            caption = heading[2] if heading[1] == "##" else _below(parent, heading[2])
        elif line.startswith("| "):
            found.setdefault(caption, []).extend(_PAGE.findall(line))
    return [Section(caption, tuple(_named(pages))) for caption, pages in found.items() if pages]


def _below(parent: str, heading: str) -> str:
    return f"{parent.removesuffix(' guides')}: {heading[0].lower()}{heading[1:]}"


def _named(pages: list[str]) -> Iterator[str]:
    """The pages without those that were named before."""
    for page in dict.fromkeys(pages):
        yield normpath(f"docs/{page}")


def toctrees(index: str) -> str:
    """The directives that the index ends with in the built manual."""
    parts = []
    for section in sections(index):
        pages = "\n".join(f"/{page}" for page in section.pages)
        parts.append(f"\n```{{toctree}}\n:hidden:\n:caption: {section.caption}\n\n{pages}\n```\n")
    return "".join(parts)


def _add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == INDEX:
        source[0] += toctrees(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _add_navigation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

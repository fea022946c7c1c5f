"""What a page's Python imports is installed with the extra `all`, or the page says how to install it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.docs.test_manual import MANUAL, ROOT, blocks, name_of

# What the pages themselves have the reader write, and what a server gives its applications.
_OF_THE_READER = frozenset({"app_server", "app_server_setup", "helpers"})
_INSTALLS = re.compile(r"pip install ([^\n`]+)")


distributions_of_modules = cache(packages_distributions)


@cache
def with_all_extras() -> frozenset[str]:
    """The distributions that pip installs with `app-server[all]`."""
    found = {"app-server"}
    waiting = set(_required("app-server", extras=True))
    while waiting:
        found |= waiting
        waiting = {name for other in waiting for name in _required(other)} - found
    return frozenset(found)


def _required(name: str, *, extras: bool = False) -> Iterator[str]:
    """The distributions that this one names itself; those that are not needed here are not installed."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for wanted in map(Requirement, lines):
        if wanted.marker is None or extras or wanted.marker.evaluate({"extra": ""}):
            yield canonicalize_name(wanted.name)


def imported(page: Path) -> Iterator[tuple[str, str]]:
    """The top-level modules that the blocks of Python on a page import, and where the block begins."""
    for block in blocks(page):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.Import):
                    yield from ((str(block), name.name.partition(".")[0]) for name in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield str(block), node.module.partition(".")[0]


@pytest.mark.parametrize("page", [*MANUAL, *sorted((ROOT / "docs" / "api").glob("*.md"))], ids=name_of)
def test_what_a_page_imports_is_installed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    words = [word for line in _INSTALLS.findall(text) for word in re.findall(r"[A-Za-z][\w.-]*", line)]
    typed = set(map(canonicalize_name, words))
    ready = with_all_extras() | typed
    known = distributions_of_modules()
    missing = [
        f"{where}: {module}"
        for where, module in imported(page)
        if module not in sys.stdlib_module_names | _OF_THE_READER
        and not ready & {canonicalize_name(name) for name in known.get(module, ())}
    ]
    assert not missing

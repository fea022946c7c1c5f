"""What the manual names exists: its links lead somewhere, its Python compiles, its commands and flags are ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from app_server.cli.commands import NAMES, command_of
from app_server.cli.parser import Answered, parse, parser_of
from app_server.deployment.rollout.hooks import VARIABLES
from app_server.settings import all_settings

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT),
)
MANUAL = [page for page in PAGES if page.parent.name == "docs"]

# The inline form and the image form; a link's text may hold code and brackets of its own.
_LINK = re.compile(r"\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HTML_LINK = re.compile(r"<(?:img|source|a)\b[^>]*?\b(?:src|srcset|href)=\"([^\"]+)\"")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Flags of other programs that a page may name on lines of theirs.
_FOREIGN_FLAGS = frozenset({"--help", "--help-all", "--version"})
# What `panel serve` takes and we do not: docs/panel.md says so.
_FLAGS_OF_PANEL = frozenset(
    "--admin --autoreload --liveness --oauth- --rest-session-info --reuse-sessions --warm --session-history "
    "--index-titles --plugins --global-loading-spinner --profiler --page-config --root-path --cookie-path --server "
    "--rest-provider --rest-endpoint".split()
)


def _flags_of_other_commands() -> frozenset[str]:
    """The commands beside `serve` have their own."""
    return frozenset(name for command in NAMES for flag in command_of(command).flags for name in flag.names)


_FLAGS_OF_OTHER_COMMANDS = _flags_of_other_commands()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line where the text begins."""

    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def name_of(page: Path) -> str:
    """The page as a test's name shows it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, found[1], found[2], text.count("\n", 0, found.start(2)) + 1)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What may follow the # of a link to this page: its headings, as GitHub names them."""
    headings = re.findall(r"^#{1,6} +(.*?)\s*$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def command_lines(page: Path) -> Iterator[tuple[str, str]]:
    """What a page gives to type into a shell: the lines of its fenced and indented blocks, and where they stand."""
    for block in blocks(page):
        if block.language in ("console", "sh", "bash", "shell"):
            for line in block.text.replace("\\\n", " ").splitlines():
                yield f"{block}: {line}", line.removeprefix("$ ")
    for line in re.findall(r"^ {4}(\S.*)$", prose(page), re.MULTILINE):
        yield f"{name_of(page)}: {line}", line


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The words after `app-server` of every such command line of a page, and where it stands."""
    for where, line in command_lines(page):
        for part in re.split(r"\$\(([^()]*)\)", line):
            words = shlex.split(part, comments=True) if part.count('"') % 2 == 0 and "'" not in part else part.split()
            while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
                words.pop(0)
            if not words or not words[0].endswith("app-server"):
                continue
            ends = [index for index, word in enumerate(words) if re.match(r"[|<>&;]|[12]>", word)]
            yield where, words[1 : min(ends, default=len(words))]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_is_installed_from_an_index_under_our_name(page: Path) -> None:
    """The package `app-server` of PyPI is another program, which pip would install without a word."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"pip install[^\n`]*[ '\"]app-server\b[^\n`]*", text)


def test_manual_has_pages() -> None:
    assert {"index.md", "getting-started.md", "serving.md", "settings.md"} <= {page.name for page in MANUAL}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page: Path) -> None:
    text = prose(page)
    broken = []
    for target in [*_LINK.findall(text), *_HTML_LINK.findall(text)]:
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", MANUAL, ids=name_of)
def test_every_page_is_reached_from_the_index(page: Path) -> None:
    index = ROOT / "docs" / "index.md"
    if page != index:
        linked = re.search(rf"\]\({re.escape(page.name)}(#[\w-]+)?\)", index.read_text(encoding="utf-8"))
        assert linked, f"docs/index.md has no line that leads to {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile("\n" * (block.line - 1) + block.text, name_of(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_lines_parse(page: Path) -> None:
    known = {action.dest for action in parser_of("serve", command_of("serve"))._actions}
    for where, words in commands(page):
        try:
            namespace = parse(words, {})
        except Answered:
            continue
        assert namespace.command is not None, where
        assert namespace.command != "serve" or namespace.files, f"{where}: a flag has taken the applications"
        assert namespace.command != "serve" or set(vars(namespace)) <= known | {"command"}, where


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_flags_are_those_of_the_settings(page: Path) -> None:
    known = {setting.flag for setting in all_settings()} | _FOREIGN_FLAGS | _FLAGS_OF_OTHER_COMMANDS
    if page.name == "panel.md":
        known |= _FLAGS_OF_PANEL
    quoted = re.findall(r"`([^`\n]+)`", prose(page))
    # `python examples/embedding/host_page.py --help` and the like are another program's business.
    theirs = re.compile(r"(python|pip|uv|git|docker|granian|gunicorn|hypercorn|uvicorn|ansible-playbook|kubectl)\b")
    ours = [text for text in quoted if not theirs.match(text)]
    named = [flag for text in ours for flag in _FLAG.findall(text)]
    assert sorted(set(named) - known) == []


@pytest.mark.parametrize("page", MANUAL, ids=name_of)
def test_variables_are_known(page: Path) -> None:
    known = {variable for setting in all_settings() for variable in setting.environment}
    known |= {f"{variable}_FILE" for setting in all_settings() if setting.secret for variable in setting.environment}
    # Read by bokeh itself.
    known |= {"BOKEH_LOG_LEVEL", "BOKEH_RESOURCES", "BOKEH_MINIFIED"}
    known |= {"BOKEH_CDN_VERSION", "BOKEH_ROOTDIR", "BOKEH_PRETTY"}
    # No setting of a server's: where commands look for running ones.
    known.add("APP_SERVER_RUNTIME_DIR")
    # Of the images: docker/app-server/start.
    known.add("APP_SERVER_APPS")
    # What hooks receive.
    known |= {f"APP_SERVER_DEPLOY_{name.upper()}" for name in VARIABLES}
    named = re.findall(r"\b(?:BOKEH|APP_SERVER)_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))
    assert sorted(set(named) - known) == []

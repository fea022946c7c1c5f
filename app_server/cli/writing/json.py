"""`app-server json FILE_OR_DIR …`: the documents of applications, as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Flag
from app_server.cli.writing.standalone import FLAGS, WORDS, plan, run
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.document.pages.themes import Document

WIDEST_INDENT = 16


COMMAND = Command(
    forms=("FILE_OR_DIR ... [flags]",),
    text="Run each application once, and write its document as JSON.",
    examples=("app-server json myapp.py --indent 2",),
    words=WORDS,
    flags=(
        Flag(names=("--indent",), metavar="N", help="put each value on a line of its own, indented by N spaces"),
        *FLAGS,
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What runs the applications and writes the files."""
    indent = read_indent(getattr(namespace, "indent", [None])[-1])
    jobs = plan(namespace, "json")
    arguments = getattr(namespace, "args", [])
    return partial(run, jobs, arguments, partial(render, indent=indent), environ, force="force" in namespace)


def read_indent(word: str | None) -> int | None:
    """The number of spaces for a level, None for one line."""
    if word is None:
        return None
    if not (word.isascii() and word.isdigit() and len(word) < 3 and int(word) <= WIDEST_INDENT):
        raise OperatorError(f"expected a whole number from 0 to {WIDEST_INDENT}, not {word!r}", where="--indent")
    return int(word)


def render(document: Document, *, indent: int | None) -> str:
    """The document as JSON."""
    from app_server.document.pages.standalone import as_json

    return as_json(document, indent=indent)

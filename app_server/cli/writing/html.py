"""`app-server html FILE_OR_DIR …`: the documents of applications, as pages that need no server."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app_server.cli.command import Command, Flag, choices
from app_server.cli.writing.standalone import FLAGS, WORDS, plan, run
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.document.pages.standalone import ResourcesMode
    from app_server.document.pages.themes import Document

# Inline by default: such a page shows the same wherever and whenever it is opened.
RESOURCES = ("inline", "cdn", "server")
# Where `app-server static` and `serve` listen by default.
SERVER_URL = "http://localhost:5006/"


COMMAND = Command(
    forms=("FILE_OR_DIR ... [flags]",),
    text="Run each application once, and write its document as a page that needs no server.",
    examples=("app-server html myapp.py",),
    words=WORDS,
    flags=(
        Flag(names=("--resources",), metavar="FROM", help="where BokehJS comes from",
             choices=choices(*RESOURCES), default=RESOURCES[0]),
        Flag(names=("--server-url",), metavar="URL", help="the address above static/, for --resources server",
             default=SERVER_URL),
        *FLAGS,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What runs the applications and writes the files."""
    mode = getattr(namespace, "resources", [RESOURCES[0]])[-1]
    url = SERVER_URL
    if "server_url" in namespace:
        url = read_url(namespace.server_url[-1])
        if mode != "server":
            hint = "Give --resources server too."
            raise OperatorError("has no meaning without --resources server", where="--server-url", hint=hint)
    jobs = plan(namespace, "html")
    how = partial(render, resources=mode, server_url=url)
    return partial(run, jobs, getattr(namespace, "args", []), how, environ, force="force" in namespace)


def read_url(word: str) -> str:
    """An address with a slash at its end, below which there is static/."""
    try:
        parts = urlsplit(word)
        fits = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    except ValueError:
        fits = None
    if not fits or not word.isprintable() or set(word) & set("\"'<> "):
        raise OperatorError(f"expected an address such as {SERVER_URL}, not {word[:60]!r}", where="--server-url")
    return word.rstrip("/") + "/"


def render(document: Document, *, resources: ResourcesMode, server_url: str) -> str:
    """The document as a page."""
    from app_server.document.pages.standalone import as_page

    return as_page(document, resources=resources, server_url=server_url)

"""The index, error and waiting pages, as complete HTML documents.

They contain no script, load nothing, follow the browser's light or dark mode, and escape every text they are given.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import DictLoader, Environment, FileSystemLoader, TemplateSyntaxError
from markupsafe import Markup

from app_server.errors import OperatorError
from app_server.page.icon import mark
from app_server.page.thumbnails import pictures

ASK_OPERATOR = "Ask the site's operator; details are in the server log."
"""What a page advises if the details are only in the server's log."""


# Read before anybody asks: a process that can open no file has to say so on such a page.
_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8").strip()
_TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in sorted((_FOLDER / "templates").glob("*.html"))}
_ENVIRONMENT = Environment(loader=DictLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
for _name in ("base.html", "error.html"):
    _ENVIRONMENT.get_template(_name)  # which also imports what compiles the others


@dataclass(frozen=True)
class IndexEntry:
    """One application on the index: its name, its address, and its description if it has one."""

    name: str
    url: str
    description: str | None = None

    @property
    def label(self) -> str:
        """The name for readers: `sea_surface` is written "Sea surface"."""
        words = self.name.strip("/").replace("_", " ").replace("-", " ").strip()
        return words[:1].upper() + words[1:] if words else "Home"


def index_page(entries: Iterable[IndexEntry], *, title: str, prefix: str = "", head: str = "") -> str:
    """The list of applications. `prefix` is the path that all of the server is under, `head` is HTML for the head."""
    shown = list(entries)
    drawn = map(Markup, pictures(entry.name for entry in shown))
    cards = list(zip(shown, drawn, strict=True))
    return _render("index.html", title=title, cards=cards, icon=f"{prefix}/favicon.ico", head=Markup(head))


def error_page(
    status: int,
    headline: str,
    detail: str = "",
    *,
    hint: str | None = None,
    traceback: str | None = None,
    head: str = "",
    home: str | None = None,
    home_label: str = "All applications",
) -> str:
    """The page that says what went wrong.

    The traceback is for developers: leave it out if strangers can read the page. `home` is the address to go back to,
    `home_label` the text of that link, and `head` is HTML for the head.
    """
    return _render(
        "error.html",
        title=f"{status} {headline}",
        status=status,
        headline=headline,
        detail=detail.strip(),
        hint=hint,
        traceback=None if traceback is None else _frames(traceback),
        home=home,
        home_label=home_label,
        head=Markup(head),
    )


def busy_page(retry_after_s: int, *, headline: str = "One moment, please", detail: str = "") -> str:
    """The page of a server that will answer soon. The browser reloads it after `retry_after_s`."""
    return _render(
        "error.html",
        title=headline,
        headline=headline,
        detail=detail or "The server is busy or restarting. This page reloads by itself.",
        retry_after_s=max(1, retry_after_s),
    )


def custom_index_page(template: str | Path, items: Iterable[str], prefix: str = "") -> str:
    """The operator's own index: a Jinja2 template that gets `items`, the sorted addresses, and `prefix`.

    It may include and extend templates beside it. Raises OperatorError for a template that cannot be read or filled,
    with the line if there is one.
    """
    path = Path(template)
    index_text(path)
    try:
        environment = Environment(loader=FileSystemLoader(path.parent), autoescape=True)
        return environment.get_template(path.name).render(items=sorted(items), prefix=prefix)
    except TemplateSyntaxError as error:
        reason = (error.message or "").rstrip(".")
        raise OperatorError(f"the index template is not valid: {reason}", where=_line(error, path)) from None
    except Exception as error:  # a template can do nearly anything
        raise OperatorError(f"the index template failed: {error}", where=_line(error, path)) from error


def index_text(path: Path) -> str:
    """The text of the operator's index template; OperatorError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise OperatorError(f"the index template cannot be read: {reason}", where=str(path)) from None


def _line(error: Exception, path: Path) -> str:
    """Where in the template, or in one that it includes, the error is."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or path}:{error.lineno}"
    lines = [f"{frame.f_code.co_filename}:{number}" for frame, number in walk_tb(error.__traceback__)
             if Path(frame.f_code.co_filename).parent == path.parent]  # fmt: skip
    return lines[-1] if lines else str(path)


def content_security_policy() -> str:
    """The strictest Content-Security-Policy that these pages work with, if nothing is added to their head."""
    digest = b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _render(template: str, **context: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(style=Markup(_STYLE), mark=Markup(mark()), **context)


def _frames(traceback: str) -> Sequence[tuple[str, str]]:
    """The traceback's lines, each with what it is: "frame", "code" or, for the last ones, "error"."""
    lines = traceback.rstrip().splitlines()
    kinds = ["frame" if line.lstrip().startswith('File "') else "code" for line in lines]
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith(" "):
            break
        kinds[index] = "error"
    return list(zip(kinds, lines, strict=True))

"""The pages that the server generates itself, and what applications' pages need from it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app_server.document.pages import embedding
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import ApplicationError, OperatorError
from app_server.http.index_template import own_index
from app_server.http.static import version_of
from app_server.page import ASK_OPERATOR, IndexEntry, error_page, favicon, index_page
from app_server.protocol.paths import unescaped
from app_server.settings import Settings

_NOT_A_FILE = (None, "default", "none")
"""What `--ico-path` may be instead of a file."""


class Pages:
    """The index, the page of a failure and the icon; `head` is HTML for the head of every page."""

    def __init__(self, settings: Settings, runtimes: Sequence[ApplicationRuntime], head: str = "") -> None:
        self.head = head
        self.root_url = f"{settings.prefix}/"
        self.bundles = embedding.Bundles(
            lambda path: version_of(embedding.static_root() / path), needed_only=settings.page_parts == "needed"
        )
        self._favicon = None if settings.ico_path in _NOT_A_FILE else _favicon_file(settings.ico_path)
        self._settings = settings
        self._runtimes = runtimes
        urls = [runtime.url for runtime in runtimes]
        self._own_index = own_index(settings.index, urls, settings.prefix) if settings.index else None

    def failure_page(self, error: ApplicationError) -> str:
        """The page of an application that failed; it shows the reason in development only."""
        if self._settings.dev:
            cause = error.__cause__
            trace = "".join(traceback.format_exception(cause)) if cause is not None else None
            return error_page(500, "The application failed", str(error), traceback=trace, head=self.head)
        return error_page(500, "The application failed to start", hint=ASK_OPERATOR, traceback=error.shown or None)

    @property
    def favicon(self) -> tuple[str, bytes] | None:
        """The icon's Content-Type and bytes; the logo is drawn when a browser asks for it. None if there is none."""
        return None if self._settings.ico_path == "none" else self._favicon or favicon()

    @property
    def has_index(self) -> bool:
        """Whether there is a list of applications."""
        settings = self._settings
        return not settings.disable_index and (len(self._runtimes) > 1 or settings.disable_index_redirect)

    @property
    def has_root(self) -> bool:
        """Whether the server's root shows or leads to something."""
        return not self._settings.disable_index and any(each.url_pattern is None for each in self._runtimes)

    def index_html(self, namespace: Mapping[str, Any], shown: Sequence[ApplicationRuntime]) -> str:
        """The list of these applications; `namespace` is what Tornado gives its templates."""
        prefix = self._settings.prefix
        if self._own_index is not None:
            return self._own_index.render([runtime.url for runtime in shown], prefix, namespace)
        entries = [
            IndexEntry(unescaped(runtime.url), prefix + runtime.url, runtime.application.description)
            for runtime in shown
        ]
        return index_page(entries, title="Applications", prefix=prefix)


def _favicon_file(path: str) -> tuple[str, bytes]:
    try:
        return "image/x-icon", Path(path).read_bytes()
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", where="--ico-path") from None

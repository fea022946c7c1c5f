"""An application whose files cannot be loaded, in development: every session gets the reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app_server.apps.application import Application
from app_server.apps.faults import CodePlace
from app_server.document.pages.themes import Document
from app_server.errors import ApplicationError


class BrokenApplication(Application):
    """Raises what loading it raised, until its files are changed."""

    def __init__(self, route: str, path: Path, error: ApplicationError, watched: Iterable[Path]) -> None:
        super().__init__(route, CodePlace(path.parent, "", str(path)))
        self.path = path
        self._error = error
        self._watched = frozenset(watched)

    def build(self, document: Document) -> None:
        raise self._error

    def watch_paths(self) -> Iterable[Path]:
        return sorted({*self._watched, *([self.path] if self.path and self.path.is_file() else [])})

    def _fill(self, document: Document) -> None:
        raise self._error


def broken_application(route: str, path: Path, error: ApplicationError, watched: Iterable[Path]) -> Application:
    """What is served at this route until one of the `watched` files changes."""
    return BrokenApplication(route, path, error, watched)

"""The files of an application that not everyone may open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.static import StaticFile, StaticFiles, locate
from app_server.requests.application_handler import ApplicationHandler
from app_server.requests.state.server_state import ServerState


class OwnFiles(ApplicationHandler, StaticFiles):
    """Serves an application's own files to those who may open it, and BokehJS to everyone."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD")  # type: ignore[misc]

    def initialize(  # type: ignore[override]
        self, state: ServerState, runtime: ApplicationRuntime, own: Path, shared: Sequence[Path]
    ) -> None:
        """Called by Tornado with what the route carries."""
        ApplicationHandler.initialize(self, state, runtime, None)
        StaticFiles.initialize(self, (own, *shared))
        self._own = own

    async def prepare(self) -> None:
        """Find out who sends the request, if it is for a file of the application's own."""
        if self._is_own():
            await super().prepare()

    def _is_own(self) -> bool:
        return locate(self._own, self.path_args[0]) is not None

    def _describe(self, file: StaticFile, compressed: bool) -> None:
        """As for all files; but no proxy may keep one that is not for everyone, and a browser asks each time."""
        StaticFiles._describe(self, file, compressed)
        if self._is_own():
            self.set_header("Cache-Control", "private, no-cache")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer in one line; a page would be useless where a script was expected."""
        StaticFiles.write_error(self, status_code, **kwargs)

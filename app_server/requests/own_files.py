"""The files of an application that not everyone may open, and those of folders beside the applications."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.static import StaticFile, StaticFiles, locate
from app_server.protocol.paths import canonical_route
from app_server.requests.application_handler import ApplicationHandler
from app_server.requests.handler import Handler
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.users import name_shown
from app_server.settings import Settings

_INDEX = "index.html"


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


def static_folders(settings: Settings) -> list[tuple[str, Path]]:
    """The folders of `--static-dirs`, each with the route below which its files are served."""
    words = (word.partition("=") for word in settings.static_dirs)
    return [(canonical_route(name), Path(folder)) for name, _, folder in words]


class FolderFiles(Handler, StaticFiles):
    """Serves the files of a folder to those who may open its route; `index.html` is the page of the folder it is in."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ("GET", "HEAD")  # type: ignore[misc]
    guarded = True

    def initialize(self, state: ServerState, route: str, folder: Path) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        Handler.initialize(self, state)
        StaticFiles.initialize(self, (folder,))
        self._route = route
        self._folder = folder
        # Who is not logged in is sent to the login from what a browser shows, and refused what it only loads.
        self.shows_pages = self.request.path.endswith(("/", ".html"))

    async def admit(self) -> None:
        """Refuse a user who may not open the folder."""
        if not await self.state.policy.may_open(self.current_user, self._route):
            who = name_shown(self.current_user)
            self.log_refusal("%s: %r at %s may not open it", self._route, who, self.request.remote_ip)
            self.refuse_access()

    async def head(self, path: str = "") -> None:
        """As for GET, without the body."""
        await self.get(path)

    async def get(self, path: str = "") -> None:
        """The file, or word that the browser has it already."""
        if self._lacks_slash(path):
            self.redirect(f"./{self.request.path.rpartition('/')[2]}/")
            return
        await StaticFiles.get(self, path)

    def _lacks_slash(self, path: str) -> bool:
        """Whether this is a folder with a page, whose links begin in the folder."""
        if self.request.path.endswith("/"):
            return False
        return locate(self._folder, f"{path}/{_INDEX}".lstrip("/")) is not None

    def _candidates(self, path: str) -> Iterable[tuple[Path, str]]:
        """The page of a folder, or the file."""
        yield self._folder, f"{path}{_INDEX}" if self.request.path.endswith("/") else path

    def _describe(self, file: StaticFile, compressed: bool) -> None:
        """As for all files; but if people log in, no proxy may keep it, and a browser asks each time."""
        StaticFiles._describe(self, file, compressed)
        if not self.state.policy.auth.open:
            self.set_header("Cache-Control", "private, no-cache")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer in one line; a page would be useless where a script was expected."""
        StaticFiles.write_error(self, status_code, **kwargs)

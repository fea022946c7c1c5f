"""Live reload in --dev: a change of a file loads the application again, in this process, and its pages too.

Pages hold a stream of server-sent events open. When a watched file changes, the applications' modules are forgotten,
the applications are loaded again, their sessions end, and every page is notified. A file that cannot be loaded leaves a
page that says why, and that loads again at the next change.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterable, Sequence, Set
from contextlib import aclosing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tornado.iostream import StreamClosedError

from app_server.apps import broken_application, load_application
from app_server.document.classes import forget as forget_classes
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import ApplicationError, AppServerError
from app_server.page import live_reload_script
from app_server.requests.handler import Handler
from app_server.requests.state.server_state import ServerState
from app_server.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.3
_LOOK_ANYWAY_MS = 1000
"""How often files are compared although the system has reported nothing: some network filesystems do not, and a session
may have imported a module from another folder."""
_GATHER_MS = 50
"""How long changes are gathered: editors write a file in several steps."""
_PAUSE_S = 0.1
"""The least time between two looks, if something beside the files is written all the time, such as a log."""


def head_of(live_reload: LiveReload | None, prefix: str) -> str:
    """HTML for the head of every page below this path."""
    return live_reload.script(prefix) if live_reload is not None else ""


class ReloadHandler(Handler):
    """The stream of events that a page listens to."""

    def initialize(self, state: ServerState, live_reload: LiveReload) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(state)
        self._live_reload = live_reload

    @property
    def awaited(self) -> bool:
        """The stream has no end of its own."""
        return False

    async def get(self, *captured: str) -> None:
        """Send the id of this start, then "reload" when something has changed."""
        live_reload = self._live_reload
        self.set_header("Content-Type", "text/event-stream")
        self.forbid_caching()
        try:
            self.write(f"event: start\ndata: {live_reload.start_id}\n\n")
            await self.flush()
            await live_reload.changed()
            self.write("event: reload\ndata: now\n\n")
            await self.flush()
        except StreamClosedError:
            log.debug("A page stopped listening for changes")


class LiveReload:
    """Watches the files of the applications and what they import."""

    def __init__(self, runtimes: Sequence[ApplicationRuntime], settings: Settings) -> None:
        self._runtimes = runtimes
        self._settings = settings
        self.start_id = secrets.token_hex(8)
        self._waiting: asyncio.Event = asyncio.Event()
        self._seen = times_of(self._watched())
        named = (settings.env_file, settings.use_config)
        self._read_at_start = tuple(Path(file).absolute() for file in named if file is not None)
        self._at_start = times_of(self._read_at_start)
        self._looking = asyncio.Lock()
        # Python tells a changed module by whole seconds and size: an edit within a second could be overlooked.
        sys.dont_write_bytecode = True

    def script(self, prefix: str) -> str:
        """The HTML that lets a page listen."""
        return live_reload_script(f"{prefix}/_dev/reload")

    async def changed(self) -> None:
        """Return when something has changed."""
        await self._waiting.wait()

    def stop(self) -> None:
        """Let the listening pages go."""
        self._waiting.set()

    async def watch(self) -> None:
        """Look for changes for ever."""
        async for _ in occasions(lambda: {path.parent for path in (*self._watched(), *self._read_at_start)}):
            await self.look()

    async def look(self) -> None:
        """Load the applications again if something has changed: what was saved before is what is served from now on."""
        async with self._looking:
            self._mention_files_of_the_start()
            times = times_of(self._watched())
            if times != self._seen:
                changed = sorted({str(path) for path, _ in set(times.items()) ^ set(self._seen.items())})
                log.info("Changed: %s", ", ".join(changed[:5]))
                await self._reload()
                self._seen = times_of(self._watched())

    async def _reload(self) -> None:
        for runtime in self._runtimes:
            for session in runtime.registry:
                runtime.begin_end(session)
        await asyncio.sleep(0)
        forget_modules()
        for runtime in self._runtimes:
            path = runtime.application.path
            if path is None:
                continue
            try:
                application = load_application(in_short(path), self._settings.args, dev=True)
                application.prepare()
                await runtime.replace(application)
            except AppServerError as error:
                log.error("%s", error)
                old = runtime.application
                await runtime.replace(broken_application(old.route, path, as_failure(error), old.watch_paths()))
        self.start_id = secrets.token_hex(8)  # for a page that was loaded, but does not listen yet
        waiting, self._waiting = self._waiting, asyncio.Event()
        waiting.set()

    def _mention_files_of_the_start(self) -> None:
        """Say which files of settings or variables have changed: they are only read when the server starts."""
        times = times_of(self._read_at_start)
        for path in sorted(path for path, time in times.items() if time != self._at_start.get(path)):
            log.warning("Changed: %s. Restart the server to read it", path)
        self._at_start.update(times)

    def _watched(self) -> Iterable[Path]:
        for runtime in self._runtimes:
            yield from runtime.application.watch_paths()
        yield from map(Path, self._settings.dev_watch)
        for _, path in own_modules():
            yield path


def times_of(paths: Iterable[Path]) -> dict[Path, int]:
    """When each of the files that exist was changed."""
    times: dict[Path, int] = {}
    for path in paths:
        try:
            times[path] = path.stat().st_mtime_ns
        except OSError:
            continue  # being replaced: the next look will find it
    return times


async def occasions(folders: Callable[[], Set[Path]]) -> AsyncIterator[None]:
    """Yield whenever it is time to look: when the system reports a change in one of these folders, or often.

    With watchfiles, a change is seen at once, and files are compared less often.
    """
    reported = find_spec("watchfiles") is not None
    while reported:
        try:
            async for _ in reports(folders):
                yield
        except OSError as error:
            # Such as a limit of the system's, or a folder that has just been removed.
            log.info("The system does not report changes (%s); comparing files instead", error)
            reported = False
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        yield


async def reports(folders: Callable[[], Set[Path]]) -> AsyncIterator[None]:
    """Yield at each change in the folders, and once in a while, until there are others. OSError as from the system."""
    from watchfiles import awatch

    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # what has changed is in our own log
    watched = {folder for folder in folders() if folder.is_dir()}
    changes = awatch(
        *watched, watch_filter=None, recursive=False, debounce=_GATHER_MS, step=_GATHER_MS,
        rust_timeout=_LOOK_ANYWAY_MS, yield_on_timeout=True,
    )  # fmt: skip
    async with aclosing(changes):
        async for _ in changes:
            yield
            if {folder for folder in folders() if folder.is_dir()} != watched:
                return
            await asyncio.sleep(_PAUSE_S)


def as_failure(error: AppServerError) -> ApplicationError:
    """This error as one that a session's build can raise."""
    return error if isinstance(error, ApplicationError) else ApplicationError(error.what, where=error.where)


def own_modules() -> list[tuple[str, Path]]:
    """The loaded modules that are neither installed nor part of Python or of this server: the application's own."""
    files = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    return [
        (name, Path(file).resolve()) for name, file in files if file and name != "__main__" and not _is_installed(file)
    ]


@cache
def _is_installed(file: str) -> bool:
    """Whether a module's file is installed or part of Python or of this server. Asked of 2000 files at each look."""
    path = Path(file).resolve()
    return any(path.is_relative_to(folder) for folder in _installed())


@cache
def _installed() -> tuple[Path, ...]:
    prefixes = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix}
    return (*(Path(prefix).resolve() for prefix in prefixes), Path(__file__).resolve().parents[1])


def forget_modules() -> None:
    """Have the application's own modules imported again, with the model classes in them."""
    names = [name for name, _ in own_modules()]
    for name in names:
        sys.modules.pop(name, None)
    forget_classes(names)


def in_short(path: Path) -> Path:
    """The path relative to the working directory if it lies below, as most people type it; errors show it."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path

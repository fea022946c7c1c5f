"""`from app_server import Server`: the server as a part of somebody else's program."""

from __future__ import annotations

import asyncio
import difflib
import os
import signal
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from tornado.ioloop import IOLoop

from app_server.apps import Application, application_from_function, as_application, load_application
from app_server.document.engine import install
from app_server.document.themes import Document
from app_server.errors import OperatorError
from app_server.session.session import Session
from app_server.settings import Arity, Settings, all_settings, resolve
from app_server.transport import server as site

Source: TypeAlias = "str | os.PathLike[str] | Callable[[Document], Any] | Application"

STOCK_NAMES = {
    "keep_alive_milliseconds": "keep_alive_ms",
    "check_unused_sessions_milliseconds": "check_unused_sessions_ms",
    "unused_session_lifetime_milliseconds": "unused_session_lifetime_ms",
    "stats_log_frequency_milliseconds": "stats_log_frequency_ms",
    "mem_log_frequency_milliseconds": "mem_log_frequency_ms",
    "session_token_expiration": "session_token_expiration_s",
    "extra_websocket_origins": "allow_websocket_origin",
    "websocket_max_message_size": "websocket_max_message_size_bytes",
    "xsrf_cookies": "enable_xsrf_cookies",
}
"""The names that `bokeh.server.server.Server` has for settings of ours."""


class Server:
    """Serves applications from within a program: in its event loop, in a thread of its own, or as all that it does.

    `applications` is one source, a list of them, or a dictionary from routes to sources; a source is the path of a
    script, notebook or folder, a function that takes a document and fills it, or an `Application`. Further keywords are
    settings by the names of `app_server.settings.Settings` (or by those of the stock server); what is not given comes
    from the environment and the defaults. `port=0` takes a free one. `extra_patterns` are handlers of Tornado that
    are asked first. The address is taken at once: OperatorError where it cannot be had.
    """

    def __init__(
        self,
        applications: Source | list[Source] | tuple[Source, ...] | Mapping[str, Source],
        io_loop: IOLoop | None = None,
        *,
        extra_patterns: Sequence[tuple[Any, ...]] = (),
        **settings: Any,
    ) -> None:
        install()
        self.settings = settings_from_keywords(settings, os.environ)
        self._io_loop = io_loop or IOLoop.current()
        self._loop: asyncio.AbstractEventLoop = self._io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._site = site.Server(by_route(applications, self.settings), self.settings, self._loop, extra_patterns)
        self._site.bind()
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._asked_to_start = False

    @property
    def io_loop(self) -> IOLoop:
        """The loop that serves."""
        return self._io_loop

    @property
    def port(self) -> int | None:
        """The port that is listened on; None on a Unix socket."""
        return self._site.port

    @property
    def address(self) -> str | None:
        """The address that is listened on; None for all."""
        return self.settings.address

    @property
    def prefix(self) -> str:
        """The path that everything is served under, without a slash at its end."""
        return self.settings.prefix

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the server."""
        return self._site.url

    def handlers(self) -> list[tuple[Any, ...]]:
        """What is served, as handlers for a Tornado application of one's own: `application.add_handlers(".*", …)`."""
        return self._site.routes()

    def start(self) -> None:
        """Run the applications' load hooks, then take connections; at once, or as soon as the loop runs."""
        if not self._asked_to_start:
            self._asked_to_start = True
            self._in_loop(self._begin)

    def _begin(self) -> None:
        self._starting = self._loop.create_task(self._site.start())

    def unlisten(self) -> None:
        """Take no more connections; those that are there go on."""
        self._in_loop(self._site.unlisten)

    def stop(self, wait: bool = True) -> None:
        """End every session with its hooks and every connection.

        In the thread of a running loop this is only begun; anywhere else, `wait` returns when it is done.
        """
        if self._loop.is_running():
            if self._is_own_thread():
                self._end()
            else:
                done = asyncio.run_coroutine_threadsafe(self._site.stop(), self._loop)
                if wait:
                    done.result()
        elif not self._loop.is_closed():
            self._loop.run_until_complete(self._site.stop())

    def _end(self) -> None:
        if self._stopping is None:
            self._stopping = self._loop.create_task(self._site.stop())

    def run_until_shutdown(self) -> None:
        """Serve until the process gets SIGINT or SIGTERM, then stop; in the main thread."""
        self.start()
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, stopped.set)

        async def until_stopped() -> None:
            await stopped.wait()
            await self._site.stop()

        self._loop.run_until_complete(until_stopped())

    def show(self, app_path: str = "/", browser: str | None = None, new: str = "tab") -> None:
        """Open an application in a browser; `new` is "tab" or "window"."""
        if not app_path.startswith("/"):
            raise ValueError(f"app_path must begin with a slash, and {app_path!r} does not")
        controller = webbrowser.get(browser)
        controller.open(self.url.rstrip("/") + app_path, new={"tab": 2, "window": 1}[new])

    def get_session(self, app_path: str, session_id: str) -> Session:
        """The living session of this id; ValueError where there is none."""
        for session in self.get_sessions(app_path):
            if session.id == session_id:
                return session
        raise ValueError(f"{app_path} has no session of this id")

    def get_sessions(self, app_path: str | None = None) -> list[Session]:
        """The living sessions of one application, or of the only one; ValueError where it is not served."""
        runtimes = {runtime.url: runtime for runtime in self._site.runtimes}
        if app_path is None:
            if len(runtimes) != 1:
                raise ValueError("several applications are served: say which one is meant")
            app_path = next(iter(runtimes))
        if app_path not in runtimes:
            raise ValueError(f"no application is served at {app_path}; there are {', '.join(runtimes)}")
        return list(runtimes[app_path].registry)

    def _is_own_thread(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _in_loop(self, function: Callable[[], None]) -> None:
        if self._is_own_thread():
            function()
        else:
            self._loop.call_soon_threadsafe(function)


def settings_from_keywords(keywords: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """The settings of these keywords, checked as on the command line, on top of the environment.

    OperatorError for a keyword that is none, with the one that is likely meant, and for a value that does not fit.
    """
    by_name = {setting.name: setting for setting in all_settings()}
    values = {STOCK_NAMES.get(name, name): value for name, value in keywords.items() if value is not None}
    words: dict[str, list[str]] = {}
    switches: dict[str, Any] = {}
    for name, value in values.items():
        if name not in by_name:
            likely = difflib.get_close_matches(name, [*by_name, *STOCK_NAMES], n=1)
            raise OperatorError(
                f"Server has no setting {name!r}", hint=f"Did you mean {likely[0]!r}?" if likely else None
            )
        if by_name[name].arity is Arity.SWITCH:
            switches[name] = bool(value)
        else:
            several = isinstance(value, list | tuple | set | frozenset)
            words[name] = [os.fspath(item) if isinstance(item, os.PathLike) else str(item)
                           for item in (value if several else [value])]  # fmt: skip
    words.update({name: [] for name, on in switches.items() if on})
    # A switch has no word for "no", which a keyword has, and which overrides the environment.
    return replace(resolve(words, environ), **switches)


def by_route(
    sources: Source | list[Source] | tuple[Source, ...] | Mapping[str, Source], settings: Settings
) -> dict[str, Application]:
    """The applications of these sources by their routes; OperatorError where two have the same."""
    if isinstance(sources, Mapping):
        named = {_route(route): _application(source, settings) for route, source in sources.items()}
        if len(named) < len(sources):
            raise OperatorError("two applications have the same route")
        return named
    listed = list(sources) if isinstance(sources, list | tuple) else [sources]
    applications = [_application(source, settings) for source in listed]
    found = {application.route: application for application in applications}
    if len(found) < len(applications):
        raise OperatorError(
            "two applications have the same route", hint="Give a dictionary from routes to applications."
        )
    return found


def _application(source: Source, settings: Settings) -> Application:
    if isinstance(source, str | os.PathLike):
        application = load_application(source, settings.args, dev=settings.dev)
    elif isinstance(source, Application):
        application = source
    elif callable(source):
        application = application_from_function(source)
    else:
        application = as_application(source)
    application.prepare()
    return application


def _route(given: str) -> str:
    if given in ("", "/"):
        return "/"
    return f"/{given.strip('/')}"

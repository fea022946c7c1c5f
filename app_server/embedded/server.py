"""`from app_server import Server`: the server as a part of another program.

    taken (its address) -> started -> stopped

Each step is made once; `start` and `stop` may be called from any thread, all that they do is done in the loop's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_urlsafe
from types import FrameType
from typing import Any

from tornado.ioloop import IOLoop

from app_server import system
from app_server.document.engine import install
from app_server.embedded.keywords import in_keywords, of_several_processes, settings_from_keywords
from app_server.embedded.sessions import session_of, sessions_of
from app_server.embedded.sources import Sources, by_route
from app_server.engine import containment
from app_server.errors import OperatorError
from app_server.http.matching import RouteAddress, names_of
from app_server.processes.forking.stop_signals import Heard, StopSignals
from app_server.processes.signals import of_request, wake_at_signals
from app_server.requests.server_handlers import (
    FaviconHandler,
    HealthHandler,
    IndexHandler,
    MissingHandler,
    ReadyHandler,
)
from app_server.server import server
from app_server.server.announce import NO_BROWSER
from app_server.server.ending import stop_within
from app_server.server.routes import WELL_KNOWN
from app_server.session.session import Session
from app_server.settings import with_signing_key

log = logging.getLogger(__name__)

_LEVELS = {"trace": 9}
"""The number that bokeh uses for what is finer than debug."""

_GRACE_S = 5.0
"""How much longer than the drain deadline a thread waits for the loop of another to stop."""

_SITE_HANDLERS = (FaviconHandler, HealthHandler, IndexHandler, MissingHandler, ReadyHandler)
"""What answers for a whole site; inside another application, only what lies below the prefix is ours."""


class Server:
    """Serves applications from within a program: in its event loop, in a thread of its own, or as all that it does.

    `applications` is one application, a list, or a dictionary from routes to applications. An application is the path
    of a script, notebook or folder, a function that takes a document and fills it, or an object with
    `initialize_document`, such as a `bokeh.application.Application`.

    `io_loop` is Tornado's, by default the current one. `extra_patterns` are Tornado's handlers; they take precedence.
    With `listen=False` the server binds no address: `handlers()` then serve in a Tornado application of your own, and
    `port` says where that one listens. Otherwise the address is bound at once; `port=0` takes a free one.

    Further keywords are settings, such as `prefix="/plots"`, by our names or by those of the stock server. What is not
    given comes from the environment and the defaults. Keywords of the stock server that this one does not support,
    such as `http_server_kwargs`, are refused with what to do instead.

    Raises OperatorError for a wrong keyword or value, and ApplicationError for an application that does not load.
    """

    def __init__(
        self,
        applications: Sources,
        io_loop: IOLoop | None = None,
        http_server_kwargs: Mapping[str, Any] | None = None,
        *,
        listen: bool = True,
        extra_patterns: Sequence[tuple[Any, ...]] = (),
        **settings: Any,
    ) -> None:
        install()
        if http_server_kwargs is not None:
            settings["http_server_kwargs"] = http_server_kwargs
        self.settings = with_signing_key(settings_from_keywords(settings, os.environ), token_urlsafe)
        if settings.get("log_level") is not None:
            level = self.settings.log_level
            logging.getLogger("app_server").setLevel(_LEVELS.get(level) or level.upper())
        for name in of_several_processes(self.settings):
            log.warning("%s comes from the environment, and has no effect on a server inside a program", name)
        if not listen:
            _check_foreign_address(settings)
        self._io_loop = io_loop or IOLoop.current()
        self._loop: asyncio.AbstractEventLoop = self._io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._listens = listen
        with in_keywords():
            make = server.Server.bound if listen else server.Server
            self._server = make(
                by_route(applications, self.settings), self.settings, self._loop, extra_patterns=extra_patterns
            )
        self._lock = threading.Lock()
        self._asked_to_start = self._asked_to_stop = False
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Server {', '.join(runtime.url for runtime in self._server.state.runtimes)} at {self.url}>"

    @property
    def io_loop(self) -> IOLoop:
        """The loop that serves."""
        return self._io_loop

    @property
    def port(self) -> int | None:
        """The port that the server listens on; None on a Unix socket."""
        return self._server.port

    @property
    def address(self) -> str | None:
        """The address that the server listens on; None for all addresses."""
        return self.settings.address

    @property
    def unix_socket(self) -> str | None:
        """The Unix socket that the server listens on; None on a port."""
        return self.settings.unix_socket

    @property
    def prefix(self) -> str:
        """The path below which everything is served, without a slash at its end."""
        return self.settings.prefix

    @property
    def index(self) -> str | None:
        """The template of the index page; None for the server's own."""
        return self.settings.index

    @property
    def url(self) -> str:
        """The server's address for a browser on this machine; `unix:` and the path on a Unix socket."""
        return f"unix:{self.settings.unix_socket}" if self.settings.unix_socket else self._server.url

    def handlers(self) -> list[tuple[Any, ...]]:
        """The handlers for a Tornado application of your own: `application.add_handlers(".*", server.handlers())`.

        They answer everything below the prefix, or without one the applications and `/static/`. The settings of your
        application apply to them, such as `cookie_secret` and `xsrf_cookies`.
        """
        routes = self._server.routes()
        if self.prefix:
            above = [RouteAddress(names_of(path)) for path in WELL_KNOWN]
            return [route for route in routes if route[1] is not MissingHandler and route[0] not in above]
        return [route for route in routes if route[1] not in _SITE_HANDLERS]

    def start(self) -> None:
        """Run the applications' load hooks, then accept connections: at once, or as soon as the loop runs.

        A second call does nothing; RuntimeError after `stop`.
        """
        with self._lock:
            if self._asked_to_stop:
                raise RuntimeError("this server was stopped; make another one")
            if self._asked_to_start:
                return
            self._asked_to_start = True
        self._in_loop(self._begin)

    def _begin(self) -> None:
        self._starting = self._loop.create_task(self._server.start())
        self._starting.add_done_callback(self._has_begun)

    def _has_begun(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The server could not start: %s", error, exc_info=error)
        elif self.settings.show and not task.cancelled():
            runtimes = self._server.state.runtimes
            self.show(runtimes[0].url if len(runtimes) == 1 else "/")

    async def started(self) -> None:
        """Start if needed, and wait until connections are accepted. Await it in the server's loop."""
        self.start()
        while self._starting is None:  # asked for in another thread a moment ago
            await asyncio.sleep(0)
        await asyncio.shield(self._starting)

    def unlisten(self) -> None:
        """Accept no more connections; existing ones go on."""
        self._in_loop(self._server.unlisten)

    def stop(self, wait: bool = True) -> None:
        """End every session with its hooks, close every connection, and release the address.

        In the thread of the running loop, this only begins to stop: `await server.stopped()` there. In any other thread
        it returns when everything has ended, at the latest after `drain_deadline_s`; with `wait=False`, at once. A
        second call does nothing more.
        """
        with self._lock:
            self._asked_to_stop = True
        if self._is_own_thread():
            self._end()
        elif self._loop.is_running():
            done = asyncio.run_coroutine_threadsafe(self.stopped(), self._loop)
            if wait:
                try:
                    done.result(self.settings.drain_deadline_s + _GRACE_S)
                except TimeoutError:
                    log.error("The server's loop did not stop it in time")
        elif not self._loop.is_closed():
            self._loop.run_until_complete(self.stopped())
        else:
            self._server.close()

    async def stopped(self) -> None:
        """Stop if needed, and wait until everything has ended. Await it in the server's loop."""
        with self._lock:
            self._asked_to_stop = True
        await asyncio.shield(self._end())

    def _end(self) -> asyncio.Task[None]:
        if self._stopping is None:
            self._stopping = self._loop.create_task(self._wind_up())
        return self._stopping

    async def _wind_up(self) -> None:
        try:
            if self._starting is not None:
                await stop_within(self.settings.drain_deadline_s, self._stop_once_started(self._starting))
        finally:
            self._server.close()

    async def _stop_once_started(self, starting: asyncio.Task[None]) -> None:
        await asyncio.wait([starting])
        await self._server.stop()

    async def __aenter__(self) -> Server:
        """Serve inside the block: `async with Server(applications, port=0) as server:`"""
        await self.started()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stopped()

    def run_until_shutdown(self) -> None:
        """Serve until the process gets SIGINT or SIGTERM, then stop. Call it in the main thread, if no loop runs there.

        SIGTERM lets sessions go on for `drain_s`. A second signal, at least a second after the first, ends the process
        as it would have without this method; sooner, it is taken for a repetition of the first.
        """
        if threading.current_thread() is not threading.main_thread():
            hint = "In another one use start() and io_loop.start()."
            raise RuntimeError(f"signals come to the main thread only: call run_until_shutdown there. {hint}")
        if self._loop.is_running():
            raise RuntimeError("the loop runs already; use start(), and stop() at the end")
        containment.run_in(self._loop, self._until_shutdown())

    async def _until_shutdown(self) -> None:
        asked: asyncio.Future[int] = self._loop.create_future()
        with _signals(self._loop, asked.set_result):
            await self.started()
            if await asked == signal.SIGTERM and self.settings.drain_s > 0:
                await self._server.drain(self.settings.drain_s)
            await self.stopped()

    def show(self, app_path: str = "/", browser: str | None = None, new: str = "tab") -> None:
        """Open an application in a browser, by default the system's; `new` is "tab" or "window"."""
        if not app_path.startswith("/"):
            raise ValueError(f"app_path must begin with a slash, and {app_path!r} does not")
        if new not in ("tab", "window"):
            raise ValueError(f"new must be 'tab' or 'window', not {new!r}")
        if self.settings.unix_socket:
            raise OperatorError("no browser opens a Unix socket", where=self.settings.unix_socket)
        url = self.url.rstrip("/") + app_path
        try:
            webbrowser.get(browser).open(url, new={"tab": 2, "window": 1}[new])
        except webbrowser.Error:
            if browser is not None:
                raise
            log.warning(NO_BROWSER, url)

    def get_session(self, app_path: str, session_id: str) -> Session:
        """The living session of this id; ValueError if there is none."""
        runtimes = self._server.state.runtimes
        return session_of(runtimes, [runtime.url for runtime in runtimes], app_path, session_id)

    def get_sessions(self, app_path: str | None = None) -> list[Session]:
        """The living sessions of one application, or of all; ValueError if it is not served.

        Their documents belong to the loop's thread: from another one, `session.document.add_next_tick_callback`.
        """
        runtimes = self._server.state.runtimes
        return sessions_of(runtimes, [runtime.url for runtime in runtimes], app_path)

    def _is_own_thread(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _in_loop(self, function: Callable[[], Any]) -> None:
        if self._is_own_thread():
            function()
        else:
            self._loop.call_soon_threadsafe(function)


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, first: Callable[[int], None]) -> Iterator[None]:
    """Call `first` in the loop at SIGINT or SIGTERM; an impatient signal, and those afterwards, do what they did."""
    before = {number: signal.getsignal(number) for number in system.STOP_SIGNALS}
    stop_signals = StopSignals()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def on_signal(number: int, frame: FrameType | None) -> None:
        heard = stop_signals.hear()
        if heard is Heard.FIRST:
            loop.call_soon_threadsafe(first, of_request(number))
        elif heard is Heard.IMPATIENT:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, on_signal)
    sleep_on = wake_at_signals(loop)
    try:
        yield
    finally:
        sleep_on()
        restore()


_OF_THE_SITE = "Leave it out, and tell it the HTTPServer of the application that serves the handlers."


def _check_foreign_address(keywords: Mapping[str, Any]) -> None:
    """Refuse a server that would not know which pages are its own."""
    for name in ("unix_socket", "ssl_certfile", "ssl_keyfile", "ssl_password", "use_xheaders"):
        if keywords.get(name) not in (None, False):
            raise OperatorError("has no meaning with listen=False", where=name, hint=_OF_THE_SITE)
    if not keywords.get("port") and not keywords.get("allow_websocket_origin"):
        hint = "Give port, or allow_websocket_origin with the public name."
        what = "nothing says where the application listens that these handlers serve in"
        raise OperatorError(what, where="port", hint=hint)

"""A whole server inside the test's process: on a loop in a thread of its own, at a free port."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

from app_server.apps import Application, application_from_function
from app_server.http.listeners import Listening
from app_server.security import tokens
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.session.session import Session
from app_server.settings import Settings
from tests.support.client import Answer, Site
from tests.support.waiting import PATIENCE_S, patience

T = TypeVar("T")


class Inside(Site):
    """The server, from outside by its address, and from inside by its objects."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(f"http://127.0.0.1:{server.port}")  # without the prefix
        self.server = server
        self.loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns, run in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(patience(PATIENCE_S))

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns, called in the server's loop."""

        async def run() -> T:
            return function(*args)

        return self.do(run())

    def get(self, path: str, **asked: Any) -> Answer:
        """As of any site, when the server is done with the request: also with what it counts and logs."""
        answer = super().get(path, **asked)
        self.call(lambda: None)
        return answer

    def post(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a form; several Set-Cookie headers are one, line by line, as in `ask`."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.ask(path, "POST", form, urlencode(fields).encode())

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """The answer to one request on a connection of its own; `path` is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=patience(PATIENCE_S))
        try:
            connection.request(method, path, body, {"Host": f"localhost:{self.server.port}", **(headers or {})})
            response = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in response.getheaders():
                key = name.lower()
                found[key] = f"{found[key]}\n{value}" if key in found else value
            answer = Answer(response.status, found, response.read())
        finally:
            connection.close()
        self.call(lambda: None)
        return answer


@contextmanager
def inside(
    applications: Mapping[str, Application | Callable[[Any], Any]],
    kind: Callable[..., Server] = Server,
    membership: Membership | None = None,
    **settings: Any,
) -> Iterator[Inside]:
    """Serve these applications, or functions of a document, by these settings, as this one of its processes."""
    made = {
        route: source if isinstance(source, Application) else application_from_function(source, route)
        for route, source in applications.items()
    }
    settings = {"address": "127.0.0.1", "port": 0, "keep_alive_ms": 0, **settings}
    started: list[Server | BaseException] = []
    ready, stopping = threading.Event(), asyncio.Event()

    async def serve() -> None:
        try:
            resolved = Settings(**settings)
            more = {} if membership is None else {"membership": membership}
            server = kind(made, resolved, asyncio.get_running_loop(), Listening.bound(resolved), **more)
            await server.start()
        except BaseException as error:
            started.append(error)
            return
        else:
            started.append(server)
        finally:
            ready.set()
        await stopping.wait()
        await server.stop()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="server", daemon=True)
    thread.start()
    assert ready.wait(patience(PATIENCE_S))
    server = started[0]
    if isinstance(server, BaseException):
        thread.join()
        raise server
    try:
        yield Inside(server, loop)
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(patience(2 * PATIENCE_S))
        loop.close()


def session_of(site: Inside, token: str, application: int = 0) -> Session | None:
    """The living session of this token, None if it has none."""
    ident = site.server.state.policy.read_token(token).session_id
    return site.server.state.runtimes[application].registry.get(ident)


def expired(site: Inside, session_id: str | None = None, **more: Any) -> str:
    """A token of this session, or of a new one, that was good until a moment ago."""
    ident = session_id or site.server.state.mint_session_id()
    return tokens.mint_token(site.server.state.policy.signer, ident, expires_at=int(time.time()) - 1, **more)

"""`from app_server.asgi import BokehASGI`: the server as an ASGI application, by itself or mounted in another one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import Any

from app_server.asgi.beside import Beside
from app_server.asgi.exchange import answer
from app_server.asgi.handshakes import Handshakes
from app_server.asgi.keywords import settings_of
from app_server.asgi.lifespan import Lifespan
from app_server.asgi.scope import Receive, Scope, Send, root_path
from app_server.asgi.users import FrameworkUsers, Policy, PolicyUsers
from app_server.asgi.workers import check_workers, workers_asked_for
from app_server.document.engine import install
from app_server.embedded.keywords import in_keywords
from app_server.embedded.sessions import session_of, sessions_of
from app_server.embedded.sources import Sources, by_route
from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend
from app_server.session.session import Session
from app_server.settings import WAYS_TO_LOG_IN, with_signing_key

log = logging.getLogger(__name__)


class BokehASGI:
    """Serves applications at an ASGI server such as uvicorn, hypercorn or granian.

    `applications` is one application, which is served at `/`, a dictionary from routes to applications, or a list of
    them; an application is what `app_server.Server` takes. `prefix` is a path below which everything is served, besides
    the one at which a framework mounts the object. With `redirect_root`, the root leads to the only application.

    Without `auth_policy`, anyone may open a session whose request the framework lets through, and the session's user is
    the one that middleware has put into the scope. With a policy, the policy decides. Further keywords are settings, by
    our names or by those of the stock server.

    Raises OperatorError for a wrong keyword or value, and ApplicationError for an application that does not load.
    """

    def __init__(
        self,
        applications: Sources,
        *,
        prefix: str | None = None,
        redirect_root: bool = True,
        auth_policy: Policy | None = None,
        logout_url: str | None = None,
        **settings: Any,
    ) -> None:
        install()
        given = {"prefix": prefix, "redirect_root": redirect_root, **settings}
        own, in_vain = settings_of(given, os.environ, auth_policy)
        for name in in_vain:
            log.warning("%s comes from the environment, and has no effect with ASGI", name)
        warning = check_workers(workers_asked_for(sys.argv, os.environ), own)
        if warning is not None:
            log.warning("%s", warning)
        self._settings = with_signing_key(own, token_urlsafe)
        with in_keywords():
            loaded = by_route(_at_root(applications), self._settings)
        self._lifespan = Lifespan(loaded, self._settings, self._users(auth_policy, logout_url))
        self._handshakes = Handshakes()

    def __repr__(self) -> str:
        return f"<BokehASGI {', '.join(sorted(self.app_paths))} below {self.prefix or '/'}>"

    def _users(self, policy: Policy | None, logout_url: str | None) -> AuthBackend | None:
        """What says who sends a request; None if the settings do."""
        if policy is not None:
            return PolicyUsers(policy, logout_url)
        if any(getattr(self._settings, name) for name in WAYS_TO_LOG_IN):
            return None
        return FrameworkUsers(logout_url)

    @property
    def core(self) -> BokehASGI:
        """This object, where the stock class has its sessions and applications."""
        return self

    @property
    def prefix(self) -> str:
        """The path below which everything is served, besides the mount's; without a slash at its end."""
        return self._settings.prefix

    @property
    def app_paths(self) -> set[str]:
        """The routes of the applications."""
        return set(self._lifespan.applications)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by the ASGI server, or by the framework in which the object is mounted."""
        if scope["type"] == "lifespan":
            await self._lifespan.follow(receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise OperatorError(f"cannot answer the ASGI scope {scope['type']!r}", where="BokehASGI")
        mounts = await self._lifespan.running()
        await answer(mounts.at(root_path(scope)), scope, receive, send, self._handshakes.check)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Serve inside the block; a framework's `lifespan`: `FastAPI(lifespan=bokeh.lifespan)`.

        `app` is the framework's application, which calls it. In a lifespan of your own: `async with bokeh.lifespan():`.
        """
        await self._lifespan.enter()
        try:
            yield
        finally:
            await self._lifespan.leave()

    def beside(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Beside:
        """An ASGI application that answers below the prefix, and leaves everything else to `app`, such as Django's.

        OperatorError without a prefix.
        """
        return Beside(self, app)

    async def update_sessions(self, app_path: str, update_document: Callable[[Any], Awaitable[None] | None]) -> None:
        """Call a function, which may be async, with the document of each living session of an application.

        Each call has its document's lock; sessions do not wait for each other. Only sessions of this process are
        updated. ValueError if the application is not served.
        """
        calls = [session.context.with_locked_document(update_document) for session in self.get_sessions(app_path)]
        await asyncio.gather(*calls)

    def get_session(self, app_path: str, session_id: str) -> Session:
        """The living session of this id; ValueError if there is none."""
        return session_of(self._lifespan.runtimes, sorted(self.app_paths), app_path, session_id)

    def get_sessions(self, app_path: str | None = None) -> list[Session]:
        """The living sessions of one application in this process, or of all; ValueError if it is not served.

        Their documents belong to the loop's thread: from another one, `session.document.add_next_tick_callback`.
        """
        return sessions_of(self._lifespan.runtimes, sorted(self.app_paths), app_path)


def _at_root(applications: Sources) -> Sources:
    """A single source with the route that the stock class gives it."""
    if isinstance(applications, Mapping | list | tuple):
        return applications
    return {"/": applications}

"""The paths at which an ASGI application is mounted: the same server, with its own addresses at each of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from app_server.auth.backends import backend_for
from app_server.http.auth_backend import AuthBackend
from app_server.http.intake import Intake
from app_server.http.matching import RoutedApplication
from app_server.protocol.pace import Pace
from app_server.protocol.paths import segments
from app_server.server.runtimes import owners
from app_server.server.server import Server

MOST: Final = 32
"""How many mounts are kept. A framework may mount at a path with a parameter, which anyone can choose."""


class Mounts:
    """What answers at each `root_path`; `own_login` says that the settings ask users to log in, at each of them."""

    def __init__(self, server: Server, *, own_login: bool) -> None:
        self._server = server
        self._own_login = own_login
        self._pace = Pace(server.settings.request_timeout_s, server.settings.idle_timeout_s)
        self._found: OrderedDict[str, Mount] = OrderedDict()
        self._own = self._mount(server.application)

    def at(self, root: str) -> Mount:
        """The place at this path, which is escaped. At what cannot be a path, every request gets a 404.

        Below `//host`, which a mount at `{path:path}` lets anyone choose, pages would load scripts from that host.
        """
        if not root or root.startswith("//") or segments(root) is None:
            return self._own
        if root in self._found:
            self._found.move_to_end(root)
            return self._found[root]
        mount = self._found[root] = self._made(root)
        if len(self._found) > MOST:
            _, least_used = self._found.popitem(last=False)
            least_used.stop()
        return mount

    def close(self) -> None:
        """Stop the logins that were made for mounts."""
        for mount in self._found.values():
            mount.stop()

    def _made(self, root: str) -> Mount:
        server = self._server
        if not self._own_login:
            return self._mount(server.below(root, server.state.policy.auth))
        auth = backend_for(replace(server.settings, prefix=root + server.settings.prefix))
        work = auth.work(partial(owners, auth, server.state.runtimes))
        return self._mount(server.below(root, auth), auth, [asyncio.ensure_future(each) for each in work])

    def _mount(self, application: RoutedApplication, *more: Any) -> Mount:
        answered = self._server.state.process.gauges.answered
        return Mount(application, Intake(self._pace, application.largest_body, answered), *more)


@dataclass(frozen=True)
class Mount:
    """What answers at one path, its limits, and the login that was made for it."""

    application: RoutedApplication
    intake: Intake
    login: AuthBackend | None = None
    work: Sequence[asyncio.Future[None]] = ()

    def stop(self) -> None:
        """Stop the login, which no one asks any more."""
        for each in self.work:
            each.cancel()
        if self.login is not None:
            self.login.stop()

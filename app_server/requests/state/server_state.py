"""What request handlers know about their server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.auth_backend import AuthBackend
from app_server.protocol.deflate import Deflate
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.requests.state.process import ProcessState
from app_server.settings import Settings
from app_server.websocket.owner import ClientSocket
from app_server.websocket.raw_socket import RawSocket


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server for its handlers: what it allows, what its process has at the moment, and its own pages."""

    policy: Policy
    process: ProcessState
    pages: Pages
    new_socket: Callable[[Any, Deflate | None], ClientSocket] = RawSocket
    """Makes the opened socket of what a request's connection leaves when it is detached."""

    def below(self, root: str, auth: AuthBackend, head: str = "") -> ServerState:
        """The same server as it is seen below this path, at which another program has put it.

        `auth` is its login there, `head` HTML for the head of its pages.
        """
        settings = replace(self.settings, prefix=root + self.settings.prefix)
        policy = replace(self.policy, settings=settings, auth=auth)
        return replace(self, policy=policy, pages=Pages(settings, self.runtimes, head))

    @property
    def settings(self) -> Settings:
        """The settings that the server was started with."""
        return self.policy.settings

    @property
    def runtimes(self) -> Sequence[ApplicationRuntime]:
        """The applications that this process serves."""
        return self.process.runtimes

    def mint_session_id(self) -> str:
        """A new session id; with several processes, one that belongs to this one."""
        return self.process.session_id(self.policy.mint_session_id)

"""What request handlers know about their server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.auth_backend import AuthBackend
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.requests.state.process import ProcessState
from app_server.requests.state.transport import TORNADO, Transport
from app_server.settings import Settings


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server for its handlers: what it allows, what its process has at the moment, its pages and its transport."""

    policy: Policy
    process: ProcessState
    pages: Pages
    transport: Transport = TORNADO

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

"""What request handlers know about their server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app_server.engine.runtime import ApplicationRuntime
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.requests.state.process import ProcessState
from app_server.settings import Settings


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server for its handlers: what it allows, what its process has at the moment, and its own pages."""

    policy: Policy
    process: ProcessState
    pages: Pages

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

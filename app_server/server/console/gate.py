"""The console at a path of the site: workers hand each request there to the console's process."""

from __future__ import annotations

from pathlib import Path

from app_server.processes.ipc import Unreachable
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.dispatch.socket_handoff import pass_on
from app_server.requests.handler import Handler
from app_server.requests.state.server_state import ServerState

_PATIENCE_S = 2.0
"""How long a request waits for a console that starts again."""


class ConsoleGate(Handler):
    """Any request below the console's path."""

    max_body_bytes = 64 * 1024

    def initialize(self, state: ServerState, workers: WorkerGroup, socket_path: Path) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(state)
        self._workers = workers
        self._socket_path = socket_path

    def check_xsrf_cookie(self) -> None:
        """The console checks forms of its own."""

    async def prepare(self) -> None:
        """Hand the request over, whatever it is."""
        self.name_request()
        try:
            await pass_on(self.request, self._workers, self._socket_path, _PATIENCE_S)
            self.passed_on()
        except Unreachable:
            self.set_header("Retry-After", "2")
            self.refuse(503, "The console is not there yet", "Try again in a moment.")

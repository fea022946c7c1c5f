"""A request to one application, whose path may have something in place of its route's placeholders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from app_server.engine.runtime import ApplicationRuntime
from app_server.requests.handler import Handler
from app_server.requests.state.server_state import ServerState
from app_server.security.visible_request import VisibleRequest
from app_server.sources.route_patterns import Captured

Captures: TypeAlias = Callable[[str], Captured]
"""What a path has in place of a route's placeholders."""


class RoutedHandler(Handler):
    """A request to one application."""

    runtime: ApplicationRuntime

    captured: Captured
    """What the path has in place of the route's placeholders; nothing if there are none."""

    def initialize(  # type: ignore[override]
        self, state: ServerState, runtime: ApplicationRuntime, captures: Captures | None = None
    ) -> None:
        """Called by Tornado with the arguments of the route."""
        super().initialize(state)
        self.runtime = runtime
        self.captured = Captured() if captures is None else captures(self.request.path)

    def visible_request(self) -> VisibleRequest:
        """What of the request the application may see, and what the path has in place of placeholders."""
        request = self.state.policy.visible_request(self.request)
        if not self.captured.path:
            return request
        return replace(request, route_params=dict(self.captured.params), app_path=self.captured.path)

    @property
    def url(self) -> str:
        """The application's route, as this request's path has it."""
        return self.captured.path or self.runtime.url

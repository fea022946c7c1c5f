"""Runs each application once before the server is ready, so the first visitor does not wait for its imports."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from app_server.document.served import ServedDocument
from app_server.engine.containment import blamed
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import AppServerError
from app_server.http.matching import names_of
from app_server.requests.seen_request import payload_of
from app_server.requests.state.server_state import ServerState
from app_server.security.visible_request import VisibleRequest
from app_server.server.warming.failure import Failure
from app_server.settings import Settings

log = logging.getLogger(__name__)

_SHARE = 3
"""A worker is given up after --start-timeout; a third of it leaves time for imports, hooks, and a second attempt."""


def time_for(settings: Settings, count: int) -> float:
    """How long each of so many applications may take, in seconds; 0 for no limit."""
    return settings.start_timeout_s / _SHARE / max(count, 1)


async def warm_up_applications(state: ServerState) -> None:
    """Run each application of this process once; one that fails is logged, and is served all the same."""
    runtimes = [runtime for runtime in state.runtimes if runtime.application.placeholder is None]
    limit_s = time_for(state.settings, len(runtimes))
    for runtime in runtimes:
        began_s = time.monotonic()
        try:
            await runtime.warm_up(FirstVisit(state, runtime), limit_s)
        except AppServerError as error:
            Failure.of(error).log(runtime.name)
        else:
            log.debug("%s: warmed up in %.2f s", runtime.name, time.monotonic() - began_s)


@dataclass(frozen=True)
class FirstVisit:
    """The visit of an application's page for which it is warmed up: without arguments, cookies and user."""

    state: ServerState
    runtime: ApplicationRuntime

    def ask(self) -> tuple[VisibleRequest, Mapping[str, Any]]:
        """The request for the page, and what the application's hook adds to it."""
        policy = self.state.policy
        pattern = self.runtime.url_pattern
        url = self.runtime.url if pattern is None else pattern.sample
        path = policy.settings.prefix + url
        line = RequestStartLine("GET", path, "HTTP/1.1")
        headers = HTTPHeaders({"Host": "localhost", "Accept": "text/html"})
        request = HTTPServerRequest(start_line=line, headers=headers)
        visible = policy.visible_request(request)
        if pattern is not None and (captured := pattern.captured(names_of(url))) is not None:
            visible = replace(visible, route_params=dict(captured.params), app_path=captured.path)
        payload = payload_of(self.runtime, request, visible)
        return visible, {**payload, "session_expiry": policy.token_expiry_s()}

    def show(self, document: ServedDocument) -> None:
        """Make the page, with the application's template."""
        pages, runtime = self.state.pages, self.runtime
        with blamed(runtime.application):
            runtime.guest.render_page(
                document,
                "",
                pages.bundles,
                pages.root_url,
                app_path=self.state.policy.socket_path(runtime.url),
                head=pages.head,
            )

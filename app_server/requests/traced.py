"""Requests to an application as spans: what answers them instead of the plain handlers where they are traced."""

from __future__ import annotations

from tornado.web import OutputTransform

from app_server.observe.otel.traceparent import read_parent
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.application_handler import ApplicationHandler
from app_server.requests.autoload_handler import AutoloadHandler
from app_server.requests.dispatch.dispatcher import Dispatcher
from app_server.requests.page_handler import PageHandler
from app_server.requests.socket import SocketHandler
from app_server.security.auth.users import name_shown

_METHODS = ("GET", "HEAD", "OPTIONS", "POST")


class _Traced(ApplicationHandler):
    """A request that is a span, below that of the proxy or the program that has sent it."""

    below = ""
    """What the path has after the application's."""

    async def _execute(self, transforms: list[OutputTransform], *args: bytes, **kwargs: bytes) -> None:
        """Answer the request in a span; Tornado's name for it."""
        tracing, route = self.state.process.tracing, f"{self.runtime.url.rstrip('/')}{self.below}" or "/"
        method = self.request.method if self.request.method in _METHODS else "_OTHER"
        headers = self.request.headers
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "app_server.application": self.runtime.url,
        }
        parent = read_parent(headers.get("traceparent"), headers.get("tracestate"))
        with tracing.request(f"{'HTTP' if method == '_OTHER' else method} {route}", parent, attributes):
            try:
                await super()._execute(transforms, *args, **kwargs)
            finally:
                tracing.add(self._outcome())
                if self.get_status() >= 500:
                    tracing.failed(self.refused_because or None)

    def _outcome(self) -> dict[str, str | int | bool]:
        """What became of the request. A user is named only if the settings ask for it."""
        named: dict[str, str | int | bool] = {"http.response.status_code": self.get_status()}
        if self.handed_over:
            named = {"app_server.handed_over": True}
        if self.request_id:
            named["app_server.request_id"] = self.request_id
        if self.state.settings.otel_user and (user := name_shown(getattr(self, "_current_user", None))):
            named["enduser.id"] = user
        return named

    handed_over = False
    """Whether another process answers."""

    def passed_on(self) -> None:
        """Note that another process answers."""
        self.handed_over = True
        super().passed_on()

    def _dispatcher(self, workers: WorkerGroup) -> Dispatcher:
        """Let the span of another process, if that answers, be below this one."""
        header = self.state.process.tracing.header()
        if header is not None:
            self.request.headers["traceparent"] = header
        return super()._dispatcher(workers)


class TracedPageHandler(_Traced, PageHandler):
    """An application's page, as a span."""


class TracedSocketHandler(_Traced, SocketHandler):
    """The opening of a socket, as a span; its end is that of the handshake."""

    below = "/ws"


class TracedAutoloadHandler(_Traced, AutoloadHandler):
    """An application's script, as a span."""

    below = "/autoload.js"

"""Readable answers, whatever goes wrong: what all handlers share."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, OutputTransform, RequestHandler

from app_server.engine.containment import is_fault
from app_server.errors import LONGEST_SHOWN, OperatorError, in_one_line
from app_server.http.doctor_header import answer_doctor
from app_server.observe import logs
from app_server.page import error_page

log = logging.getLogger(__name__)

_HEADLINES = {
    404: "Page not found",
    405: "Method not allowed",
    500: "Something went wrong on the server",
}


SELF_EVIDENT = frozenset(_HEADLINES)
"""Statuses whose answers have no text besides the status."""


class Leavable(RequestHandler):
    """A request whose client may leave before it has its answer, which is not an error."""

    max_body_bytes = 8192
    """How large the body of a request may be, in bytes; nothing reads it unless a handler does."""

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log at debug level that the client has left, and anything else as Tornado does."""
        if isinstance(value, StreamClosedError):
            log.debug("%s: the client left before the answer was complete", self._request_summary())
        elif isinstance(value, HTTPError) or typ is None or value is None:
            super().log_exception(typ, value, tb)
        else:  # Tornado would log the query, too, which can contain a token
            log.error("Uncaught exception %s", self._request_summary(), exc_info=(typ, value, tb))

    def _request_summary(self) -> str:
        """What Tornado calls the request in its lines of the log: without the query."""
        asked = in_one_line(f"{self.request.method} {self.request.path}", LONGEST_SHOWN)
        return f"{asked} ({self.request.remote_ip})"

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error, unless the client has left."""
        info = kwargs.get("exc_info")
        if info and isinstance(info[1], StreamClosedError):
            self._finished = True
            self.on_finish()
        else:
            super().send_error(status_code, **kwargs)


class Enduring(RequestHandler):
    """A request that is answered with an error whatever its handler raises.

    Tornado catches Exception only: code of others that calls sys.exit() would end the server.
    """

    async def _execute(self, transforms: list[OutputTransform], *args: bytes, **kwargs: bytes) -> None:
        try:
            await super()._execute(transforms, *args, **kwargs)
        except BaseException as error:
            if not is_fault(error):
                raise
            self._handle_request_exception(RuntimeError(f"{type(error).__name__} was raised"))

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """As Tornado's, which does not know how this server is given the key of signed cookies."""
        if name == "cookie_secret" and not self.application.settings.get(name):
            hint = "Set BOKEH_COOKIE_SECRET to what `app-server secret` prints."
            raise OperatorError("signed cookies need a key", where="--auth-module", hint=hint)
        super().require_setting(name, feature)


class BaseHandler(Enduring, Leavable):
    """A request that is answered with the server's own pages; it knows neither the server nor the user."""

    shows_pages = False
    """Whether a user who is not logged in is sent to the login page, rather than refused."""
    renews_login = True
    """Whether a login whose access token has expired is none; a socket's page is there already."""
    request_id = ""
    """The id of the request in the log."""
    refused_because = ""
    """The headline of a refusal, for the log."""
    logged = False
    """Whether the log has a line about this request already."""

    def mark_logged(self) -> None:
        """Record that the log has a line about this request, which needs no second one."""
        self.logged = True

    def log_refusal(self, message: str, *about: object) -> None:
        """Log why this request is refused; this line is the only one about it."""
        log.warning(message, *about)
        self.mark_logged()

    def name_request(self) -> None:
        """Give the request the id that a proxy gave it, or else a new one; the log and the answer have it."""
        self.request_id = logs.request_id_from(self.request.headers.get("X-Request-ID"))
        logs.request_id.set(self.request_id)
        self.set_header("X-Request-ID", self.request_id)

    def set_default_headers(self) -> None:
        """Name the server, and keep browsers from guessing content types."""
        self.set_header("Server", "app-server")
        self.set_header("X-Content-Type-Options", "nosniff")
        if self.request_id:
            self.set_header("X-Request-ID", self.request_id)
        answer_doctor(self)

    def forbid_caching(self) -> None:
        """Forbid browsers and proxies to cache this answer."""
        self.set_header("Cache-Control", "no-store")

    def finish_html(self, html: str | bytes) -> None:
        """Answer with this page, which must not be cached."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.forbid_caching()
        self.finish(html)

    def compute_etag(self) -> None:
        """No ETag: answers that are made for each request are not to be cached."""
        return

    def refuse(self, status: int, headline: str, hint: str | None = None, *, detail: str = "") -> None:
        """Answer with an error page."""
        self.refused_because = headline
        self.set_status(status)
        home, label = self.way_home(status) or (None, "")
        self.finish_html(error_page(status, headline, detail, hint=hint, home=home, home_label=label))

    def way_home(self, status: int) -> tuple[str, str] | None:
        """The address that an error page links to, and the link's text; None for no link."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer what went wrong, without details of the server."""
        info = kwargs.get("exc_info")
        error = info[1] if info else None
        if isinstance(error, HTTPError) and error.reason:
            self.refuse(status_code, error.reason)
        else:
            self.refuse(status_code, _HEADLINES.get(status_code, self._reason))

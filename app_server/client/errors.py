"""What can go wrong between a program and its session.

Each error is also the built-in one that programs written for `bokeh.client` catch: OSError or RuntimeError.
"""

from __future__ import annotations

from app_server.errors import AppServerError


class ClientError(AppServerError):
    """A session of this program cannot go on as asked."""


class CannotConnect(ClientError, ConnectionError):
    """No server answered at the address, or not as one does."""


class Refused(CannotConnect):
    """A server answered, but did not open the session.

    `status` is the status of its HTTP answer, None where it closed the socket after the handshake; `close_code` is
    then the WebSocket close code, if it sent one.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int | None = None,
        close_code: int | None = None,
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status
        self.close_code = close_code


class ConnectionLost(ClientError, ConnectionError):
    """The connection ended; `close_code` is the WebSocket close code, None where the other end vanished silently."""

    def __init__(
        self, what: str, *, close_code: int | None = None, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.close_code = close_code


class NoAnswer(ClientError, TimeoutError):
    """What was waited for has not come in time; the session continues."""


class RequestFailed(ClientError, RuntimeError):
    """The server answered with an ERROR; `traceback` is that of the server, where it tells it."""

    def __init__(
        self, what: str, *, traceback: str | None = None, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.traceback = traceback


class ProtocolViolation(ClientError, RuntimeError):
    """What the server sent is not the protocol, or holds what this program cannot know; the connection is closed."""

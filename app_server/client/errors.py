"""What can go wrong between a program and its session.

Each error is also the built-in one that programs written for `bokeh.client` catch: OSError or RuntimeError.
"""

from __future__ import annotations

from app_server.errors import AppServerError


class ClientError(AppServerError):
    """A session of this program cannot go on as asked."""


class CannotConnect(ClientError, ConnectionError):
    """No server answered at the address, or not in the protocol."""


class Refused(CannotConnect):
    """A server answered, but did not open the session.

    `status` is the status of its HTTP answer, None if it closed the socket after the handshake; `close_code` is
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
    """The connection ended; `close_code` is the WebSocket close code, None if it ended without a Close frame."""

    def __init__(
        self, what: str, *, close_code: int | None = None, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.close_code = close_code


class NoAnswer(ClientError, TimeoutError):
    """There was no answer in time; the session continues."""


class RequestFailed(ClientError, RuntimeError):
    """The server answered with an ERROR; `traceback` is the server's, if it sends one."""

    def __init__(
        self, what: str, *, traceback: str | None = None, where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.traceback = traceback


class ProtocolViolation(ClientError, RuntimeError):
    """The server broke the protocol, or sent something unknown to this program; the connection is closed."""

"""Sessions of a server from Python programs, with the names and arguments of `bokeh.client`."""

from app_server.client.asynchronous import AsyncClientSession, open_session
from app_server.client.errors import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    NoAnswer,
    ProtocolViolation,
    Refused,
    RequestFailed,
)
from app_server.client.session import ClientSession, pull_session, push_session, show_session

__all__ = [
    "AsyncClientSession",
    "CannotConnect",
    "ClientError",
    "ClientSession",
    "ConnectionLost",
    "NoAnswer",
    "ProtocolViolation",
    "Refused",
    "RequestFailed",
    "open_session",
    "pull_session",
    "push_session",
    "show_session",
]

"""The answer to `app-server doctor`: whether its request arrived as it was sent, and at which instance."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from tornado.web import RequestHandler

from app_server.protocol.doctor import HEADER, Arrived, Seen, Sent, compare, instance_id

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def answer_doctor(handler: RequestHandler) -> None:
    """Set the answer's header if the request asks for it."""
    request = handler.request
    statement = request.headers.get(HEADER)
    sent = None if statement is None else Sent.read(statement)
    if sent is None:
        return
    arrived = Arrived(request.protocol, request.host, request.path, request.remote_ip or "", request.headers)
    handler.set_header(HEADER, compare(sent, arrived, _instance(handler)).answer())


def add_for_doctor(handler: RequestHandler, **words: str) -> None:
    """Report more about the request than its head shows, if the doctor has asked."""
    seen = Seen.read(handler._headers.get(HEADER, ""))
    if seen is not None:
        handler.set_header(HEADER, replace(seen, **words).answer())


def _instance(handler: RequestHandler) -> str:
    """An id that all processes with one address share, and no other server has."""
    stream = getattr(handler.request.connection, "stream", None)
    sock: socket.socket | None = getattr(stream, "socket", None)
    try:
        name = sock.getsockname() if sock is not None else ""
    except OSError:
        name = ""  # the doctor has gone
    if not isinstance(name, tuple):
        return instance_id(*_machine(), str(name))
    # A proxy that reaches us as localhost comes by both of its addresses.
    address = "" if ipaddress.ip_address(name[0].partition("%")[0]).is_loopback else name[0]
    return instance_id(*_machine(), address, str(name[1]))


@cache
def _machine() -> tuple[str, str]:
    """An id of this machine or container; its first half prevents guessing."""
    try:
        secret = _BOOT_ID.read_text(encoding="ascii")  # random, the same for all processes, and secret
    except OSError:
        secret = ""
    return secret, socket.gethostname()

"""The answer to `app-server doctor`: whether its request arrived as it was sent, and at which instance."""

from __future__ import annotations

import ipaddress
import socket

from tornado.web import RequestHandler

from app_server.protocol.doctor import HEADER, Arrived, Sent, compare, instance_id


def answer_doctor(handler: RequestHandler) -> None:
    """Set the answer's header where the request asks for it; nobody else gets one."""
    request = handler.request
    statement = request.headers.get(HEADER)
    sent = None if statement is None else Sent.read(statement)
    if sent is None:
        return
    arrived = Arrived(request.protocol, request.host, request.path, request.remote_ip or "", request.headers)
    handler.set_header(HEADER, compare(sent, arrived, _instance(handler)).answer())


def _instance(handler: RequestHandler) -> str:
    """What all processes that listen on one address have in common, and no other server has."""
    stream = getattr(handler.request.connection, "stream", None)
    sock: socket.socket | None = getattr(stream, "socket", None)
    if sock is None:
        return instance_id(socket.gethostname())
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return instance_id(socket.gethostname(), str(name))
    # A proxy that reaches us as localhost comes by both of its addresses.
    address = "" if ipaddress.ip_address(name[0].partition("%")[0]).is_loopback else name[0]
    return instance_id(socket.gethostname(), address, str(name[1]))

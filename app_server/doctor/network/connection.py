"""How the doctor connects to a host, and what its errors mean."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from app_server.doctor.address import Target
from app_server.doctor.network.frames import BadFrame
from app_server.doctor.seen.answers import Failure
from app_server.protocol import http_client

READ_BYTES: Final = 64 * 1024

_TLS_KINDS: Final = {
    "TLSV1_UNRECOGNIZED_NAME": "tls-name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls-client",
}
"""Alerts that say more than that TLS failed (RFC 8446, section 6: 112 and 116), by OpenSSL's names for them."""

_NEXT_ADDRESS_AFTER_S = 0.25  # as browsers do it (RFC 8305, section 5)


@dataclass(frozen=True)
class Route:
    """How the doctor reaches the host: at this address instead of the name's, with these headers."""

    address: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 10.0


@asynccontextmanager
async def connection(
    route: Route, target: Target, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the host; over TLS if the target says so. Other code judges the certificate."""
    tls: dict[str, Any] = {}
    if target.scheme == "https":
        tls = {"ssl": context or lenient_context(), "server_hostname": target.host}
    async with asyncio.timeout(route.timeout_s):
        incoming, outgoing = await asyncio.open_connection(
            route.address or target.host, target.port, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER_S, **tls
        )
    try:
        yield incoming, outgoing
    finally:
        # Aborted, not closed: a peer that does not answer must not hold us up.
        outgoing.transport.abort()


def lenient_context() -> ssl.SSLContext:
    """TLS without verification: to see all that is wrong, the doctor goes on where a browser would stop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def attempt(exchange: Callable[[], Any], timeout_s: float | None) -> Failure | None:
    """Why this failed; None if it did not."""
    try:
        async with asyncio.timeout(timeout_s):
            await exchange()
    except (Exception, asyncio.IncompleteReadError) as error:
        return failure_of(error, timeout_s)
    return None


def failure_of(error: BaseException, timeout_s: float | None = None) -> Failure:
    """What this error of a connection means. Other errors are raised again."""
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return Failure("timeout", f"no answer within {timeout_s:g} s" if timeout_s else "no answer in time")
    if isinstance(error, http_client.TooLarge):
        return Failure("large", str(error))
    if isinstance(error, http_client.NoAnswer):
        return Failure("empty", str(error))
    if isinstance(error, http_client.Malformed | BadFrame):
        return Failure("malformed", str(error))
    if isinstance(error, ssl.SSLError):
        return Failure(_TLS_KINDS.get(error.reason or "", "tls"), f"TLS failed: {reason_of(error)}")
    if isinstance(error, socket.gaierror):
        return Failure("name", f"the name cannot be resolved: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return Failure("refused", "the connection was refused")
    if isinstance(error, ConnectionError):
        return Failure("closed", "the connection was closed")
    if isinstance(error, OSError):
        return Failure("unreachable", f"the host cannot be reached: {reason_of(error)}")
    raise error


def reason_of(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__

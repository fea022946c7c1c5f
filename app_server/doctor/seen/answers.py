"""Answers to requests and to handshakes, or the failures that came instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app_server.doctor.address import Target
from app_server.protocol.doctor import HEADER, Seen
from app_server.protocol.http_client import Headers

OUR_SERVERS: Final = ("app-server", "tornadoserver")
"""What the application server calls itself in a Server header, in lower case, as far as a proxy leaves it."""

FAILED_BEHIND: Final = (502, 503, 504)
"""What a proxy answers if the server behind it does not."""

FOREIGN_ORIGIN: Final = "https://doctor.invalid"
"""RFC 2606: a name that no one can own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    `kind` is one of name, refused, unreachable, timeout, closed, empty, tls, tls-name, tls-client, malformed, large.
    """

    kind: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class Answer:
    """The result of one request: a status with its headers and body, or a failure.

    `first_s` is when its head was there, `whole_s` when all of it was; `arrivals` are the times of the body's parts.
    """

    target: Target
    method: str = "GET"
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    failure: Failure | None = None
    first_s: float = 0.0
    whole_s: float = 0.0
    arrivals: tuple[float, ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of this name, which is given in lower case."""
        return next(iter(self.all_of(name)), None)

    def all_of(self, name: str) -> tuple[str, ...]:
        """All headers of this name, which is given in lower case."""
        return tuple(value for known, value in self.headers if known == name)

    @cached_property
    def seen(self) -> Seen | None:
        """What the application server saw of the request; None if it did not say."""
        return Seen.read(self.header(HEADER.lower()) or "")

    @property
    def spread_s(self) -> float:
        """How long it took from the body's first part to its end."""
        return self.whole_s - self.arrivals[0] if self.arrivals else 0.0

    @property
    def text(self) -> str:
        """The body as text, whatever its encoding."""
        return self.body.decode("utf-8", "replace")

    @property
    def summary(self) -> str:
        """Status or failure, in a few words."""
        return str(self.failure) if self.failure is not None else str(self.status)


@dataclass(frozen=True)
class Handshake:
    """An attempt to open a WebSocket.

    `answer` is that to the handshake; `greeting` is the first message after it, such as ACK, `close_code` that of a
    Close frame; `failure` is what went wrong after the handshake.
    """

    answer: Answer
    accepted: bool = False
    greeting: str | None = None
    close_code: int | None = None
    close_reason: str = ""
    failure: Failure | None = None
    pulled_bytes: int | None = None
    whole_s: float = 0.0

    @property
    def greeted(self) -> bool:
        """Whether the session sent its greeting."""
        return self.greeting == "ACK"

    @property
    def summary(self) -> str:
        """The result, in a few words."""
        if not self.accepted:
            return self.answer.summary
        if self.close_code is not None:
            return f"accepted, then closed with {self.close_code} {self.close_reason}".rstrip()
        return str(self.failure) if self.failure is not None else f"accepted, then {self.greeting}"


@dataclass(frozen=True, slots=True)
class Idle:
    """A silent socket: how long it should have stayed open, and how long it did."""

    wanted_s: float
    lasted_s: float
    ended: str | None = None
    close_code: int | None = None
    pings: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """One address of the host, and why nothing answers there, if so."""

    address: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """What the handshakes of TLS showed.

    `trust_code` is OpenSSL's reason not to trust the certificate (X509_V_ERR_…), 0 if it does; `chain_length` counts
    the certificates that were sent. Times are seconds since the epoch, None if the certificate is not trusted;
    `issuer` is the organization that signed it, "" if unknown.
    """

    failure: Failure | None = None
    version: str = ""
    trust_code: int = 0
    trust_reason: str = ""
    name_reason: str = ""
    chain_length: int = 0
    not_before: float | None = None
    not_after: float | None = None
    issuer: str = ""
    old_versions: tuple[str, ...] = ()
    has_tls13: bool = True

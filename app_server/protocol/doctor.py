"""What `app-server doctor` asks a server, and the answer: whether a request arrived as it was sent.

The doctor states in a header of its request what it has sent; the server compares that with what came, and answers in
a header of the same name. The answer consists of words from a short list and an opaque id of the instance, so strangers
learn nothing about what is behind a proxy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from app_server.protocol.forwarded import client_address

HEADER: Final = "App-Server-Doctor"

DEVELOPMENT_ORGANIZATION: Final = "app-server, for development only"
"""Who signs certificates for development, by which the doctor knows them."""

TRICKLE: Final = "trickle"
"""The argument of `healthz` that requests an answer in parts, to detect a proxy that collects them."""

TRICKLE_PARTS: Final = 4
TRICKLE_PAUSE_S: Final = 0.25
TRICKLE_S: Final = TRICKLE_PARTS * TRICKLE_PAUSE_S

_LONGEST_STATEMENT = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as the doctor sent it. `address` is one that it claims to come from, and does not."""

    scheme: str
    host: str
    path: str
    origin: str = ""
    address: str = ""

    def statement(self) -> str:
        """The value of the request's header."""
        return _join({field.name: quote(getattr(self, field.name), safe=":/[]") for field in fields(self)})

    @classmethod
    def read(cls, statement: str) -> Sent | None:
        """What this header's value states; None if it cannot be understood."""
        if len(statement) > _LONGEST_STATEMENT:
            return None
        pairs = _split(statement)
        try:
            return cls(**{field.name: unquote(pairs[field.name]) for field in fields(cls)})
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class Arrived:
    """The same request as the server has it: `address` is the client's, by the proxy's headers if they are trusted."""

    scheme: str
    host: str
    path: str
    address: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server says of a request. Each word is one of a few, `instance` an opaque id.

    - `scheme`, `path`: same or other; `host`: same, port (another port) or other; `origin`: same, other or none
    - `address`: claimed (the false one was believed) or other
    - `proto`: what X-Forwarded-Proto says: same, other or none; `client`: whether the address in X-Forwarded-For or
      X-Real-IP was used or ignored, or none came
    - `upgrade`: came where the request asks for a WebSocket, else none
    - `place`: elsewhere where the server has no such page, but one that would be it below another prefix
    - `refused`: why the server refuses the request: origin, login, owner or another word of its metrics; else none
    """

    instance: str
    scheme: str = "same"
    host: str = "same"
    path: str = "same"
    origin: str = "none"
    address: str = "other"
    proto: str = "none"
    client: str = "none"
    upgrade: str = "none"
    place: str = "here"
    refused: str = "none"

    def answer(self) -> str:
        """The value of the answer's header."""
        return _join({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, answer: str) -> Seen | None:
        """What this header's value says; None if it is not one of ours."""
        pairs = _split(answer[:_LONGEST_STATEMENT])
        known = {field.name: pairs[field.name] for field in fields(cls) if field.name in pairs}
        return cls(**known) if "instance" in known else None


def compare(sent: Sent, arrived: Arrived, instance: str) -> Seen:
    """How the request that arrived differs from the one that was sent."""
    headers = arrived.headers
    origin = headers.get("Origin", "")
    forwarded, proto = client_address(headers), headers.get("X-Forwarded-Proto")
    return Seen(
        instance,
        scheme=_word(arrived.scheme == sent.scheme),
        host=_compare_hosts(sent, arrived),
        path=_word(arrived.path == sent.path),
        origin=_word(origin == sent.origin) if origin else "none",
        address="claimed" if sent.address and arrived.address == sent.address else "other",
        proto=_word(proto.strip().lower() == sent.scheme) if proto is not None else "none",
        client=("used" if forwarded == arrived.address else "ignored") if forwarded else "none",
        upgrade="came" if headers.get("Upgrade", "").lower() == "websocket" else "none",
    )


def instance_id(*about: str) -> str:
    """An opaque id made of what tells an instance from others."""
    return hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _compare_hosts(sent: Sent, arrived: Arrived) -> str:
    try:
        wanted, found = (urlsplit(f"//{request.host.lower()}") for request in (sent, arrived))
        default = {"https": 443, "http": 80}.get(sent.scheme)
        if wanted.hostname != found.hostname:
            return "other"
        return "same" if (wanted.port or default) == (found.port or default) else "port"
    except ValueError:
        return "other"


def _word(same: bool) -> str:
    return "same" if same else "other"


def _join(pairs: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in pairs.items())


def _split(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name: value for name, _, value in pairs}

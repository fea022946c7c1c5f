"""The address of a Redis, shown without its password, and the connection to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from app_server.errors import OperatorError, in_one_line
from app_server.version import how_to_install

_TIMEOUT_S: Final = 2.0
"""For connecting and for each answer: saving can wait for the next second, a stopping process cannot."""

_SECRET: Final = ("password", "ssl_password")


@dataclass(frozen=True)
class Address:
    """redis://, rediss:// or unix://. `shown` may be logged."""

    url: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def read(cls, text: str, where: str) -> Address:
        """The address in `text`; raises OperatorError, which does not quote what may be a password."""
        try:
            parts = urlsplit(text)
            readable = _is_readable(parts)
        except ValueError:
            readable = False
        if not readable:
            hint = "Write %40 for @, %2F for / and %3A for : in a password."
            raise OperatorError("the address of Redis cannot be read", where=where, hint=hint) from None
        host = parts.netloc.rpartition("@")[2]
        return cls(text, f"{parts.scheme}://{host}{parts.path}", tuple(_secrets(parts)))

    def without_secrets(self, text: str) -> str:
        """What Redis or its client says, in one line; old servers quote the command that they do not know."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        # Which line of our script it was does not help the operator.
        return in_one_line(text.partition(" script: ")[0].rstrip(" ."), 300)


def _is_readable(parts: SplitResult) -> bool:
    """Whether each part is where it belongs; with a / in the password, some of it becomes the host and the path."""
    if parts.scheme.lower() == "unix":
        return bool(parts.path) and not parts.netloc.rpartition("@")[2]
    return "@" not in parts.path and (parts.port is None or parts.port > 0)


def _secrets(parts: SplitResult) -> list[str]:
    query = [value for name, value in parse_qsl(parts.query) if name in _SECRET]
    found = [*query, parts.password, unquote(parts.password or "")]
    return sorted({text for text in found if text}, key=len, reverse=True)


def redis_package(where: str) -> ModuleType:
    """The package `redis`; raises OperatorError, which says how to install it."""
    try:
        import redis
    except ImportError:
        hint = how_to_install("redis", served_with="redis")
        raise OperatorError("saving sessions in Redis needs the package redis", where=where, hint=hint) from None
    return redis


def connect(address: Address, where: str) -> Any:
    """A client, which connects when it is first used, and again after a failure. Raises OperatorError."""
    redis = redis_package(where)
    # Before version 6, the client checked only who had signed a certificate.
    tls = {"ssl_check_hostname": True} if urlsplit(address.url).scheme.lower() == "rediss" else {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        client = redis.Redis.from_url(
            address.url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            # What was sent may have been done: only the caller knows what to write next.
            retry=Retry(NoBackoff(), 0),
            # RESP2 knows all that is needed, and its greeting has no password in a command that old servers quote.
            protocol=2,
            **tls,
        )
        # Finds options that do not exist.
        client.connection_pool.make_connection()
    except (TypeError, ValueError, redis.RedisError):
        hint = "See https://redis.readthedocs.io/en/stable/connections.html for its options."
        raise OperatorError(f"{address.shown} is not an address of Redis", where=where, hint=hint) from None
    return client

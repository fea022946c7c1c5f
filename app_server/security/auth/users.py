"""A user as applications see one, and how users are distinguished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from types import MappingProxyType
from typing import Any, Final

from app_server.errors import OperatorError

LONGEST_NAME: Final = 256

# What names a user for good, the surest first. "name" is not among them: people share their names.
_TELLING: Final = ("sub", "id", "user_id", "uid", "username", "login", "preferred_username", "email")


@dataclass(frozen=True)
class User:
    """A user who logged in by one of the built-in ways: `curdoc().session_context.user`.

    `way` is "password", "header" or "oidc"; `claims` is what an OpenID Connect provider said of the user.
    """

    name: str
    way: str = "password"
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash((self.name, self.way))


def is_name(text: str) -> bool:
    """Whether this may be a user's name: visible characters, no colon (RFC 7617), no # first, no space at an end."""
    fits = 0 < len(text) <= LONGEST_NAME and text.isprintable() and text.strip() == text
    return fits and ":" not in text and not text.startswith("#")


def identity(user: Any) -> str:
    """A text that is the same for the same user and differs for two users, from whatever `get_user` returned.

    A text, a number, or what has an `id`, `sub`, `username` or the like names itself; a dict or a dataclass without
    any of these is taken as a whole. Raises OperatorError for an object that could be any user.
    """
    if isinstance(user, User):
        subject = user.claims.get("sub", user.name) if user.way == "oidc" else user.name
        return f"{user.way}\n{user.claims.get('iss', '')}\n{subject}"
    if isinstance(user, bytes):
        return f"bytes\n{user.hex()}"
    if isinstance(user, (str, int, float)):
        return f"{type(user).__name__}\n{user}"
    for name in _TELLING:
        value = _look_up(user, name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return f"{name}\n{_look_up(user, 'iss') or ''}\n{value}"
    whole = asdict(user) if is_dataclass(user) and not isinstance(user, type) else user
    if isinstance(whole, (Mapping, list, tuple)):
        try:
            return f"json\n{json.dumps(whole, sort_keys=True)}"
        except (TypeError, ValueError):
            pass
    raise OperatorError(
        f"get_user returned something of type {type(user).__name__}, which could be any user",
        where="--auth-module",
        hint="Return a text, or something that has an id, a username or an email.",
    )


def _look_up(user: Any, name: str) -> Any:
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)

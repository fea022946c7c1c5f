"""A user as applications see one, and how users are distinguished."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from types import MappingProxyType
from typing import Any, Final

from app_server.errors import OperatorError

LONGEST_NAME: Final = 256

_NAMES: Final = ("username", "login", "preferred_username", "email")

# What names a user for good, the surest first. "name" is not among them: people share their names.
_TELLING: Final = ("sub", "id", "user_id", "uid", "username", "login", "preferred_username", "email")


@dataclass(frozen=True)
class User:
    """A user who logged in by one of the built-in ways: `curdoc().session_context.user`.

    `way` is "password", "header", "oidc" or "oauth"; `claims` is what a provider said of the user. `groups` are those
    of the password file, of the proxy's header, or of the claims.
    """

    name: str
    way: str = "password"
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    groups: tuple[str, ...] = ()

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
        subject = user.claims.get("sub", user.name) if user.way in ("oidc", "oauth") else user.name
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


def names_of(user: Any) -> tuple[str, ...]:
    """The names that this user is surely known by, for rules.

    A name that people choose as they like, such as a provider's `name`, is not among them, nor is an email that the
    provider has not verified. Numbers are, only if there is nothing else: another user may have such a name.
    """
    if isinstance(user, User):
        return _surely_named(user)
    if isinstance(user, bytes):
        return (user.decode("utf-8", "replace"),)
    if isinstance(user, str):
        return (user,)
    return _texts(user, _NAMES) or _texts(user, _TELLING)[:1]


def _texts(user: Any, fields: Sequence[str]) -> tuple[str, ...]:
    found = (_look_up(user, name) for name in fields)
    return tuple(str(name) for name in found if isinstance(name, (str, int)) and not isinstance(name, bool))


def _surely_named(user: User) -> tuple[str, ...]:
    if not user.claims:
        return (user.name,)
    claims = user.claims
    found = [claims["email"]] if claims.get("email_verified") is True and claims.get("email") else []
    # Where people choose their own login, it may look like the email of another one.
    login = claims.get("preferred_username")
    return (*found, login) if isinstance(login, str) and login and "@" not in login else tuple(found)


def name_shown(user: Any) -> str:
    """What to call the user on a page; "" for what has no name."""
    name = user.name if isinstance(user, User) else next(iter(names_of(user)), "")
    return name[:LONGEST_NAME]


def groups_of(user: Any) -> tuple[str, ...]:
    """The groups that this user is in, for rules: of what a hook returned, its `groups`."""
    found = user.groups if isinstance(user, User) else _look_up(user, "groups")
    return listed(found)


def listed(groups: Any) -> tuple[str, ...]:
    """The names of groups in a claim or an attribute: a list of them, or one."""
    if isinstance(groups, str):
        return (groups,)
    if not isinstance(groups, (list, tuple, set, frozenset)):
        return ()
    return tuple(str(name) for name in groups if isinstance(name, (str, int)) and not isinstance(name, bool))


def _look_up(user: Any, name: str) -> Any:
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)

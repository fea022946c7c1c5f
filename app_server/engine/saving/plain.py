"""Values of applications and users as JSON: only what comes back as it was is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app_server.security.auth.users import User


class NotPlain(ValueError):
    """A value that cannot be saved; the text says why, for a log line."""


def plain_json(value: Any, max_bytes: int) -> str:
    """The JSON of texts, numbers, booleans, None, and lists and dictionaries of these. Raises NotPlain.

    A tuple becomes a list. A dictionary whose keys are not texts is refused: they would be texts afterwards.
    """
    try:
        text = json.dumps(value)
        _check_keys(value)
    except NotPlain:
        raise
    except Exception as error:  # it may be of a class of the application's own, and another thread may be changing it
        raise NotPlain(_why(error)) from None
    if len(text) > max_bytes:
        raise NotPlain(f"it takes {len(text)} bytes, more than the {max_bytes} allowed by --store-max-bytes")
    return text


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):  # whose words differ from one Python to the next
        return "it is nested too deeply: the recursion would not end"
    return str(error) or type(error).__name__


def _check_keys(value: Any) -> None:
    waiting = [[value]]
    while waiting:
        for item in waiting.pop():
            if isinstance(item, dict):
                for key in item:
                    if not isinstance(key, str):
                        raise NotPlain(f"the key {key!r:.60} of a dictionary is not a text")
                waiting.append(list(item.values()))
            elif isinstance(item, list | tuple):
                waiting.append(list(item))


def exact_json(value: Any) -> Any:
    """The value as plain values, for `from_exact`; it may hold bytes and users of the built-in logins.

    Raises NotPlain if `from_exact` would return something else.
    """
    try:
        text = json.dumps(value, default=_tagged)
        same = from_exact(json.loads(text)) == value
    except Exception as error:
        raise NotPlain(_why(error)) from None
    if same is not True:
        raise NotPlain("it would come back as another value")
    return json.loads(text)


def from_exact(value: Any) -> Any:
    """What `exact_json` was given."""
    if isinstance(value, list):
        return [from_exact(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$bytes"}:
        return bytes.fromhex(value["$bytes"])
    if value.keys() == {"$user"}:
        return _grouped(User(**value["$user"]))
    return {name: from_exact(item) for name, item in value.items()}


def _grouped(user: User) -> User:
    """The user, whose groups are a list in JSON."""
    return replace(user, groups=tuple(user.groups))


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, User):
        fields = {"name": value.name, "way": value.way, "claims": dict(value.claims), "groups": list(value.groups)}
        return {"$user": fields}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not a plain value")

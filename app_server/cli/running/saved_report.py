"""What `app-server sessions` prints: what is saved, as columns, as lines, or as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app_server.store.contents import Found
from app_server.store.journal import Saved

_KEY_LETTERS: Final = 12
"""How much of a key is printed in a column: enough to tell a million sessions apart."""

_HEADINGS: Final = ("KEY", "KIND", "APPLICATION", "USER", "SIZE", "SAVED", "EXPIRES")


def as_table(found: Sequence[Found]) -> str:
    """A line for each, below headings."""
    rows = [_HEADINGS, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(found: Found) -> tuple[str, ...]:
    entry = found.entry
    key = entry.key if entry.bookmark else entry.key[:_KEY_LETTERS]
    whose = ("?", found.fault[:40]) if found.opened is None else (found.application, user_of(found.opened))
    kind = "bookmark" if entry.bookmark else "in use" if entry.owned else "asleep"
    expires = "-" if entry.expires_s is None else _time(entry.expires_s)
    return (key, kind, *whose, size(entry.size_bytes), _time(entry.saved_at_s), expires)


def as_values(found: Found) -> dict[str, Any]:
    """One of them for JSON; times are seconds since the epoch, and None if it does not expire now."""
    entry = found.entry
    return {
        "key": entry.key,
        "kind": "bookmark" if entry.bookmark else "session",
        "application": found.application or None,
        "user": None if found.opened is None else user_of(found.opened),
        "size_bytes": entry.size_bytes,
        "saved_at_s": entry.saved_at_s,
        "owned": entry.owned,
        "expires_s": entry.expires_s,
        **({"fault": found.fault} if found.fault else {}),
    }


def details(found: Found, saved: Saved, *, values: bool) -> dict[str, Any]:
    """What is saved of one session; with `values` also what people and the application have put into it."""
    opened, fields = saved.opened, saved.fields
    changed = [change for change in fields.get("changed", ()) if change[0]]
    classes = _models(saved)
    more: dict[str, Any] = {
        **as_values(found),
        "session": opened["session"] if values else f"{opened['session'][:8]}…",
        "models": len(classes),
        "changes": len(saved.changes),
        "only_inputs": bool(fields.get("partial")),
        "changed": [f"{classes.get(ident, (ident, {}))[0]}.{attr}" for ident, attr, _ in changed],
        "state": sorted(fields.get("state") or {}),
        "damaged": saved.damaged,
    }
    if values:
        more["state"] = fields.get("state") or {}
        more["hook"] = fields.get("hook")
        more["arguments"] = (opened.get("request") or {}).get("arguments", {})
        more["values"] = _values(saved, classes, changed)
    return more


def as_lines(values: Mapping[str, Any]) -> str:
    """The fields, one on a line; dictionaries as JSON."""
    lines = [(_label(name), _text(name, value)) for name, value in values.items()]
    width = max(len(label) for label, _ in lines) + 2
    return "\n".join(f"{label:<{width}}{text}".rstrip() for label, text in lines)


def _label(name: str) -> str:
    return name.removesuffix("_s").removesuffix("_bytes").replace("_", " ")


def _text(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("saved_at_s", "expires_s"):
        return _time(value)
    if name == "size_bytes":
        return size(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def user_of(opened: Mapping[str, Any]) -> str:
    """The user's name, for a column; "-" if there was none."""
    user = opened.get("user")
    if isinstance(user, dict):
        user = user.get("$user", user)
        user = next((user[name] for name in ("name", "username", "email", "id", "$bytes") if name in user), user)
    return "-" if user is None else user if isinstance(user, str) else json.dumps(user)[:40]


def size(value: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _models(saved: Saved) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """For each model by its id: its class and name, in words, and its saved values."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    parts = [*([saved.whole] if saved.whole is not None else []), *saved.changes]
    for part in parts:
        for item in _objects(json.loads(part.content) if part.content else None):
            if item.get("type") == "object" and isinstance(item.get("id"), str) and isinstance(item.get("name"), str):
                attributes = item.get("attributes", {})
                name = attributes.get("name")
                found[item["id"]] = (f"{item['name']} {name!r}" if isinstance(name, str) else item["name"], attributes)
    return found


def _values(
    saved: Saved, models: Mapping[str, tuple[str, Mapping[str, Any]]], changed: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    latest: dict[tuple[str, str], Any] = {}
    for part in saved.changes:
        for event in json.loads(part.content).get("events", ()) if part.content else ():
            if event.get("kind") == "ModelChanged":
                latest[event["model"]["id"], event["attr"]] = event.get("new")
    shown: dict[str, Any] = {}
    for ident, attr, _ in changed:
        name, attributes = models.get(ident, (ident, {}))
        shown[f"{name}.{attr}"] = latest.get((ident, attr), attributes.get(attr))
    return shown


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """All dictionaries in this JSON."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)

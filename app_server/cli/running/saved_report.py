"""What `app-server sessions` prints: what is saved, as columns, as lines, or as JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app_server.cli.running.readable import Reader
from app_server.errors import in_one_line
from app_server.store.contents import Found
from app_server.store.journal import Saved
from app_server.store.records import Part

_KEY_LETTERS: Final = 12
"""How much of a key is printed in a column: enough to tell a million sessions apart."""

_HEADINGS: Final = ("KEY", "KIND", "APPLICATION", "USER", "SIZE", "SAVED", "EXPIRES")


class _Model(NamedTuple):
    """A model's class and name, in words, its saved values, and the part of the journal that has them."""

    name: str
    attributes: Mapping[str, Any]
    part: Part


class _Value(NamedTuple):
    """JSON, the part of the journal that has its arrays, and how often rows were added or changed since."""

    value: Any
    part: Part
    later: int = 0


_NOTHING: Final = Part(b"", ())


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


def as_choice(found: Found) -> tuple[str, str]:
    """What names it on a command line, and what it is."""
    key, kind, application, user, *_ = _row(found)
    return key, in_one_line(f"{kind}, {application}, {user}, {_time(found.entry.saved_at_s)}", 100)


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
    models = _models(saved)
    more: dict[str, Any] = {
        **as_values(found),
        "session": opened["session"] if values else f"{opened['session'][:8]}…",
        "models": len(models),
        "changes": len(saved.changes),
        "only_inputs": bool(fields.get("partial")),
        "changed": [f"{models[ident].name if ident in models else ident}.{attr}" for ident, attr in _changed(saved)],
        "state": sorted(fields.get("state") or {}),
        "damaged": saved.damaged,
    }
    if values:
        more["state"] = fields.get("state") or {}
        more["hook"] = fields.get("hook")
        more["arguments"] = (opened.get("request") or {}).get("arguments", {})
        more["values"] = {name: found.value for name, found in _latest(saved, models).items()}
    return more


def as_lines(values: Mapping[str, Any], saved: Saved) -> str:
    """The fields, one on a line, and after them the values of models; dictionaries as JSON."""
    fields = [(_label(name), _text(name, value)) for name, value in values.items() if name != "values"]
    shown = _readable(saved) if "values" in values else []
    return "\n".join([*_aligned(fields), *(["values"] if shown else []), *_aligned(shown)])


def _aligned(lines: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(label) for label, _ in lines), default=0) + 2
    return [f"{label:<{width}}{text}".rstrip() for label, text in lines]


def _readable(saved: Saved) -> list[tuple[str, str]]:
    """What was changed, and its value in words."""
    models = _models(saved)
    names = {ident: model.name for ident, model in models.items()}
    return [
        (f"  {name}", Reader(dict(found.part.buffers), names).text(found.value) + _more(found.later))
        for name, found in _latest(saved, models).items()
    ]


def _more(times: int) -> str:
    return f", and {times} changes of its rows" if times else ""


def _parts(saved: Saved) -> list[Part]:
    return [*([saved.whole] if saved.whole is not None else []), *saved.changes]


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


def _models(saved: Saved) -> dict[str, _Model]:
    """The models by their ids."""
    found: dict[str, _Model] = {}
    for part in _parts(saved):
        for item in _objects(json.loads(part.content) if part.content else None):
            if item.get("type") == "object" and isinstance(item.get("id"), str) and isinstance(item.get("name"), str):
                attributes = item.get("attributes", {})
                name = attributes.get("name")
                words = f"{item['name']} {name!r}" if isinstance(name, str) else item["name"]
                found[item["id"]] = _Model(words, attributes, part)
    return found


def _latest(saved: Saved, models: Mapping[str, _Model]) -> dict[str, _Value]:
    """What was changed, in words, and its value."""
    latest: dict[tuple[str, str], _Value] = {}
    later: Counter[tuple[str, str]] = Counter()
    for part in saved.changes:
        for event in json.loads(part.content).get("events", ()) if part.content else ():
            key = event.get("model", {}).get("id", ""), event.get("attr", "")
            if event.get("kind") == "ModelChanged":
                latest[key], later[key] = _Value(event.get("new"), part), 0
            else:
                later[key] += 1
    shown: dict[str, _Value] = {}
    for ident, attr in _changed(saved):
        model = models.get(ident, _Model(ident, {}, _NOTHING))
        value = latest.get((ident, attr), _Value(model.attributes.get(attr), model.part))
        shown[f"{model.name}.{attr}"] = value._replace(later=later[ident, attr])
    return shown


def _changed(saved: Saved) -> list[tuple[str, str]]:
    """The models, by id, and the properties that were changed."""
    return [(ident, attr) for ident, attr, _ in saved.fields.get("changed", ()) if ident]


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

"""Routes with placeholders: `/users/{name}` is the address of an application that gets the name.

A placeholder is a whole name of the path, and may say what it takes: `{id:int}`, also float, uuid and, for several
names of the path, path. Literal names are found before placeholders, and narrow placeholders before wide ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from app_server.protocol.paths import segments, spell

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,100})(?::(str|path|int|float|uuid))?\}")

_HEX: Final = "[0-9a-fA-F]"
_TAKES: Final = {
    "int": r"[+-]?[0-9]+",
    "uuid": rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "float": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
    "str": r"[^/]+",
    "path": r".+",
}
"""What each kind of placeholder takes, the narrowest first. All of these take time in proportion to the text."""

_SAMPLES: Final = {
    "int": "1", "uuid": "00000000-0000-0000-0000-000000000000", "float": "1.5", "str": "x", "path": "x",
}  # fmt: skip

_RANKS: Final = {kind: rank for rank, kind in enumerate(_TAKES, start=1)}
_AFTER_ALL: Final = len(_TAKES) + 1

_LONGEST_VALUE: Final = 1024
"""Characters of a value that applications are given; Panel cuts there, too."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A name of a route that stands for many."""

    name: str
    kind: str


Part: TypeAlias = str | Placeholder


@dataclass(frozen=True, slots=True)
class Captured:
    """What a path has in place of the placeholders, and the path itself, which is the application's own route there."""

    params: Mapping[str, str] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True)
class RoutePattern:
    """The names and placeholders of a route."""

    parts: tuple[Part, ...]

    @classmethod
    def read(cls, route: str) -> RoutePattern | None:
        """The pattern that a route is; None if it has no placeholders.

        ValueError, as the end of a sentence about the route, if one is malformed.
        """
        words = route.strip("/").split("/")
        parts = tuple(_part(word) for word in words)
        named = [part for part in parts if isinstance(part, Placeholder)]
        names = [part.name for part in named]
        if len(set(names)) < len(names):
            raise ValueError(f"names {{{max(names, key=names.count)}}} twice")
        if [part.kind for part in named].count("path") > 1:
            raise ValueError("has two placeholders that take several names")
        return cls(parts) if named else None

    @property
    def order(self) -> tuple[int, ...]:
        """Where it stands among patterns: of two that fit a path, the lower one answers."""
        return (*(_RANKS[part.kind] if isinstance(part, Placeholder) else 0 for part in self.parts), _AFTER_ALL)

    @property
    def sample(self) -> str:
        """A path that it fits."""
        words = (_SAMPLES[part.kind] if isinstance(part, Placeholder) else spell(part) for part in self.parts)
        return "".join(f"/{word}" for word in words)

    def captured(self, names: tuple[str, ...], below: tuple[str, ...] = (), *, slash: bool = False) -> Captured | None:
        """What these names of a path have in place of the placeholders, before `below`; None if they do not fit."""
        if slash and names and names[-1] == "" and (found := self.captured(names[:-1], below)) is not None:
            return found
        if below and names[-len(below) :] != below:
            return None
        own = names[: len(names) - len(below)]
        fits = self._expression.fullmatch("/".join(own))
        if fits is None:
            return None
        params = {name: _as_text(value)[:_LONGEST_VALUE] for name, value in fits.groupdict().items()}
        return Captured(params, "".join(f"/{spell(name)}" for name in own))

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """An expression for the path's names with slashes between them, of which no name has one of its own."""
        texts = [
            f"(?P<{part.name}>{_TAKES[part.kind]})" if isinstance(part, Placeholder) else re.escape(part)
            for part in self.parts
        ]
        return re.compile("/".join(texts), re.DOTALL)


def is_placeholder(word: str) -> bool:
    """Whether this segment of a route is a placeholder."""
    return _PLACEHOLDER.fullmatch(word) is not None


def check_placeholders(route: str) -> None:
    """Raise ValueError, as the end of a sentence about the route, if braces in it make no placeholder."""
    for word in route.strip("/").split("/"):
        if ("{" in word or "}" in word) and not is_placeholder(word):
            raise ValueError(f"has {word!r}, which is not a placeholder such as {{name}} or {{id:int}}")
    RoutePattern.read(route)


def _part(word: str) -> Part:
    found = _PLACEHOLDER.fullmatch(word)
    if found is not None:
        return Placeholder(found[1], found[2] or "str")
    return (segments(f"/{word}") or (word,))[0]


def _as_text(value: str) -> str:
    """A value whose bytes may not be UTF-8, as text that can be sent to a browser."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

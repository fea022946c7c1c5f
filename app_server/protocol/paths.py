"""Paths of addresses (RFC 3986): one value for all spellings of a path, and the spelling that we announce.

Two spellings are the same path if they differ in the case of an escape (`%c3` and `%C3`), in characters that are
escaped without need (`%41` and `A`, section 6.2.2.2), or in how an accented letter is composed (NFC and NFD), which
file systems and keyboards do differently. Browsers leave out `.` and `..` before they ask, so a path that still has
them leads nowhere.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

_PLACEHOLDER: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(?::[a-z]+)?\}")
"""A segment of a route that stands for many; see `sources.route_patterns`."""

_SEGMENT_CHARACTERS: Final = "!$&'()*+,;=:@"
"""What RFC 3986, section 3.3, allows in a path segment besides letters, digits and "-._~"."""

_LONGEST: Final = 3 * 4096
"""How many characters a path may have. Linux takes 4096 bytes for the path of a file, each of which may be escaped."""

_SHORT: Final = 256
"""Paths of at most this length are kept by the thousand; longer ones only while their request is answered."""

_SPELLED: Final = re.compile(r"(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*")
"""What a segment may be made of. Browsers send some characters as they are that RFC 3986 wants escaped, such as [."""


def names_in(path: str) -> tuple[str, ...] | None:
    """The names that a path consists of, unescaped: `("a b", "")` for `/a%20b/`. None for what cannot be a path here.

    That is one with `.` or `..`, with a slash or a zero byte in a name, with an invalid escape, or longer than
    that of any file. Bytes that are not UTF-8 become what Python has for them in file names (PEP 383).
    """
    found = _read(path)
    return None if found is None else found[0]


def segments(path: str) -> tuple[str, ...] | None:
    """As `names_in`, with accented letters composed one way: the same for all spellings of a path."""
    found = _read(path)
    return None if found is None else found[1]


_Read: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]] | None


def _read(path: str) -> _Read:
    """The path's names, and the same with accented letters composed."""
    if len(path) > _LONGEST:
        return None
    return _read_short(path) if len(path) <= _SHORT else _read_long(path)


def _names(path: str) -> _Read:
    if not path.startswith("/"):
        return None
    names = [_name(segment) for segment in path[1:].split("/")]
    if None in names:
        return None
    found = tuple(name for name in names if name is not None)
    return found, tuple(unicodedata.normalize("NFC", name) for name in found)


# What is kept takes 30 times the memory of the path. Anyone can ask for any number of paths, of 64 KB each.
_read_short = lru_cache(maxsize=4096)(_names)
_read_long = lru_cache(maxsize=16)(_names)


def _name(segment: str) -> str | None:
    if not _SPELLED.fullmatch(segment):
        return None
    name = os.fsdecode(unquote_to_bytes(segment)) if "%" in segment else segment
    return None if name in (".", "..") or "/" in name or "\0" in name else name


def spell(name: str) -> str:
    """A name as one segment of an address, percent-encoded as a browser sends it."""
    return quote(os.fsencode(unicodedata.normalize("NFC", name)), safe=_SEGMENT_CHARACTERS)


def segment_route(name: str) -> str:
    """The route of an application of that name; the slashes at its ends do not matter."""
    return "/" + "/".join(map(spell, name.strip("/").split("/")))


def canonical_route(text: str) -> str:
    """The route that an address or a name means: `/my%20app` for `/my%20app`, `/my app` and `my%20app/`.

    Placeholders such as `{name}` stay as they are; a name with braces, which no one has escaped, is none elsewhere.
    """
    words = text.strip("/").split("/")
    found = segments(f"/{text.strip('/')}") or words
    return "/" + "/".join(
        word if _PLACEHOLDER.fullmatch(word) else spell(name) for word, name in zip(words, found, strict=True)
    )


def unescaped(route: str) -> str:
    """A route as people read it: `my app` for `/my%20app`, `/` for `/`."""
    return "/".join(segments(route) or ()).encode("utf-8", "surrogateescape").decode("utf-8", "replace") or "/"


def page_path(path: str, route: str | None) -> str:
    """The path of a page of this route, from the path at which its socket or its script was asked for, or from its own.

    A page's own name may be `ws`, as in `/users/ws` of `/users/{name}`.
    """
    if route not in (None, "", "/") and above(path, route) is not None:
        return path
    return path.removesuffix("/ws").removesuffix("/autoload.js")


def above(path: str, route: str) -> str | None:
    """The part before the route at the end of this path, in any spelling; None if the path ends differently.

    A slash at the end of the path does not matter, and the answer has none: `/tools` of `/tools/my%41pp/`, `/myApp`.
    """
    own = [] if route == "/" else route.strip("/").split("/")
    parts = path.rstrip("/").split("/")
    start = len(parts) - len(own)
    if start < 1 or segments("/" + "/".join(parts[start:])) != segments("/" + "/".join(own)):
        return None
    return "/".join(parts[:start])

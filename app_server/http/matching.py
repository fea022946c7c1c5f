"""How an address is found among the routes: by the names in its path, whatever their spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher

from app_server.protocol.paths import names_in, segments

_ROUTE_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ROUTE_MARK = "_i"

_names_of_request = lru_cache(maxsize=1)(segments)
"""The names of a path that one route after the other asks for."""


def names_of(path: str) -> tuple[str, ...]:
    """The names of a path that is our own, without slashes at its end; none for "" and "/"."""
    found = segments(path.rstrip("/") or "/")
    if found is None:
        raise ValueError(f"{path!r} is not the path of an address")
    return () if found == ("",) else found


@dataclass(frozen=True)
class RouteAddress(Matcher):
    """Matches one path: `base`, then `names`, then nothing (`slash`: or a slash), or with `rest` any names.

    An instance's route, `/_i/ID`, may stand before or behind `base` if `routed`. Every server accepts every instance's
    route: after a failover a foreign one arrives. The names of the rest become the handler's argument.
    """

    names: tuple[str, ...]
    base: tuple[str, ...] = ()
    routed: bool = False
    slash: bool = False
    rest: bool = False

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """What Tornado is to pass on to the handler; None if the request is for something else."""
        found_names = _names_of_request(request.path)
        if found_names is None or self.names and self.names[0] not in found_names:
            return None  # most routes, at once
        found = self.captured(request.path)
        return None if found is None else {"path_args": list(found)} if found else {}

    def captured(self, path: str) -> tuple[str, ...] | None:
        """The rest, if there is to be one, as one text; None if the path is another one."""
        found = _names_of_request(path)
        if found is None:
            return None
        if self.routed:
            found = _without_route(found)
        if found[: len(self.base)] != self.base:
            return None
        found = found[len(self.base) :]
        if self.routed:
            found = _without_route(found)
        size = len(self.names)
        if found[:size] != self.names:
            return None
        if self.rest:
            # As it was sent: a file's name may be composed in another way than that of the application.
            return ("/".join((names_in(path) or ())[size - len(found) :]),) if len(found) > size else None
        return () if len(found) == size or (self.slash and found[size:] == ("",)) else None


def _without_route(found: tuple[str, ...]) -> tuple[str, ...]:
    routed = len(found) > 1 and found[0] == _ROUTE_MARK and _ROUTE_ID.fullmatch(found[1])
    return found[2:] if routed else found

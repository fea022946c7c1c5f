"""How an address is found among the routes: by the names in its path, whatever their spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher
from tornado.web import Application as TornadoApplication
from tornado.web import RequestHandler

from app_server.protocol.paths import names_in, segments
from app_server.sources.route_patterns import Captured, RoutePattern

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
        if found is not None and self.routed:
            found = _without_route(found, self.base)
        if found is None or found[: len(self.base)] != self.base:
            return None
        found = found[len(self.base) :]
        size = len(self.names)
        if found[:size] != self.names:
            return None
        if self.rest:
            # As it was sent: a file's name may be composed in another way than that of the application.
            return ("/".join((names_in(path) or ())[size - len(found) :]),) if len(found) > size else None
        return () if len(found) == size or (self.slash and found[size:] == ("",)) else None


def _without_route(found: tuple[str, ...], base: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a path without an instance's route, before `base` or behind it."""
    if _ROUTE_MARK not in found:
        return found
    if _begins_with_route(found):
        found = found[2:]
    size = len(base)
    behind = found[:size] == base and _begins_with_route(found[size:])
    return base + found[size + 2 :] if behind else found


def _begins_with_route(found: tuple[str, ...]) -> bool:
    return len(found) > 1 and found[0] == _ROUTE_MARK and _ROUTE_ID.fullmatch(found[1]) is not None


@dataclass(frozen=True)
class PatternAddress(RouteAddress):
    """As a `RouteAddress`, of the paths that fit a pattern and go on with `names`."""

    pattern: RoutePattern = RoutePattern(())

    def captured(self, path: str) -> tuple[str, ...] | None:
        """The rest, if there is to be one, as one text; None if the path is another one."""
        found = self._own(path)
        if found is None:
            return None
        if not self.rest:
            return None if self.pattern.captured(found, self.names, slash=self.slash) is None else ()
        size = len(self.names)
        for end in range(len(found) - 1, size - 1, -1):
            if found[end - size : end] == self.names and self.pattern.captured(found[: end - size]) is not None:
                return ("/".join((names_in(path) or ())[end - len(found) :]),)
        return None

    def captured_of(self, path: str) -> Captured:
        """What this path, which fits, has in place of the placeholders."""
        return self.pattern.captured(self._own(path) or (), self.names, slash=self.slash) or Captured()

    def _own(self, path: str) -> tuple[str, ...] | None:
        """The names of a path below the base; None for a path elsewhere."""
        found = _names_of_request(path)
        if found is not None and self.routed:
            found = _without_route(found, self.base)
        return None if found is None or found[: len(self.base)] != self.base else found[len(self.base) :]


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """Who answers at an address: a handler's class, what it is made with, and its arguments from the path."""

    handler: type[RequestHandler]
    context: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


class RouteTable:
    """Tornado's rules by their addresses: however many there are, only those that may fit a path are tried.

    The last rule answers everything else.
    """

    def __init__(self, rules: Sequence[tuple[Any, ...]]) -> None:
        *self._rules, (_, *everything_else) = rules
        self._missing = RouteTarget(*everything_else)
        self._places: dict[str | None, list[int]] = {}
        """Where the rules are whose address begins with this name, or has no names."""
        for place, (address, *_) in enumerate(self._rules):
            self._places.setdefault(address.names[0] if address.names else None, []).append(place)

    def find(self, path: str) -> RouteTarget:
        """Who answers at this path: the first rule that fits."""
        names = _names_of_request(path) or ()
        for place in sorted({place for name in (None, *names) for place in self._places.get(name, ())}):
            address, handler, *context = self._rules[place]
            arguments = address.captured(path)
            if arguments is not None:
                return RouteTarget(handler, context[0] if context else {}, arguments)
        return self._missing


_FORM_OF_OTHERS_BYTES = 1024 * 1024
"""What a handler of --auth-module may get: it knows itself what it asks for, but anyone can send to it."""


class RoutedApplication(TornadoApplication):
    """Tornado's application with a table of routes; the `patterns` of others are asked first."""

    def __init__(
        self, routes: Sequence[tuple[Any, ...]], patterns: Sequence[tuple[Any, ...]] = (), **settings: Any
    ) -> None:
        super().__init__([*patterns], **settings)
        self._table = RouteTable(routes)
        self._handlers = frozenset(rule[1] for rule in routes)

    def largest_body(self, request: HTTPServerRequest) -> int | None:
        """How large this request's body may be, in bytes; None for the handlers that a program has added to ours."""
        handler = getattr(self.find_handler(request), "handler_class", None)
        largest: int | None = getattr(handler, "max_body_bytes", None)
        return _FORM_OF_OTHERS_BYTES if largest is None and handler in self._handlers else largest

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Called by Tornado for what handles this request."""
        other = self.default_router.find_handler(request)
        if other is not None:
            return other
        found = self._table.find(request.path)
        arguments: list[Any] = [*found.arguments]  # texts, as all that Tornado's own matchers pass on
        return self.get_handler_delegate(request, found.handler, found.context, arguments)

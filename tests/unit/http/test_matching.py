"""Addresses are found by the names in their paths."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import RequestHandler

from app_server.http.matching import (
    PatternAddress,
    RouteAddress,
    RoutedApplication,
    RouteTable,
    RouteTarget,
    names_of,
)
from app_server.sources.route_patterns import RoutePattern


@pytest.mark.parametrize(
    ("path", "names"),
    [("", ()), ("/", ()), ("/a", ("a",)), ("/a/b/", ("a", "b")), ("/a%20b//", ("a b",)), ("/%C3%A4", ("ä",))],
)
def test_path_of_our_own_has_names(path: str, names: tuple[str, ...]) -> None:
    assert names_of(path) == names


@pytest.mark.parametrize("path", ["/a/../b", "/a%2Fb", "a"])
def test_path_that_no_browser_asks_for_is_no_address(path: str) -> None:
    with pytest.raises(ValueError, match=r"is not the path of an address$"):
        names_of(path)


@pytest.mark.parametrize(
    ("address", "path", "rest"),
    [
        (RouteAddress(("a",)), "/a", ()),
        (RouteAddress(("a",)), "/a/", None),
        (RouteAddress(("a",), slash=True), "/a/", ()),
        (RouteAddress(("a",), slash=True), "/a//", None),
        (RouteAddress((), slash=True), "/", ()),
        (RouteAddress(("a",), ("p",)), "/a", None),
        (RouteAddress(("a",), ("p",)), "/q/a", None),
        (RouteAddress(("a",), ("p",)), "/p/a", ()),
        (RouteAddress(("a",), ("p",), routed=True), "/_i/x/p/a", ()),
        (RouteAddress(("a",), ("p",), routed=True), "/p/_i/x/a", ()),
        (RouteAddress(("a",), ("p",), routed=True), "/_i/x/p/_i/x/a", ()),
        (RouteAddress(("a",), routed=True), "/_i/x/_i/y/a", ()),
        (RouteAddress(("a",), routed=True), "/a/_i/x", None),
        (RouteAddress(("a",), ("p",)), "/_i/x/p/a", None),
        (RouteAddress(("a",), ("p",), routed=True), "/_i/x.y/p/a", None),
        (RouteAddress(("a",), ("p",), routed=True), f"/_i/{'x' * 33}/p/a", None),
        (RouteAddress(("_i",), routed=True), "/_i", ()),
        (RouteAddress(("s",), rest=True), "/s", None),
        (RouteAddress(("s",), rest=True), "/s/", ("",)),
        (RouteAddress(("s",), rest=True), "/s/js/a%20b.js", ("js/a b.js",)),
        (RouteAddress(("s",), ("p",), routed=True, rest=True), "/_i/x/p/s/a", ("a",)),
        (RouteAddress(("s",), rest=True), "/s/../a", None),
        (RouteAddress(("s",), rest=True), "/s/a%CC%88.js", ("a\u0308.js",)),
    ],
)
def test_address_matches_its_names_and_nothing_else(
    address: RouteAddress, path: str, rest: tuple[str, ...] | None
) -> None:
    assert address.captured(path) == rest
    asked = HTTPServerRequest(start_line=RequestStartLine("GET", path, "HTTP/1.1"), headers=HTTPHeaders({"Host": "x"}))
    expected = None if rest is None else {"path_args": list(rest)} if rest else {}
    assert address.match(asked) == expected


class First(RequestHandler):
    """Answers nothing: only its class matters."""


class Second(First):
    """Another one."""


TABLE = RouteTable(
    [
        (RouteAddress(("a", "ws"), routed=True), First, {"of": "a"}),
        (RouteAddress((), routed=True, slash=True), First),
        (RouteAddress(("a",), rest=True), Second, {"of": "files"}),
        (RouteAddress(("a", "ws")), Second, {"of": "hidden"}),
        (RouteAddress(("a",), routed=True, slash=True), Second, {"of": "page"}),
        (r".*", First, {"of": "else"}),
    ]
)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a/ws", RouteTarget(First, {"of": "a"})),
        ("/_i/x/a/ws", RouteTarget(First, {"of": "a"})),
        ("/", RouteTarget(First, {})),
        ("/_i/x/", RouteTarget(First, {})),
        ("/a/b/c%2e", RouteTarget(Second, {"of": "files"}, ("b/c.",))),
        ("/a", RouteTarget(Second, {"of": "page"})),
        ("/%61", RouteTarget(Second, {"of": "page"})),
        ("/ws/a", RouteTarget(First, {"of": "else"})),
        ("/b", RouteTarget(First, {"of": "else"})),
        ("/../a", RouteTarget(First, {"of": "else"})),
        ("*", RouteTarget(First, {"of": "else"})),
    ],
)
def test_table_finds_the_first_rule_that_fits(path: str, target: RouteTarget) -> None:
    assert TABLE.find(path) == target


@pytest.mark.parametrize(("path", "handler"), [("/a", First), ("/b", Second), ("/c", First)])
def test_patterns_of_others_are_asked_before_the_table(path: str, handler: type) -> None:
    routes = [(RouteAddress(("a",)), Second), (RouteAddress(("b",)), Second), (r".*", First)]
    application = RoutedApplication(routes, [(r"/a", First)])
    asked = HTTPServerRequest(start_line=RequestStartLine("GET", path, "HTTP/1.1"), headers=HTTPHeaders({"Host": "x"}))
    assert application.find_handler(asked).handler_class is handler


USERS = RoutePattern.read("/users/{name}") or RoutePattern(())
ANY = RoutePattern.read("/f/{path:path}") or RoutePattern(())


@pytest.mark.parametrize(
    ("address", "path", "rest", "params"),
    [
        (PatternAddress((), pattern=USERS), "/users/a", (), {"name": "a"}),
        (PatternAddress((), pattern=USERS), "/users/a/", None, {}),
        (PatternAddress((), pattern=USERS, slash=True), "/users/a/", (), {"name": "a"}),
        (PatternAddress(("ws",), pattern=USERS), "/users/a/ws", (), {"name": "a"}),
        (PatternAddress(("ws",), ("p",), routed=True, pattern=USERS), "/_i/x/p/users/a/ws", (), {"name": "a"}),
        (PatternAddress(("ws",), ("p",), routed=True, pattern=USERS), "/users/a/ws", None, {}),
        (PatternAddress(("static",), pattern=USERS, rest=True), "/users/a/static/js/b.js", ("js/b.js",), None),
        (PatternAddress(("static",), pattern=USERS, rest=True), "/users/a/static", None, None),
        (PatternAddress(("static",), pattern=ANY, rest=True), "/f/a/static/b/static/c.js", ("c.js",), None),
        (PatternAddress(("ws",), pattern=ANY), "/f/a/b/ws", (), {"path": "a/b"}),
    ],
)
def test_pattern_matches_its_paths_and_nothing_else(
    address: PatternAddress, path: str, rest: tuple[str, ...] | None, params: dict[str, str] | None
) -> None:
    assert address.captured(path) == rest
    if params is not None:
        assert address.captured_of(path).params == params

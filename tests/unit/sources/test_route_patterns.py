"""Routes with placeholders: what they take, in which order they are tried, and which are malformed."""

from __future__ import annotations

import pytest

from app_server.protocol.paths import canonical_route, segments
from app_server.sources.route_patterns import RoutePattern, check_placeholders


def params(route: str, path: str, below: tuple[str, ...] = ()) -> dict[str, str] | None:
    """What the path has in place of the route's placeholders."""
    pattern = RoutePattern.read(route)
    assert pattern is not None
    found = pattern.captured(segments(path) or (), below)
    return None if found is None else dict(found.params)


UUID = "01234567-89ab-cdef-0123-456789ABCDEF"


@pytest.mark.parametrize(
    ("route", "path", "expected"),
    [
        ("/users/{name}", "/users/alice", {"name": "alice"}),
        ("/users/{name}", "/users/a%20b", {"name": "a b"}),
        ("/users/{name}", "/users/a%CC%88", {"name": "ä"}),
        ("/users/{name}", "/users/%ff", {"name": "\ufffd"}),
        ("/users/{name}", "/users/", None),
        ("/users/{name}", "/users/a/b", None),
        ("/users/{name}", "/people/a", None),
        ("/{a}/x/{b:str}", "/1/x/2", {"a": "1", "b": "2"}),
        ("/n/{n:int}", "/n/-12", {"n": "-12"}),
        ("/n/{n:int}", "/n/1.5", None),
        ("/n/{n:float}", "/n/1.5e-3", {"n": "1.5e-3"}),
        ("/n/{n:float}", "/n/.5", {"n": ".5"}),
        ("/n/{n:float}", "/n/e3", None),
        ("/i/{i:uuid}", f"/i/{UUID}", {"i": UUID}),
        ("/i/{i:uuid}", f"/i/{UUID}0", None),
        ("/f/{path:path}", "/f/a/b/c.txt", {"path": "a/b/c.txt"}),
        ("/f/{path:path}", "/f/", None),
        ("/f/{path:path}/edit", "/f/a/b/edit", {"path": "a/b"}),
        ("/f/{path:path}", "/g/a", None),
        ("/a.b/{x}", "/a.b/1", {"x": "1"}),
        ("/a.b/{x}", "/aXb/1", None),
        ("/a%20b/{x}", "/a b/1", None),  # no browser sends that
        ("/a%20b/{x}", "/a%20b/1", {"x": "1"}),
    ],
)
def test_path_fits_or_not(route: str, path: str, expected: dict[str, str] | None) -> None:
    assert params(route, path) == expected


def test_what_follows_belongs_to_no_placeholder() -> None:
    assert params("/users/{name}", "/users/alice/ws", ("ws",)) == {"name": "alice"}
    assert params("/users/{name}", "/users/alice", ("ws",)) is None
    assert params("/f/{path:path}", "/f/a/b/autoload.js", ("autoload.js",)) == {"path": "a/b"}


def test_slash_at_the_end_may_be_allowed() -> None:
    pattern = RoutePattern.read("/users/{name}")
    assert pattern is not None
    assert pattern.captured(("users", "a", "")) is None
    found = pattern.captured(("users", "a", ""), slash=True)
    assert found is not None and (dict(found.params), found.path) == ({"name": "a"}, "/users/a")


def test_path_is_that_of_a_browser() -> None:
    pattern = RoutePattern.read("/users/{name}")
    assert pattern is not None
    found = pattern.captured(("users", "a b"), ())
    assert found is not None and found.path == "/users/a%20b"


def test_long_value_is_cut() -> None:
    assert params("/f/{path:path}", f"/f/{'x' * 3000}") == {"path": "x" * 1024}


def test_literal_names_come_before_placeholders_and_narrow_ones_before_wide_ones() -> None:
    routes = ["/{p:path}", "/{a}", "/{n:int}", "/{n:float}", "/{i:uuid}", "/x/{b}", "/{a}/x", "/{p:path}/edit"]
    found = sorted(routes, key=lambda route: RoutePattern.read(route).order)  # type: ignore[union-attr]
    assert found == ["/x/{b}", "/{n:int}", "/{i:uuid}", "/{n:float}", "/{a}/x", "/{a}", "/{p:path}/edit", "/{p:path}"]


@pytest.mark.parametrize("route", ["/users/{name}", "/{a:int}/b/{c:float}", "/{i:uuid}", "/{p:path}", "/a%20b/{x}"])
def test_sample_fits(route: str) -> None:
    pattern = RoutePattern.read(route)
    assert pattern is not None and pattern.captured(segments(pattern.sample) or ()) is not None


@pytest.mark.parametrize("route", ["/", "/users", "/users/%7Bname%7D"])
def test_route_without_placeholders_is_no_pattern(route: str) -> None:
    assert RoutePattern.read(route) is None


def test_placeholders_stay_as_they_are_in_a_route() -> None:
    assert canonical_route("my app/{name}/") == "/my%20app/{name}"
    assert canonical_route("/a{b}") == "/a%7Bb%7D"


@pytest.mark.parametrize(
    ("route", "what"),
    [
        ("/a{b}", "has 'a{b}', which is not a placeholder such as {name} or {id:int}"),
        ("/{user-name}", "has '{user-name}', which is not a placeholder such as {name} or {id:int}"),
        ("/{id:integer}", "has '{id:integer}', which is not a placeholder such as {name} or {id:int}"),
        ("/{a}/{a}", "names {a} twice"),
        ("/{a:path}/{b:path}", "has two placeholders that take several names"),
    ],
)
def test_malformed_placeholders(route: str, what: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_placeholders(route)
    assert str(caught.value) == what

"""After logging in one stays on the server."""

from __future__ import annotations

import pytest

from app_server.security.auth.next_page import login_address, safe_next


@pytest.mark.parametrize(
    "text",
    ["/", "/app", "/app?a=1&b=//x", "/app/x.y", "/_i/west-1/app", "/a%20b?u=http://x", "/!",
     "/_i/w/", "/a?b=/../c", "/a#//b", "/..a", "/a:b", "/" + "a" * 1999],
)  # fmt: skip
def test_own_page_is_gone_on_to(text: str) -> None:
    assert safe_next(text, "") == text


@pytest.mark.parametrize(
    "text",
    ["//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example",
     "https://evil.example", "http:evil.example", "javascript:alert(1)", "evil.example", "", None, "/app\r\nX: y",
     " //evil.example", "/_i/a//evil.example", "/..//evil.example", "/a/%2e%2e/b", "/a b", "/ä", "/" + "a" * 3000,
     "/\x00/evil.example", "/a\\..\\b", "/a\x7f", "/a%5C..%5Cb", "/./a", "/a/..", "/a/%2E?x",
     "/" + "a" * 2000],
)  # fmt: skip
def test_other_places_are_not(text: str | None) -> None:
    assert safe_next(text, "") == "/"


@pytest.mark.parametrize(("text", "expected"), [
    ("/tools/app", "/tools/app"), ("/tools", "/tools"), ("/_i/a/tools/app", "/_i/a/tools/app"), ("/app", "/tools/"),
    ("/toolshed", "/tools/"), ("/tools/../app", "/tools/"),
])  # fmt: skip
def test_own_pages_are_those_below_the_prefix(text: str, expected: str) -> None:
    assert safe_next(text, "/tools") == expected


def test_login_address_says_where_to_go_on_to() -> None:
    here, full = "/app?a=1&b=2", "https://plots.example.org/app?a=1&b=2"
    assert login_address("/login", here, full) == "/login?next=%2Fapp%3Fa%3D1%26b%3D2"
    isolated = login_address("https://id.example.org/in", here, full)
    assert isolated == "https://id.example.org/in?next=https%3A%2F%2Fplots.example.org%2Fapp%3Fa%3D1%26b%3D2"
    assert login_address("https://id.example.org/in?x=1", here, full) == "https://id.example.org/in?x=1"


def test_without_a_page_of_its_own_one_goes_to_the_default_or_the_root() -> None:
    assert safe_next(None, "/tools") == "/tools/"
    assert safe_next("//evil.example", "/tools", "/tools/start") == "/tools/start"
    assert safe_next("/tools/app", "/tools", "/tools/start") == "/tools/app"


@pytest.mark.parametrize(("text", "own"), [
    ("/_i/" + "a" * 32 + "/tools/x", True), ("/_i/" + "a" * 33 + "/tools/x", False), ("/_i/west-1", False),
    ("/_i/a.b/tools/x", False), ("/_i//tools/x", False), ("/_i/a/tools/../x", False), ("/x/_i/a/tools/x", False),
    ("/_i/a/_i/b/tools/x", False), ("/tools/_i/a/x", True),
])  # fmt: skip
def test_address_of_an_instance_is_left_out_once_at_the_front(text: str, own: bool) -> None:
    assert safe_next(text, "/tools") == (text if own else "/tools/")

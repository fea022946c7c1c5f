"""The request of a visit is what a browser would send."""

from __future__ import annotations

from app_server.testing.visit import Visit


def test_request_has_arguments_cookies_and_headers() -> None:
    visit = Visit(
        arguments={"n": "3", "city": ["Tromsø", "a b&c"]},
        cookies={"theme": "dark", "x": "a;b"},
        headers={"X-Team": "1"},
    )
    request = visit.request("/app")
    assert request.path == "/app"
    assert request.arguments == {"n": [b"3"], "city": ["Tromsø".encode(), b"a b&c"]}
    assert {name: morsel.value for name, morsel in request.cookies.items()} == {"theme": "dark", "x": "a;b"}
    assert request.headers["X-Team"] == "1"


def test_plain_request_has_none_of_these() -> None:
    request = Visit().request("/")
    assert (request.uri, request.arguments, len(request.cookies)) == ("/", {}, 0)
    assert request.full_url() == "http://localhost:5006/"

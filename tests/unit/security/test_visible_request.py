"""What of a request an application may see."""

from __future__ import annotations

from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from app_server.security.tokens import Signer, TokenError, mint_token, read_token
from app_server.security.visible_request import RequestFilter, VisibleRequest

ALL = RequestFilter()


class Connection:
    """As much of a connection as Tornado's request asks for."""

    class context:
        protocol = "https"
        remote_ip = "203.0.113.9"


def request(uri: str = "/app?year=2024", **headers: str) -> HTTPServerRequest:
    named = HTTPHeaders({"Host": "example.com:5006"})
    for name, value in headers.items():
        named[name.replace("_", "-")] = value
    line = RequestStartLine("GET", uri, "HTTP/1.1")
    return HTTPServerRequest(headers=named, connection=Connection(), start_line=line)  # type: ignore[arg-type]


def see(uri: str = "/app?year=2024", passed: RequestFilter = ALL, **headers: str) -> VisibleRequest:
    return VisibleRequest.from_request(request(uri, **headers), passed)


def test_a_request_looks_as_tornado_shows_it() -> None:
    seen = see("/app?year=2024&year=2025&q=%FF", User_Agent="tests", Cookie="who=me; theme=dark")
    original = request("/app?year=2024&year=2025&q=%FF", User_Agent="tests", Cookie="who=me; theme=dark")
    assert seen.arguments == original.arguments == {"year": [b"2024", b"2025"], "q": [b"\xff"]}
    assert seen.cookies == {"who": "me", "theme": "dark"}
    assert seen.headers == {"Host": "example.com:5006", "User-Agent": "tests", "Cookie": "who=me; theme=dark"}
    for name in ("method", "uri", "path", "query", "version", "protocol", "host", "host_name", "remote_ip"):
        assert getattr(seen, name) == getattr(original, name), name
    assert seen.full_url() == original.full_url() == "https://example.com:5006/app?year=2024&year=2025&q=%FF"


def test_arguments_and_headers_for_the_server_are_not_shown() -> None:
    seen = see(
        "/app?bokeh-session-id=abc&bokeh-token=def&bokeh-autoload-element=1001&bokehlike=1&x=2", Bokeh_Session_Id="abc"
    )
    assert seen.arguments == {"bokehlike": [b"1"], "x": [b"2"]}
    assert seen.headers == {"Host": "example.com:5006"}


def test_included_headers_are_the_only_ones_whatever_their_case() -> None:
    passed = RequestFilter(include_headers=("x-user", "ACCEPT"))
    assert see(passed=passed, X_User="me", Accept="*/*", X_Other="no").headers == {"X-User": "me", "Accept": "*/*"}


def test_excluded_headers_are_hidden_whatever_their_case() -> None:
    passed = RequestFilter(exclude_headers=("AUTHORIZATION", "host"))
    assert see(passed=passed, Authorization="secret", Accept="*/*").headers == {"Accept": "*/*"}


def test_included_cookies_are_the_only_ones() -> None:
    seen = see(passed=RequestFilter(include_cookies=("theme",)), Cookie="who=me; theme=dark")
    assert seen.cookies == {"theme": "dark"}
    assert seen.headers["Cookie"] == "theme=dark"


def test_excluded_cookies_are_hidden_from_the_cookie_header_too() -> None:
    seen = see(passed=RequestFilter(exclude_cookies=("who",)), Cookie="who=me; theme=dark")
    assert seen.cookies == {"theme": "dark"}
    assert seen.headers["Cookie"] == "theme=dark"


def test_no_cookie_header_is_shown_when_every_cookie_is_excluded() -> None:
    seen = see(passed=RequestFilter(include_cookies=()), Cookie="who=me")
    assert seen.cookies == {}
    assert "Cookie" not in seen.headers


def test_the_raw_cookie_header_is_shown_when_it_is_included_by_name() -> None:
    passed = RequestFilter(include_headers=("Cookie",), include_cookies=("theme",))
    seen = see(passed=passed, Cookie="who=me; theme=dark")
    assert seen.headers == {"Cookie": "who=me; theme=dark"}


@pytest.mark.parametrize(
    "passed",
    [ALL, RequestFilter(include_cookies=()), RequestFilter(include_headers=("Cookie",), exclude_cookies=("who",))],
    ids=["all", "no cookies", "raw cookie header"],
)
def test_the_token_brings_the_pages_request_to_the_socket(passed: RequestFilter) -> None:
    page = see("/app?year=2024&raw=%FF%00", passed, User_Agent="tests", Cookie="who=me; theme=dark")
    token = mint_token(Signer(), "abc", expires_at=1, payload=page.payload())
    socket = see("/app/ws?other=1", passed, Upgrade="websocket", Cookie="who=me; theme=dark")
    seen = VisibleRequest.from_payload(read_token(Signer(), token).payload, socket)
    assert (seen.arguments, seen.cookies, seen.headers) == (page.arguments, page.cookies, page.headers)
    assert seen.path == "/app/ws"


def test_the_token_carries_cookies_once() -> None:
    assert "Cookie" not in see(Cookie="who=me").payload()["headers"]


def test_a_bare_token_leaves_the_arriving_request_as_it_is() -> None:
    socket = see("/app/ws?year=2024")
    assert VisibleRequest.from_payload({"session_expiry": 1}, socket) == socket


def test_a_stock_payload_gives_up_its_session_id_argument() -> None:
    payload = {"arguments": {"bokeh-session-id": [b"abc"], "year": [b"2024"], "by hand": ["text"]}}
    assert VisibleRequest.from_payload(payload, see()).arguments == {"year": [b"2024"], "by hand": [b"text"]}


def test_reading_a_payload_changes_neither_the_payload_nor_the_arriving_request() -> None:
    payload = {"headers": {"A": "1"}, "cookies": {"who": "me"}}
    arrived = see()
    seen = VisibleRequest.from_payload(payload, arrived)
    assert seen.headers == {"A": "1", "Cookie": "who=me"}
    assert payload == {"headers": {"A": "1"}, "cookies": {"who": "me"}}
    assert arrived == see()


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"cookies": []}, "the token's cookies are not names and texts"),
        ({"cookies": {"a": 1}}, "the token's cookies are not names and texts"),
        ({"headers": {"a": None}}, "the token's headers are not names and texts"),
        ({"arguments": 3}, "the token's arguments are not names and lists of values"),
        ({"arguments": {"a": "b"}}, "the token's arguments are not names and lists of values"),
        ({"arguments": {"a": [1]}}, "the token's arguments are not names and lists of values"),
    ],
)
def test_a_payload_of_another_shape_is_refused(payload: dict[str, Any], why: str) -> None:
    with pytest.raises(TokenError) as caught:
        VisibleRequest.from_payload(payload, see())
    assert caught.value.what == why


def test_hidden_headers_and_cookies_pass_no_filter() -> None:
    passed = RequestFilter(
        include_headers=["Authorization", "Cookie", "Host"],
        include_cookies=["login", "login_2", "flavour"],
        hidden_headers=["authorization"],
        hidden_cookies=["login"],
    )
    assert [passed.passes_header(name) for name in ("Authorization", "AUTHORIZATION", "Cookie", "host")] == [
        False, False, False, True,
    ]  # fmt: skip
    assert [passed.passes_cookie(name) for name in ("login", "login_2", "flavour")] == [False, False, True]


def test_logins_at_other_servers_of_the_host_are_hidden_even_in_a_header_that_is_included() -> None:
    passed = RequestFilter(include_headers=["Cookie"])
    ours = "app_server_login_1a2b3c4d=x; app_server_login_console=y; app_server_form=z; app_server_tokens_0=t"
    seen = VisibleRequest.from_request(request(Cookie=f"{ours}; theme=dark"), passed)
    assert (seen.cookies, seen.headers) == ({"theme": "dark"}, {"Cookie": "theme=dark"})
    plain = VisibleRequest.from_request(request(Cookie="theme=dark;  a=b"), passed)
    assert plain.headers == {"Cookie": "theme=dark;  a=b"}


@pytest.mark.parametrize(("host", "name"), [
    ("example.com", "example.com"), ("example.com:80", "example.com"), ("[::1]:5006", "[::1]"), ("[::1]", "[::1]"),
    ("example.com:", "example.com:"), ("", ""),
])  # fmt: skip
def test_name_of_the_host_has_no_port(host: str, name: str) -> None:
    assert VisibleRequest(host=host).host_name == name


def test_arguments_are_those_of_the_query() -> None:
    seen = see("/app?year=2024")
    assert seen.query_arguments == seen.arguments == {"year": [b"2024"]}


def test_request_without_a_line_is_one_for_its_path() -> None:
    bare = request("/app?year=2024")
    bare.method, bare.uri = None, None
    bare.version = "HTTP/1.0"
    seen = VisibleRequest.from_request(bare, ALL)
    assert (seen.method, seen.uri, seen.path, seen.version) == ("GET", "/app", "/app", "HTTP/1.0")


def test_lists_of_arguments_are_the_applications_own() -> None:
    bare = request("/app?year=2024")
    VisibleRequest.from_request(bare, ALL).arguments["year"].append(b"more")
    assert bare.arguments == {"year": [b"2024"]}


def test_arguments_of_an_unsigned_token_are_taken_if_the_request_has_none() -> None:
    payload = {
        "arguments": {"year": [b"2024"], "bokeh-token": [b"x"]},
        "headers": {"X-User": "me"},
        "cookies": {"a": "b"},
    }
    socket = see("/app/ws", Cookie="who=me")
    seen = socket.with_arguments_of(payload)
    assert seen.arguments == {"year": [b"2024"]}
    assert (seen.headers, seen.cookies, seen.path) == (socket.headers, {"who": "me"}, "/app/ws")


def test_arguments_of_a_request_are_not_replaced_by_an_unsigned_token() -> None:
    socket = see("/app/ws?year=2025")
    assert socket.with_arguments_of({"arguments": {"year": [b"2024"]}}) is socket
    bare = see("/app/ws")
    assert bare.with_arguments_of({"headers": {}}) is bare
    with pytest.raises(TokenError, match="the token's arguments are not names and lists of values"):
        bare.with_arguments_of({"arguments": 3})


def test_text_that_utf_8_cannot_carry_is_replaced_in_arguments() -> None:
    assert see("/app").with_arguments_of({"arguments": {"a": ["x\ud800"]}}).arguments == {"a": [b"x?"]}


@pytest.mark.parametrize(("payload", "cookie"), [
    ({"headers": {"A": "1"}}, None), ({"cookies": {"who": "me"}}, "theme=dark"),
    ({"headers": {"Cookie": "raw=1"}, "cookies": {"who": "me"}}, "raw=1"), ({"headers": {}, "cookies": {}}, None),
])  # fmt: skip
def test_cookie_header_is_restored_for_headers_and_cookies_of_one_token(
    payload: dict[str, Any], cookie: str | None
) -> None:
    seen = VisibleRequest.from_payload(payload, see("/app/ws", Cookie="theme=dark"))
    assert seen.headers.get("Cookie") == cookie


def test_several_cookies_are_written_as_browsers_do() -> None:
    seen = VisibleRequest.from_payload({"headers": {}, "cookies": {"a": "1", "b": "2"}}, see())
    assert seen.headers == {"Cookie": "a=1; b=2"}


def test_cookie_header_that_says_more_than_the_cookies_travels() -> None:
    raw = VisibleRequest(cookies={"a": "1"}, headers={"Cookie": "a=1; b=2", "X": "a=1"})
    assert raw.payload()["headers"] == raw.headers
    assert VisibleRequest(cookies={"a": "1"}, headers={"Cookie": "a=1", "X": "a=1"}).payload()["headers"] == {
        "X": "a=1"
    }


def test_header_of_our_own_is_never_shown() -> None:
    passed = RequestFilter(include_headers=("Bokeh-Session-Id",))
    assert not passed.passes_header("bokeh-session-ID")
    assert not RequestFilter().passes_header("Cookie")
    assert RequestFilter(include_headers=("COOKIE",)).passes_header("Cookie")


def test_defaults_are_those_of_a_request_for_the_root() -> None:
    seen = VisibleRequest()
    assert (seen.full_url(), seen.method, seen.version) == ("http://localhost/", "GET", "HTTP/1.1")
    assert (seen.path, seen.query, seen.remote_ip, seen.arguments) == ("/", "", None, {})


def test_cookies_of_a_token_are_those_of_the_page() -> None:
    arrived = see("/app/ws", Cookie="who=another")
    assert VisibleRequest.from_payload({"cookies": {"who": "me"}}, arrived).cookies == {"who": "me"}
    assert VisibleRequest.from_payload({"headers": {"A": "1"}}, arrived).cookies == {"who": "another"}

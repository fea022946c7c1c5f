from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from app_server.protocol.forwarded import address_in, client_address, client_scheme


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:52044", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("[2001:DB8::9]:52044", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ('"[2001:db8::9]:_port"', "2001:db8::9"),
        ("2001:db8:0:0::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1%eth0 forged", None),
        ("fe80::1%\x9b31m", None),
        ("fe80::1%" + "x" * 1000, None),
        ("unknown", None),
        ("_hidden", None),
        ("_hidden:80", None),
        ("localhost", None),
        ("203.0.113.999", None),
        ("X203.0.113.9X", None),
        ("", None),
    ],
)
def test_address_is_found_without_its_port(text: str, expected: str | None) -> None:
    assert address_in(text) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-Forwarded-For", "198.51.100.1, 203.0.113.9:1")], "203.0.113.9"),
        ([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
        ([("X-Forwarded-For", "198.51.100.1, unknown")], None),
        ([("X-Real-IP", "203.0.113.9:5"), ("X-Forwarded-For", "198.51.100.1")], "203.0.113.9"),
        ([("X-Real-IP", "unknown"), ("X-Forwarded-For", "198.51.100.1")], "198.51.100.1"),
        ([], None),
    ],
)
def test_client_is_whom_the_nearest_proxy_names(headers: list[tuple[str, str]], expected: str | None) -> None:
    found = HTTPHeaders()
    for name, value in headers:
        found.add(name, value)
    assert client_address(found) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Forwarded-Proto": "HTTPS"}, "https"),
        ({"X-Forwarded-Proto": "http, https "}, "https"),
        ({"X-Forwarded-Proto": "wss"}, "https"),
        ({"X-Forwarded-Proto": 'http, "WS"'}, "http"),
        ({"X-Scheme": "Https", "X-Forwarded-Proto": "http"}, "https"),
        ({"X-Scheme": "gopher", "X-Forwarded-Proto": "http"}, "http"),
        ({"X-Forwarded-Proto": "javascript"}, None),
        ({"X-Forwarded-Proto": "XhttpsX"}, None),
        ({}, None),
    ],
)
def test_scheme_is_read_in_any_case(headers: dict[str, str], expected: str | None) -> None:
    assert client_scheme(HTTPHeaders(headers)) == expected

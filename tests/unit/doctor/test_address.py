"""Addresses as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.doctor.address import parse_target, read_origin, read_target
from app_server.errors import OperatorError


@pytest.mark.parametrize(
    ("url", "authority", "request_path"),
    [
        ("https://example.com", "example.com", "/"),
        ("https://example.com:443/a?b=c#d", "example.com", "/a?b=c"),
        ("http://example.com:443/a", "example.com:443", "/a"),
        ("http://[::1]:5006/a b", "[::1]:5006", "/a%20b"),
        ("https://EXAMPLE.com/%20", "example.com", "/%20"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("http://127.0.0.1:5006/ä?ö", "127.0.0.1:5006", "/%C3%A4?%C3%B6"),
    ],
)
def test_address_is_read_as_a_browser_sends_it(url: str, authority: str, request_path: str) -> None:
    target = read_target(url)
    assert (target.authority, target.request_path) == (authority, request_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("example.com", "'example.com': this is not an address of a web site. "),
        ("ftp://example.com", "'ftp://example.com': this is not an address of a web site. "),
        ("https://", "'https://': this is not an address of a web site. "),
        ("https://example.com:0", "'https://example.com:0': this is not an address of a web site. "),
        ("https://example.com:x", "'https://example.com:x': this is not an address. "),
        ("https://exa mple.com", "'https://exa mple.com': this is not the name of a host. "),
        ("https://a..b", "'https://a..b': this is not the name of a host. "),
        ("https://ann:secret@a..b", "'a..b': this is not the name of a host. "),
    ],
)
def test_what_is_no_address_is_told(url: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_target(url)
    assert str(caught.value) == message + "Use the address that people open, such as https://example.com/sliders."


@given(st.text(max_size=60))
def test_any_text_is_an_address_that_fits_a_request_or_refused(text: str) -> None:
    try:
        target = read_target(text if "://" in text else f"https://{text}")
    except OperatorError:
        return
    for part in (target.request_path, target.authority):
        assert part.isascii() and part.isprintable() and " " not in part


def test_name_and_password_become_a_header() -> None:
    target, authorization = parse_target("https://ann:s%40cret@example.com/x")
    assert (target.url, authorization) == ("https://example.com/x", "Basic YW5uOnNAY3JldA==")
    assert parse_target("https://example.com/x")[1] is None


def test_links_lead_somewhere_or_nowhere() -> None:
    target = read_target("https://example.com/a/b?c")
    for link, url in {
        "/x": "https://example.com/x",
        "y?z": "https://example.com/a/y?z",
        "//other.test/": "https://other.test/",
        "http://example.com:8080": "http://example.com:8080/",
    }.items():
        followed = target.follow(link)
        assert followed is not None and followed.url == url
    assert target.follow("mailto:ann@example.com") is None
    assert target.follow("http://[") is None


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost/", True), ("http://127.0.0.9/", True), ("http://[::1]/", True), ("http://a.localhost/", True),
     ("http://192.0.2.1/", False), ("http://localhost.example.com/", False)],
)  # fmt: skip
def test_this_machine_is_known(url: str, local: bool) -> None:
    assert read_target(url).is_local is local


def test_origin_has_no_path() -> None:
    assert read_origin("https://Example.com:443/") == "https://example.com"
    with pytest.raises(OperatorError, match="an origin has no path: https://example.com is one"):
        read_origin("https://example.com/page")

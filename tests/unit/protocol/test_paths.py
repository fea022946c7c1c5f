from __future__ import annotations

import os
import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.protocol.paths import above, canonical_route, names_in, page_path, segment_route, segments, unescaped

NAMES = st.text(min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and "/" not in name and "\0" not in name and name.isprintable()
)


@given(NAMES, st.data())
def test_all_spellings_of_an_address_are_one_path(name: str, data: st.DataObject) -> None:
    route = segment_route(name)
    spelled, rest = "/", route[1:]
    while rest:
        if rest[0] == "%":
            octet, rest = rest[:3], rest[3:]
            spelled += octet.lower() if data.draw(st.booleans()) else octet
        else:
            letter, rest = rest[0], rest[1:]
            spelled += f"%{ord(letter):02x}" if data.draw(st.booleans()) else letter
    assert segments(spelled) == segments(route) is not None


@given(NAMES, NAMES)
def test_different_names_have_different_paths(one: str, other: str) -> None:
    same = segment_route(one) == segment_route(other)
    assert (segments(segment_route(one)) == segments(segment_route(other))) == same


@pytest.mark.parametrize(
    "path",
    ["", "app", "/.", "/../app", "/a/%2e%2E/app", "/%2Fapp", "/app%00", "/100%", "/%zz", "/a b", "/größe", "/a\x7f"],
)
def test_what_is_no_path_is_none(path: str) -> None:
    assert segments(path) is None


def test_escapes_are_undone_once() -> None:
    assert segments("/a%252Fb/") == ("a%2Fb", "")


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert segments("/h%C3%A4user") == segments("/ha%CC%88user") == ("häuser",)


def test_name_that_is_not_utf8_has_an_address() -> None:
    assert segment_route(os.fsdecode(b"caf\xe9")) == "/caf%E9"
    assert segments("/caf%e9") == (os.fsdecode(b"caf\xe9"),)
    assert unescaped("/caf%E9") == "caf\ufffd"


@pytest.mark.parametrize("text", ["/my app", "my%20app/", "/my%20app", "/my%20%61pp"])
def test_route_is_known_in_every_spelling(text: str) -> None:
    assert canonical_route(text) == "/my%20app"


def test_percent_sign_that_escapes_nothing_stays() -> None:
    assert canonical_route("/100%") == "/100%25"
    assert canonical_route("/") == "/"


@pytest.mark.parametrize(
    ("path", "route", "expected"),
    [
        ("/tools/my%41pp/", "/myApp", "/tools"),
        ("/myApp", "/myApp", ""),
        ("/tools", "/", "/tools"),
        ("/", "/", ""),
        ("/h%c3%a4user", "/h%C3%A4user", ""),
        ("https://example.com/t/a+b", "/a%2Bb", "https://example.com/t"),
        ("/tools/other", "/myApp", None),
        ("/tools/notmyApp", "/myApp", None),
    ],
)
def test_path_above_a_route(path: str, route: str, expected: str | None) -> None:
    assert above(path, route) == expected


def test_ordinary_names_stay_readable() -> None:
    assert segment_route(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@")[1:] == (
        string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@"
    )


def test_long_paths_are_read_and_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(40):
            assert segments(f"/{number}" + "/ab" * 4000) is not None
        assert tracemalloc.get_traced_memory()[0] < 10e6
    finally:
        tracemalloc.stop()


def test_path_that_is_longer_than_that_of_any_file_is_none_of_ours() -> None:
    assert segments("/" + "%41" * 4095) == ("A" * 4095,)
    assert segments("/" + "%41" * 4096) is None
    assert segments("/" + "a" * (3 * 4096 - 1)) is not None and segments("/" + "a" * (3 * 4096)) is None


def test_names_are_kept_as_they_are_composed() -> None:
    assert names_in("/a%20b/") == ("a b", "")
    assert names_in("/ha%CC%88user") == ("ha\u0308user",)
    assert segments("/ha%CC%88user") == ("h\u00e4user",)
    assert names_in("a") is None


@pytest.mark.parametrize("length", [255, 256, 257])
def test_path_of_every_length_is_read(length: int) -> None:
    path = "/" + "a" * (length - 1)
    assert names_in(path) == segments(path) == (path[1:],)


@pytest.mark.parametrize(("name", "route"), [
    ("Xa/b cX", "/Xa/b%20cX"), ("XaX", "/XaX"), (" a", "/%20a"),
    ("//a//", "/a"), ("", "/"), ("/", "/"), ("a//b", "/a//b"),
])  # fmt: skip
def test_route_has_a_segment_for_each_name(name: str, route: str) -> None:
    assert segment_route(name) == route
    assert canonical_route(name) == route


@pytest.mark.parametrize(("route", "text"), [
    ("/a%20b/cX", "a b/cX"), ("/", "/"), ("", "/"), ("a", "/"), ("/a/", "a/"), ("/.", "/"),
])  # fmt: skip
def test_route_is_read_by_people(route: str, text: str) -> None:
    assert unescaped(route) == text


@pytest.mark.parametrize(("path", "route", "expected"), [
    ("/tools/aX/bX//", "/aX/bX/", "/tools"), ("/tools/aX/bX", "/bX/aX", None), ("bX", "/bX", None),
    ("/bX", "/aX/bX", None), ("/X/bX", "/bX", "/X"), ("", "/", ""), ("/a/%", "/%", "/a"), ("/tools/a", "/", "/tools/a"),
    ("/tools/a/b", "/a%2Fb", None),
])  # fmt: skip
def test_path_above_a_route_of_several_segments(path: str, route: str, expected: str | None) -> None:
    assert above(path, route) == expected


@pytest.mark.parametrize(("path", "route", "expected"), [
    ("/tools/a/ws", "/a", "/tools/a"), ("/a/autoload.js", "/a", "/a"), ("/a", "/a", "/a"), ("/tools/ws", "/", "/tools"),
    ("/u/ws", "/u/ws", "/u/ws"), ("/u/ws/ws", "/u/ws", "/u/ws"), ("/u/ws/", "/u/ws", "/u/ws/"), ("/a/ws", None, "/a"),
])  # fmt: skip
def test_path_of_the_page_of_a_socket(path: str, route: str | None, expected: str) -> None:
    assert page_path(path, route) == expected

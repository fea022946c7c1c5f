"""What can be read from an application's page."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest

from app_server.doctor.seen.pages import Opening, Page, enlarged_token
from tests.unit.doctor.making import SCRIPT, SEEN, answer, handshake, html, page


def page_of(body: bytes, status: int = 200) -> Page:
    return Page(answer(status=status, body=body))


def token(head: object) -> str:
    return urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "body",
    [b'{"token":"abc.def"}', b'"token": "abc.def"', rb"{\"token\":\"abc.def\"}", b'"token":"abc.def","token":"x"'],
)
def test_token_of_a_page(body: bytes) -> None:
    assert page_of(body).token == "abc.def"
    assert page_of(body, status=503).token is None


@pytest.mark.parametrize("body", [b"", b'"token":""', b"token=abc", b'"token":"a b"'])
def test_page_without_a_token(body: bytes) -> None:
    assert page_of(body).token is None and page_of(body).session_id is None


def test_session_of_a_token() -> None:
    assert page_of(f'"token":"{token({"session_id": "s1"})}.signature"'.encode()).session_id == "s1"
    for head in ({}, [], "x", None, 3):
        assert page_of(f'"token":"{token(head)}"'.encode()).session_id is None
    for text in ("abc", "A", "_-_", "." * 3):
        assert page_of(f'"token":"{text}"'.encode()).session_id is None


def test_scripts_of_a_page_come_once_and_unescaped() -> None:
    found = page_of(
        b"<script src='a.js?x=1&amp;y=2'></script><SCRIPT defer src = \"b.js\"></SCRIPT><script src='b.js'>"
    )
    assert found.scripts == ("a.js?x=1&y=2", "b.js")


@pytest.mark.parametrize(
    ("src", "is_bokehjs"),
    [("/static/js/bokeh.min.js?v=1", True), ("/static/js/bokeh-gl.js", True), ("/static/js/bokeh.min.js.map", False),
     ("/bokeh/other.js", False), ("/mybokeh.js", False)],
)  # fmt: skip
def test_scripts_of_bokehjs(src: str, is_bokehjs: bool) -> None:
    assert bool(page_of(html(script=src)).bokehjs) is is_bokehjs


@pytest.mark.parametrize(
    ("src", "root"),
    [
        (SCRIPT, "/tools/"),
        ("static/js/bokeh.min.js", "/tools/"),
        ("https://cdn.test/static/js/bokeh.min.js", "/"),
        ("https://cdn.test/bokeh.min.js", None),
        ("/app.js", None),
    ],
)
def test_root_of_the_servers_files(src: str, root: str | None) -> None:
    assert page_of(html(script=src)).root_path == root


@pytest.mark.parametrize(
    ("route", "found", "path"), [("a1", "a1", "/_i/a1/tools/board/ws"), (None, None, "/tools/board/ws")]
)
def test_way_of_a_socket(route: str | None, found: str | None, path: str) -> None:
    assert (page(route=route).route, page(route=route).socket_path) == (found, path)


def test_route_that_is_none_is_not_taken_for_one() -> None:
    body = b'embed_items(docs_json, render_items, "/_i/a b/tools/board/")'
    assert (page_of(body).route, page_of(body).socket_path) == (None, "/_i/a b/tools/board/ws")


def test_opening_adds_up_and_names_its_instances() -> None:
    other = replace(SEEN, instance="two")
    opened = Opening(page(whole_s=0.5), handshake(other, whole_s=0.25))
    assert (opened.instances, opened.whole_s) == (("one", "two"), 0.75)
    alone = Opening(Page(answer(seen=None)))
    assert (alone.instances, alone.whole_s) == ((None, None), 0.0)


@pytest.mark.parametrize("size", [500, 4096, 12288])
def test_token_is_enlarged_in_what_is_not_signed(size: int) -> None:
    large = enlarged_token(token({"session_id": "s1", "expiry": 5}), size)
    assert size - 4 <= len(large) <= size + 4
    head = json.loads(urlsafe_b64decode(large + "=" * (-len(large) % 4)))
    assert (head["session_id"], head["expiry"]) == ("s1", 5)


@pytest.mark.parametrize("given", [f"{token({'session_id': 's1'})}.signature", "abc", "", "ä", token([1])])
def test_token_that_cannot_be_changed_is_replaced(given: str) -> None:
    assert enlarged_token(given, 700) == "A" * 700

"""What the load generator reads from responses and pages."""

from __future__ import annotations

import gzip

import pytest

from app_server.load.pages import Response, assets_of, join_chunks, parse_response, socket_path, token_of

PAGE = """<link href="/static/a.css" rel="stylesheet">
<script type="text/javascript" src="/static/js/bokeh.min.js?v=1"></script>
<script src="https://elsewhere.example/x.js"></script><script src='//elsewhere.example/y.js'></script>
<script src="/static/js/bokeh.min.js?v=1"></script>
<script>const render_items = [{"token":"eyJ","roots":{}}]; root.Bokeh.embed.embed_items(docs_json, render_items);"""

PACKED = gzip.compress(b"<html>", mtime=0)


def test_token_is_found_in_the_render_items() -> None:
    assert token_of(PAGE) == "eyJ"
    assert token_of('[{"roots": {}, "token" : "ab-_9"}]') == "ab-_9"


def test_page_without_a_token_says_how_it_begins() -> None:
    with pytest.raises(ValueError, match="the page carries no token; it begins: '<h1>500</h1>'"):
        token_of("<h1>500</h1>")


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("embed_items(docs_json, render_items)", "/sliders/ws"),
        ('embed_items(docs_json, render_items, "/p/sliders")', "/p/sliders/ws"),
        ('embed_items(docs_json, render_items, "/")', "/ws"),
        ('embed_items(docs_json, render_items, "\\u002fa", "http://h/a")', "/a/ws"),
        ("embed_items(docs_json, render_items, null)", "/sliders/ws"),
    ],
)
def test_socket_is_below_the_app_path_or_else_the_page(call: str, path: str) -> None:
    assert socket_path(f"root.Bokeh.embed.{call};", "/sliders/") == path


def test_assets_are_those_of_the_own_server_each_once() -> None:
    assert assets_of(PAGE) == ["/static/a.css", "/static/js/bokeh.min.js?v=1"]


def test_chunks_are_joined() -> None:
    assert join_chunks(b"3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n") == b"abcde"


def test_response_counts_every_byte_of_the_wire() -> None:
    raw = b'HTTP/1.1 200 OK\r\nETag: W/"1"\r\nCache-Control: public, max-age=9, immutable\r\n\r\nbody'
    response = parse_response(raw)
    assert (response.status, response.body, response.wire_bytes) == (200, b"body", len(raw))
    assert response.immutable and response.fresh
    assert response.validators == {"If-None-Match": 'W/"1"'}


def test_max_age_of_zero_is_not_fresh() -> None:
    assert not Response(200, {"cache-control": "no-cache, max-age=0"}, b"", 0).fresh
    assert not Response(200, {}, b"", 0).immutable


def test_text_is_read_through_gzip() -> None:
    assert Response(200, {"content-encoding": "gzip"}, gzip.compress(b"<html>", mtime=0), 0).text == "<html>"


@pytest.mark.parametrize("body", [b"<html>", PACKED[:-9], PACKED[:10] + b"x" * 20])
def test_damaged_gzip_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="the answer is not gzip, as it says"):
        _ = Response(200, {"content-encoding": "gzip"}, body, 0).text

"""What both servers answer over HTTP, and what an application learns of the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import pytest

from tests.peers.conftest import Peers
from tests.peers.visits import visiting
from tests.support.client import Site

ELEMENT = "bokeh-autoload-element=here"


def seen(site: Site, path: str, headers: Mapping[str, str]) -> Any:
    """What the application says it knows."""
    with visiting(site, path, headers=headers) as visit:
        return json.loads(visit.client.value("known", "text"))


@pytest.mark.parametrize(
    "path",
    [
        "/asked?a=1&b=2&a=3",
        "/asked?empty=&alone&x=%20+y",
        "/asked?%C3%BC=%E2%82%AC&latin=%FC",
        "/asked?theme=x&semicolon=a;b&plus=a%2Bb",
        "/asked/?a=1",
        "/hooked?who=me&who=you",
        "/hooked?who=%C3%BC",
    ],
)
def test_arguments_are_the_same(peers: Peers, path: str) -> None:
    stock, ours = (seen(site, path, {}) for site in peers.both())
    assert stock == ours


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "a=1; b=two; a=3"},
        {"Cookie": 'quoted="x y; z"; other=1'},
        {"Cookie": "name=Jos\u00e9"},
        {"Cookie": "name=J\u00c3\u00b6rg"},
        {"Cookie": "encoded=%C3%B6; json={%22a%22:1}; trail=x="},
        {"Cookie": "=nameless; ; novalue; spaced = 1"},
        {"Cookie": f"own={SimpleCookie({'x': 'ü,'})['x'].coded_value}"},
        {"X-Own": "plain", "Accept": "text/html"},
        {"X-Own": "Gr\u00fc\u00dfe"},
        {"X-Own": ""},
    ],
)
def test_cookies_and_headers_are_the_same(peers: Peers, headers: Mapping[str, str]) -> None:
    stock, ours = (seen(site, "/asked", headers) for site in peers.both())
    assert stock == ours


def visible(site: Site, path: str, method: str) -> dict[str, Any]:
    """What a program goes by: whether it worked and what it got, and whether the page that asks may read it."""
    answer = site.get(path, method=method, headers={"Origin": site.url})
    worked = 200 <= answer.status < 300
    return {
        "status": 200 if worked else answer.status,
        "kind": answer.headers["content-type"].partition(";")[0] if worked and method == "GET" else "",
        "location": answer.headers.get("location"),
        "readable": answer.headers.get("access-control-allow-origin") in ("*", site.url) if worked else None,
        "GET is allowed": "GET" in answer.headers.get("access-control-allow-methods", "") if worked else None,
    }


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/asked",
        "/asked/",
        "/nowhere",
        "/asked/nowhere",
        "/asked/metadata",
        "/hooked/metadata",
        f"/asked/autoload.js?{ELEMENT}",
        f"/asked/autoload.js?{ELEMENT}&bokeh-app-path=/asked&bokeh-absolute-url=http://localhost/asked",
        f"/asked/autoload.js?{ELEMENT}&resources=none",
        "/asked/autoload.js",
        "/static/js/bokeh.min.js",
        "/asked/static/js/bokeh.min.js",
        "/embedded/static/own.css",
        "/embedded/static/nowhere.css",
        "/static/nowhere.js",
        "/asked?bokeh-session-id=one&bokeh-token=two",
        "/",
    ],
)
def test_addresses_answer_the_same(peers: Peers, method: str, path: str) -> None:
    stock, ours = (visible(site, path, method) for site in peers.both())
    assert stock == ours


@pytest.mark.parametrize("path", ["/plot%20(1)", "/a+b", "/it's", "/it%27s", "/v1.2", "/na%C3%AFve-%C3%BC"])
def test_file_of_an_odd_name_is_served_if_the_stock_server_serves_it(peers: Peers, path: str) -> None:
    stock, ours = (site.get(path).status for site in peers.both())
    assert stock != 200 or ours == 200


@pytest.mark.parametrize("path", ["/asked/metadata", "/hooked/metadata"])
def test_metadata_is_the_same(peers: Peers, path: str) -> None:
    stock, ours = (json.loads(site.get(path).body) for site in peers.both())
    assert stock == ours

"""The examples for three frameworks, served by uvicorn in this process: an API, an application, and their users."""

from __future__ import annotations

import http.client
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app_server.asgi import BokehASGI
from tests.support.client import Answer
from tests.support.clients.visitor import Visitor
from tests.support.server import EXAMPLES
from tests.support.servers.inside_asgi import InsideASGI, inside_uvicorn

JSON = {"Content-Type": "application/json"}


@contextmanager
def example(name: str) -> Iterator[InsideASGI]:
    """This example, served."""
    folder = str(EXAMPLES / "asgi")
    sys.path.insert(0, folder)
    try:
        module: Any = importlib.import_module(name)
        assert isinstance(module.bokeh, BokehASGI)
        with inside_uvicorn(module.bokeh, module.app) as site:
            yield site
    finally:
        sys.path.remove(folder)
        for each in (name, "readings"):
            sys.modules.pop(each, None)


def post(site: InsideASGI, path: str, content: Any, cookie: str = "") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request("POST", path, json.dumps(content), {**JSON, "Cookie": cookie})
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answer


@pytest.fixture
def visitor(request: pytest.FixtureRequest) -> Iterator[tuple[InsideASGI, Visitor]]:
    with example(request.param) as site:
        yield site, Visitor(f"http://127.0.0.1:{site.port}")


@pytest.mark.parametrize("visitor", ["starlette_site"], indirect=True)
def test_starlette_shows_what_its_api_takes(visitor: tuple[InsideASGI, Visitor]) -> None:
    site, someone = visitor
    assert post(site, "/api/readings", {"celsius": 20}).status == 201
    page = someone.ask("/plot/")
    assert 'src="/plot/static/js/bokeh.min.js' in page.text
    with someone.client("/plot", page.token) as client:
        assert client.value("greeting", "text") == "Hello."
        assert post(site, "/api/readings", {"celsius": 21.5}).body == b'{"number":2}'
        client.wait_for(lambda: any(event["kind"] == "ColumnsStreamed" for event in client.events()))
        (streamed,) = [event for event in client.events() if event["kind"] == "ColumnsStreamed"]
        assert json.dumps(streamed["data"]) == '{"type": "map", "entries": [["number", [2]], ["celsius", [21.5]]]}'
    assert someone.ask("/plot/static/js/bokeh.min.js").status == 200
    assert someone.ask("/nothing").text == "Not Found", "which Starlette answers"


@pytest.mark.parametrize("visitor", ["fastapi_site"], indirect=True)
def test_fastapi_decides_by_one_function_who_uses_api_and_plot(
    visitor: tuple[InsideASGI, Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, ann = visitor
    monkeypatch.setattr(sys.modules["fastapi_site"], "PASSWORD", "secret")
    assert ann.ask("/plot/").headers["location"] == "/login?next=%2Fplot%2F"
    assert post(site, "/api/readings", {"celsius": 20}).status == 401
    assert ann.post("/login", name="ann", password="wrong").headers["location"] == "/login"
    assert ann.post("/login", name="ann", password="secret").headers["location"] == "/plot/"
    assert json.loads(post(site, "/api/readings", {"celsius": 20}, ann.cookie_header).body) == {
        "number": 1,
        "by": "ann",
    }
    token = ann.ask("/plot/").token
    with ann.client("/plot", token) as client:
        assert client.value("greeting", "text") == "Hello, ann."
    bob = Visitor(ann.url)
    bob.post("/login", name="bob", password="secret")
    with pytest.raises(Exception, match="HTTP 403"), bob.client("/plot", token):
        raise AssertionError("the session of another user was opened")
    with pytest.raises(Exception, match="HTTP 401"), Visitor(ann.url).client("/plot", token):
        raise AssertionError("a session was opened without a user")


@pytest.mark.parametrize("visitor", ["django_site"], indirect=True)
def test_django_logs_in_those_who_see_the_plot_beside_it(visitor: tuple[InsideASGI, Visitor]) -> None:
    site, ann = visitor
    assert ann.ask("/bokeh/plot").headers["location"] == "/?next=%2Fbokeh%2Fplot"
    assert 'placeholder="Your name"' in ann.ask("/").text
    assert ann.post("/name", name="ann").headers["location"] == "/"
    assert ann.follow("/")[0].endswith("/bokeh/plot")
    with ann.client("/bokeh/plot") as client:
        assert client.value("greeting", "text") == "Hello, ann."
        assert post(site, "/api/readings", {"celsius": 19}).status == 201
        client.wait_for(lambda: any(event["kind"] == "ColumnsStreamed" for event in client.events()))
    assert ann.ask("/nothing").status == 404 and "Not Found" in ann.ask("/nothing").text
    with pytest.raises(Exception, match="HTTP 403"), ann.client("/elsewhere", "token"):
        raise AssertionError("Django has opened a WebSocket")

"""Clients that vanish, stall and flood, and frameworks that mount in odd ways, at uvicorn in this process."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Div, Slider
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from app_server.asgi import BokehASGI
from tests.support.clients.visitor import Visitor
from tests.support.servers.inside_asgi import InsideASGI, inside_uvicorn
from tests.support.waiting import until

MEGABYTE = 2**20


def fill(document: Any) -> None:
    """A slider whose value says how many megabytes a text is to have."""
    slider, text = Slider(name="slider", start=0, end=100, value=0), Div(name="text", text="-")
    slider.on_change("value", lambda attr, old, new: setattr(text, "text", f"{new:g}" * int(new * MEGABYTE)))
    document.add_root(slider)
    document.add_root(text)


@pytest.fixture(scope="module")
def site() -> Iterator[InsideASGI]:
    with inside_uvicorn(BokehASGI({"/app": fill}, keep_alive_ms=100)) as started:
        yield started


def connections(site: InsideASGI) -> int:
    """How many connections the server has."""
    return site.call(lambda: len(site.server.state.process.wires))


def test_client_that_vanishes_is_gone_for_its_session(site: InsideASGI) -> None:
    with site.client("/app") as client:
        assert connections(site) == 1
        client.cut()
        until(lambda: connections(site) == 0)
    (session, *_) = site.call(site.bokeh.get_sessions)
    assert session.connection_count == 0


def test_client_that_reads_nothing_is_cut_off_and_delays_no_one(
    site: InsideASGI, caplog: pytest.LogCaptureFixture
) -> None:
    token = site.token("/app")
    with site.client("/app", token, max_queue=1, max_size=None) as stalled, site.client("/app", token) as other:
        for number in range(4, 8):  # what the kernel holds for it is not enough
            began_s = time.monotonic()
            other.socket.protocol.max_message_size = None
            other.send("PATCH-DOC", {"events": [other.change("slider", "value", number)]})
            other.wait_for(lambda number=number: len(other.value("text", "text")) == number * MEGABYTE)  # type: ignore[misc]
            assert time.monotonic() - began_s < 5
        until(lambda: connections(site) == 1, "the client that stalls is cut off", 30)
        assert "Client stopped reading; closing the connection (" in caplog.text
        stalled.socket.socket.close()


def test_client_that_floods_lets_others_have_their_turn(site: InsideASGI) -> None:
    with site.client("/app") as flooding, site.client("/app") as other:
        change = json.dumps({"events": [flooding.change("slider", "start", 0)]})
        header = '{"msgid": "1", "msgtype": "PATCH-DOC"}'

        def flood() -> None:
            for _ in range(2000):
                for part in (header, "{}", change):
                    flooding.socket.send(part)

        thread = threading.Thread(target=flood)
        thread.start()
        slowest_s = 0.0
        while thread.is_alive():
            began_s = time.monotonic()
            assert other.request("SERVER-INFO-REQ").msgtype == "SERVER-INFO-REPLY"
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        thread.join()
        assert slowest_s < 2


class ByHeader(AuthenticationBackend):
    """Believes a header; a real one would not."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("X-User")
        return None if name is None else (AuthCredentials(), SimpleUser(name))


def test_object_that_is_mounted_twice_without_a_lifespan_serves_at_both_places(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bokeh, other = BokehASGI({"/app": fill}), BokehASGI(fill, prefix="/more")
    app = Starlette(
        routes=[
            Mount("/one", bokeh), Mount("/two/{tenant}", bokeh), Mount("/other", other),
            Route("/", lambda request: PlainTextResponse("Starlette's own")),
        ],
        middleware=[Middleware(AuthenticationMiddleware, backend=ByHeader())],
    )  # fmt: skip
    with caplog.at_level(logging.WARNING), inside_uvicorn(bokeh, app) as site:
        assert site.get("/").text == "Starlette's own"
        for place in ("/one", "/two/red", "/two/blue"):
            page = site.get(f"{place}/app")
            assert f'src="{place}/static/js/bokeh.min.js' in page.text
            with site.client(f"{place}/app", page.token, origin=site.url) as client:
                assert client.value("text", "text") == "-"
        assert site.get("/other/more/").status == 200
        ann = Visitor(site.url, headers={"X-User": "ann"})
        token = ann.ask("/one/app").token
        with ann.client("/one/app", token):
            assert [session.context.user.username for session in bokeh.get_sessions() if session.context.user] == [
                "ann"
            ]
        with pytest.raises(Exception, match="HTTP 403"), site.client("/one/app", token):
            raise AssertionError("the session of a user was opened by no one")
    starts = [message for message in caplog.messages if "starts with its first request" in message]
    assert len(starts) == 2, "once for each object"
    assert bokeh.get_sessions() == [], "the loop's end has stopped it"

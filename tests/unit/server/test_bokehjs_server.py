"""A server of BokehJS's files, which pages of every origin may use."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from app_server.server.bokehjs_server import StaticServer, serve_static_until_stopped
from app_server.settings import Settings
from tests.support.servers.inside import Inside, inside


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """The server, below a prefix."""
    with inside(
        {}, lambda applications, settings, loop, listening: StaticServer(settings, loop, listening), prefix="/p"
    ) as served:
        yield served


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_are_for_pages_of_every_origin(state: Inside, method: str) -> None:
    answer = state.ask("/p/static/js/bokeh.min.js", method, {"Origin": "https://anywhere.example"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["timing-allow-origin"] == "*"


def test_there_is_its_health_and_its_icon_and_nothing_else(state: Inside) -> None:
    for path in ("/healthz", "/readyz", "/p/favicon.ico"):
        assert state.ask(path).status == 200
    for path in ("/p/", "/", "/p/app", "/p/app/ws", "/p/static/extensions/x/y.js", "/metrics"):
        answer = state.ask(path)
        assert answer.status == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it(number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    started = StaticServer.start

    async def start(server: Any) -> None:
        await started(server)
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)

    monkeypatch.setattr(StaticServer, "start", start)
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert serve_static_until_stopped(Settings(port=0, address="127.0.0.1", prefix="/p")) == 0
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert any(text.startswith("Serving BokehJS 3.") and text.endswith("/p/static/") for text in caplog.messages)

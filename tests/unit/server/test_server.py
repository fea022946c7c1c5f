"""The life of a server from its address to its end, on the test's own loop or in a thread."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from bokeh.models import Div
from websockets.exceptions import ConnectionClosed

from app_server.apps import application_from_function
from app_server.errors import TransientError
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server import server as module
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.client import PATIENCE_S, Site
from tests.support.clock import SkippingLoop, skipping_loop
from tests.support.ports import free_port
from tests.support.servers.inside import inside
from tests.support.servers.stage import Hooked


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="text", text="1"))


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


def server_of(loop: asyncio.AbstractEventLoop, **settings: Any) -> Server:
    """A server that was not started."""
    return Server({"/app": application_from_function(fill)}, Settings(**settings), loop)


# Its address


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:5006/"),
        ({"address": "0.0.0.0", "prefix": "/p"}, "http://localhost:5006/p/"),
        ({"address": "::", "port": 80}, "http://localhost:80/"),
        ({"address": "192.0.2.1"}, "http://192.0.2.1:5006/"),
        ({"address": "2001:db8::1"}, "http://[2001:db8::1]:5006/"),
    ],
)
def test_url_is_that_for_a_browser_on_this_machine(loop: SkippingLoop, settings: dict[str, Any], url: str) -> None:
    assert server_of(loop, **settings).url == url


def test_port_is_the_one_that_the_system_chose_and_none_on_a_unix_socket(loop: SkippingLoop, tmp_path: Path) -> None:
    server = server_of(loop, port=0, address="127.0.0.1")
    server.bind()
    assert server.port and str(server.port) in server.url
    assert server.state.origins.allows(f"http://localhost:{server.port}")
    sharing = server_of(loop, port=0)
    sharing.share(server._sockets)
    assert sharing.port == server.port
    for sock in server._sockets:
        sock.close()
    path = tmp_path / "s"
    unix = server_of(loop, unix_socket=str(path))
    unix.bind()
    assert unix.port is None and path.is_socket()
    unix._sockets[0].close()


async def test_unix_socket_is_served_and_taken_away_unless_it_is_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for replaced in (False, True):
        server = server_of(asyncio.get_running_loop(), unix_socket=str(path))
        server.bind()
        await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b'{"status": "alive"}')
        writer.close()
        if replaced:
            path.unlink()
            path.write_text("another's")
        await server.stop()
        assert path.exists() == replaced


# From start to stop


def test_stop_says_goodbye_runs_the_hooks_and_closes_every_connection() -> None:
    order: list[str] = []
    hooks = {
        name: (lambda context, name=name: order.append(name))
        for name in ("on_server_loaded", "on_session_created", "on_session_destroyed", "on_server_unloaded")
    }
    with inside({"/app": Hooked(fill, **hooks)}, allow_websocket_origin=("localhost",)) as served:
        idle = socket.create_connection(("127.0.0.1", served.server.port or 0))
        with served.client("/app", origin="http://localhost") as client:
            served.do(served.server.stop(1012))
            with pytest.raises(ConnectionClosed) as end:
                client.socket.recv(timeout=PATIENCE_S)
            assert end.value.rcvd is not None and end.value.rcvd.code == 1012
        assert idle.recv(1) == b"" and not served.server.state.wires
        idle.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", served.server.port or 0))
        assert order == ["on_server_loaded", "on_session_created", "on_session_destroyed", "on_server_unloaded"]


def test_request_that_has_come_is_answered_before_the_end() -> None:
    asked, release = threading.Event(), asyncio.Event()

    async def created(context: Any) -> None:
        asked.set()
        await release.wait()

    with inside({"/app": Hooked(fill, on_session_created=created)}) as served:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(Site(served.url).get("/app")))
        thread.start()
        assert asked.wait(PATIENCE_S)
        stopping = asyncio.run_coroutine_threadsafe(served.server.stop(), served.loop)
        served.call(release.set)
        stopping.result(PATIENCE_S)
        thread.join()
        assert answers[0].status == 200
        assert not len(served.server.state.runtimes[0].registry)


def test_drain_waits_for_sessions_and_no_longer_than_it_may(
    loop: SkippingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", loop.time)
    server = server_of(loop)
    runtime = server.state.runtimes[0]
    session = loop.run_until_complete(runtime.session("one", None, {}))
    began_s = loop.time()
    loop.run_until_complete(server.drain(3))
    assert 3 <= loop.time() - began_s < 3.1 and server.state.draining
    loop.call_later(1, runtime.begin_end, session)
    began_s = loop.time()
    loop.run_until_complete(server.drain(3))
    assert 1 <= loop.time() - began_s < 1.1


def test_sessions_that_are_left_are_named_to_those_who_get_their_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    with (
        inside({"/app": fill}, prepare=lambda server: server.join(runtime_dir, 0, 2)) as first,
        inside({"/app": fill}, prepare=lambda server: server.join(runtime_dir, 1, 2)) as second,
    ):
        ident = first.server.state.read_token(first.token("/app")).session_id
        runtime_dir.give(0, runtime_dir.socket_path(1, os.getpid()))
        first.do(first.server.drain(0))
        assert ident in second.server.state.inherited
        second.do(second.server.state.workers.close())  # type: ignore[union-attr]
        first.do(first.server.drain(0))
        assert "The process that takes over could not be told of 1 sessions" in caplog.messages


def test_processes_answer_each_other(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    with inside({"/app": fill}, prepare=lambda server: server.join(runtime_dir, 0, 1)) as served:
        workers = served.server.state.workers
        assert workers is not None

        def ask(fields: dict[str, Any]) -> Any:
            return served.do(workers.ask(workers.socket_path, fields))

        assert ask({"question": "room"}) == {"room": True}
        assert ask({"question": "observe"})["url"] == served.server.url
        served.server.state.draining = True
        assert ask({"question": "room"}) == {"room": False}
        tally = {
            "child": "s-1", "over": False, "memory_bytes": 5, "answers": {}, "applications": {"/app": {
                "now": {"sessions": 1}, "ever": served.server.state.runtimes[0].gauges.snapshot()}},
        }  # fmt: skip
        assert ask({"question": "tally", **tally}) == {}
        assert served.server.state.child_metrics.balance()["/app"]["now"]["sessions"] == 1


# While it serves


class Wire:
    """As much of a wire as is kept alive; `gone` and `waiting` say what the kernel knows of it."""

    def __init__(self, gone: bool = False, waiting: int = 0) -> None:
        self.gone, self.queued_bytes = gone, waiting
        self.told: list[Any] = []

    def has_gone(self, limit_s: float) -> bool:
        self.told.append(limit_s)
        return self.gone

    def ping(self) -> None:
        self.told.append("ping")

    def give_up(self, waiting: int, why: str) -> None:
        self.told.append((waiting, why))

    def abort(self, code: int, why: str) -> None:
        self.told.append((code, why))


def test_clients_are_pinged_and_the_silent_ones_cut_off(loop: SkippingLoop) -> None:
    server = server_of(loop, keep_alive_ms=2000)
    living, silent, stuck = Wire(), Wire(gone=True), Wire(gone=True, waiting=7)
    server.state.wires = {living, silent, stuck}  # type: ignore[arg-type]
    loop.create_task(server._keep_alive())
    loop.run_for(1.9)
    assert not living.told
    loop.run_for(0.2)
    assert living.told == [5, "ping"]
    assert silent.told == [5, (1006, "no sign of life")]
    assert stuck.told == [5, (7, "stopped reading")]


def test_keep_alive_of_zero_asks_nobody(loop: SkippingLoop) -> None:
    loop.run_until_complete(server_of(loop, keep_alive_ms=0)._keep_alive())


@pytest.mark.parametrize(
    ("status", "told", "level", "because"),
    [
        (200, False, logging.DEBUG, ""),
        (403, False, logging.WARNING, ": it was a reason"),
        (403, True, logging.DEBUG, ": it was a reason"),
        (404, False, logging.WARNING, ""),
        (500, False, logging.ERROR, ""),
        (503, False, logging.ERROR, ": it was a reason"),
    ],
)
def test_line_of_an_answer_has_its_level_and_its_reason(
    loop: SkippingLoop, status: int, told: bool, level: int, because: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = server_of(loop)
    heard: list[Any] = []
    server.also_log(heard.append)
    request = SimpleNamespace(
        method="GET", path="/a\x1b?", remote_ip="192.0.2.1", request_time=lambda: 0.0012, query="token=x"
    )
    handler = SimpleNamespace(
        request=request,
        get_status=lambda: status,
        told=told,
        refused_because="it was a reason" if status >= 400 else "",
    )
    server._application.settings["log_function"](handler)
    (record,) = [record for record in caplog.records if record.name == module.__name__]
    assert (record.levelno, record.getMessage()) == (level, rf"{status} GET /a\x1b? (192.0.2.1) 1.2 ms{because}")
    assert heard == [handler] and sum(server.state.gauges.answers.values()) == 1


def test_live_reload_comes_with_development() -> None:
    with inside({"/app": fill}, dev=True) as served:
        assert "/_dev/reload" in served.get("/app").text
    with inside({"/app": fill}) as served:
        assert "/_dev/reload" not in served.get("/app").text


def test_same_port_cannot_be_had_twice() -> None:
    port = free_port()
    with inside({"/app": fill}, port=port), pytest.raises(TransientError) as caught, inside({"/app": fill}, port=port):
        pass
    assert str(caught.value) == f"--port: port {port} is in use. Stop what listens there, or choose another --port."


def test_server_with_tls_says_so(loop: SkippingLoop, tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    assert server_of(loop, ssl_certfile=str(pem)).url == "https://localhost:5006/"

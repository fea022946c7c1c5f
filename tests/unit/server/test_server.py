"""The life of a server from its address to its end, on the test's own loop or in a thread."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from bokeh.models import Div
from websockets.exceptions import ConnectionClosed

from app_server.apps import application_from_function
from app_server.errors import OperatorError, TransientError
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.membership import Membership
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


def bound(loop: asyncio.AbstractEventLoop, **settings: Any) -> Server:
    """A server that has its address, and was not started."""
    return Server.bound({"/app": application_from_function(fill)}, Settings(**settings), loop)


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
    server = bound(loop, port=0, address="127.0.0.1")
    assert server.port and str(server.port) in server.url
    assert server.state.policy.origins.allows(f"http://localhost:{server.port}")
    server.close()
    path = tmp_path / "s"
    unix = bound(loop, unix_socket=str(path))
    assert unix.port is None and path.is_socket()
    unix.close()
    assert not path.exists()


def test_server_that_cannot_be_made_frees_its_address(loop: SkippingLoop, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pytest.raises(OperatorError, match="--ico-path"):
        bound(loop, unix_socket=str(path), ico_path=str(tmp_path / "none.ico"))
    assert not path.exists()


def test_server_that_does_not_listen_yet_never_will_once_its_sockets_are_closed(loop: SkippingLoop) -> None:
    server = bound(loop, port=0, address="127.0.0.1")
    server.unlisten()
    loop.run_until_complete(server.start())
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port or 0))
    loop.run_until_complete(server.stop())


async def test_unix_socket_is_served_and_taken_away_unless_it_is_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for replaced in (False, True):
        server = bound(asyncio.get_running_loop(), unix_socket=str(path))
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
        assert idle.recv(1) == b"" and not served.server.state.process.wires
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


def test_connection_that_has_come_is_accepted_before_the_end() -> None:
    """Apache asks no other instance when one resets its connection."""
    with inside({"/app": fill}) as served:
        client = socket.socket()

        async def come_and_stop() -> None:
            client.connect(("127.0.0.1", served.server.port or 0))  # in this round of the loop nothing is accepted
            client.sendall(b"GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await served.server.stop()

        with client:
            client.settimeout(PATIENCE_S)
            served.do(come_and_stop())
            assert client.recv(100).startswith(b"HTTP/1.1 503 ")


def test_drain_waits_for_sessions_and_no_longer_than_it_may(
    loop: SkippingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", loop.time)
    server = server_of(loop)
    runtime = server.state.runtimes[0]
    session = loop.run_until_complete(runtime.session("one", None, {}))
    began_s = loop.time()
    loop.run_until_complete(server.drain(3))
    assert 3 <= loop.time() - began_s < 3.1 and server.state.process.draining
    loop.call_later(1, runtime.begin_end, session)
    began_s = loop.time()
    loop.run_until_complete(server.drain(3))
    assert 1 <= loop.time() - began_s < 1.1


def test_sessions_that_are_left_are_named_to_those_who_get_their_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    with (
        inside({"/app": fill}, membership=Membership(runtime_dir, 0, 2)) as first,
        inside({"/app": fill}, membership=Membership(runtime_dir, 1, 2)) as second,
    ):
        ident = first.server.state.policy.read_token(first.token("/app")).session_id
        runtime_dir.give(0, runtime_dir.socket_path(1, os.getpid()))
        first.do(first.server.drain(0))
        assert ident in second.server.state.process.inherited
        second.do(second.server.state.process.workers.close())  # type: ignore[union-attr]
        first.do(first.server.drain(0))
        assert "Could not name 1 sessions to the process that takes over" in caplog.messages


def test_processes_answer_each_other(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    with inside({"/app": fill}, membership=Membership(runtime_dir, 0, 1)) as served:
        workers = served.server.state.process.workers
        assert workers is not None

        def ask(fields: dict[str, Any]) -> Any:
            return served.do(workers.ask(workers.socket_path, fields))

        assert ask({"question": "room"}) == {"room": True}
        assert ask({"question": "observe"})["url"] == served.server.url
        served.server.state.process.begin_draining()
        assert ask({"question": "room"}) == {"room": False}
        tally = {
            "child": "s-1", "over": False, "memory_bytes": 5, "answers": {}, "applications": {"/app": {
                "now": {"sessions": 1}, "ever": served.server.state.runtimes[0].gauges.snapshot()}},
        }  # fmt: skip
        assert ask({"question": "tally", **tally}) == {}
        assert served.server.state.process.child_metrics.balance()["/app"]["now"]["sessions"] == 1


# While it serves


class Wire:
    """As much of a wire as is kept alive; `gone` and `waiting` say what the kernel knows of it."""

    def __init__(self, gone: bool = False, waiting: int = 0) -> None:
        self.gone, self.queued_bytes = gone, waiting
        self.calls: list[Any] = []

    def has_gone(self, limit_s: float) -> bool:
        self.calls.append(limit_s)
        return self.gone

    def ping(self) -> None:
        self.calls.append("ping")

    def give_up(self, waiting: int, why: str) -> None:
        self.calls.append((waiting, why))

    def abort(self, code: int, why: str) -> None:
        self.calls.append((code, why))


def test_clients_are_pinged_and_the_silent_ones_cut_off(loop: SkippingLoop) -> None:
    server = server_of(loop, keep_alive_ms=2000)
    living, silent, stuck = Wire(), Wire(gone=True), Wire(gone=True, waiting=7)
    server.state.process.wires = {living, silent, stuck}  # type: ignore[arg-type]
    loop.create_task(server._keep_alive())
    loop.run_for(1.9)
    assert not living.calls
    loop.run_for(0.2)
    assert living.calls == [5, "ping"]
    assert silent.calls == [5, (1006, "no sign of life")]
    assert stuck.calls == [5, (7, "stopped reading")]


def test_keep_alive_of_zero_asks_nobody(loop: SkippingLoop) -> None:
    loop.run_until_complete(server_of(loop, keep_alive_ms=0)._keep_alive())


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

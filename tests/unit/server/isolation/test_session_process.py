"""What the process of one session does from its beginning to its end, as a task of the test's own loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Slider
from websockets.exceptions import ConnectionClosed

from app_server.processes import ipc
from app_server.processes.forking import exit_records
from app_server.processes.forking.exit_records import ExitReason
from app_server.processes.forking.keeper import OUT_OF_MEMORY, PUT_BACK
from app_server.processes.ipc import Message
from app_server.server.isolation import session_process as module
from app_server.server.isolation.session_process import SessionProcess
from tests.support.client import PATIENCE_S
from tests.support.descriptors import channels
from tests.support.servers.isolated import Isolated, isolated
from tests.support.waiting import patience, until_soon


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=10, value=1))


def fail(document: Any) -> None:
    """An application with a fault."""
    raise ValueError("it is broken")


async def begun(run: Isolated) -> tuple[str, SessionProcess]:
    """A session's token, and its process."""
    token = (await run.get("/app")).token
    return token, next(iter(run.sessions.values()))


def close_of(run: Isolated, token: str, act: Callable[[], object]) -> tuple[int, str]:
    """The code and reason of the Close frame that a client of the session gets when this is done."""
    with run.front.client("/app", token, origin="http://localhost") as client:
        act()
        with pytest.raises(ConnectionClosed) as end:
            while True:
                client.socket.recv(timeout=PATIENCE_S)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


async def test_process_notes_what_its_page_shows_and_forgets_it_at_its_orderly_end(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        _, solo = await begun(run)
        (runtime,) = run.servers[next(iter(run.servers))].state.runtimes
        (session,) = runtime.registry
        page = solo._spec.socket_path.with_name(f"{solo._spec.socket_path.name}.page")
        assert session.document.roots[0].id in page.read_text()
        session.document.add_root(Slider(name="second"))
        await until_soon(lambda: session.document.roots[1].id in page.read_text())
        await runtime.end(session)
        await run.ended()
        assert run.statuses == [0] and not page.exists() and not solo._spec.socket_path.exists()
        assert exit_records.find(solo._spec.socket_path) is None


async def test_process_whose_note_cannot_be_written_serves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*anything: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exit_records, "note_page", full)
    async with isolated(tmp_path, fill) as run:
        await begun(run)
        (line,) = caplog.messages
        assert line.endswith("No space left on device; the page of this session will not say why, should it be ended")


@pytest.mark.parametrize(
    ("number", "drain_s", "closed_with"),
    [
        (signal.SIGINT, 0.0, (1001, "the server is going away")),
        (signal.SIGTERM, 0.0, (1001, "the server is going away")),
        (signal.SIGTERM, 0.01, (1012, "the server is going away")),
        (signal.SIGINT, 5.0, (1001, "the server is going away")),
    ],
)
async def test_signal_ends_the_session_at_once_or_after_a_while(
    tmp_path: Path, number: int, drain_s: float, closed_with: tuple[int, str]
) -> None:
    async with isolated(tmp_path, fill, drain_s=drain_s) as run:
        token, _ = await begun(run)
        assert await asyncio.to_thread(close_of, run, token, lambda: signal.raise_signal(number)) == closed_with
        await run.ended()
        assert run.statuses == [0]
        ident = next(iter(run.sessions))
        assert (ident in run.front.server.state.process.inherited) == (closed_with[0] == 1012), (
            "its page may come back with an old token"
        )


async def test_process_ends_with_the_main_one(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        await begun(run)
        await run.close()
        assert run.statuses == [0]


async def test_process_for_which_no_session_comes_ends_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINGER_S", patience(0.1))  # its page has to come before
    async with isolated(tmp_path, fail) as run:
        assert (await run.get("/app")).status == 500
        await run.ended()
        assert run.statuses == [0]


async def test_process_waits_for_a_session_that_is_being_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINGER_S", 0.01)
    async with isolated(tmp_path, fill) as run:
        before = module.SessionProcess._linger
        times: list[int] = []

        def linger(solo: SessionProcess) -> None:
            times.append(1)
            if len(times) == 1:
                solo._runtime.registry.begin(solo._spec.session_id)
            elif len(times) == 3:
                build = solo._runtime.registry.building(solo._spec.session_id)
                assert build is not None
                solo._runtime.registry.fail(build, ValueError("no"))
            before(solo)

        monkeypatch.setattr(module.SessionProcess, "_linger", linger)
        asking = asyncio.create_task(run.get("/app"))
        await until_soon(lambda: run.statuses)
        await asking
        assert len(times) == 3


@pytest.mark.parametrize("limit_mb", [0, 500])
async def test_application_that_may_have_no_more_memory_ends_its_session_if_that_is_limited(
    tmp_path: Path, limit_mb: int
) -> None:
    async with isolated(tmp_path, fill, session_memory_mb=limit_mb) as run:
        _, solo = await begun(run)
        (session,) = solo._runtime.registry

        def need() -> None:
            raise MemoryError

        session.document.add_next_tick_callback(need)
        await asyncio.sleep(0.05)
        if limit_mb:
            await run.ended()
            assert run.statuses == [OUT_OF_MEMORY]
            found = exit_records.find(solo._spec.socket_path)
            assert found is not None and found.end is ExitReason.MEMORY
        else:
            assert not run.statuses and not session.destroyed


async def test_name_that_was_deleted_is_put_back_and_serves_again(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        token, solo = await begun(run)
        socket_path = solo._spec.socket_path
        page = socket_path.with_name(f"{socket_path.name}.page")
        socket_path.unlink()
        page.unlink()
        signal.raise_signal(PUT_BACK)
        await until_soon(socket_path.exists)
        await until_soon(page.exists)
        assert (await run.get(f"/app?bokeh-token={token}")).token == token
        assert len(run.sessions) == 1
        inode = socket_path.stat().st_ino
        signal.raise_signal(PUT_BACK)
        await asyncio.sleep(0.01)
        assert socket_path.stat().st_ino == inode, "what is there stays"


async def test_name_is_put_back_when_whoever_took_it_has_let_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.005)
    async with isolated(tmp_path, fill) as run:
        token, solo = await begun(run)
        socket_path = solo._spec.socket_path
        socket_path.unlink()
        socket_path.write_text("somebody else's")
        solo._put_back()
        await asyncio.sleep(0.02)
        assert socket_path.is_file()
        socket_path.unlink()
        await until_soon(socket_path.is_socket)
        assert (await run.get(f"/app?bokeh-token={token}")).token == token


async def test_name_that_cannot_be_put_back_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*anything: object) -> None:
        raise OSError(28, "No space left on device")

    async with isolated(tmp_path, fill) as run:
        _, solo = await begun(run)
        solo._spec.socket_path.unlink()
        monkeypatch.setattr("app_server.processes.session_processes.listen", full)
        solo._put_back()
        assert caplog.messages == ["/app: a session cannot be found: [Errno 28] No space left on device"]
        monkeypatch.undo()


async def test_connection_that_comes_while_the_process_leaves_goes_back(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        _, solo = await begun(run)
        came: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        run.front.server.state.process.workers._arrived = (  # type: ignore[union-attr]
            lambda message, sock: loop.call_soon_threadsafe(came.set_result, message)
        )
        sock = await ipc.reach(solo._spec.socket_path)
        solo._leaving = True
        await ipc.send(sock, Message({"family": "AF_UNIX"}, b"GET /"))
        message = await asyncio.wait_for(came, patience(PATIENCE_S))
        assert (message.fields, message.body) == ({"family": "AF_UNIX"}, b"GET /") and message.descriptor is not None
        solo._leaving = False


async def test_connection_that_cannot_go_back_is_closed_on_both_sides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with isolated(tmp_path, fill) as run:
        _, solo = await begun(run)
        leaving, held = run.runtime_dir.folder / "leaving", run.runtime_dir.holder(solo._spec.slot)
        assert held is not None
        with listener_at(leaving) as listener:
            run.runtime_dir.give(solo._spec.slot, leaving)
            ours, theirs = socket.socketpair()
            message = Message({"family": "AF_UNIX"}, bytes(8_000_000), os.dup(theirs.fileno()))
            before = channels()
            sending = asyncio.create_task(solo._send_back(message, theirs))
            async with asyncio.timeout(patience(PATIENCE_S)):
                (await asyncio.get_running_loop().sock_accept(listener))[0].close()  # before all of it is sent
                await sending
            assert channels() < before
        with ours:
            assert theirs.fileno() == -1 and ours.recv(1) == b""
        assert [line.partition("[")[0] for line in caplog.messages] == ["/app: a connection is lost: "]
        run.runtime_dir.give(solo._spec.slot, held)


def listener_at(path: Path) -> socket.socket:
    """A socket that listens there, for a loop."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.setblocking(False)
    return listener


async def test_letter_that_does_not_come_whole_harms_nobody(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        token, solo = await begun(run)
        sock = await ipc.reach(solo._spec.socket_path)
        sock.send(b"\0\0")
        sock.close()
        assert (await run.get(f"/app?bokeh-token={token}")).token == token


async def test_what_the_session_counted_is_told_at_its_end(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        _, solo = await begun(run)
        (session,) = solo._runtime.registry
        await solo._runtime.end(session)
        await run.ended()
        await asyncio.to_thread(run.front.call, lambda: None)
        balance = run.front.server.state.process.child_metrics.balance()
        assert balance["/app"]["ever"]["built"] == balance["/app"]["ever"]["ended"] == 1

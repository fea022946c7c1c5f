"""A process for a session, asked for where nobody answers, or where there is one already."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app_server.processes import ipc, session_processes
from app_server.processes.forking import exit_records
from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.processes.forking.fork_server import ALREADY, BEGUN
from app_server.processes.ipc import Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from tests.support.waiting import until_soon

SLOT = 1
Answer = Callable[[Path, socket.socket], None]


@asynccontextmanager
async def fork_server_plan(runtime_dir: RuntimeDir, answer: Answer) -> AsyncIterator[SessionProcesses]:
    """Sessions whose processes are asked for here; `answer` gets the session's box and the connection."""
    socket_path = runtime_dir.fork_server_socket(SLOT, 1)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_path))
    listener.listen()
    listener.setblocking(False)
    runtime_dir.give(SLOT, socket_path)

    async def serve() -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            message = await ipc.receive(sock)
            answer(Path(message.fields["socket"]), sock)

    serving = asyncio.create_task(serve())
    workers = WorkerGroup(runtime_dir, 0, 1, lambda session_id: False, lambda message, sock: None)
    made = SessionProcesses(workers, {"/app": SLOT})
    try:
        yield made
    finally:
        made.close()
        serving.cancel()
        listener.close()


async def test_a_session_is_over_when_the_connection_ends_on_which_it_was_asked_for(runtime_dir: RuntimeDir) -> None:
    held: list[socket.socket] = []
    over: list[str] = []

    def answer(socket_path: Path, sock: socket.socket) -> None:
        sock.send(BEGUN)
        held.append(sock)

    async with fork_server_plan(runtime_dir, answer) as sessions:
        socket_path = await sessions.begin("/app", "one", lambda: over.append("one"))
        assert socket_path.is_socket() and not over
        held[0].close()
        await until_soon(lambda: over)


async def test_a_fork_server_that_stands_still_is_not_waited_for_for_ever(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_processes, "_ANSWER_S", 0.05)
    held: list[socket.socket] = []
    over: list[str] = []
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: held.append(sock)) as sessions:
        with pytest.raises(Unreachable, match="the fork server does not answer"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"] and runtime_dir.session_sockets() == []


async def test_a_session_whose_name_was_deleted_is_waited_for_and_not_begun_again(runtime_dir: RuntimeDir) -> None:
    def answer(socket_path: Path, sock: socket.socket) -> None:
        sock.send(ALREADY)
        sock.close()
        asyncio.get_running_loop().call_later(0.05, socket_path.touch)

    async with fork_server_plan(runtime_dir, answer) as sessions:
        socket_path = await sessions.begin("/app", "one", lambda: None)
        assert socket_path.exists() and not socket_path.is_socket()


async def test_a_folder_that_is_gone_has_no_room_for_a_session(runtime_dir: RuntimeDir) -> None:
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: None) as sessions:
        runtime_dir.remove()
        over: list[str] = []
        with pytest.raises(Unreachable, match="No such file or directory"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"]


async def test_a_session_that_another_process_has_just_begun_is_not_asked_for(runtime_dir: RuntimeDir) -> None:
    asked: list[Path] = []
    over: list[str] = []
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: asked.append(socket_path)) as sessions:
        socket_path = sessions.socket_path("/app", "one")
        with socket.socket(socket.AF_UNIX) as theirs:
            theirs.bind(str(socket_path))
            assert await sessions.begin("/app", "one", lambda: over.append("one")) == socket_path
        assert over == ["one"] and asked == [] and len(sessions) == 1
        sessions.clear(socket_path)
        sessions.clear(socket_path)
        assert len(sessions) == 0


async def test_who_forks_sessions_and_ends_without_an_answer_is_asked_again(runtime_dir: RuntimeDir) -> None:
    asked: list[Path] = []

    def answer(socket_path: Path, sock: socket.socket) -> None:
        asked.append(socket_path)
        if len(asked) == 3:
            sock.send(BEGUN)
        else:
            sock.close()

    async with fork_server_plan(runtime_dir, answer) as sessions:
        socket_path = await sessions.begin("/app", "one", lambda: None)
        assert asked == [socket_path] * 3 and socket_path.is_socket()


async def test_what_only_ever_ends_is_given_up_and_leaves_no_name(runtime_dir: RuntimeDir) -> None:
    over: list[str] = []
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: sock.close()) as sessions:
        with pytest.raises(Unreachable, match="there is no fork server"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"] and runtime_dir.session_sockets() == []


async def test_a_process_that_does_not_put_its_name_back_is_given_up(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_processes, "_PUT_BACK_S", 0.03)
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: sock.send(ALREADY)) as sessions:
        name = sessions.socket_path("/app", "one").name
        with pytest.raises(Unreachable, match=f"{name} was deleted, and its process is too busy to put it back"):
            await sessions.begin("/app", "one", lambda: None)


async def test_who_leaves_hears_no_more_of_the_processes(runtime_dir: RuntimeDir) -> None:
    held: list[socket.socket] = []
    over: list[str] = []

    def answer(socket_path: Path, sock: socket.socket) -> None:
        sock.send(BEGUN)
        held.append(sock)

    async with fork_server_plan(runtime_dir, answer) as sessions:
        await sessions.begin("/app", "one", lambda: over.append("one"))
        sessions.close()
        held[0].close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert over == []


async def test_a_page_is_read_again_when_it_was_written_again(runtime_dir: RuntimeDir) -> None:
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: None) as sessions:
        assert sessions.page("/app") is None
        page = runtime_dir.page(SLOT)
        for number, pieces in enumerate((["<p>", "</p>"], ["<ü>"])):
            page.write_text(json.dumps(pieces))
            os.utime(page, ns=(number, number))
            assert sessions.page("/app") == sessions.page("/app") == [piece.encode() for piece in pieces]


async def test_the_reason_of_an_end_is_waited_for_until_it_is_written_or_late(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: None) as sessions:
        socket_path = sessions.socket_path("/app", "one")
        assert await sessions.exit_record(socket_path) is None
        exit_records.note_page(socket_path, ["p1"])
        asyncio.get_running_loop().call_later(0.01, exit_records.leave, socket_path, ExitReason.MEMORY)
        assert await sessions.exit_record(socket_path) == ExitRecord(ExitReason.MEMORY, ("p1",))
        monkeypatch.setattr(session_processes, "_SETTLED_WITHIN_S", 0.03)
        exit_records.note_page(sessions.socket_path("/app", "two"), [])
        assert await sessions.exit_record(sessions.socket_path("/app", "two")) is None


async def test_only_sessions_with_a_fork_server_have_processes_of_their_own(runtime_dir: RuntimeDir) -> None:
    async with fork_server_plan(runtime_dir, lambda socket_path, sock: None) as sessions:
        assert sessions.isolates("/app") and not sessions.isolates("/other")

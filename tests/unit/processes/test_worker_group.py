"""A process among its peers: what they ask it, what it asks them, and its names in the runtime directory."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.processes import ipc
from app_server.processes import worker_group as group_module
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.worker_group import WorkerGroup
from tests.support.descriptors import no_descriptors
from tests.support.waiting import patience, until_soon


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "_KEEP_S", 0.01)
    monkeypatch.setattr(group_module, "_HOPELESS_S", 0.05)


@asynccontextmanager
async def opened(
    runtime_dir: RuntimeDir,
    slot: int = 0,
    slots: int = 1,
    *sessions: str,
    arrived: Callable[[Message, socket.socket], None] | None = None,
) -> AsyncIterator[WorkerGroup]:
    """A process with this slot that has these sessions, while it is there."""
    workers = WorkerGroup(
        runtime_dir, slot, slots, lambda session_id: session_id in sessions, arrived or (lambda message, sock: None)
    )
    await workers.open()
    try:
        yield workers
    finally:
        await workers.close()


@contextmanager
def as_process(monkeypatch: pytest.MonkeyPatch, pid: int) -> Iterator[None]:
    """What is made now takes itself for the process with this id."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: pid)
        yield


@pytest.mark.parametrize("lost", ["everything", "folder", "socket", "link"])
async def test_what_is_deleted_is_put_back(
    runtime_dir: RuntimeDir, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    workers = WorkerGroup(runtime_dir, 0, 1, lambda session_id: session_id == "known", lambda message, sock: None)
    await workers.open()
    keeping = asyncio.create_task(workers.keep())
    deleted = {
        "everything": runtime_dir.folder.parent,
        "folder": runtime_dir.folder,
        "socket": workers.socket_path,
        "link": runtime_dir.slot(0),
    }
    if deleted[lost].is_dir():
        shutil.rmtree(deleted[lost])
    else:
        deleted[lost].unlink()
    await until_soon(runtime_dir.slot(0).exists)
    assert (await workers.ask(runtime_dir.slot(0), {"question": "knows", "session": "known"}))["knows"] is True
    keeping.cancel()
    await workers.close()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == (1 if lost in ("everything", "folder") else 0)


async def test_a_folder_whose_place_is_taken_is_given_up(runtime_dir: RuntimeDir) -> None:
    workers = WorkerGroup(runtime_dir, 0, 1, lambda session_id: False, lambda message, sock: None)
    await workers.open()
    shutil.rmtree(runtime_dir.folder.parent)
    runtime_dir.folder.parent.write_text("no folder")
    with pytest.raises(OperatorError) as caught:
        async with asyncio.timeout(patience(5)):
            await workers.keep()
    assert str(caught.value) == (
        f"APP_SERVER_RUNTIME_DIR: the runtime directory {runtime_dir.folder} was deleted and cannot be created again:"
        " File exists. Start the server again."
    )
    await workers.close()


async def test_a_full_folder_is_waited_for(runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = WorkerGroup(runtime_dir, 0, 1, lambda session_id: False, lambda message, sock: None)
    await workers.open()

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workers.runtime_dir, "restore", full)
    workers.socket_path.unlink()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await workers.keep()
    await workers.close()


async def test_who_has_no_descriptors_for_a_while_answers_afterwards(
    runtime_dir: RuntimeDir, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "_ACCEPT_PAUSE_S", 0.001)
    async with opened(runtime_dir, 0, 1, "known") as workers:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        with sock:
            await asyncio.sleep(0)
            sock.connect(str(workers.socket_path))
            with no_descriptors():
                await until_soon(lambda: caplog.records)
                await asyncio.sleep(0.005)
            await ipc.send(sock, Message({"question": "knows", "session": "known"}))
            async with asyncio.timeout(patience(5)):
                assert (await ipc.receive(sock)).fields == {"knows": True}
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Cannot accept messages of other processes: Too many open files"]


async def test_a_joining_process_takes_the_slot_and_the_predecessor_keeps_its_sessions(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    with as_process(monkeypatch, 111):
        predecessor = WorkerGroup(
            runtime_dir, 0, 1,
            knows=lambda session_id: session_id == "old", arrived=lambda message, sock: None,
            on_superseded=lambda: calls.append("superseded"),
        )  # fmt: skip
    await predecessor.open()
    assert await predecessor.owner(None) is None and predecessor.held == {0}
    async with opened(runtime_dir) as joining:
        assert calls == ["superseded"] and predecessor.superseded and predecessor.held == set()
        assert runtime_dir.holder(0) == joining.socket_path and joining.is_predecessor(predecessor.socket_path)
        assert await joining.owner("old") == predecessor.socket_path
        assert await joining.owner("other") is None
        assert await predecessor.owner("old") is None
        assert await predecessor.owner("other") == await predecessor.owner(None) == runtime_dir.slot(0)
        assert (
            predecessor.successors(["one", "two"]) == {joining.socket_path: ["one", "two"]}
            and joining.successors(["one"]) == {}
        )
        await predecessor.close()
        assert await joining.owner("old") is None and not joining.is_predecessor(predecessor.socket_path)


async def test_socket_of_a_crashed_process_is_deleted(runtime_dir: RuntimeDir) -> None:
    dead = runtime_dir.socket_path(0, 111)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    async with opened(runtime_dir) as workers:
        assert not dead.exists() and not workers.is_predecessor(dead)


async def test_a_predecessor_that_does_not_answer_is_not_forgotten(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "_PATIENCE_S", 0.02)
    busy = runtime_dir.socket_path(0, 111)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(busy))
        listener.listen()
        async with opened(runtime_dir) as workers:
            assert runtime_dir.holder(0) == workers.socket_path and workers.is_predecessor(busy)
            with pytest.raises(Unreachable) as caught:
                await workers.owner("one")
            assert str(caught.value) == "worker-0-111 does not say whether it has a session"


async def test_a_predecessor_that_may_have_lost_its_name_is_not_taken_for_gone(runtime_dir: RuntimeDir) -> None:
    async with opened(runtime_dir) as workers:
        workers._predecessors.add(runtime_dir.socket_path(0, 222))
        workers.socket_path.unlink()
        with pytest.raises(Unreachable):
            await workers.owner("one")
        assert workers.is_predecessor(runtime_dir.socket_path(0, 222))


async def test_sessions_of_another_slot_are_for_its_holder_though_it_is_not_there(runtime_dir: RuntimeDir) -> None:
    async with opened(runtime_dir, 0, 2) as workers:
        theirs = next(name for name in map(str, range(100)) if group_module.slot_of(name, 2) == 1)
        assert await workers.owner(theirs) == runtime_dir.slot(1)
        with pytest.raises(Unreachable):
            await workers.reach(runtime_dir.slot(1), patience_s=0.01)


async def test_what_is_no_question_and_what_fails_is_answered_and_the_process_goes_on(
    runtime_dir: RuntimeDir, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(fields: Mapping[str, Any]) -> Mapping[str, Any]:
        raise KeyError("room")

    async with opened(runtime_dir) as workers:
        workers.answer("fail", fail)
        assert await workers.ask(workers.socket_path, {"question": "why"}) == {"error": "unknown question why"}
        with pytest.raises(Unreachable, match="the sender went away"):
            await workers.ask(workers.socket_path, {"question": "fail"})
        assert await workers.ask_all({"question": "knows"}) == {workers.socket_path.name: {"knows": False}}
        assert await workers.with_room() is None

        async def room(fields: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"room": True}

        workers.answer("room", room)
        assert await workers.with_room() == workers.socket_path
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Cannot handle a message of another process; this is a fault of the server"]


async def test_what_is_no_question_arrives_with_its_connection(runtime_dir: RuntimeDir) -> None:
    letters_come: asyncio.Queue[tuple[Message, socket.socket]] = asyncio.Queue()
    async with opened(runtime_dir, arrived=lambda message, sock: letters_come.put_nowait((message, sock))) as workers:
        with await workers.reach(workers.socket_path) as sock:
            await ipc.send(sock, Message({"head": "GET /"}, b"rest"))
            async with asyncio.timeout(patience(5)):
                message, come = await letters_come.get()
            with come:
                assert (message.fields, message.body) == ({"head": "GET /"}, b"rest")
                come.send(b"!")
                assert await asyncio.get_running_loop().sock_recv(sock, 1) == b"!"


async def test_a_closed_process_is_unreachable_and_closes_twice(runtime_dir: RuntimeDir) -> None:
    async with opened(runtime_dir) as workers:
        await workers.close()
        assert not workers.whole
        workers._put_back()
        assert not workers.socket_path.exists()
        with pytest.raises(Unreachable):
            await workers.ask(workers.socket_path, {"question": "knows"})


async def test_ids_that_are_made_here_lead_here(runtime_dir: RuntimeDir) -> None:
    async with opened(runtime_dir, 1, 3) as workers:
        names = iter(map(str, range(1000)))
        assert all(group_module.slot_of(workers.mint(lambda: next(names)), 3) == 1 for _ in range(20))
        workers.held.clear()  # another process holds the slot, and ids are made for it
        assert group_module.slot_of(workers.mint(lambda: next(names)), 3) == 1


async def test_all_others_are_asked_a_few_at_a_time_and_not_this_one(
    runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "_ASKED_AT_ONCE", 2)
    heard: list[str] = []

    def answerer(name: str) -> Callable[[Mapping[str, Any]], Any]:
        async def answer(fields: Mapping[str, Any]) -> Mapping[str, Any]:
            heard.append(f"{name} {fields['owner']}")
            return {}

        return answer

    async with opened(runtime_dir, 0, 4) as own, AsyncExitStack() as stack:
        own.answer("log out", answerer("own"))
        for slot in (1, 2, 3):
            with as_process(monkeypatch, 1000 + slot):
                other = await stack.enter_async_context(opened(runtime_dir, slot, 4))
            other.answer("log out", answerer(str(slot)))
        (runtime_dir.folder / "s-gone").touch()  # a session that has ended
        await own.ask_others({"question": "log out", "owner": "ann"})
    assert sorted(heard) == ["1 ann", "2 ann", "3 ann"]

"""A process among its fellows: what they ask it, what it asks them, and its names in the run folder."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.fleet import crew as crews
from app_server.fleet import letters
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Letter, Unreachable
from app_server.fleet.place import Place
from tests.support.descriptors import no_descriptors
from tests.support.waiting import patience, until_soon


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_KEEP_S", 0.01)
    monkeypatch.setattr(crews, "_HOPELESS_S", 0.05)


@asynccontextmanager
async def opened(
    place: Place,
    slot: int = 0,
    slots: int = 1,
    *sessions: str,
    arrived: Callable[[Letter, socket.socket], None] | None = None,
) -> AsyncIterator[Crew]:
    """A process with this slot that has these sessions, while it is there."""
    crew = Crew(place, slot, slots, lambda session_id: session_id in sessions, arrived or (lambda letter, sock: None))
    await crew.open()
    try:
        yield crew
    finally:
        await crew.close()


@contextmanager
def as_process(monkeypatch: pytest.MonkeyPatch, pid: int) -> Iterator[None]:
    """What is made now takes itself for the process with this id."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: pid)
        yield


@pytest.mark.parametrize("lost", ["everything", "folder", "socket", "link"])
async def test_what_is_deleted_is_put_back(place: Place, lost: str, caplog: pytest.LogCaptureFixture) -> None:
    crew = Crew(place, 0, 1, lambda session_id: session_id == "known", lambda letter, sock: None)
    await crew.open()
    keeping = asyncio.create_task(crew.keep())
    deleted = {"everything": place.folder.parent, "folder": place.folder, "socket": crew.box, "link": place.slot(0)}
    if deleted[lost].is_dir():
        shutil.rmtree(deleted[lost])
    else:
        deleted[lost].unlink()
    await until_soon(place.slot(0).exists)
    assert (await crew.ask(place.slot(0), {"question": "knows", "session": "known"}))["knows"] is True
    keeping.cancel()
    await crew.close()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == (1 if lost in ("everything", "folder") else 0)


async def test_a_folder_whose_place_is_taken_is_given_up(place: Place) -> None:
    crew = Crew(place, 0, 1, lambda session_id: False, lambda letter, sock: None)
    await crew.open()
    shutil.rmtree(place.folder.parent)
    place.folder.parent.write_text("no folder")
    with pytest.raises(OperatorError) as caught:
        async with asyncio.timeout(patience(5)):
            await crew.keep()
    assert str(caught.value) == (
        f"APP_SERVER_RUNTIME_DIR: {place.folder}, where the server's processes meet, was deleted, and cannot be made"
        " again: File exists. Start the server again."
    )
    await crew.close()


async def test_a_full_folder_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(place, 0, 1, lambda session_id: False, lambda letter, sock: None)
    await crew.open()

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(crew.place, "restore", full)
    crew.box.unlink()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await crew.keep()
    await crew.close()


async def test_who_has_no_descriptors_for_a_while_answers_afterwards(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "_ACCEPT_PAUSE_S", 0.001)
    async with opened(place, 0, 1, "known") as crew:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        with sock:
            await asyncio.sleep(0)
            sock.connect(str(crew.box))
            with no_descriptors():
                await until_soon(lambda: caplog.records)
                await asyncio.sleep(0.005)
            await letters.send(sock, Letter({"question": "knows", "session": "known"}))
            async with asyncio.timeout(patience(5)):
                assert (await letters.receive(sock)).words == {"knows": True}
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Other processes of the server cannot reach this one: Too many open files"]


async def test_a_newcomer_takes_the_slot_and_the_elder_keeps_its_sessions(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with as_process(monkeypatch, 111):
        elder = Crew(place, 0, 1, lambda session_id: session_id == "old", lambda letter, sock: None)
    elder.on_superseded = lambda: told.append("superseded")
    await elder.open()
    assert await elder.owner(None) is None and elder.held == {0}
    async with opened(place) as newcomer:
        assert told == ["superseded"] and elder.superseded and elder.held == set()
        assert place.holder(0) == newcomer.box and newcomer.is_elder(elder.box)
        assert await newcomer.owner("old") == elder.box
        assert await newcomer.owner("other") is None
        assert await elder.owner("old") is None
        assert await elder.owner("other") == await elder.owner(None) == place.slot(0)
        assert elder.heirs(["one", "two"]) == {newcomer.box: ["one", "two"]} and newcomer.heirs(["one"]) == {}
        await elder.close()
        assert await newcomer.owner("old") is None and not newcomer.is_elder(elder.box)


async def test_the_remains_of_a_crashed_process_are_taken_away(place: Place) -> None:
    dead = place.box(0, 111)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    async with opened(place) as crew:
        assert not dead.exists() and not crew.is_elder(dead)


async def test_an_elder_that_does_not_answer_is_not_forgotten(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_PATIENCE_S", 0.02)
    busy = place.box(0, 111)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(busy))
        listener.listen()
        async with opened(place) as crew:
            assert place.holder(0) == crew.box and crew.is_elder(busy)
            with pytest.raises(Unreachable) as caught:
                await crew.owner("one")
            assert str(caught.value) == "box-0-111 does not say whether it has a session"


async def test_an_elder_that_may_have_lost_its_name_is_not_taken_for_gone(place: Place) -> None:
    async with opened(place) as crew:
        crew._elders.add(place.box(0, 222))
        crew.box.unlink()
        with pytest.raises(Unreachable):
            await crew.owner("one")
        assert crew.is_elder(place.box(0, 222))


async def test_sessions_of_another_slot_are_for_its_holder_though_it_is_not_there(place: Place) -> None:
    async with opened(place, 0, 2) as crew:
        theirs = next(name for name in map(str, range(100)) if crews.slot_of(name, 2) == 1)
        assert await crew.owner(theirs) == place.slot(1)
        with pytest.raises(Unreachable):
            await crew.reach(place.slot(1), patience_s=0.01)


async def test_what_is_no_question_and_what_fails_is_answered_and_the_process_goes_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(words: Mapping[str, Any]) -> Mapping[str, Any]:
        raise KeyError("room")

    async with opened(place) as crew:
        crew.answer("fail", fail)
        assert await crew.ask(crew.box, {"question": "why"}) == {"error": "why is not a question"}
        with pytest.raises(Unreachable, match="the sender went away"):
            await crew.ask(crew.box, {"question": "fail"})
        assert await crew.ask_all({"question": "knows"}) == {crew.box.name: {"knows": False}}
        assert await crew.with_room() is None

        async def room(words: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"room": True}

        crew.answer("room", room)
        assert await crew.with_room() == crew.box
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["A letter of another process could not be handled; this is a fault of the server"]


async def test_what_is_no_question_arrives_with_its_connection(place: Place) -> None:
    letters_come: asyncio.Queue[tuple[Letter, socket.socket]] = asyncio.Queue()
    async with opened(place, arrived=lambda letter, sock: letters_come.put_nowait((letter, sock))) as crew:
        with await crew.reach(crew.box) as sock:
            await letters.send(sock, Letter({"head": "GET /"}, b"rest"))
            async with asyncio.timeout(patience(5)):
                letter, come = await letters_come.get()
            with come:
                assert (letter.words, letter.blob) == ({"head": "GET /"}, b"rest")
                come.send(b"!")
                assert await asyncio.get_running_loop().sock_recv(sock, 1) == b"!"


async def test_a_closed_process_is_unreachable_and_closes_twice(place: Place) -> None:
    async with opened(place) as crew:
        await crew.close()
        assert not crew.whole
        crew._put_back()
        assert not crew.box.exists()
        with pytest.raises(Unreachable):
            await crew.ask(crew.box, {"question": "knows"})


async def test_ids_that_are_made_here_lead_here(place: Place) -> None:
    async with opened(place, 1, 3) as crew:
        names = iter(map(str, range(1000)))
        assert all(crews.slot_of(crew.mint(lambda: next(names)), 3) == 1 for _ in range(20))
        crew.held.clear()  # another process holds the slot, and ids are made for it
        assert crews.slot_of(crew.mint(lambda: next(names)), 3) == 1

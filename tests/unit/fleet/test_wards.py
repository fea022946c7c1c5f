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

from app_server.fleet import letters, remains, wards
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Unreachable
from app_server.fleet.place import Place
from app_server.fleet.remains import End, Remains
from app_server.fleet.wards import Wards
from app_server.fleet.zygote import ALREADY, BEGUN
from tests.support.waiting import until_soon

SLOT = 1
Answer = Callable[[Path, socket.socket], None]


@asynccontextmanager
async def nursery(place: Place, answer: Answer) -> AsyncIterator[Wards]:
    """Sessions whose processes are asked for here; `answer` gets the session's box and the connection."""
    box = place.zygote_box(SLOT, 1)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(box))
    listener.listen()
    listener.setblocking(False)
    place.give(SLOT, box)

    async def serve() -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            letter = await letters.receive(sock)
            answer(Path(letter.words["box"]), sock)

    serving = asyncio.create_task(serve())
    crew = Crew(place, 0, 1, lambda session_id: False, lambda letter, sock: None)
    made = Wards(crew, {"/app": SLOT})
    try:
        yield made
    finally:
        made.close()
        serving.cancel()
        listener.close()


async def test_a_session_is_over_when_the_connection_ends_on_which_it_was_asked_for(place: Place) -> None:
    held: list[socket.socket] = []
    over: list[str] = []

    def answer(box: Path, sock: socket.socket) -> None:
        sock.send(BEGUN)
        held.append(sock)

    async with nursery(place, answer) as sessions:
        box = await sessions.begin("/app", "one", lambda: over.append("one"))
        assert box.is_socket() and not over
        held[0].close()
        await until_soon(lambda: over)


async def test_a_nursery_that_stands_still_is_not_waited_for_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wards, "_ANSWER_S", 0.05)
    held: list[socket.socket] = []
    over: list[str] = []
    async with nursery(place, lambda box, sock: held.append(sock)) as sessions:
        with pytest.raises(Unreachable, match="what forks sessions' processes does not answer"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"] and place.session_boxes() == []


async def test_a_session_whose_name_was_deleted_is_waited_for_and_not_begun_again(place: Place) -> None:
    def answer(box: Path, sock: socket.socket) -> None:
        sock.send(ALREADY)
        sock.close()
        asyncio.get_running_loop().call_later(0.05, box.touch)

    async with nursery(place, answer) as sessions:
        box = await sessions.begin("/app", "one", lambda: None)
        assert box.exists() and not box.is_socket()


async def test_a_folder_that_is_gone_has_no_room_for_a_session(place: Place) -> None:
    async with nursery(place, lambda box, sock: None) as sessions:
        place.remove()
        over: list[str] = []
        with pytest.raises(Unreachable, match="No such file or directory"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"]


async def test_a_session_that_another_process_has_just_begun_is_not_asked_for(place: Place) -> None:
    asked: list[Path] = []
    over: list[str] = []
    async with nursery(place, lambda box, sock: asked.append(box)) as sessions:
        box = sessions.box("/app", "one")
        with socket.socket(socket.AF_UNIX) as theirs:
            theirs.bind(str(box))
            assert await sessions.begin("/app", "one", lambda: over.append("one")) == box
        assert over == ["one"] and asked == [] and len(sessions) == 1
        sessions.clear(box)
        sessions.clear(box)
        assert len(sessions) == 0


async def test_who_forks_sessions_and_ends_without_an_answer_is_asked_again(place: Place) -> None:
    asked: list[Path] = []

    def answer(box: Path, sock: socket.socket) -> None:
        asked.append(box)
        if len(asked) == 3:
            sock.send(BEGUN)
        else:
            sock.close()

    async with nursery(place, answer) as sessions:
        box = await sessions.begin("/app", "one", lambda: None)
        assert asked == [box] * 3 and box.is_socket()


async def test_what_only_ever_ends_is_given_up_and_leaves_no_name(place: Place) -> None:
    over: list[str] = []
    async with nursery(place, lambda box, sock: sock.close()) as sessions:
        with pytest.raises(Unreachable, match="nobody starts processes for sessions"):
            await sessions.begin("/app", "one", lambda: over.append("one"))
        assert over == ["one"] and place.session_boxes() == []


async def test_a_process_that_does_not_put_its_name_back_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wards, "_PUT_BACK_S", 0.03)
    async with nursery(place, lambda box, sock: sock.send(ALREADY)) as sessions:
        name = sessions.box("/app", "one").name
        with pytest.raises(Unreachable, match=f"{name} was deleted, and its process is too busy to put it back"):
            await sessions.begin("/app", "one", lambda: None)


async def test_who_leaves_hears_no_more_of_the_processes(place: Place) -> None:
    held: list[socket.socket] = []
    over: list[str] = []

    def answer(box: Path, sock: socket.socket) -> None:
        sock.send(BEGUN)
        held.append(sock)

    async with nursery(place, answer) as sessions:
        await sessions.begin("/app", "one", lambda: over.append("one"))
        sessions.close()
        held[0].close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert over == []


async def test_a_page_is_read_again_when_it_was_written_again(place: Place) -> None:
    async with nursery(place, lambda box, sock: None) as sessions:
        assert sessions.page("/app") is None
        page = place.page(SLOT)
        for number, pieces in enumerate((["<p>", "</p>"], ["<ü>"])):
            page.write_text(json.dumps(pieces))
            os.utime(page, ns=(number, number))
            assert sessions.page("/app") == sessions.page("/app") == [piece.encode() for piece in pieces]


async def test_the_reason_of_an_end_is_waited_for_until_it_is_written_or_late(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nursery(place, lambda box, sock: None) as sessions:
        box = sessions.box("/app", "one")
        assert await sessions.remains(box) is None
        remains.note_page(box, ["p1"])
        asyncio.get_running_loop().call_later(0.01, remains.leave, box, End.MEMORY)
        assert await sessions.remains(box) == Remains(End.MEMORY, ("p1",))
        monkeypatch.setattr(wards, "_SETTLED_WITHIN_S", 0.03)
        remains.note_page(sessions.box("/app", "two"), [])
        assert await sessions.remains(sessions.box("/app", "two")) is None

"""A process for a session, asked for where nobody answers, or where there is one already."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app_server.fleet import letters, wards
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Unreachable
from app_server.fleet.place import Place
from app_server.fleet.wards import Wards
from app_server.fleet.zygote import ALREADY, BEGUN

SLOT = 1
Answer = Callable[[Path, socket.socket], None]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})


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
        async with asyncio.timeout(5):
            while not over:
                await asyncio.sleep(0.005)


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

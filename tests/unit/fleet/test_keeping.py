"""The names of a process in the run folder, put back when somebody deletes them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.fleet import crew as crews
from app_server.fleet import keeper
from app_server.fleet.crew import Crew
from app_server.fleet.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_KEEP_S", 0.01)
    monkeypatch.setattr(crews, "_HOPELESS_S", 0.05)


async def until_there(path: Path) -> None:
    async with asyncio.timeout(5):
        while not path.exists():
            await asyncio.sleep(0.005)


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
    await until_there(place.slot(0))
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
        async with asyncio.timeout(5):
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


def test_why_a_process_ended_that_was_no_child_is_guessed(tmp_path: Path) -> None:
    limits = keeper.SessionLimits(cpu_s=10)
    kept = keeper.Keeper(tmp_path, limits, [keeper.Marks(1)])
    (tmp_path / "s-1.page").write_text("[]")
    child = keeper.Child(1, "it", tmp_path / "s-1", None)
    assert kept._guessed(child) is keeper.End.CRASH
    child.cpu_s = 9.2
    assert kept._guessed(child) is keeper.End.CPU
    (tmp_path / "s-1.page").unlink()
    assert kept._guessed(child) is None  # it has taken its note along

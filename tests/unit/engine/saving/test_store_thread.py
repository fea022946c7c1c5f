"""The thread that waits for the store, so the loop never does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from app_server.engine.saving import store_thread
from app_server.engine.saving.store_thread import StoreThread
from app_server.observe.gauges import SavingGauges
from app_server.store.errors import Unavailable
from tests.unit.engine.saving.stores import Store


def test_calls_are_made_one_after_another_in_one_thread(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def note(name: str) -> str:
        seen.append((name, threading.get_ident()))
        return name

    async def run() -> None:
        thread = StoreThread(Store(tmp_path), SavingGauges())
        assert threading.active_count() == 1 or not seen
        answers = [asyncio.ensure_future(thread.call(note, name)) for name in "abc"]
        thread.submit(note, "d")
        assert await asyncio.gather(*answers) == ["a", "b", "c"]
        await thread.stop()

    asyncio.run(run())
    assert sorted(name for name, _ in seen) == ["a", "b", "c", "d"] and len({ident for _, ident in seen}) == 1
    assert seen[0][1] != threading.get_ident()


def test_store_is_said_to_be_away_once_and_back_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", store_thread.__name__)
    gauges = SavingGauges()
    thread = StoreThread(Store(tmp_path), gauges)
    thread.note_back()
    for _ in range(3):
        thread.note_away(TimeoutError())
    assert thread.away and gauges.away
    for _ in range(3):
        thread.note_back()
    assert not thread.away and not gauges.away
    thread.note_away(Unavailable("full", where="/disk"))
    assert caplog.messages == [
        "Sessions are not saved at the moment: the store does not answer",
        "Sessions are saved again",
        "Sessions are not saved at the moment: /disk: full",
    ]


def test_store_that_never_answers_does_not_keep_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_thread, "_CLOSE_WITHIN_S", 0.05)
    gate = threading.Event()

    async def run() -> None:
        thread = StoreThread(Store(tmp_path), SavingGauges())
        thread.submit(gate.wait)  # type: ignore[arg-type]
        await thread.stop()
        gate.set()

    asyncio.run(run())
    assert caplog.messages == ["The store of sessions could not be closed: it does not answer"]

"""What a session's process counted is told when something has happened, and at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.fleet import letters
from app_server.fleet.crew import Crew
from app_server.fleet.letters import Unreachable
from app_server.fleet.place import Place
from app_server.observe.tallies import STILL_THERE_S
from app_server.transport.tallies import QUESTION, Teller
from tests.support.stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(lambda document: None) as played:
        yield played


def teller_of(stage: Stage, place: Place) -> Teller:
    """What tells slot 0 what the stage's session counts."""
    site = SimpleNamespace(runtimes=[stage.runtime], gauges=SimpleNamespace(answers=Counter({"2xx": 3})))
    return Teller(site, place, 0, "s-one")  # type: ignore[arg-type]


def test_session_tells_what_happened_seldom_and_that_it_is_there(
    stage: Stage, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[float, Any]] = []

    async def ask(box: Path, words: Any, patience_s: float) -> Any:
        told.append((round(stage.loop.time()), words))
        return {}

    monkeypatch.setattr(letters, "ask", ask)
    monkeypatch.setattr("time.monotonic", stage.loop.time)
    teller = teller_of(stage, place)
    running = stage.loop.create_task(teller.run())
    stage.loop.run_for(12.5)
    assert [when for when, _ in told] == [2], "nothing has happened since"
    stage.view()
    stage.loop.run_for(5)
    assert [when for when, _ in told] == [2, 17]
    stage.loop.run_for(STILL_THERE_S + 6)
    assert len(told) == 3, "it is there all the same"
    running.cancel()
    stage.loop.run_until_complete(teller.finish())
    last = told[-1][1]
    assert (last["question"], last["child"], last["over"]) == (QUESTION, "s-one", True)
    assert last["memory_bytes"] == 0 and last["answers"] == {"2xx": 3}
    assert last["applications"]["/app"]["now"]["connections"] == 1
    assert told[0][1]["over"] is False and told[0][1]["memory_bytes"] > 0


async def test_words_arrive_at_the_process_that_adds_them_up(place: Place) -> None:
    took: list[Any] = []

    async def take(words: Any) -> Any:
        took.append(words)
        return {}

    crew = Crew(place, 0, 1, lambda session_id: False, lambda letter, sock: None)
    crew.answer(QUESTION, take)
    await crew.open()
    site = SimpleNamespace(runtimes=[], gauges=SimpleNamespace(answers=Counter()))
    await Teller(site, place, 0, "s-one").finish()  # type: ignore[arg-type]
    await crew.close()
    assert [words["child"] for words in took] == ["s-one"]


@pytest.mark.parametrize("error", [Unreachable("it is gone"), TimeoutError()])
async def test_nobody_to_tell_is_a_line_for_debugging(
    place: Place, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(*anything: object) -> None:
        raise error

    monkeypatch.setattr(letters, "ask", ask)
    site = SimpleNamespace(runtimes=[], gauges=SimpleNamespace(answers=Counter()))
    with caplog.at_level(logging.DEBUG, "app_server.transport.tallies"):
        await Teller(site, place, 0, "s-one").finish()  # type: ignore[arg-type]
    assert caplog.messages == [f"What a session counted could not be told: {error}"]

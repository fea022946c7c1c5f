"""What is noted of a session's turns for the console."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Button, Slider

from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.protocol.messages import PATCH_DOC, Message
from tests.support.servers.stage import Stage, staged
from tests.support.waiting import patience
from tests.unit.engine.making import Door

SLOW_S = 0.02


def slow(attr: str, old: object, new: object) -> None:
    time.sleep(SLOW_S)


def clicked(event: object) -> None:
    time.sleep(2 * SLOW_S)


def ticked() -> None:
    time.sleep(3 * SLOW_S)


def fill(document: Any) -> None:
    slider, button = Slider(name="slider", start=0, end=1000, value=0), Button(name="button")
    slider.on_change("value", slow)
    button.on_event("button_click", clicked)
    document.add_root(slider)
    document.add_root(button)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill, turns=ObservedTurnQueue) as played:
        yield played


def record_of(stage: Stage) -> Any:
    assert isinstance(stage.queue, ObservedTurnQueue)
    return stage.queue.record


def sent(stage: Stage, *events: object) -> None:
    door = Door(stage)
    stage.runtime.connect(stage.session, door.connection, door)
    message = Message("1", PATCH_DOC, {"events": list(events)})

    async def arrive() -> None:
        stage.runtime.receive(stage.session, door.connection, message, time.monotonic())

    stage.loop.run_until_complete(arrive())


def changed(stage: Stage, value: float = 7) -> dict[str, object]:
    slider = stage.session.document.select_one({"name": "slider"})
    return {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": value}


def test_change_is_noted_with_its_callback(stage: Stage) -> None:
    sent(stage, changed(stage))
    record = record_of(stage)
    assert (record.messages, record.slowest.kind) == (1, "change")
    assert record.slowest.where == f"{__file__}:{slow.__code__.co_firstlineno} slow"
    assert record.slowest.duration_s >= SLOW_S


def test_click_is_noted_with_its_callback(stage: Stage) -> None:
    button = stage.session.document.select_one({"name": "button"})
    values = {"type": "map", "entries": [["model", {"id": button.id}]]}
    event = {"type": "event", "name": "button_click", "values": values}
    sent(stage, {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})
    assert record_of(stage).slowest.where == f"{__file__}:{clicked.__code__.co_firstlineno} clicked"


def test_callback_of_a_timer_is_noted(stage: Stage) -> None:
    stage.session.document.add_next_tick_callback(ticked)
    stage.loop.run_until_complete(asyncio.sleep(1))
    assert record_of(stage).slowest.where == f"{__file__}:{ticked.__code__.co_firstlineno} ticked"
    assert record_of(stage).messages == 0


def test_faster_turn_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SLOW_S", patience(0.2))  # slower than a turn that loses the processor
    sent(stage, changed(stage))
    slowest = record_of(stage).slowest
    sent(stage, {**changed(stage), "attr": "start", "new": -1})
    assert record_of(stage).slowest is slowest
    assert record_of(stage).messages == 2


@pytest.mark.parametrize(
    "event",
    [
        7, {}, {"kind": "MessageSent"}, {"kind": "MessageSent", "msg_data": {"name": "x", "values": {"model": 3}}},
        {"kind": "ModelChanged", "model": {"id": "none"}, "attr": "value"}, {"kind": "ModelChanged", "model": 7},
        {"kind": "MessageSent", "msg_data": {"name": "x", "values": {"entries": [1, [2], [[], 3]]}}},
    ],
)  # fmt: skip
def test_malformed_message_is_noted_without_a_callback(stage: Stage, event: object) -> None:
    sent(stage, event)
    assert record_of(stage).slowest.where == ""

"""Messages that arrive together have their turns as if they had arrived one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bokeh.models import Slider

from tests.support.clock import skipping_loop
from tests.support.servers.stage import Stage
from tests.unit.session.making import change


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=1000, value=0))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with skipping_loop() as loop:
        played = Stage(loop, fill)
        yield played
        played.close()


def move(stage: Stage, client: Any, *values: int) -> None:
    """The client's messages of one packet."""
    for value in values:
        stage.runtime.receive(stage.session, client, change(stage.session, "slider", "value", value))


def answering(stage: Stage, answer: Callable[[], Any]) -> None:
    slider = stage.model("slider")
    slider.on_change("value", lambda attr, old, new: stage.document.add_next_tick_callback(answer))


@pytest.mark.parametrize("holds", [False, True])
def test_next_tick_callback_finds_the_document_as_its_message_left_it(stage: Stage, holds: bool) -> None:
    client, seen = stage.view().connection, list[int]()

    def note() -> None:
        seen.append(stage.model("slider").value)

    async def note_late() -> None:
        await asyncio.sleep(0.01)
        note()

    answering(stage, note_late if holds else note)
    move(stage, client, 1, 2, 3)
    stage.loop.run_for(0.1)
    assert seen == [1, 2, 3]


def test_messages_of_two_clients_wait_for_each_others_callbacks(stage: Stage) -> None:
    first, second = stage.view().connection, stage.view().connection
    seen: list[int] = []
    answering(stage, lambda: seen.append(stage.model("slider").value))
    for value, client in enumerate((first, second, second, first), 1):
        move(stage, client, value)
    stage.loop.run_for(0.1)
    assert seen == [1, 2, 3, 4]


def test_messages_are_not_kept_back_by_a_callback_that_adds_itself_again(stage: Stage) -> None:
    client = stage.view().connection

    def again() -> None:
        stage.runs["again"] += 1
        stage.loop.pass_time(0.001)
        stage.document.add_next_tick_callback(again)

    answering(stage, again)
    move(stage, client, 1, 2, 3)
    stage.loop.run_for(0.1)
    assert stage.model("slider").value == 3
    assert stage.runs["again"] >= 90


def test_callback_that_is_removed_again_keeps_no_message_back(stage: Stage) -> None:
    client, document = stage.view().connection, stage.document

    def add_and_remove(attr: str, old: Any, new: Any) -> None:
        document.remove_next_tick_callback(document.add_next_tick_callback(lambda: None))

    stage.model("slider").on_change("value", add_and_remove)
    move(stage, client, *range(1, 501))
    stage.loop.run_for(0.01)
    assert stage.model("slider").value == 500


def test_client_that_leaves_does_so_after_what_it_has_sent(stage: Stage) -> None:
    client, order = stage.view().connection, list[Any]()
    answering(stage, lambda: order.append(stage.model("slider").value))
    stage.document.on_event("connection_lost", lambda event: order.append("lost"))
    move(stage, client, 1, 2)
    stage.runtime.disconnect(stage.session, client)
    stage.loop.run_for(0.01)
    assert order == [1, 2, "lost"]

"""The turns of one session, one after another, and what is awaited between them."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from bokeh.io import curdoc

from app_server.engine.turns.queue import TurnQueue
from tests.support.clock import skipping_loop
from tests.support.servers.stage import Stage
from tests.unit.engine.making import Door, fill, holding, noting


def test_turns_are_taken_in_their_order_whatever_asks_for_them(stage: Stage, queue: TurnQueue) -> None:
    order: list[str] = []

    def outer() -> list[Any]:
        queue.submit(noting(order, "second"))
        queue.submit(noting(order, "third"))
        order.append("first")
        return []

    queue.submit(outer)
    queue.submit(noting(order, "fourth"))
    assert order == ["first", "second", "third", "fourth"]


def test_turns_wait_while_an_asynchronous_callback_holds_the_document(stage: Stage, queue: TurnQueue) -> None:
    order: list[str] = []
    queue.submit(holding(stage, order), over=lambda: order.append("hold is over"))
    for name in ("one", "two"):
        queue.submit(noting(order, name), over=lambda name=name: order.append(f"{name} is over"))
    stage.loop.run_for(0.9)
    assert order == ["hold begins"] and queue.held
    stage.loop.run_for(0.2)
    assert order[1:] == ["hold ends", "hold is over", "one", "one is over", "two", "two is over"]
    assert not queue.held and not queue.tasks


def test_turn_behind_one_that_holds_the_document_waits_for_that(stage: Stage, queue: TurnQueue) -> None:
    order: list[str] = []
    for name in ("a", "b"):
        queue.submit(holding(stage, order, name))
    queue.submit(noting(order, "c"))
    stage.loop.run_for(3)
    assert order == ["a begins", "a ends", "b begins", "b ends", "c"]


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
@pytest.mark.parametrize("awaits", [False, True])
def test_callback_that_raises_anything_ends_its_own_turn_only(
    stage: Stage, queue: TurnQueue, caplog: pytest.LogCaptureFixture, error: BaseException, awaits: bool
) -> None:
    order: list[str] = []

    def fail() -> None:
        raise error

    async def fail_later() -> None:
        await asyncio.sleep(0.1)
        raise error

    queue.submit(
        lambda: stage.session.turn(fail_later if awaits else fail, "a click"), over=lambda: order.append("over")
    )
    queue.submit(noting(order, "next"))
    stage.loop.run_for(1)
    assert order == ["over", "next"] and not queue.held
    (record,) = caplog.records
    assert record.getMessage() == "/app session one…: a click raised an exception; the session continues"
    assert record.exc_info is not None and record.exc_info[1] is error


def test_ctrl_c_passes_and_leaves_a_queue_that_goes_on(stage: Stage, queue: TurnQueue) -> None:
    order: list[str] = []

    def interrupted() -> list[Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queue.submit(interrupted, over=lambda: order.append("over"))
    queue.submit(noting(order, "next"))
    assert order == ["over", "next"]


def test_unlocked_callback_lets_turns_go_on_while_it_is_awaited(stage: Stage, queue: TurnQueue) -> None:
    order: list[str] = []

    async def wait() -> None:
        await asyncio.sleep(1)
        order.append("awaited")

    queue.submit(lambda: stage.session.turn(wait, "unlocked", locked=False), over=lambda: order.append("over"))
    queue.submit(noting(order, "next"))
    stage.loop.run_for(2)
    assert order == ["next", "awaited", "over"]


def test_document_is_the_current_one_after_each_await_and_in_tasks(stage: Stage, queue: TurnQueue) -> None:
    seen: list[object] = []

    async def child() -> None:
        seen.append(curdoc())

    async def look() -> None:
        await asyncio.sleep(0.1)
        seen.append(curdoc())
        await asyncio.create_task(child())

    queue.submit(lambda: stage.session.turn(look, "looking"))
    stage.loop.run_for(1)
    assert seen == [stage.document, stage.document]


def test_changes_after_an_await_are_sent_when_the_callback_is_over(stage: Stage, queue: TurnQueue) -> None:
    line = stage.view()

    async def move() -> None:
        await asyncio.sleep(1)
        stage.model("slider").value = 7

    queue.submit(lambda: stage.session.turn(move, "moving"))
    stage.loop.run_for(2)
    assert [event["new"] for event in line.events()] == [7]


def test_changes_of_a_thread_are_sent_together_and_soon(stage: Stage) -> None:
    line = stage.view()

    def move() -> None:
        for value in (1, 2, 3):
            stage.model("slider").value = value

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()
    assert not line.events()
    stage.loop.run_for(0.01)
    assert [event["new"] for event in line.events()][-1] == 3
    assert sum(whole.kind == "PATCH-DOC" for whole in line.messages) == 1


def test_what_is_to_be_sent_now_leaves_in_the_middle_of_a_callback(stage: Stage, queue: TurnQueue) -> None:
    line = stage.view()
    sent: list[int] = []
    write = line.write
    line.write = lambda chunks: (sent.append(stage.model("slider").value), write(chunks))  # type: ignore[method-assign]

    def move() -> None:
        for value in (1, 2):
            stage.model("slider").value = value
            stage.session.send_now()

    stage.loop.call_soon(queue.submit, lambda: stage.session.turn(move, "moving"))
    stage.loop.run_for(0.01)
    assert sent == [1, 2]


def test_what_a_thread_wants_sent_now_leaves_soon(stage: Stage) -> None:
    line = stage.view()
    stage.loop.run_for(0.01)

    def move() -> None:
        stage.model("slider").value = 5
        stage.session.send_now()

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()
    assert not line.events(), "sockets belong to the loop's thread"
    stage.loop.run_for(0.01)
    assert [event["new"] for event in line.events()] == [5]


@pytest.mark.parametrize("by", ["message", "callback"])
def test_clients_are_not_read_from_while_256_turns_wait(stage: Stage, queue: TurnQueue, door: Door, by: str) -> None:
    order: list[str] = []
    queue.submit(holding(stage, order))
    for number in range(255):
        (queue.hear if by == "message" else queue.submit)(noting(order, str(number)))
    assert door.said == []
    (queue.hear if by == "message" else queue.submit)(noting(order, "255"))
    assert door.said == ["pause"]
    stage.loop.run_for(2)
    assert door.said == ["pause", "resume"]
    assert order[2:] == [str(number) for number in range(256)]


def test_coroutine_that_never_began_is_closed_with_its_session(
    stage: Stage, queue: TurnQueue, recwarn: pytest.WarningsRecorder
) -> None:
    order: list[str] = []
    queue.submit(holding(stage, order))
    queue.stop()
    stage.loop.run_for(2)
    assert order == [] and not [each for each in recwarn if each.category is RuntimeWarning]


def test_session_that_outlives_its_loop_names_its_application_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with skipping_loop() as loop:
        stage = Stage(loop, fill)
        stage.view()
    with caplog.at_level(logging.DEBUG, logger="app_server.engine.loop"):
        stage.document.title = "new"
        stage.document.add_timeout_callback(pytest.fail, 10)
    assert caplog.messages == ["/app: the event loop is closed; dropping a callback"] * 2

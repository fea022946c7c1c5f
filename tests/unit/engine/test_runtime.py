"""What a runtime does for the clients of its sessions."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.engine.turns.queue import TurnQueue
from app_server.errors import ApplicationError
from app_server.jobs import Job, submit
from app_server.jobs.session_jobs import Order
from app_server.jobs.watching import Callbacks
from tests.support.clock import SkippingLoop
from tests.support.servers.stage import Hooked, Stage
from tests.unit.engine.making import Door, fill, holding, runtime_of
from tests.unit.jobs.making import Latch
from tests.unit.session.making import change, message


def test_message_that_came_just_before_the_end_changes_nothing(stage: Stage, queue: TurnQueue, door: Door) -> None:
    order: list[str] = []
    queue.submit(holding(stage, order))
    stage.runtime.receive(stage.session, door.connection, change(stage.session, "slider", "value", 9))
    stage.loop.run_for(0.1)
    moved: list[Any] = []
    stage.model("slider").on_change("value", lambda attr, old, new: moved.append(new))
    stage.loop.run_until_complete(stage.runtime.end(stage.session))
    stage.runtime.receive(stage.session, door.connection, message("PULL-DOC-REQ"))
    stage.runtime.caught_up(stage.session, door.connection)
    stage.runtime.realign(stage.session, door.connection, 0)
    stage.runtime.show_notice(stage.session, door.connection, "<p>")
    stage.runtime.disconnect(stage.session, door.connection)
    stage.loop.run_for(2)
    assert order == ["hold begins"], "it was cancelled"
    assert not moved and door.said == ["1001 the session has ended"]


def test_what_was_called_is_counted_by_its_kind(stage: Stage, queue: TurnQueue, door: Door) -> None:
    order: list[str] = []
    stage.runtime.receive(stage.session, door.connection, change(stage.session, "slider", "value", 9), 0.0)
    queue.submit(holding(stage, order))
    stage.document.add_next_tick_callback(lambda: None)
    stage.loop.run_for(2)
    counted = {kind: sum(found.counts) for kind, found in stage.runtime.gauges.callbacks.items()}
    assert counted == {"change": 1, "awaited": 1, "next_tick": 1}
    assert stage.runtime.gauges.round_trip.counts[-1] == 1, "it came long ago"
    assert stage.runtime.now() == {
        "sessions": 1, "connections": 1, "unused": 0, "queued_bytes": 0, "jobs_running": 0, "jobs_queued": 0,
    }  # fmt: skip


def test_jobs_of_a_replaced_application_are_cancelled(loop: SkippingLoop) -> None:
    runtime, latch = runtime_of(loop), Latch()
    loop.run_until_complete(runtime.start())
    session = loop.run_until_complete(runtime.session("one", None, {}))
    job = session.context.jobs.submit(latch, (), {}, Callbacks(), Order(name="goes on"))
    loop.run_until_complete(runtime.end(session))
    assert not job.over
    loop.run_until_complete(runtime.replace(runtime.application))
    latch.open.set()
    assert job.state == "cancelled"


def test_jobs_of_a_session_that_an_operator_ends_are_cancelled_named_or_not(loop: SkippingLoop) -> None:
    runtime, latch = runtime_of(loop), Latch()
    loop.run_until_complete(runtime.start())
    session = loop.run_until_complete(runtime.session("one", None, {}))
    job = session.context.jobs.submit(latch, (), {}, Callbacks(), Order(name="goes on"))
    runtime.end_by_operator(session)
    loop.run_for(1)
    latch.open.set()
    assert job.state == "cancelled"


def test_jobs_of_a_session_that_could_not_be_built_are_cancelled(loop: SkippingLoop) -> None:
    latch, jobs = Latch(), list[Job]()

    def build(document: Any) -> None:
        jobs.append(submit(latch, name="goes on"))
        raise ValueError("no such town")

    runtime = runtime_of(loop, build)
    loop.run_until_complete(runtime.start())
    with pytest.raises(ApplicationError):
        loop.run_until_complete(runtime.session("one", None, {}))
    latch.open.set()
    assert jobs[0].state == "cancelled"


def test_replaced_application_is_unloaded_before_the_next_one_is_loaded(loop: SkippingLoop) -> None:
    order: list[str] = []
    runtime = runtime_of(loop, on_server_unloaded=lambda context: order.append("first unloaded"))
    after = Hooked(fill, on_server_loaded=lambda context: order.append("second loaded"))
    loop.run_until_complete(runtime.replace(after))
    assert order == ["first unloaded", "second loaded"] and runtime.application is after


def test_connections_are_numbered(stage: Stage) -> None:
    assert [next(stage.runtime.connection_numbers) for _ in range(3)] == [1, 2, 3]

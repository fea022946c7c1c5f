"""The turns of sessions, one after another, and what happens to them when a session or its application ends."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.io import curdoc
from bokeh.models import Slider

from app_server.document.served import new_document
from app_server.engine.runtime import ApplicationRuntime, Lifetimes, Snapshot, TurnQueue
from app_server.errors import ApplicationError, InternalError
from app_server.security.admission import Admission, Full
from app_server.session.session import MessageLimits, Session
from tests.support.clock import SkippingLoop, skipping_loop
from tests.support.servers.stage import Hooked, Line, Stage, staged
from tests.unit.session.making import change, message


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=1000, value=0))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


@pytest.fixture
def queue(stage: Stage) -> TurnQueue:
    """Where the turns of the stage's session are taken."""
    return stage.runtime._queues["one"]


def noting(order: list[str], name: str) -> Callable[[], list[Any]]:
    """A turn that notes that it was taken."""

    def turn() -> list[Any]:
        order.append(name)
        return []

    return turn


def holding(stage: Stage, order: list[str], name: str = "hold", holds_s: float = 1.0) -> Callable[[], list[Any]]:
    """A turn whose callback holds the document for a while."""

    async def hold() -> None:
        order.append(f"{name} begins")
        await asyncio.sleep(holds_s)
        order.append(f"{name} ends")

    return lambda: stage.session.turn(hold, name)


# The turns of one session


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
    assert record.getMessage() == "/app session one…: a click raised an exception; the session goes on"
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

    queue.submit(lambda: stage.session.turn(move, "moving"))
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


# What runs with the document locked


def locked(stage: Stage, function: Callable[[Any], Any]) -> Any:
    """The outcome of a locked call."""
    return stage.loop.run_until_complete(stage.runtime._queues["one"].locked_call(function))


def test_locked_call_has_its_result_and_its_exception(stage: Stage) -> None:
    async def later(document: Any) -> str:
        await asyncio.sleep(0.1)
        return f"{document is stage.document}"

    def fail(document: Any) -> None:
        raise ValueError("not now")

    assert locked(stage, lambda document: len(document.roots)) == 1
    assert locked(stage, later) == "True"
    with pytest.raises(ValueError, match="not now"):
        locked(stage, fail)


def test_locked_call_that_stops_an_iteration_says_so(stage: Stage) -> None:
    def fail(document: Any) -> None:
        raise StopIteration("none left")

    with pytest.raises(RuntimeError, match=r"^the function raised StopIteration$") as caught:
        locked(stage, fail)
    assert isinstance(caught.value.__cause__, StopIteration)


def test_locked_call_that_cannot_run_any_more_gives_none(stage: Stage, queue: TurnQueue) -> None:
    ran: list[Any] = []

    async def both() -> Any:
        queue.submit(holding(stage, []))
        call = asyncio.ensure_future(queue.locked_call(ran.append))
        await asyncio.sleep(0.1)
        await stage.runtime.end(stage.session)
        return await call

    assert stage.loop.run_until_complete(both()) is None
    assert not ran


def test_locked_call_that_nobody_waits_for_any_more_runs_all_the_same(stage: Stage, queue: TurnQueue) -> None:
    ran: list[Any] = []

    async def leave() -> None:
        queue.submit(holding(stage, []))
        call = asyncio.ensure_future(queue.locked_call(ran.append))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.sleep(2)

    stage.loop.run_until_complete(leave())
    assert ran == [stage.document]


# A session that has more to do than it can


class Door(Line):
    """A client that notes whether it is read from."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, 1e9)
        self.said: list[str] = []

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")

    def close(self, code: int, reason: str = "") -> None:
        self.said.append(f"{code} {reason}")


@pytest.fixture
def door(stage: Stage) -> Door:
    """A client of the stage's session."""
    found = Door(stage)
    stage.runtime.connect(stage.session, found.connection, found)
    return found


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


def test_coroutine_that_never_began_is_closed_with_its_session(
    stage: Stage, queue: TurnQueue, recwarn: pytest.WarningsRecorder
) -> None:
    order: list[str] = []
    queue.submit(holding(stage, order))
    queue.stop()
    stage.loop.run_for(2)
    assert order == [] and not [each for each in recwarn if each.category is RuntimeWarning]


def test_session_ends_once(stage: Stage) -> None:
    ended: list[Session] = []
    stage.runtime.on_end = ended.append

    async def twice() -> None:
        await asyncio.gather(stage.runtime.end(stage.session), stage.runtime.end(stage.session))

    stage.loop.run_until_complete(twice())
    assert ended == [stage.session] and stage.runtime.gauges.ended == 1 and stage.session.destroyed


def test_what_was_called_is_counted_by_its_kind(stage: Stage, queue: TurnQueue, door: Door) -> None:
    order: list[str] = []
    stage.runtime.receive(stage.session, door.connection, change(stage.session, "slider", "value", 9), 0.0)
    queue.submit(holding(stage, order))
    stage.document.add_next_tick_callback(lambda: None)
    stage.loop.run_for(2)
    counted = {kind: sum(found.counts) for kind, found in stage.runtime.gauges.callbacks.items()}
    assert counted == {"change": 1, "awaited": 1, "next_tick": 1}
    assert stage.runtime.gauges.round_trip.counts[-1] == 1, "it came long ago"
    assert stage.runtime.now() == {"sessions": 1, "connections": 1, "unused": 0, "queued_bytes": 0}


# The sessions of an application


def runtime_of(
    loop: SkippingLoop, build: Callable[[Any], Any] = fill, admission: Admission | None = None, **hooks: Any
) -> ApplicationRuntime:
    """The application's runtime, which looks for unused sessions each second and lets them live for ten."""
    application = Hooked(build, **hooks)
    return ApplicationRuntime(
        application, "/app", MessageLimits(1_000_000), Lifetimes(10, 1), loop, admission=admission
    )


def test_session_is_built_once_however_many_ask_at_the_same_time(loop: SkippingLoop) -> None:
    built: list[Any] = []
    begun: list[Session] = []

    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    runtime = runtime_of(loop, built.append, on_session_created=created)
    runtime.on_begin = begun.append

    async def ask() -> list[Session]:
        return await asyncio.gather(*(runtime.session("one", None, {}) for _ in range(20)))

    sessions = loop.run_until_complete(ask())
    assert len(built) == len(begun) == len({id(session) for session in sessions}) == 1
    assert loop.run_until_complete(runtime.session("one", None, {})) is sessions[0]
    assert runtime.gauges.built == 1


@pytest.mark.parametrize("error", [ValueError("oops"), LookupError("oops")])
def test_everybody_who_waits_is_told_that_a_build_failed_and_the_id_is_free_again(
    loop: SkippingLoop, error: BaseException
) -> None:
    fails = [True]

    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    def build(document: Any) -> None:
        if fails:
            raise error

    runtime = runtime_of(loop, build, Admission(1), on_session_created=created)

    async def ask() -> list[Any]:
        asked = (runtime.session("one", None, {}) for _ in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    told = loop.run_until_complete(ask())
    assert [type(each) for each in told] == [ApplicationError] * 3
    assert len({str(each) for each in told}) == 1 and type(error).__name__ in str(told[0])
    fails.clear()
    assert loop.run_until_complete(runtime.session("one", None, {})).id == "one"


def test_who_waits_for_a_build_that_was_given_up_is_told(loop: SkippingLoop) -> None:
    async def created(context: Any) -> None:
        await asyncio.sleep(1)

    runtime = runtime_of(loop, on_session_created=created)

    async def leave() -> None:
        first = asyncio.ensure_future(runtime.session("one", None, {}))
        await asyncio.sleep(0.1)
        left, waits = (asyncio.ensure_future(runtime.session("one", None, {})) for _ in range(2))
        await asyncio.sleep(0.1)
        left.cancel()
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(ApplicationError):
            await waits

    loop.run_until_complete(leave())
    assert runtime.registry.building("one") is None


def test_hooks_run_in_their_order_and_what_they_raise_harms_nobody(
    loop: SkippingLoop, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []

    def hook(name: str, error: BaseException | None = None) -> Callable[[Any], Any]:
        async def run(context: Any) -> None:
            await asyncio.sleep(0.1)
            order.append(name)
            if error is not None:
                raise error

        return run

    runtime = runtime_of(
        loop, lambda document: order.append("build"), on_server_loaded=hook("loaded"),
        on_session_created=hook("created", ValueError("no")), on_session_destroyed=hook("destroyed", SystemExit(1)),
        on_server_unloaded=hook("unloaded"),
    )  # fmt: skip
    loop.run_until_complete(runtime.start())
    loop.run_until_complete(runtime.session("one", None, {}))
    loop.run_until_complete(runtime.stop())
    assert order == ["loaded", "created", "build", "destroyed", "unloaded"]
    assert [record.getMessage() for record in caplog.records] == [
        "/app: the hook on_session_created raised an exception",
        "/app: the hook on_session_destroyed raised an exception",
    ]


def test_callbacks_for_the_end_of_a_session_see_its_document_and_may_fail(
    loop: SkippingLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def first(context: Any) -> None:
        seen.append(len(context._document.roots))
        raise ValueError("no")

    def build(document: Any) -> None:
        fill(document)
        document.on_session_destroyed(first, lambda context: seen.append("second"))

    runtime = runtime_of(loop, build)
    session = loop.run_until_complete(runtime.session("one", None, {}))
    loop.run_until_complete(runtime.end(session))
    assert sorted(seen, key=str) == [1, "second"]
    assert [record.getMessage() for record in caplog.records] == [
        "/app: the hook on_session_destroyed raised an exception"
    ]


def test_address_has_room_again_when_its_session_has_ended(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, admission=Admission(0, 1))
    session = loop.run_until_complete(runtime.session("one", None, {}, address="192.0.2.1"))
    with pytest.raises(Full):
        loop.run_until_complete(runtime.session("two", None, {}, address="192.0.2.1"))
    with pytest.raises(Full):
        runtime.check_admission("two", "192.0.2.1")
    runtime.check_admission("one", "192.0.2.1")
    runtime.check_admission("two", "192.0.2.2")
    loop.run_until_complete(runtime.end(session))
    assert loop.run_until_complete(runtime.session("two", None, {}, address="192.0.2.1")).id == "two"


def test_session_of_another_process_is_not_built_here(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, on_server_loaded=pytest.fail)
    runtime.isolated = True
    loop.run_until_complete(runtime.start())
    with pytest.raises(InternalError, match="a session that has a process of its own was to be built in another one"):
        loop.run_until_complete(runtime.session("one", None, {}))
    runtime.check_admission("one", "192.0.2.1")
    runtime.stand_in("one", fill)
    session = loop.run_until_complete(runtime.session("one", None, {}))
    assert len(session.document.roots) == 1 and not session.is_new
    loop.run_until_complete(runtime.stop())


def test_unused_sessions_end_after_their_lifetime(loop: SkippingLoop) -> None:
    ended: list[tuple[str, float]] = []
    runtime = runtime_of(loop, on_session_destroyed=lambda context: ended.append((context.id, round(loop.time()))))
    loop.run_until_complete(runtime.start())
    sessions = {
        name: loop.run_until_complete(runtime.session(name, None, {}))
        for name in ("unused", "blocked", "asked", "used")
    }
    sessions["blocked"].block_expiration()
    sessions["asked"].request_expiration()
    stage = SimpleNamespace(loop=loop, runtime=runtime, session=sessions["used"])
    line = Line(stage, 1e9)  # type: ignore[arg-type]
    runtime.connect(sessions["used"], line.connection, line)
    loop.run_for(20)
    assert ended == [("asked", 1), ("unused", 11)]
    runtime.disconnect(sessions["used"], line.connection)
    sessions["blocked"].unblock_expiration()
    loop.run_for(12)
    assert sorted(ended[2:]) == [("blocked", 21), ("used", 31)]
    assert len(runtime.registry) == 0


def test_stop_ends_all_sessions_beside_each_other_before_the_application_is_unloaded(loop: SkippingLoop) -> None:
    order: list[str] = []

    async def destroyed(context: Any) -> None:
        await asyncio.sleep(1)
        order.append(context.id)

    runtime = runtime_of(
        loop, on_session_destroyed=destroyed, on_server_unloaded=lambda context: order.append("unloaded")
    )
    loop.run_until_complete(runtime.start())
    for name in ("one", "two"):
        loop.run_until_complete(runtime.session(name, None, {}))
    stage = SimpleNamespace(loop=loop, runtime=runtime, session=runtime.registry.get("one"))
    door = Door(stage)  # type: ignore[arg-type]
    runtime.connect(stage.session, door.connection, door)
    loop.run_until_complete(runtime.stop(1012))
    assert order == ["one", "two", "unloaded"] and loop.time() == pytest.approx(1)
    assert door.said == ["1012 the server is going away"]


def test_replaced_application_is_unloaded_before_the_next_one_is_loaded(loop: SkippingLoop) -> None:
    order: list[str] = []
    runtime = runtime_of(loop, on_server_unloaded=lambda context: order.append("first unloaded"))
    after = Hooked(fill, on_server_loaded=lambda context: order.append("second loaded"))
    loop.run_until_complete(runtime.replace(after))
    assert order == ["first unloaded", "second loaded"] and runtime.application is after


def test_document_that_was_filled_for_all_is_used_once(loop: SkippingLoop) -> None:
    built: list[Any] = []
    runtime = runtime_of(loop, built.append)
    document = new_document("filled")
    runtime.snapshot = Snapshot(document, None)
    first = loop.run_until_complete(runtime.session("one", None, {}))
    second = loop.run_until_complete(runtime.session("two", None, {}))
    assert first.document is document and built == [second.document]


def test_build_that_no_client_could_get_leaves_nothing_behind(loop: SkippingLoop) -> None:
    def build(document: Any) -> None:
        fill(document)
        document.roots[0].tags = [object()]

    runtime = runtime_of(loop, build, Admission(1))
    with pytest.raises(ApplicationError):
        loop.run_until_complete(runtime.session("one", None, {}))
    assert not runtime._queues and not len(runtime.admission)


def test_callback_for_a_loop_that_is_closed_is_dropped(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    other = SkippingLoop()
    runtime = runtime_of(other)
    other.close()
    with caplog.at_level(logging.DEBUG):
        runtime.soon(pytest.fail)
        thread = threading.Thread(target=runtime.soon, args=(pytest.fail,))
        thread.start()
        thread.join()
    assert caplog.messages == ["/app: the loop is closed; a callback is dropped"] * 2


def test_connections_are_numbered(stage: Stage) -> None:
    assert [stage.runtime.next_connection_number() for _ in range(3)] == [1, 2, 3]

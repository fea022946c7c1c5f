"""An application that is run before it has visitors, and the time limit for that."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from app_server.document.served import ServedDocument
from app_server.engine.running import Job, Running
from app_server.engine.warmup import WARMUP_ID, TooLong, deadline, time_limit
from app_server.errors import ApplicationError
from app_server.security.admission import Admission
from app_server.security.visible_request import VisibleRequest
from app_server.session.naming import LogName
from tests.support.clock import SkippingLoop, free_alarm
from tests.support.waiting import PATIENCE_S, patience
from tests.unit.engine.making import Observer, fill, runtime_of

SHORT_S = 0.05


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """The alarm is free in these tests."""
    with free_alarm():
        yield


def spin(seconds: float = PATIENCE_S) -> None:
    """Compute until interrupted."""
    end_s = time.monotonic() + patience(seconds)
    while time.monotonic() < end_s:
        pass
    raise AssertionError("was not interrupted")


def catch_exceptions() -> None:
    """Compute as code does that nothing is to stop."""
    try:
        spin()
    except Exception:
        spin()


class Visited:
    """A visit that notes what it is shown."""

    def __init__(self, show: Callable[[Any], object] = lambda document: None) -> None:
        self.shown: list[list[str]] = []
        self._show = show

    def ask(self) -> tuple[VisibleRequest, Mapping[str, Any]]:
        return VisibleRequest(path="/app"), {"of": "the hook"}

    def show(self, document: ServedDocument) -> None:
        self.shown.append([type(root).__name__ for root in document.roots])
        self._show(document)


# The time limit


@pytest.mark.parametrize("code", [spin, catch_exceptions, lambda: time.sleep(patience(PATIENCE_S))])
def test_code_that_does_not_return_is_interrupted(code: Callable[[], None]) -> None:
    with pytest.raises(TooLong, match=r"did not return within 0\.05 s"), deadline(SHORT_S):
        code()
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_code_that_may_not_be_interrupted_now_goes_on() -> None:
    asked: list[float] = []
    with deadline(SHORT_S, lambda: asked.append(time.monotonic()) or False):  # type: ignore[func-returns-value]
        while not asked:
            pass


def test_without_a_limit_or_with_another_users_alarm_nothing_is_touched() -> None:
    with deadline(0.0):
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        with deadline(SHORT_S):
            assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
            assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_another_thread_has_no_limit() -> None:
    done: list[bool] = []

    def work() -> None:
        with deadline(SHORT_S):
            done.append(signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(patience(PATIENCE_S))
    assert done == [True]


async def test_what_awaits_for_ever_is_ended_with_its_address() -> None:
    with pytest.raises(ApplicationError) as caught:
        async with time_limit(SHORT_S, Running(), "/app"):
            await asyncio.Event().wait()
    assert str(caught.value) == "/app: did not return within 0.05 s. If it needs longer, raise --start-timeout"


async def test_only_running_code_is_interrupted_and_named_if_it_is_not_the_applications() -> None:
    running = Running()
    with pytest.raises(ApplicationError) as caught:
        async with time_limit(SHORT_S, running, "/app"):
            running.stack.append(Job(LogName("a build", application="/app")))
            spin()
    assert str(caught.value) == "/app: did not return within 0.05 s. If it needs longer, raise --start-timeout"
    assert isinstance(caught.value.__cause__, TooLong)


# The visit


def test_application_is_run_with_its_hooks_and_nothing_remains(loop: SkippingLoop) -> None:
    order: list[str] = []
    seen: list[Any] = []

    def build(document: Any) -> None:
        order.append("built")
        context = document.session_context
        seen.append([context.id, context.request.path, dict(context.token_payload), context.user])
        document.add_periodic_callback(lambda: order.append("beat"), 10)
        document.add_next_tick_callback(lambda: order.append("tick"))
        document.on_session_destroyed(lambda context: order.append("the document's hook"))
        fill(document)

    async def destroyed(context: Any) -> None:
        order.append("destroyed")

    observer, admission = Observer(), Admission(1)
    runtime = runtime_of(
        loop, build, admission, observer=observer,
        on_session_created=lambda context: order.append("created"), on_session_destroyed=destroyed,
    )  # fmt: skip
    visit = Visited()
    loop.run_until_complete(runtime.warm_up(visit, 0.0))
    assert order == ["created", "built", "destroyed", "the document's hook"]
    assert seen == [[WARMUP_ID, "/app", {"of": "the hook"}, None]]
    assert visit.shown == [["Slider"]]
    assert not list(runtime.registry) and not runtime._queues and observer.seen == []
    assert runtime.gauges.built == runtime.gauges.ended == 0 and not admission.full
    loop.run_until_complete(asyncio.sleep(1))
    assert "beat" not in order and "tick" not in order
    assert runtime.hook_fault == ""


def test_application_that_fails_is_an_error_with_its_line(loop: SkippingLoop) -> None:
    def build(document: Any) -> None:
        raise SystemExit(3)

    runtime = runtime_of(loop, build)
    with pytest.raises(ApplicationError, match=r"\.py:\d+: the application called sys\.exit\(3\)"):
        loop.run_until_complete(runtime.warm_up(Visited(), 0.0))
    assert not runtime._queues


def test_page_that_cannot_be_made_is_an_error_and_the_session_ends_with_its_hooks(loop: SkippingLoop) -> None:
    order: list[str] = []

    def show(document: Any) -> None:
        raise ApplicationError("no such template")

    runtime = runtime_of(loop, fill, on_session_destroyed=lambda context: order.append("destroyed"))
    with pytest.raises(ApplicationError, match="no such template"):
        loop.run_until_complete(runtime.warm_up(Visited(show), 0.0))
    assert order == ["destroyed"] and not runtime._queues


def test_hook_that_fails_is_remembered_with_its_line(loop: SkippingLoop) -> None:
    def created(context: Any) -> None:
        raise ValueError("oops")

    runtime = runtime_of(loop, fill, on_session_created=created)
    loop.run_until_complete(runtime.warm_up(Visited(), 0.0))
    assert "test_warmup.py:" in runtime.hook_fault and "ValueError: oops" in runtime.hook_fault


def test_application_that_never_returns_is_named_with_its_line(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, lambda document: catch_exceptions())
    with pytest.raises(ApplicationError) as caught:
        loop.run_until_complete(runtime.warm_up(Visited(), SHORT_S))
    assert caught.value.what == "did not return within 0.05 s"
    assert caught.value.where is not None and ".py:" in caught.value.where
    assert isinstance(caught.value.__cause__, TooLong)
    assert not runtime._queues


def test_page_that_takes_too_long_to_make_is_an_error_and_the_session_ends_with_its_hooks(loop: SkippingLoop) -> None:
    order: list[str] = []
    runtime = runtime_of(loop, fill, on_session_destroyed=lambda context: order.append("destroyed"))
    with pytest.raises(ApplicationError, match=r"^/app: did not return within 0\.05 s\. "):
        loop.run_until_complete(runtime.warm_up(Visited(lambda document: catch_exceptions()), SHORT_S))
    assert order == ["destroyed"] and not runtime._queues

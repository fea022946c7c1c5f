"""What a process has at the moment, and what follows from it for new sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.apps import application_from_function
from app_server.engine.loop import EngineLoop
from app_server.http.auth_backend import AuthBackend
from app_server.jobs.session_jobs import Order
from app_server.jobs.watching import Callbacks
from app_server.observe.gauges import Gauges
from app_server.requests.state.policy import Policy
from app_server.requests.state.process import ProcessState, has_session
from app_server.security.admission import Admission
from app_server.server.runtimes import make_runtimes
from app_server.settings import Settings
from tests.support.clock import SkippingLoop, skipping_loop
from tests.support.waiting import until
from tests.unit.jobs.making import Latch

POLICY = Policy.of(Settings(), AuthBackend(), 5006)


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


def process_of(loop: asyncio.AbstractEventLoop, max_sessions: int = 0, **more: Any) -> ProcessState:
    """The state of a process that serves two applications."""
    applications = {route: application_from_function(lambda document: None) for route in ("/a", "/b")}
    gauges, admission = Gauges(), Admission(max_sessions)
    return ProcessState(
        make_runtimes(applications, POLICY, EngineLoop(loop), gauges, admission), gauges, admission, **more
    )


def test_refused_origin_is_said_once_and_not_for_ever(loop: SkippingLoop, caplog: pytest.LogCaptureFixture) -> None:
    process = process_of(loop)
    for origin in ("https://x.example", "https://x.example", None, "https://y.example\x1b[31m" + "z" * 500):
        process.report_refused_origin(origin)
    hint = "If it is yours, start with --allow-websocket-origin="
    assert caplog.messages[0] == f"Refused a page of origin 'https://x.example'. {hint}x.example"
    assert len(caplog.messages) == 2 and "\x1b" not in caplog.messages[1] and len(caplog.messages[1]) < 600
    for number in range(2000):
        process.report_refused_origin(f"https://{number}.example")
    assert len(caplog.messages) < 1100


def test_only_session_of_a_process_may_always_be_built(loop: SkippingLoop) -> None:
    process = process_of(loop)
    late = POLICY.read_token(POLICY.mint_token("one", 5, {}, None))
    assert not process.may_build(late)
    process.inherited.add(["one"])
    assert process.may_build(late)
    only = process_of(loop, only_session="one")
    assert only.may_build(late) and only.session_id(lambda: "another") == "one"
    made_before = process_of(loop, only_session="")
    assert not made_before.may_build(late)
    made_before.serve_only("one")
    assert made_before.may_build(late) and made_before.session_id(lambda: "another") == "one"


def test_session_id_is_any_or_one_of_this_process(loop: SkippingLoop) -> None:
    workers: Any = SimpleNamespace(mint=lambda mint: f"{mint()} of ours")
    assert process_of(loop).session_id(lambda: "one") == "one"
    assert process_of(loop, workers=workers).session_id(lambda: "one") == "one of ours"


def test_there_is_room_until_it_drains_is_full_or_is_superseded(loop: SkippingLoop) -> None:
    process = process_of(loop, max_sessions=1)
    assert process.has_room
    process.admission.enter("x", "")
    assert not process.has_room
    process.admission.leave("x")
    process.begin_draining()
    assert not process.has_room
    superseded: Any = SimpleNamespace(superseded=True)
    replaced = process_of(loop, workers=superseded)
    assert not replaced.has_room and replaced.session_count == 0


def test_process_is_idle_without_sessions_and_jobs(loop: SkippingLoop) -> None:
    process = process_of(loop)
    assert process.idle
    session = loop.run_until_complete(process.runtimes[1].session("one", None, {}))
    latch = Latch()
    session.context.jobs.submit(latch, (), {}, Callbacks(), Order(name="goes on"))
    loop.run_until_complete(process.runtimes[1].end(session))
    assert process.session_count == 0 and not process.idle
    latch.open.set()
    until(lambda: process.idle, "the job has ended")


def test_sessions_are_known_while_they_are_built_and_live(loop: SkippingLoop) -> None:
    process = process_of(loop)
    runtimes = process.runtimes
    build = runtimes[1].registry.begin("one")
    assert has_session(runtimes, "one") and not has_session(runtimes, "two")
    runtimes[1].registry.fail(build, ValueError())
    loop.run_until_complete(runtimes[0].session("two", None, {}))
    assert has_session(runtimes, "two") and not has_session(runtimes, "one") and process.session_count == 1

"""The runtime of an application whose sessions have processes of their own."""

from __future__ import annotations

import pytest

from app_server.engine.isolated import IsolatedRuntime
from app_server.errors import InternalError
from tests.support.clock import SkippingLoop
from tests.unit.engine.making import fill, runtime_of


def test_session_of_another_process_is_not_built_here(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, kind=IsolatedRuntime, on_server_loaded=pytest.fail, process_request=pytest.fail)
    loop.run_until_complete(runtime.start())
    with pytest.raises(InternalError, match="a session that has a process of its own was to be built in another one"):
        loop.run_until_complete(runtime.session("one", None, {}))
    runtime.check_admission("one", "192.0.2.1")
    assert runtime.process_request(object()) == {}
    runtime.stand_in("one", fill)
    session = loop.run_until_complete(runtime.session("one", None, {}))
    assert len(session.document.roots) == 1 and not session.is_new
    loop.run_until_complete(runtime.stop())


def test_stand_in_that_a_second_request_asks_for_stays_that_of_the_first(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, kind=IsolatedRuntime)
    loop.run_until_complete(runtime.start())
    runtime.stand_in("one", fill)
    session, queue = runtime.registry.get("one"), runtime._queues["one"]
    runtime.stand_in("one", fill)
    assert runtime.registry.get("one") is session and runtime._queues["one"] is queue
    loop.run_until_complete(runtime.stop())


def test_stand_in_leaves_a_session_to_the_request_that_builds_it(loop: SkippingLoop) -> None:
    runtime = runtime_of(loop, kind=IsolatedRuntime)
    build = runtime.registry.begin("one")
    runtime.stand_in("one", fill)
    assert runtime.registry.building("one") is build and not runtime._queues

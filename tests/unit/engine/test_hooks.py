"""Hooks run in their order, and may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clock import SkippingLoop
from tests.unit.engine.making import fill, runtime_of


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

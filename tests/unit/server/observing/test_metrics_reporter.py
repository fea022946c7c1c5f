"""What a session's process counted is reported when something has happened, and at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.observe.child_metrics import STILL_THERE_S
from app_server.observe.gauges import SavingGauges
from app_server.processes import ipc
from app_server.processes.ipc import Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.worker_group import WorkerGroup
from app_server.server.observing.metrics_reporter import QUESTION, MetricsReporter
from tests.support.servers.stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(lambda document: None) as played:
        yield played


def counted(answers: Counter[str]) -> SimpleNamespace:
    """A process that has given these answers."""
    return SimpleNamespace(gauges=SimpleNamespace(answers=answers, saving=SavingGauges()))


def reporter_of(stage: Stage, runtime_dir: RuntimeDir) -> MetricsReporter:
    """What tells slot 0 what the stage's session counts."""
    state = SimpleNamespace(runtimes=[stage.runtime], process=counted(Counter({"2xx": 3})))
    return MetricsReporter(state, runtime_dir, 0, "s-one")  # type: ignore[arg-type]


def test_session_tells_what_happened_seldom_and_that_it_is_there(
    stage: Stage, runtime_dir: RuntimeDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[float, Any]] = []

    async def ask(socket_path: Path, fields: Any, patience_s: float) -> Any:
        sent.append((round(stage.loop.time()), fields))
        return {}

    monkeypatch.setattr(ipc, "ask", ask)
    monkeypatch.setattr("time.monotonic", stage.loop.time)
    reporter = reporter_of(stage, runtime_dir)
    running = stage.loop.create_task(reporter.run())
    stage.loop.run_for(12.5)
    assert [when for when, _ in sent] == [2], "nothing has happened since"
    stage.view()
    stage.loop.run_for(5)
    assert [when for when, _ in sent] == [2, 17]
    stage.loop.run_for(STILL_THERE_S + 6)
    assert len(sent) == 3, "it is there all the same"
    running.cancel()
    stage.loop.run_until_complete(reporter.finish())
    last = sent[-1][1]
    assert (last["question"], last["child"], last["over"]) == (QUESTION, "s-one", True)
    assert last["memory_bytes"] == 0 and last["answers"] == {"2xx": 3}
    assert last["saving"] == {"saved": 0, "restored": 0, "lost": 0, "failed": 0}
    assert last["applications"]["/app"]["now"]["connections"] == 1
    assert sent[0][1]["over"] is False and sent[0][1]["memory_bytes"] > 0


async def test_words_arrive_at_the_process_that_adds_them_up(runtime_dir: RuntimeDir) -> None:
    took: list[Any] = []

    async def take(fields: Any) -> Any:
        took.append(fields)
        return {}

    workers = WorkerGroup(runtime_dir, 0, 1, lambda session_id: False, lambda message, sock: None)
    workers.answer(QUESTION, take)
    await workers.open()
    state = SimpleNamespace(runtimes=[], process=counted(Counter()))
    await MetricsReporter(state, runtime_dir, 0, "s-one").finish()  # type: ignore[arg-type]
    await workers.close()
    assert [fields["child"] for fields in took] == ["s-one"]


@pytest.mark.parametrize("error", [Unreachable("it is gone"), TimeoutError()])
async def test_nobody_to_tell_is_a_line_for_debugging(
    runtime_dir: RuntimeDir, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(*anything: object) -> None:
        raise error

    monkeypatch.setattr(ipc, "ask", ask)
    state = SimpleNamespace(runtimes=[], process=counted(Counter()))
    with caplog.at_level(logging.DEBUG, "app_server.server.observing.metrics_reporter"):
        await MetricsReporter(state, runtime_dir, 0, "s-one").finish()  # type: ignore[arg-type]
    assert caplog.messages == [f"Could not report what a session counted: {error}"]

"""A process of the command, from its start to a signal."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps import application_from_function
from app_server.errors import OperatorError
from app_server.processes.forking.stop_signals import Heard
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server import ending, process_life
from app_server.server.membership import Membership
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.waiting import patience


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="text"))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, Any]]]:
    """Neither the signals nor the end of the tests' process are the server's; what would have ended it is noted."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    ends: list[tuple[float, Any]] = []

    class Timer:
        """Ends nothing."""

        daemon = False

        def __init__(self, after_s: float, function: Any, fields: Any) -> None:
            ends.append((after_s, fields))

        def start(self) -> None:
            assert self.daemon

    monkeypatch.setattr(ending, "threading", SimpleNamespace(Timer=Timer))
    monkeypatch.setattr(process_life.forks, "freeze", lambda: None)
    yield ends
    for each, handler in before.items():
        signal.signal(each, handler)


@asynccontextmanager
async def served(folder: Path, notifier: Any = None, **settings: Any) -> AsyncIterator[tuple[Server, Any]]:
    """A server as the command serves it, and the task that does."""
    loop = asyncio.get_running_loop()
    applications = {"/app": application_from_function(fill)}
    resolved = Settings(port=0, address="127.0.0.1", keep_alive_ms=0, **settings)
    membership = Membership(RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(folder / "run")}), 0, 1)
    server = Server.bound(applications, resolved, loop, membership=membership)
    task = asyncio.create_task(process_life.serve(server, notifier=notifier))
    async with asyncio.timeout(patience(10)):
        while len(server._background) < 3:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        yield server, task
        await task


async def test_server_is_announced_and_ends_at_a_signal(
    tmp_path: Path, quiet: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(tmp_path) as (server, task):
        assert caplog.messages[-1] == f"Serving {server.url}app"
        signal.raise_signal(signal.SIGINT)
        assert await task == 0
    assert "Stopping: 0 sessions, 0 connections" in caplog.messages
    assert quiet == [(2.0, (0,))], "threads of the application do not keep the process"


@pytest.mark.parametrize("hurries", [False, True])
async def test_sessions_have_their_time_at_sigterm_unless_sigint_follows(
    tmp_path: Path, quiet: list[Any], hurries: bool
) -> None:
    async with served(tmp_path, drain_s=60.0) as (server, task):
        runtime = server.state.runtimes[0]
        session = await runtime.session("one", None, {})
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.02)
        assert server.state.process.draining and not task.done() and not session.destroyed
        if hurries:
            signal.raise_signal(signal.SIGINT)
        else:
            await runtime.end(session)
        assert await task == 0 and session.destroyed


async def test_hook_that_hangs_ends_with_the_deadline(
    tmp_path: Path, quiet: list[Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, drain_deadline_s=0.01) as (server, task):

        async def hang(close_code: int) -> None:
            await asyncio.sleep(60)

        stop = server.stop
        monkeypatch.setattr(server, "stop", hang)
        signal.raise_signal(signal.SIGINT)
        await task
        assert "Not everything ended within 0.01 s; stopping anyway" in caplog.messages
        await stop()


async def test_systemd_is_told_what_happens(tmp_path: Path, quiet: list[Any]) -> None:
    sent: list[str] = []
    notifier = SimpleNamespace(
        watchdog_s=0.02, ready=lambda: sent.append("ready"), stopping=lambda: sent.append("stopping"), alive=sent.append
    )
    async with served(tmp_path, notifier):
        await asyncio.sleep(0.05)
        signal.raise_signal(signal.SIGINT)
    assert sent[:2] == ["ready", "0 sessions, 0 connections"] and "stopping" in sent and len(sent) > 3


async def test_process_that_cannot_be_reached_any_more_ends_with_a_status_of_its_own(
    tmp_path: Path, quiet: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def keep(workers: Any) -> None:
        raise OperatorError("the folder is gone")

    monkeypatch.setattr("app_server.processes.worker_group.WorkerGroup.keep", keep)
    async with served(tmp_path) as (_, task):
        assert await task == 1, "the command has failed"
    assert "the folder is gone" in caplog.messages


async def test_impatient_signal_ends_everything_unless_a_main_process_leads(
    quiet: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(process_life, "os", SimpleNamespace(_exit=ended.append))
    loop = asyncio.get_running_loop()
    for led in (False, True):
        asked = process_life.StopRequest(loop, led=led)
        heard = iter((Heard.FIRST, Heard.REPEAT, Heard.IMPATIENT))
        monkeypatch.setattr(asked, "_stop_signals", SimpleNamespace(hear=lambda heard=heard: next(heard)))
        for _ in range(3):
            asked._on_signal(signal.SIGTERM, None)
        await asyncio.sleep(0)
        assert asked.first.result() == signal.SIGTERM and asked.status == 0
        assert ended == [1]
    assert caplog.messages == ["A second signal: stopping at once"]
    asked.give_up(3)
    assert asked.status == 3 and asked.first.result() == signal.SIGTERM


async def test_process_whose_main_process_has_ended_stops_too(
    quiet: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    asked = process_life.StopRequest(loop, led=True)
    pipe, other = os.pipe()
    loop.add_reader(pipe, process_life._on_orphaned, loop, pipe, asked)
    os.close(other)
    assert await asyncio.wait_for(asked.first, patience(5)) == signal.SIGTERM
    assert caplog.messages == ["The main process has ended; stopping too"]
    os.close(pipe)

"""The life of one process that serves, from its start to a signal.

SIGTERM  no new sessions; those that live go on for a while (--drain), then their pages are sent elsewhere
SIGINT   the end, with the hooks and without waiting for sessions
A signal of either kind that comes a second or more after the first ends everything at once. Sooner, it repeats the
first, except that SIGINT after SIGTERM stops the wait for sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from types import FrameType

from app_server import system
from app_server.errors import AppServerError
from app_server.processes.forking import forks
from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.stop_signals import Heard, StopSignals
from app_server.processes.forking.worker import CANNOT_GO_ON, Task
from app_server.processes.signals import of_request, wake_at_signals
from app_server.server.announce import announce
from app_server.server.ending import exit_despite_threads, stop_within
from app_server.server.server import Server
from app_server.server.systemd import Notifier

log = logging.getLogger(__name__)

_LAST_THREADS_S = 2.0
"""How long the applications' threads have to end when everything else has."""

_BEAT_S = 0.5
_LOOK_S = 0.02


async def serve(server: Server, task: Task | None = None, notifier: Notifier | None = None) -> int:
    """Serve until a signal; the process's exit status. `task` is what a main process has given this one to do."""
    settings = server.settings
    loop = asyncio.get_running_loop()
    asked = StopRequest(loop, led=task is not None)
    if task is not None:
        loop.add_reader(task.parent_pipe, _on_orphaned, loop, task.parent_pipe, asked)
    if settings.warm:
        await _warmed_up_elsewhere(server, asked)
    await server.start()
    # What is there now stays: the collector need not look at it for every generation that sessions leave behind.
    forks.freeze()
    beating = None if task is None else loop.create_task(_beat(task.heartbeat))
    telling = None if notifier is None else loop.create_task(_tell(notifier, server))
    if task is None or task.first and task.slot == 0:
        announce(server)
    keeping = None if server.state.process.workers is None else loop.create_task(_keep(server, asked))
    if task is not None:
        task.report_ready()
    number = await asked.first
    if notifier is not None:
        notifier.stopping()
    await _stop(server, settings.drain_s if number == signal.SIGTERM else 0, asked.hurry)
    for work in (beating, telling, keeping):
        if work is not None:
            work.cancel()
    status = min(1, asked.status) if task is None else asked.status  # only the main process distinguishes them
    exit_despite_threads(_LAST_THREADS_S, status)
    return status


async def _warmed_up_elsewhere(server: Server, asked: StopRequest) -> None:
    """Wait until isolated applications were run in the processes that fork their sessions, or a signal comes."""
    session_processes = server.state.process.session_processes
    while session_processes is not None and not session_processes.begun and not asked.first.done():
        await asyncio.sleep(_LOOK_S)


class StopRequest:
    """What signals have asked of this process; `first` is the number of the one that asked it to stop.

    A process that a main process leads leaves impatience to that one: a signal more ends only its wait for sessions.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, led: bool) -> None:
        self.first: asyncio.Future[int] = loop.create_future()
        self.hurry = asyncio.Event()
        self.status = 0
        """What this process is to end with."""
        self._loop = loop
        self._led = led
        self._stop_signals = StopSignals()
        for number in system.STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        self._let_sleep = wake_at_signals(loop)  # what it has made lives as long as this

    def ask(self, number: int) -> None:
        """Stop as at this signal, unless that has been asked for."""
        if not self.first.done():
            self.first.set_result(number)

    def give_up(self, status: int) -> None:
        """Stop by oneself, and end with this status."""
        self.status = status
        self.ask(signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        heard = self._stop_signals.hear()
        if heard is Heard.FIRST:
            self._in_loop(self.ask, of_request(number))
        elif heard is Heard.IMPATIENT and not self._led:
            log.warning("A second signal: stopping at once")
            os._exit(1)
        elif number == signal.SIGINT:
            self._in_loop(self.hurry.set)

    def _in_loop(self, call: Callable[..., None], *arguments: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the process is about to end
            self._loop.call_soon_threadsafe(call, *arguments)


async def _stop(server: Server, drain_s: float, hurry: asyncio.Event) -> None:
    settings = server.settings
    log.info(
        "Stopping: %d sessions, %d connections", server.state.process.session_count, len(server.state.process.wires)
    )
    drains = drain_s > 0 or (server.state.process.workers is not None and server.state.process.workers.superseded)
    if drains:
        await _drain(server, drain_s, hurry)
    # 1012 is a restart: the page comes back, to whatever answers then.
    await stop_within(settings.drain_deadline_s, server.stop(1012 if drains else 1001))


async def _drain(server: Server, drain_s: float, hurry: asyncio.Event) -> None:
    """Let sessions go on until they have ended, the time is up, or a signal asks to hurry."""
    draining, hurried = asyncio.ensure_future(server.drain(drain_s)), asyncio.ensure_future(hurry.wait())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    draining.cancel()
    hurried.cancel()


def _on_orphaned(loop: asyncio.AbstractEventLoop, pipe: int, asked: StopRequest) -> None:
    """The main process is gone, and nothing else would end this one."""
    loop.remove_reader(pipe)
    if not asked.first.done():
        log.error("The main process has ended; stopping too")
        asked.ask(signal.SIGTERM)


async def _keep(server: Server, asked: StopRequest) -> None:
    """Stay reachable for the server's other processes, and stop if that is impossible."""
    workers = server.state.process.workers
    assert workers is not None
    try:
        await workers.keep()
    except AppServerError as error:
        log.error("%s", error)
        asked.give_up(CANNOT_GO_ON)


async def _beat(heartbeat: Heartbeat) -> None:
    while True:
        heartbeat.beat()
        await asyncio.sleep(_BEAT_S)


async def _tell(notifier: Notifier, server: Server) -> None:
    """Tell systemd that the service is ready, and then that it moves: from the loop, which is what has to."""
    notifier.ready()
    while notifier.watchdog_s:
        notifier.alive(f"{server.state.process.session_count} sessions, {len(server.state.process.wires)} connections")
        await asyncio.sleep(notifier.watchdog_s / 2)

"""What the tests of jobs share: a document that notes its next-tick callbacks, and work of many kinds."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from app_server.jobs import progress
from app_server.jobs.reporting import cancelled
from app_server.jobs.running.pool import JobLimits, JobPool
from app_server.jobs.running.task import Owner
from app_server.jobs.session_jobs import Order, SessionJobs
from app_server.jobs.watching import Callbacks
from tests.support.waiting import until


class Turns:
    """A document whose next-tick callbacks are called by `run`."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], Any]] = deque()
        self.ended = False

    def add_next_tick_callback(self, callback: Callable[[], Any]) -> None:
        if self.ended:
            raise RuntimeError("The session of this document has ended")
        self.waiting.append(callback)

    def run(self) -> None:
        """Call all that waits, in order."""
        while self.waiting:
            self.waiting.popleft()()


class Visit:
    """One session with its jobs, and what its callbacks were called with."""

    def __init__(self, pool: JobPool | None = None, session: str = "one", user: str = "", **saved: Any) -> None:
        self.pool = pool if pool is not None else JobPool()
        self.turns = Turns()
        self.said: list[tuple[Any, ...]] = []
        self.jobs = SessionJobs(self.pool, Owner("/app", session, user or session), self.turns, saved=saved)

    @property
    def callbacks(self) -> Callbacks:
        """Callbacks that note what they are called with."""
        return Callbacks(
            lambda fraction, text: self.said.append(("progress", fraction, text)),
            lambda value: self.said.append(("result", value)),
            lambda error: self.said.append(("error", error)),
            lambda: self.said.append(("cancel",)),
        )

    def submit(self, function: Callable[..., Any], *args: Any, **order: Any) -> Any:
        """A job that calls the function."""
        return self.jobs.submit(function, args, {}, self.callbacks, Order(**order))

    def wait(self, claim: Callable[[], object], what: str) -> None:
        """Take turns until the claim holds."""

        def holds() -> object:
            self.turns.run()
            return claim()

        until(holds, what)

    def outcome(self) -> tuple[Any, ...]:
        """What the last callback of a job was called with, as soon as one has ended."""
        self.wait(lambda: self.said and self.said[-1][0] != "progress", "a job has ended")
        return self.said[-1]


def small_pool(places: int = 1, queued: int = 100, user: int = 0) -> JobPool:
    """A pool with few places."""
    return JobPool(JobLimits(places, queued, user))


class Latch:
    """Work that goes on until it is let go, in a thread."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.open.wait(60)
        return "through"


def until_cancelled(noted: list[str]) -> None:
    """Report until that says that the job was cancelled."""
    try:
        while True:
            progress(0.5, "on and on")
            threading.Event().wait(0.001)
    finally:
        noted.append("left")


def look_until_cancelled(noted: list[bool]) -> None:
    """Go on until the job was cancelled, without reporting."""
    while not cancelled():
        threading.Event().wait(0.001)
    noted.append(True)


def forever() -> None:
    """Never return, and look at nothing."""
    while True:
        threading.Event().wait(1)


def killed() -> None:
    """End as a process does for which there is no more memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def exits() -> None:
    """End the process without a word."""
    os._exit(3)


def in_steps(steps: int) -> int:
    """Report each step."""
    for step in range(steps):
        progress((step + 1) / steps, f"step {step + 1}")
    return steps


class Odd(Exception):
    """An exception that cannot be read back when it was pickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def fails() -> None:
    """Raise something usual."""
    raise ValueError("no such town")


def fails_oddly() -> None:
    """Raise something that cannot be sent."""
    raise Odd(1, 2)


def unsendable() -> Any:
    """Return what cannot be pickled, deep inside."""
    return {"rows": [1, 2, {"lock": threading.Lock()}]}


def process_id() -> int:
    """Which process this is."""
    return os.getpid()


def dies_before_its_fork(note: str) -> None:
    """End without a word, while a fork that has left the process group, and is noted, holds the connection open."""
    fork = os.fork()
    if not fork:
        os.setsid()
        threading.Event().wait(600)
        os._exit(0)
    until(lambda: os.getsid(fork) == fork, "it has left")
    Path(note).write_text(str(fork), encoding="utf-8")
    os._exit(4)


def leaves_a_program() -> int:
    """Return while a program that was started goes on: its process id."""
    return subprocess.Popen(["sleep", "600"]).pid


def in_threads(steps: int) -> int:
    """Report each step in a thread of the function's own."""
    with ThreadPoolExecutor(1) as threads:
        return sum(threads.map(lambda step: progress(step / steps, f"step {step}") or step, range(steps)))


def forks() -> int:
    """Return in two processes."""
    fork = os.fork()
    if not fork:
        progress(0.9, "from the fork")
    return os.waitpid(fork, 0)[1] if fork else -1


async def _later() -> None:
    """Asynchronous."""


def hands_out_a_coroutine() -> Any:
    """Return what would have to be awaited."""
    return _later()


def needs_the_script() -> None:
    """Fail as a process does that has been sent a name of the application's own file."""
    raise ModuleNotFoundError("No module named 'bokeh_app_1'", name="bokeh_app_1")


def gone(pid: int) -> bool:
    """Whether a process has ended; nobody may have asked for its status."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

"""What does the work of a job: the thread that asks for it, or a process of its own."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Protocol

from app_server.jobs.errors import JobCancelled, JobDied, JobError, NotSendable, WorkFailed
from app_server.jobs.reporting import Reporter, reporting_to
from app_server.jobs.running.packing import needs_own_module
from app_server.jobs.work import Work
from app_server.processes.forking.forks import describe_exit

_BOOT: Final = (
    "import sys; sys.path.append(sys.argv[2]); from app_server.jobs.running.child import main; main(int(sys.argv[1]))"
)
_ROOT: Final = str(Path(__file__).resolve().parents[3])

_EXIT_S: Final = 2.0
"""How long a process may take to exit when it has sent its result: its threads and exit functions may do something."""

_OUT_OF_MEMORY: Final = "Most likely the machine or its container has run out of memory; the kernel's log tells"


class Runner(Protocol):
    """Does the work of one job."""

    def run(self, reporter: Reporter) -> Any:
        """What the function returns; raises what it raises, or why it could not be called. Blocks."""

    def stop(self) -> None:
        """End the work now, if that is possible; from any thread, also before or after `run`."""


class ThreadRunner:
    """Calls the function in the thread that asks for it; it ends when it notices that it was cancelled.

    `left` is called once, when the function has returned or will not be called any more.
    """

    def __init__(self, work: Work, left: Callable[[], None] = lambda: None) -> None:
        self._work = work
        self._left = left
        self._lock = threading.Lock()
        self._begun = False

    def run(self, reporter: Reporter) -> Any:
        if not self._begin():
            raise JobCancelled
        work = self._work
        try:
            with reporting_to(reporter):
                return work.call()
        finally:
            self._left()

    def stop(self) -> None:
        """Nothing ends a thread from outside, but what has not begun never will."""
        if self._begin():
            self._left()

    def _begin(self) -> bool:
        with self._lock:
            begun, self._begun = self._begun, True
        return not begun


class ProcessRunner:
    """Calls the function in a process that is started for it. What that has started ends with it, however it ends.

    `packed` is what `packing.pack` has made of the work, `path` is where the process finds modules.
    """

    def __init__(self, packed: bytes, path: Sequence[str], label: str) -> None:
        self._packed = packed
        self._path = list(path)
        self._label = label
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._heard = threading.Event()
        """Whether all has been read that the process has sent."""
        self._exited = threading.Event()
        """Whether the process has exited, and what it had started has been killed."""

    def run(self, reporter: Reporter) -> Any:
        here, there = Pipe()
        with here:
            with there:
                process = self._start(there.fileno())
            self._begin_watching(process, here)
            try:
                here.send((self._path, self._packed))
                outcome = _listen(here, reporter)
            except (EOFError, OSError):
                outcome = None
            finally:
                # The connection stays open meanwhile: the process ends at once when it is closed.
                self._heard.set()
                self._await_exit(process)
        if outcome is None:
            raise self._died(process.returncode)
        return self._value(outcome)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._kill()

    def _start(self, descriptor: int) -> subprocess.Popen[bytes]:
        """The process; a session of its own, because Ctrl-C at a terminal is for the server."""
        # -P: no module in the working directory is to replace one of Python's.
        command = [sys.executable, "-P", "-c", _BOOT, str(descriptor), _ROOT]
        with self._lock:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, pass_fds=[descriptor], start_new_session=True
                )
            except OSError as error:
                what = f"its process cannot be started: {error.strerror}"
                hint = "Raise the limits of processes and memory of the server's user or container, or lower --max-jobs"
                raise JobError(what, where=self._label, hint=hint) from error
            self._process = process
            if self._stopped:
                self._kill()
        return process

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # it has just ended
                os.killpg(self._process.pid, signal.SIGKILL)

    def _begin_watching(self, process: subprocess.Popen[bytes], connection: Connection) -> None:
        """Notice its exit: a process that it has started may hold the connection open, and then nothing ends that."""
        watch = threading.Thread(
            target=self._watch_exit, args=(process, connection), name=f"exit of {self._label}", daemon=True
        )
        try:
            watch.start()
        except RuntimeError:  # the system allows no more threads
            self._kill()
            process.wait()
            raise

    def _watch_exit(self, process: subprocess.Popen[bytes], connection: Connection) -> None:
        if hasattr(os, "waitid"):
            # The process is not reaped before its group is killed: its number could be another's.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13
            process.wait()
        with self._lock:
            self._kill()
        self._exited.set()
        if not self._heard.wait(_EXIT_S):  # what has left the group may be silent for ever
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)

    def _await_exit(self, process: subprocess.Popen[bytes]) -> None:
        if not self._exited.wait(_EXIT_S):
            with self._lock:
                self._kill()
            self._exited.wait()
        with self._lock:
            process.wait()

    def _died(self, code: int) -> JobDied:
        hint = _OUT_OF_MEMORY if code == -signal.SIGKILL else "Its output, which the server's log has, may say why"
        return JobDied(f"the process of the job ended with {describe_exit(code)}", where=self._label, hint=hint)

    def _value(self, outcome: Sequence[Any]) -> Any:
        kind, *content = outcome
        if kind == "result":
            return self._read(content[0])
        if kind == "unsendable":
            what, where, hint = content
            raise NotSendable(what, where=where, hint=hint)
        packed, text, trace = content
        raise self._error(packed, text) from RemoteTraceback(trace)

    def _error(self, packed: bytes | None, text: str) -> BaseException:
        """What the function has raised, or what says so if that cannot be sent."""
        with suppress(JobError):
            error = None if packed is None else self._read(packed)
            if isinstance(error, BaseException):
                return self._by_name() if needs_own_module(error) else error
        return WorkFailed(text, where=self._label)

    def _by_name(self) -> NotSendable:
        what = (
            "uses something of the application's own file that can only be sent by its name, such as a cached function"
        )
        return NotSendable(what, where=self._label, hint="Move that into a module beside the file")

    def _read(self, packed: bytes) -> Any:
        try:
            return pickle.loads(packed)
        except Exception as error:
            what = f"what it has sent back cannot be read here: {type(error).__name__}: {error}"
            raise JobError(what, where=self._label) from error


def _listen(connection: Connection, reporter: Reporter) -> Sequence[Any]:
    """What has come of the work. EOFError if the process ends before."""
    while True:
        message: Sequence[Any] = connection.recv()
        if message[0] != "progress":
            return message
        reporter.report(message[1], message[2])


class RemoteTraceback(Exception):
    """Where in its process a job has failed: the cause of its error, for the log."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace)
        self._trace = trace

    def __str__(self) -> str:
        return f"in the process of the job:\n{self._trace}"

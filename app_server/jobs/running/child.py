"""What the process of a job does: it gets one function, calls it, and sends back what comes of it.

It is started for one job and imports nothing of the server. Its messages to the server are tuples:

    ("progress", fraction, text)
    ("result", pickled value)
    ("error", pickled exception or None, "SomeError: its text", traceback)
    ("unsendable", what, where, hint)
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from app_server.jobs.checking import label_of
from app_server.jobs.errors import JobCancelled, NotSendable
from app_server.jobs.reporting import report_here, reporting_to
from app_server.jobs.running.packing import pack_result
from app_server.jobs.work import unpacked

_NICE: Final = 5
"""The server answers people; what computes for seconds can wait for it where cores are scarce."""

_EVERY_S: Final = 0.02
"""The time between two reports: a page can show no more."""


def main(descriptor: int) -> None:
    """Do the work that comes by this socket."""
    with suppress(OSError):
        os.nice(_NICE)
    os.set_inheritable(descriptor, False)  # programs that the job starts have nothing to say to the server
    connection: Connection = Connection(descriptor)
    path, packed = connection.recv()
    sys.path[:] = path
    lifeline = threading.Thread(target=_end_with, args=(connection,), name="lifeline", daemon=True)
    lifeline.start()
    reporter = ConnectionReporter(connection)
    reporter.finish(_outcome_of(packed, reporter))


def _end_with(connection: Connection) -> None:
    """End this process, and those that the job has started, when the server's has ended."""
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


class ConnectionReporter:
    """Sends the newest report from time to time; a job that is cancelled is killed, so it never finds out."""

    cancelled = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._newest: tuple[float | None, str] | None = None
        self._due = threading.Event()
        self._sender: threading.Thread | None = None

    def report(self, fraction: float | None, text: str) -> None:
        """Have this report sent soon, unless a newer one comes before. A fork of the process sends nothing."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._newest = fraction, text
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_now_and_then, name="progress", daemon=True)
                self._sender.start()
        self._due.set()

    def _send_now_and_then(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            self.flush()
            time.sleep(_EVERY_S)

    def flush(self) -> None:
        """Send the newest report, unless that was done."""
        with self._lock:
            newest, self._newest = self._newest, None
            if newest is not None:
                self._connection.send(("progress", *newest))

    def finish(self, outcome: Sequence[Any]) -> None:
        """Send what has come of the work; what is reported later goes nowhere. A fork that comes here ends."""
        if os.getpid() != self._process:
            os._exit(0)
        self.flush()
        with self._lock:
            self._connection.send(outcome)


def _outcome_of(packed: bytes, reporter: ConnectionReporter) -> Sequence[Any]:
    try:
        work = unpacked(packed, "", 0)
        report_here(reporter)
        with reporting_to(reporter):
            value = work.call()
        return "result", pack_result(value, label_of(work.function))
    except NotSendable as error:
        return "unsendable", error.what, error.where, error.hint
    except (Exception, JobCancelled, SystemExit, KeyboardInterrupt) as error:
        text = "".join(traceback.format_exception(error))
        return "error", _sent(error), "".join(traceback.format_exception_only(error)).strip(), text


def _sent(error: BaseException) -> bytes | None:
    """The exception, if it arrives as it was: some cannot be pickled, and some not read back."""
    try:
        sent = pack_result(error, "")
        pickle.loads(sent)
    except Exception:
        return None
    return sent

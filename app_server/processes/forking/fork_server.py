"""The process that forks a process for each session, and looks after it.

    a message with a listening socket -> fork -> the session's process listens there, serves its session, ends
                                          |
                                          +-> too slow, over a limit, crashed: see `keeper`

It has imported what the applications import, has no threads and no event loop, and talks only to the processes of its
own server. A connection that asks for a session stays open until the session's process is gone.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.log_limits import RateLimitedLog
from app_server.processes import ipc
from app_server.processes.forking import forks
from app_server.processes.forking.busy_table import BusyEntry, BusyTable, Mark
from app_server.processes.forking.keeper import PUT_BACK, Child, ProcessKeeper, SessionLimits
from app_server.processes.forking.parent_loop import ParentLoop
from app_server.processes.forking.proc import ProcessIdentity
from app_server.processes.forking.stop_signals import Heard
from app_server.processes.forking.worker import Task
from app_server.processes.ipc import ALREADY, BEGUN, Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir, discard, placing

log = logging.getLogger(__name__)

MAX_SESSIONS = 65536
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_TICK_S = 0.25
_MESSAGE_S = 5.0
_PAUSE_S = 0.1
"""How long nothing is accepted after a failure: requests wait for seconds, and other processes end meanwhile."""

_CPU_GRACE_S = 5
"""After SIGXCPU, which a process may ignore, and before the kernel ends it."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session's process starts with: its session, and the socket on which connections are handed to it.

    `slot` is that of the process which hands them over; the process notes in `mark` that it is busy; the descriptor
    `parent_pipe` ends when the server's main process does.
    """

    route: str
    session_id: str
    slot: int
    socket_path: Path
    listener: socket.socket
    mark: Mark | None
    parent_pipe: int


class ForkServer:
    """Forks a process for each session that it is asked for; `live(spec)` runs there, and returns its exit status.

    `leave_s(signal)` is how long these processes have to end after this signal, in seconds. `tables` are its own busy
    table, the last one, and those of its predecessors. `page` is the page of every new session if all have the same.
    """

    def __init__(
        self,
        runtime_dir: RuntimeDir,
        task: Task,
        limits: SessionLimits,
        live: Callable[[SessionSpec], int],
        leave_s: Callable[[int], float],
        tables: Sequence[BusyTable],
        page: bytes | None = None,
    ) -> None:
        self._runtime_dir = runtime_dir
        self._task = task
        self._limits = limits
        self._live = live
        self._sessions = ProcessKeeper(runtime_dir.folder, limits, tables)
        self._leave_s = leave_s
        self._page = page
        self._kill_at_s = math.inf
        self._parent = os.getppid()
        self._socket_path = runtime_dir.fork_server_socket(task.slot, os.getpid())
        self._loop = ParentLoop(_HANDLED, self._handle_signal)
        self._status = 0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._complained = False
        self._limited = RateLimitedLog(log)
        self._tick_s = min([_TICK_S, *(limit_s / 4 for limit_s in (limits.callback_s, limits.block_s) if limit_s)])

    def run(self) -> int:
        """Work until a signal ends it and all processes that it has forked are gone; the exit status.

        OperatorError if the runtime directory cannot hold its socket.
        """
        self._sessions.table.own()
        with placing(self._runtime_dir.folder):
            self._runtime_dir.restore()
            self._listen()
        self._loop.watch(self._task.parent_pipe, self._parent_ended)
        self._loop.handle_signals()
        forks.freeze()
        self._task.report_ready()
        self._loop.run(self._turn, self._tick_s)
        return self._status

    def _turn(self) -> bool:
        """Do what is due; whether there is more to come."""
        self._task.heartbeat.beat()
        self._sessions.reap()
        self._kill_late()
        self._sessions.look_after()
        if self._stopping:
            return len(self._sessions) > 0
        self._stay_reachable()
        if os.getppid() != self._parent and not self._task.is_orphaned:
            self._status = 1  # the process that guards this one has crashed: a new one looks after the sessions
            return False
        return True

    def _parent_ended(self) -> None:
        self._loop.ignore(self._task.parent_pipe)
        self._stop(signal.SIGTERM)

    @property
    def _stopping(self) -> bool:
        return self._sessions.stopping

    def _listen(self) -> None:
        self._socket_path.unlink(missing_ok=True)
        self._listener.bind(str(self._socket_path))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self._loop.watch(self._listener.fileno(), self._accept)
        self._publish()

    def _publish(self) -> None:
        """Let the others find this process, and the page of its sessions."""
        path = self._runtime_dir.page(self._task.slot)
        if self._page is not None:
            write_atomically(path, self._page, durable=False)
        self._runtime_dir.give(self._task.slot, self._socket_path)

    def _stay_reachable(self) -> None:
        """Put back what was deleted from the runtime directory."""
        try:
            if not self._socket_path.exists():
                self._runtime_dir.restore()
                self._unlisten()
                self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._listen()
                self._sessions.signal(PUT_BACK)
            elif self._runtime_dir.holder(self._task.slot) is None or self._page_is_lost():
                self._publish()
            self._complained = False
        except (OSError, OperatorError) as error:
            if not self._complained:
                log.error("Cannot start processes for sessions: %s", error)
            self._complained = True

    def _page_is_lost(self) -> bool:
        return self._page is not None and not self._runtime_dir.page(self._task.slot).exists()

    def _unlisten(self) -> None:
        self._loop.ignore(self._listener.fileno())
        self._listener.close()

    def _handle_signal(self, number: int, heard: Heard) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number)

    def _stop(self, number: int) -> None:
        """Fork no more processes, and pass the signal on to those of the sessions."""
        if not self._stopping:
            self._accept()  # what was sent before anyone could know
            self._unlisten()
            discard(self._socket_path)
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + self._leave_s(number))
        self._sessions.stop(number)

    def _kill_late(self) -> None:
        if time.monotonic() > self._kill_at_s:
            self._sessions.signal(signal.SIGKILL)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._pause(error)
                return
            try:
                self._read(sock)
            except Unreachable as error:
                log.debug("A message did not arrive completely: %s", error)
                sock.close()

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment, such as while there are no descriptors: trying at once does not help."""
        self._refuse(error)
        time.sleep(_PAUSE_S)

    def _refuse(self, error: OSError) -> None:
        self._limited.error(f"Cannot start a process for a session: {error.strerror}")

    def _read(self, sock: socket.socket) -> None:
        message = ipc.receive_now(sock, _MESSAGE_S)
        if message.descriptor is None:
            raise Unreachable("no socket came with it")
        listener = socket.socket(fileno=message.descriptor)
        try:
            if self._sessions.remind(Path(message.fields["socket"])):
                with contextlib.suppress(ConnectionError):  # the process that asked has gone
                    sock.send(ALREADY)
                sock.close()
            else:
                self._fork(message, listener, sock)
        except OSError as error:
            self._refuse(error)
            sock.close()
        finally:
            listener.close()

    def _fork(self, message: Message, listener: socket.socket, lifeline: socket.socket) -> None:
        fields = message.fields
        mark = self._sessions.table.take()
        socket_path = Path(fields["socket"])
        spec = SessionSpec(
            fields["route"], fields["session"], int(fields["slot"]), socket_path, listener, mark, self._task.parent_pipe
        )
        name = f"{spec.route} session {spec.session_id[:8]}…"
        try:
            pid = forks.fork(lambda: self._in_child(spec, name, lifeline))
        except OSError:
            if mark is not None:
                self._sessions.table.give_back(mark)
            raise
        self._sessions.add(Child(pid, name, socket_path, mark, lifeline))
        with contextlib.suppress(OSError):  # the process that asked has gone; another one may find the session's
            lifeline.send(BEGUN)

    def _in_child(self, spec: SessionSpec, name: str, lifeline: socket.socket) -> int:
        forks.own_signals()
        self._loop.close()
        self._listener.close()
        self._sessions.forget_all()
        if spec.mark is not None:
            spec.mark.sign(BusyEntry(ProcessIdentity.own(), spec.socket_path.name, name))
            spec.mark.busy()
        _limit(self._limits)
        # The lifeline stays open here too: its other end waits for the end of this process, not of its parent.
        with lifeline:
            return self._live(spec)


def _limit(limits: SessionLimits) -> None:
    """Have the kernel limit this process, beyond what it has inherited."""
    if limits.memory_bytes:
        most = _data_bytes() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    if limits.cpu_s:
        seconds = int(-(-limits.cpu_s // 1))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _CPU_GRACE_S))


def _data_bytes() -> int:
    """What the kernel counts as this process's data (proc_pid_status(5), VmData)."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0

"""The process that the sessions' own processes are forked from, and who looks after these.

    a letter with a listening socket -> fork -> the session's process listens there, serves its session, ends
                                          |
                                          +-> too slow, too greedy, crashed: see `keeper`

It has imported what the applications import, has no threads and no event loop, and speaks to nobody but the processes
of its own server. A connection that asks for a session stays open until the session's process is gone.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.processes import ipc
from app_server.processes.forking import forks
from app_server.processes.forking.busy_table import BusyTable, Entry, Mark
from app_server.processes.forking.keeper import PUT_BACK, Child, ProcessKeeper, SessionLimits
from app_server.processes.forking.master import Task
from app_server.processes.forking.proc import Identity
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir, discard, placing

log = logging.getLogger(__name__)

MOST_SESSIONS = 65536
BEGUN, ALREADY = b"+", b"="
"""The answers to a request for a process: it was forked, or the session has one already."""

_TICK_S = 0.5
_LETTER_S = 5.0
_PAUSE_S = 0.1
"""How long nothing is accepted after a failure: those who ask wait for seconds, and others end meanwhile."""

_CPU_GRACE_S = 5
"""After SIGXCPU, which a process may ignore, and before the kernel ends it."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session's process begins with: its session, and the socket on which connections are handed to it.

    `slot` is that of the process which hands them over; `mark` is where it notes that it is busy; the descriptor
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
    """Forks a process for each session that it is asked for; `live(birth)` is what runs there, and gives its status.

    `leave_s(signal)` is how long these processes have to end after this signal, in seconds. `marks` are its own
    shared memory, the last one, and that of its predecessors. `page` is shown for every new session, if that is the
    same for all.
    """

    def __init__(
        self,
        runtime_dir: RuntimeDir,
        task: Task,
        limits: SessionLimits,
        live: Callable[[SessionSpec], int],
        leave_s: Callable[[int], float],
        marks: Sequence[BusyTable],
        page: bytes | None = None,
    ) -> None:
        self._runtime_dir = runtime_dir
        self._task = task
        self._limits = limits
        self._live = live
        self._sessions = ProcessKeeper(runtime_dir.folder, limits, marks)
        self._signals: list[int] = []
        self._leave_s = leave_s
        self._page = page
        self._kill_at_s = math.inf
        self._parent = os.getppid()
        self._socket_path = runtime_dir.fork_server_socket(task.slot, os.getpid())
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakeup_end = os.pipe()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.set_blocking(descriptor, False)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._complained = self._paused = False
        self._tick_s = min([_TICK_S, *(limit_s / 4 for limit_s in (limits.callback_s, limits.block_s) if limit_s)])

    def run(self) -> int:
        """Work until a signal ends it, and all that it has forked is gone; the exit status.

        OperatorError where the run folder cannot hold its socket.
        """
        self._sessions.marks.own()
        with placing(self._runtime_dir.folder):
            self._runtime_dir.restore()
            self._listen()
        for descriptor in (self._wakeup, self._task.parent_pipe):
            self._selector.register(descriptor, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._note_signal)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        forks.freeze()
        self._task.report_ready()
        while not self._stopping or len(self._sessions):
            for key, _ in self._selector.select(self._tick_s):
                if key.fd == self._wakeup:
                    os.read(self._wakeup, 4096)
                elif key.fd == self._task.parent_pipe:
                    self._selector.unregister(self._task.parent_pipe)
                    self._stop(signal.SIGTERM)
                else:
                    self._accept()
            self._task.heartbeat.beat()
            self._handle_signals()
            self._sessions.reap()
            self._kill_late()
            self._sessions.look_after()
            if self._stopping:
                continue
            self._stay_reachable()
            if os.getppid() != self._parent and not self._task.is_orphaned:
                return 1  # who guards this process has crashed: a new one looks after the sessions
        return 0

    @property
    def _stopping(self) -> bool:
        return self._sessions.stopping

    def _listen(self) -> None:
        self._socket_path.unlink(missing_ok=True)
        self._listener.bind(str(self._socket_path))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._publish()

    def _publish(self) -> None:
        """Have the others find this process, and the page of its sessions."""
        path = self._runtime_dir.page(self._task.slot)
        if self._page is not None:
            write_atomically(path, self._page, durable=False)
        self._runtime_dir.give(self._task.slot, self._socket_path)

    def _stay_reachable(self) -> None:
        """Put back what was deleted of the run folder."""
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
                log.error("No process can be started for sessions: %s", error)
            self._complained = True

    def _page_is_lost(self) -> bool:
        return self._page is not None and not self._runtime_dir.page(self._task.slot).exists()

    def _unlisten(self) -> None:
        with contextlib.suppress(KeyError, ValueError):  # it may not have come to listening
            self._selector.unregister(self._listener)
        self._listener.close()

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _handle_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop(number)

    def _stop(self, number: int) -> None:
        """Fork no more, and let the sessions' processes do what the signal says."""
        if not self._stopping:
            self._accept()  # what was sent before anybody could know
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
            self._paused = False
            try:
                self._read(sock)
            except Unreachable as error:
                log.debug("A letter did not come whole: %s", error)
                sock.close()

    def _pause(self, error: OSError) -> None:
        """Let those who ask wait a moment, such as when there are no descriptors: trying at once does not help."""
        if not self._paused:
            log.error("No process can be started for a session: %s", error.strerror)
        self._paused = True
        time.sleep(_PAUSE_S)

    def _read(self, sock: socket.socket) -> None:
        message = ipc.receive_now(sock, _LETTER_S)
        if message.descriptor is None:
            raise Unreachable("no socket came with it")
        listener = socket.socket(fileno=message.descriptor)
        try:
            if self._sessions.remind(Path(message.fields["socket"])):
                with contextlib.suppress(ConnectionError):  # who asked has gone
                    sock.send(ALREADY)
                sock.close()
            else:
                self._fork(message, listener, sock)
        except OSError as error:
            log.error("No process can be started for a session: %s", error.strerror)
            sock.close()
        finally:
            listener.close()

    def _fork(self, message: Message, listener: socket.socket, lifeline: socket.socket) -> None:
        fields = message.fields
        mark = self._sessions.marks.take()
        socket_path = Path(fields["socket"])
        spec = SessionSpec(
            fields["route"], fields["session"], int(fields["slot"]), socket_path, listener, mark, self._task.parent_pipe
        )
        name = f"{spec.route} session {spec.session_id[:8]}…"
        try:
            pid = forks.fork(lambda: self._in_child(spec, name, lifeline))
        except OSError:
            if mark is not None:
                self._sessions.marks.give_back(mark)
            raise
        self._sessions.add(Child(pid, name, socket_path, mark, lifeline))
        with contextlib.suppress(OSError):  # whoever asked has gone, and another one may find the process all the same
            lifeline.send(BEGUN)

    def _in_child(self, spec: SessionSpec, name: str, lifeline: socket.socket) -> int:
        forks.own_signals()
        self._selector.close()
        self._listener.close()
        self._sessions.forget_all()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.close(descriptor)
        if spec.mark is not None:
            spec.mark.sign(Entry(Identity.own(), spec.socket_path.name, name))
            spec.mark.busy()
        _limit(self._limits)
        # The leash stays open here too: who holds its other end is to hear of this process's end, not of its parent's.
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

"""The process that the sessions' own processes are forked from, and who looks after these.

    a letter with a listening socket -> fork -> the session's process listens there, serves its session, ends
                                          |
                                          +-> too slow, too greedy, crashed: the reason stays (`remains`)

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from app_server.fleet import forks, letters, remains
from app_server.fleet.letters import Letter, Unreachable
from app_server.fleet.marks import Mark, Marks
from app_server.fleet.master import Task
from app_server.fleet.place import Place
from app_server.fleet.remains import End

log = logging.getLogger(__name__)

OUT_OF_MEMORY = 75
"""The status of a session's process that its application's demand for memory has ended."""

_MOST_SESSIONS = 65536
_TICK_S = 0.5
_LETTER_S = 5.0
_STACK_S = 0.1
"""How long a process that is to be ended has for writing where it stood."""

_YIELD_AFTER_S = 1.0
_YIELD_BY = 10
"""A tenth of the processor time that the others get, where there is not enough for all (sched(7))."""

_CPU_GRACE_S = 5
"""After SIGXCPU, which a process may ignore, and before the kernel ends it."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session's process may take; 0 is no limit."""

    memory_bytes: int = 0
    cpu_s: float = 0.0
    callback_s: float = 0.0
    block_s: float = 0.0
    """After so long the log tells what holds a session, which goes on all the same."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a session's process begins with: its session, and the socket on which connections are handed to it.

    `slot` is that of the process which hands them over; `mark` is where it notes that it is busy; the descriptor
    `parent_pipe` ends when the server's main process does.
    """

    route: str
    session_id: str
    slot: int
    box: Path
    listener: socket.socket
    mark: Mark | None
    parent_pipe: int


@dataclass(eq=False, slots=True)
class _Child:
    pid: int
    name: str
    box: Path
    leash: socket.socket
    mark: Mark | None
    warned_s: float | None = None
    blocked_since_s: float | None = None
    yields: bool = False
    end: End | None = None


class Zygote:
    """Forks a process for each session that it is asked for; `live(birth)` is what runs there, and gives its status.

    `leave_s(signal)` is how long these processes have to end after this signal, in seconds.
    """

    def __init__(
        self,
        place: Place,
        task: Task,
        limits: SessionLimits,
        live: Callable[[Birth], int],
        leave_s: Callable[[int], float],
    ) -> None:
        self._place = place
        self._task = task
        self._limits = limits
        self._live = live
        self._children: dict[int, _Child] = {}
        self._signals: list[int] = []
        self._leave_s = leave_s
        self._stopping = False
        self._kill_at_s = math.inf
        self._marks = Marks(_MOST_SESSIONS)
        self._parent = os.getppid()
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)
        self._box = place.zygote_box(task.slot, os.getpid())
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakeup_end = os.pipe()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.set_blocking(descriptor, False)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._tick_s = min([_TICK_S, *(limit_s / 4 for limit_s in (limits.callback_s, limits.block_s) if limit_s)])

    def run(self) -> int:
        """Work until a signal ends it, and all that it has forked is gone; the exit status."""
        _raise_open_files()
        self._listen()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._note_signal)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        forks.freeze()
        self._task.report_ready()
        while not self._stopping or self._children:
            for key, _ in self._selector.select(self._tick_s):
                if key.fd == self._wakeup:
                    os.read(self._wakeup, 4096)
                elif key.fd == self._task.parent_pipe:
                    self._selector.unregister(self._task.parent_pipe)
                    self._stop(signal.SIGTERM)
                else:
                    self._accept()
            self._task.pulse.beat()
            self._handle_signals()
            self._reap()
            self._look_after()
            if os.getppid() != self._parent and not self._stopping:
                self._stop(signal.SIGTERM)
        return 0

    def _listen(self) -> None:
        self._box.unlink(missing_ok=True)
        self._listener.bind(str(self._box))
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        for descriptor in (self._wakeup, self._task.parent_pipe):
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._place.give(self._task.slot, self._box)

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
            self._stopping = True
            self._selector.unregister(self._listener)
            self._listener.close()
            self._box.unlink(missing_ok=True)
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + self._leave_s(number))
        for child in self._children.values():
            _signal(child.pid, number)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._read(sock)
            except Unreachable as error:
                log.debug("A letter did not come whole: %s", error)
                sock.close()

    def _read(self, sock: socket.socket) -> None:
        letter = letters.receive_now(sock, _LETTER_S)
        if letter.descriptor is None:
            raise Unreachable("no socket came with it")
        listener = socket.socket(fileno=letter.descriptor)
        try:
            self._fork(letter, listener, sock)
        except OSError as error:
            log.error("No process can be started for a session: %s", error.strerror)
            sock.close()
        finally:
            listener.close()

    def _fork(self, letter: Letter, listener: socket.socket, leash: socket.socket) -> None:
        words = letter.words
        mark = self._marks.take()
        box = Path(words["box"])
        birth = Birth(words["route"], words["session"], int(words["slot"]), box, listener, mark, self._task.parent_pipe)
        try:
            pid = forks.fork(lambda: self._in_child(birth, leash))
        except OSError:
            if mark is not None:
                self._marks.give_back(mark)
            raise
        name = f"{birth.route} session {birth.session_id[:8]}…"
        self._children[pid] = _Child(pid, name, box, leash, mark)
        with contextlib.suppress(OSError):  # whoever asked has gone, and another one may find the process all the same
            leash.send(b"+")

    def _in_child(self, birth: Birth, leash: socket.socket) -> int:
        forks.own_signals()
        self._selector.close()
        for sock in (self._listener, leash, *(child.leash for child in self._children.values())):
            sock.close()
        for descriptor in (self._wakeup, self._wakeup_end):
            os.close(descriptor)
        self._children.clear()
        if birth.mark is not None:
            birth.mark.busy()
        _limit(self._limits)
        return self._live(birth)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: _Child, status: int) -> None:
        end = child.end or _end_of(status, self._stopping)
        if child.mark is not None:
            self._marks.give_back(child.mark)
        if end is None:
            remains.forget(child.box)
        else:
            log.error("%s: %s", child.name, _told(end, status))
            remains.leave(child.box, end)
            remains.prune(self._place.folder)
        child.box.unlink(missing_ok=True)
        child.leash.close()

    def _look_after(self) -> None:
        """End what does not leave in time, and what a callback holds for too long, which tells the log first where."""
        now_s = time.monotonic()
        if now_s > self._kill_at_s:
            for child in self._children.values():
                _signal(child.pid, signal.SIGKILL)
        for child in self._children.values():
            since_s = child.mark.since_s if child.mark is not None else None
            self._weigh(child, since_s, now_s)
            if self._limits.block_s:
                self._tell_block(child, since_s, now_s)
            if not self._limits.callback_s:
                continue
            if since_s is None or now_s - since_s < self._limits.callback_s or child.end is not None:
                child.warned_s = None
            elif child.warned_s is None:
                log.error("%s: a callback takes longer than %g s. It is here:", child.name, self._limits.callback_s)
                child.warned_s = now_s
                _signal(child.pid, signal.SIGUSR1)
            elif now_s - child.warned_s > _STACK_S:
                child.end = End.CALLBACK
                _signal(child.pid, signal.SIGKILL)

    def _weigh(self, child: _Child, since_s: float | None, now_s: float) -> None:
        """Let a session that computes for long stand back behind the others, which answer people."""
        yields = since_s is not None and now_s - since_s > _YIELD_AFTER_S
        if yields != child.yields:
            child.yields = yields
            with contextlib.suppress(OSError):  # the way back is not open to every user
                os.setpriority(os.PRIO_PROCESS, child.pid, min(self._nice + _YIELD_BY, 19) if yields else self._nice)

    def _tell_block(self, child: _Child, since_s: float | None, now_s: float) -> None:
        """Have the log tell where a session is that has not come round for too long, and when it does again."""
        if child.blocked_since_s is not None and since_s != child.blocked_since_s:
            log.warning("%s: goes on; it was blocked for %.1f s", child.name, now_s - child.blocked_since_s)
            child.blocked_since_s = None
        if since_s is None or now_s - since_s < self._limits.block_s or child.end is not None:
            return
        if child.blocked_since_s is None:
            child.blocked_since_s = since_s
            log.error("%s: has been blocked for %.1f s. It is here:", child.name, now_s - since_s)
            _signal(child.pid, signal.SIGUSR1)


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


def _end_of(status: int, stopping: bool) -> End | None:
    if status == 0 or stopping:
        return None
    if status == OUT_OF_MEMORY:
        return End.MEMORY
    return End.CPU if status == -signal.SIGXCPU else End.CRASH


def _told(end: End, status: int) -> str:
    if end is not End.CRASH:
        return {
            End.MEMORY: "ended, for it wanted more memory than --session-memory allows",
            End.CPU: "ended, for it has used the processor time that --session-cpu allows",
            End.CALLBACK: "ended, for a callback took longer than --callback-limit allows",
        }[end]
    how = f"status {status}" if status >= 0 else signal.Signals(-status).name
    hint = "; maybe the machine ran out of memory" if status == -signal.SIGKILL else ""
    return f"its process ended by itself, with {how}{hint}"


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _raise_open_files() -> None:
    """Allow as many open files as the system does: a session takes one here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

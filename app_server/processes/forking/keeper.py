"""Keeps sessions' processes within their limits, and notes why they ended.

They are children of the process that looks after them, or were those of a predecessor that has crashed. Of the latter,
the busy table says which they are, and the kernel does not report how they ended.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_server.processes.forking import exit_records
from app_server.processes.forking.busy_table import BusyTable, Mark
from app_server.processes.forking.exit_records import ExitReason
from app_server.processes.forking.forks import describe_exit, ended_children
from app_server.processes.forking.priorities import Priorities
from app_server.processes.forking.proc import ProcessIdentity

log = logging.getLogger(__name__)

OUT_OF_MEMORY = 75
"""The exit status of a session's process that ran out of memory."""

PUT_BACK = signal.SIGURG
"""Makes a session's process check that its socket still has its name. Ignored by a process without a handler."""

_STACK_S = 0.5
"""How long a process has to write its stack before it is killed; with the normal priority, where that can be given."""

_CPU_UNSEEN_S = 2.0
"""The most processor time that a process can have used since it was last looked at."""

_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session's process may use; 0 means no limit."""

    memory_bytes: int = 0
    cpu_s: float = 0.0
    callback_s: float = 0.0
    block_s: float = 0.0
    """After this long, the log shows what blocks a session, which continues."""


@dataclass(eq=False, slots=True)
class Child:
    """A session's process. If it was started by a predecessor, `adopted` is set and `lifeline` is None."""

    pid: int
    name: str
    socket_path: Path
    mark: Mark | None
    lifeline: socket.socket | None = None
    adopted: ProcessIdentity | None = None
    cpu_s: float = 0.0
    warned_s: float | None = None
    blocked_since_s: float | None = None
    asked_s: float = -math.inf  # for its stack
    yields: bool = False
    end: ExitReason | None = None

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.adopted is not None:
            self.adopted.signal(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ask_for_stack(self, now_s: float) -> None:
        """Have it log its stack."""
        self.asked_s = now_s
        self.send(signal.SIGUSR1)


class ProcessKeeper:
    """Looks after sessions' processes; `tables` are its own, the last one, and those of its predecessors."""

    def __init__(self, folder: Path, limits: SessionLimits, tables: Sequence[BusyTable]) -> None:
        self.table = tables[-1]
        self.stopping = False
        """Whether all of them were asked to end: none of them has failed then."""
        self._predecessors = list(tables[:-1])
        self._folder = folder
        self._limits = limits
        self._children: dict[int, Child] = {}
        self._priorities = Priorities()

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._children.values()))

    def add(self, child: Child) -> None:
        """Look after this child of this process."""
        self._children[child.pid] = child

    def has(self, socket_path: Path) -> bool:
        """Whether the process of this session lives, and is not about to end."""
        marks = [child.mark for child in self if child.socket_path == socket_path and child.mark is not None]
        return any((entry := mark.entry) is not None and entry.socket_path == socket_path.name for mark in marks)

    def remind(self, socket_path: Path) -> bool:
        """Make the process of this session put back the name of its socket; False if there is no such process."""
        self.reap()
        found = [
            child for child in self if child.socket_path == socket_path and child.end is None and self.has(socket_path)
        ]
        for child in found:
            child.send(PUT_BACK)
        return bool(found)

    def forget_all(self) -> None:
        """Leave all to the process that this one was forked from."""
        for child in self._children.values():
            if child.lifeline is not None:
                child.lifeline.close()
        self._children.clear()

    def stop(self, number: int) -> None:
        """Ask all of them to end, by this signal."""
        self.stopping = True
        self.signal(number)

    def signal(self, number: int) -> None:
        """Send all of them a signal."""
        for child in self:
            child.send(number)

    def reap(self) -> None:
        """Note which have ended, and take over the processes of a fork server that has crashed."""
        self._adopt()
        for child in self:
            if child.adopted is not None:
                self._look_at_adopted(child, child.adopted)
        for pid, code in ended_children():
            found = self._children.get(pid)
            if found is not None and found.adopted is None:
                self._ended(found, code)

    def _adopt(self) -> None:
        for table in self._predecessors:
            if not table.orphaned:
                continue
            table.own()
            entries = [(mark, entry) for mark in table.signed() if (entry := mark.entry) is not None]
            for mark, entry in entries:
                pid, socket_path = entry.identity.pid, self._folder / entry.socket_path
                # Its predecessor may have lowered its priority.
                self._children[pid] = Child(pid, entry.name, socket_path, mark, adopted=entry.identity, yields=True)
            if entries:
                log.warning("A fork server crashed; its successor takes over %d sessions", len(entries))

    def _look_at_adopted(self, child: Child, identity: ProcessIdentity) -> None:
        if not identity.lives:
            self._ended(child, None)
        elif self._limits.cpu_s:
            child.cpu_s = max(child.cpu_s, identity.cpu_s())

    def _ended(self, child: Child, status: int | None) -> None:
        del self._children[child.pid]
        end = child.end or (self._guessed(child) if status is None else _end_of(status, self.stopping))
        if child.mark is not None and child.adopted is None:
            self.table.give_back(child.mark)
        elif child.mark is not None:
            child.mark.clear()
        try:
            if child.socket_path != self._folder:  # one that was adopted while it ended has no name any more
                self._note(child, end, status)
        except OSError as error:
            log.error("%s: cannot record why it ended: %s", child.name, error.strerror)
        if child.lifeline is not None:
            with contextlib.suppress(OSError):  # the process at the other end is gone
                child.lifeline.shutdown(socket.SHUT_RDWR)
            child.lifeline.close()

    def _note(self, child: Child, end: ExitReason | None, status: int | None) -> None:
        """Write the exit record; there is none after an orderly end, which leaves no name either."""
        has_left_its_name = _is_dead(child.socket_path)
        if end is None and not has_left_its_name:
            return  # the name may be another process's by now
        if end is None:
            exit_records.forget(child.socket_path)
        else:
            log.error("%s: %s", child.name, _description(end, status))
            exit_records.leave(child.socket_path, end)
            exit_records.prune(self._folder)
        if has_left_its_name:
            child.socket_path.unlink(missing_ok=True)

    def _guessed(self, child: Child) -> ExitReason | None:
        """Why a process ended that was not a child of this one; None if it has deleted the note of its page itself."""
        if self.stopping or exit_records.settled(child.socket_path):
            return None
        return ExitReason.CPU if 0 < self._limits.cpu_s <= child.cpu_s + _CPU_UNSEEN_S else ExitReason.CRASH

    def look_after(self) -> None:
        """Kill sessions whose callback takes too long, after they have logged their stack."""
        now_s = time.monotonic()
        for child in self:
            since_s = child.mark.since_s if child.mark is not None else None
            if self._limits.block_s:
                self._log_block(child, since_s, now_s)
            if self._limits.callback_s:
                self._limit_callback(child, since_s, now_s)
            if child.end is None:  # its end takes a process some processor time, too
                self._weigh(child, since_s, now_s)

    def _limit_callback(self, child: Child, since_s: float | None, now_s: float) -> None:
        if since_s is None or now_s - since_s < self._limits.callback_s or child.end is not None:
            child.warned_s = None
        elif child.warned_s is None:
            log.error("%s: a callback takes longer than %g s. Its stack:", child.name, self._limits.callback_s)
            child.warned_s = now_s
            child.ask_for_stack(now_s)
        elif now_s - child.warned_s > _STACK_S:
            child.end = ExitReason.CALLBACK
            # Before the kill: if this process crashes now, its successor cannot know why that one ended.
            with contextlib.suppress(OSError):
                exit_records.leave(child.socket_path, child.end)
            child.send(signal.SIGKILL)

    def _weigh(self, child: Child, since_s: float | None, now_s: float) -> None:
        """Give a session that computes for long a lower CPU priority than the others, unless it is to say where."""
        yields = since_s is not None and self._priorities.is_long(now_s - since_s) and now_s - child.asked_s > _STACK_S
        if yields != child.yields:
            child.yields = yields
            self._priorities.give(child.pid, low=yields)

    def _log_block(self, child: Child, since_s: float | None, now_s: float) -> None:
        """Log the stack of a session that is blocked for too long, and when it continues."""
        if child.blocked_since_s is not None and since_s != child.blocked_since_s:
            log.warning("%s: goes on; it was blocked for %.1f s", child.name, now_s - child.blocked_since_s)
            child.blocked_since_s = None
        if since_s is None or now_s - since_s < self._limits.block_s or child.end is not None:
            return
        if child.blocked_since_s is None:
            child.blocked_since_s = since_s
            log.error("%s: has been blocked for %.1f s. Its stack:", child.name, now_s - since_s)
            child.ask_for_stack(now_s)


def end_left_behind(tables: Sequence[BusyTable], number: int, patience_s: float) -> None:
    """End the processes in these tables that still live, by this signal, and kill them after `patience_s`."""
    entries = [mark.entry for table in tables for mark in table.signed()]
    left = [entry.identity for entry in entries if entry is not None and entry.identity.signal(number)]
    deadline_s = time.monotonic() + patience_s
    while left and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
        left = [identity for identity in left if identity.lives]
    for identity in left:
        identity.signal(signal.SIGKILL)


def _is_dead(socket_path: Path) -> bool:
    """Whether no process listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(socket_path))
        except ConnectionRefusedError:
            return True
        except OSError:  # it is not there, or its queue is full
            return False
    return False


def _end_of(status: int, stopping: bool) -> ExitReason | None:
    if status == 0 or stopping:
        return None
    if status == OUT_OF_MEMORY:
        return ExitReason.MEMORY
    return ExitReason.CPU if status == -signal.SIGXCPU else ExitReason.CRASH


_DESCRIPTIONS = {
    ExitReason.MEMORY: "killed: exceeded --session-memory",
    ExitReason.CPU: "killed: exceeded --session-cpu",
    ExitReason.CALLBACK: "killed: a callback exceeded --callback-limit",
}


def _description(end: ExitReason, status: int | None) -> str:
    if end is not ExitReason.CRASH:
        return _DESCRIPTIONS[end]
    if status is None:
        return "its process ended unexpectedly"
    hint = "; maybe the machine ran out of memory" if status == -signal.SIGKILL else ""
    return f"its process ended unexpectedly: {describe_exit(status)}{hint}"

"""The main process of several that serve the same applications.

SIGHUP loads the applications again, and replaces the processes one after another.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

from app_server.apps import Application
from app_server.engine import containment
from app_server.errors import AppServerError
from app_server.http import listeners
from app_server.http.listeners import Listening
from app_server.processes.forking import forks
from app_server.processes.forking.busy_table import BusyTable
from app_server.processes.forking.fork_server import MAX_SESSIONS
from app_server.processes.forking.keeper import end_left_behind
from app_server.processes.forking.master import Master
from app_server.processes.forking.worker import CANNOT_START, MasterLimits, Task
from app_server.processes.polling import until
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.applications import load_applications, prepare
from app_server.server.console.slot import ConsoleSlot
from app_server.server.isolation.fork_sessions import fork_sessions
from app_server.server.isolation.plan import ForkServerPlan
from app_server.server.membership import Membership
from app_server.server.process_life import serve
from app_server.server.server import Server
from app_server.server.systemd import Notifier
from app_server.settings import Settings

log = logging.getLogger(__name__)

_LAST_SESSIONS_S = 1.0
"""How long sessions have to end whose main process and fork server were killed, after everything else has."""

_FORK_SERVER_S = 0.8
"""How long a fork server that was killed just after the main process may still seem to live."""

_LOOK_S = 0.02

_SHORTEST_WATCH_S = 2.0
"""A loop that has turned within this time moves, however soon systemd wants to hear of it."""


class MainProcess:
    """The main process of several that serve the same applications."""

    def __init__(
        self,
        settings: Settings,
        paths: Sequence[str],
        applications: dict[str, Application],
        runtime_dir: RuntimeDir,
        count: int,
        fork_servers: Sequence[ForkServerPlan],
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._applications = applications
        self._runtime_dir = runtime_dir
        self._count = count
        self._fork_servers = {plan.slot: plan for plan in fork_servers}
        self._isolated = {route: plan.slot for plan in fork_servers for route in plan.routes}
        # The first ones are made now: all processes are to know them.
        self._marks = {plan.slot: [BusyTable(MAX_SESSIONS)] for plan in fork_servers}
        self._begun: set[int] = set()
        self._warmed: set[int] = set()
        """The slots in which a process was started since the applications were loaded."""
        self._warms = False
        """Whether the process that is being started does so."""
        self._sockets = listeners.bind(settings)
        self._console = self._console_at(count + len(fork_servers)) if settings.console else None

    def _console_at(self, slot: int) -> ConsoleSlot:
        """The console's slot. OperatorError if it cannot be had; then no socket of the site is left behind."""
        try:
            return ConsoleSlot(self._settings, slot)
        except BaseException:
            if self._settings.unix_socket:
                os.unlink(self._settings.unix_socket)
            raise

    def run(self, notifier: Notifier) -> int:
        """Serve until a signal; the exit status."""
        settings = self._settings
        if self._console is not None:
            self._console.keep_log(self._runtime_dir, "main")
        inode, made_by = os.stat(settings.unix_socket).st_ino if settings.unix_socket else None, os.getpid()
        forks.freeze()
        limits = MasterLimits(
            settings.drain_s + settings.drain_deadline_s, settings.hang_timeout_s, settings.start_timeout_s
        )
        try:
            count = self._count + len(self._fork_servers) + (self._console is not None)
            master: Master = Master(
                count, self._work, limits, reload=self._reload, starts=self._starts,
                tick=lambda ready: notifier.tick(
                    ready, count, stopping=master.stopping, replacing=master.replacing,
                    moves=master.moves(max(notifier.watchdog_s, _SHORTEST_WATCH_S)),
                ),
            )  # fmt: skip
            status = master.run()
            patience_s = 0.0 if master.impatient else settings.drain_deadline_s
            for tables in self._marks.values():
                end_left_behind(tables, signal.SIGINT, patience_s)
            return status
        finally:
            if inode is not None and os.getpid() == made_by:
                listeners.unlink(settings.unix_socket, inode)
            if self._console is not None and os.getpid() == made_by:
                self._console.close()

    def _reload(self) -> None:
        self._applications = load_applications(self._paths, self._settings)
        self._warmed.clear()

    def _starts(self, slot: int) -> None:
        """Make the memory that a process shares with the sessions it forks, which outlives it; say whether it warms up.

        One that replaces a crashed process does not warm up: visitors are waiting for it.
        """
        self._warms = self._settings.warm and slot not in self._warmed
        self._warmed.add(slot)
        if slot in self._marks and slot in self._begun:
            self._marks[slot] = [marks for marks in self._marks[slot] if not marks.done] + [BusyTable(MAX_SESSIONS)]
        self._begun.add(slot)

    def _work(self, task: Task) -> int:
        try:
            if self._console is not None and task.slot == self._console.slot:
                return self._console.work(task, self._runtime_dir, self._sockets)
            if self._console is not None:
                self._console.leave_to_others()
            plan = self._fork_servers.get(task.slot)
            if plan is not None:
                if self._console is not None:
                    self._console.keep_log(self._runtime_dir, f"fork-server-{task.slot}")
                own = {route: self._applications[route] for route in plan.routes}
                return fork_sessions(
                    own, self._settings, self._runtime_dir, task, self._sockets,
                    copied=plan.copied, warms=self._warms, marks=self._marks[task.slot],
                )  # fmt: skip
            return containment.run(self._serve(task))
        except AppServerError as error:
            log.error("%s", error)
            return CANNOT_START

    async def _serve(self, task: Task) -> int:
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        prepare(self._settings, self._applications, self._isolated)
        membership = Membership(self._runtime_dir, task.slot, self._count, fork_servers=self._isolated)
        settings = replace(self._settings, warm=self._warms)
        listening = Listening.shared(settings, self._sockets)
        loop = asyncio.get_running_loop()
        server = Server(self._applications, settings, loop, listening, membership=membership)
        status = await serve(server, task)
        if task.is_orphaned:
            await self._end_orphans()
        return status

    async def _end_orphans(self) -> None:
        """End the sessions whose fork server was killed, as well as the main process; one that lives ends its own."""
        tables = [marks for each in self._marks.values() for marks in each]
        await until(lambda: not any(map(_is_led, tables)), _FORK_SERVER_S, _LOOK_S)
        end_left_behind([marks for marks in tables if marks.orphaned], signal.SIGTERM, _LAST_SESSIONS_S)


def _is_led(marks: BusyTable) -> bool:
    """Whether sessions have these marks, and the fork server that looks after them lives."""
    return bool(marks.signed()) and not marks.orphaned

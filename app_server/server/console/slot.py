"""The console among the processes that a main process starts: its slot, and the sockets it listens on."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Sequence

from app_server.engine import containment
from app_server.errors import OperatorError
from app_server.http import listeners
from app_server.http.listeners import Listening
from app_server.processes.forking.worker import Task
from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.console.audit import check_audit_file
from app_server.server.console.main_log import MainLog
from app_server.server.console.places import parent_log_path
from app_server.server.console.settings import console_settings
from app_server.settings import Settings
from app_server.settings.console import ConsolePlace


class ConsoleSlot:
    """The console's place among the processes. OperatorError if its address or its files cannot be used."""

    def __init__(self, settings: Settings, slot: int) -> None:
        self.slot = slot
        self._settings = settings
        self._place = ConsolePlace.read(settings.console or "")
        self._log: MainLog | None = None
        check_audit_file(settings.console_audit)
        self._sockets = _bound(settings, self._place)
        self._inode = os.stat(self._place.unix_socket).st_ino if self._place.unix_socket else None

    def keep_log(self, runtime_dir: RuntimeDir, name: str) -> None:
        """Keep what this process, which answers no questions, logs from now on, for the console."""
        self._log = MainLog(parent_log_path(runtime_dir, name))
        logging.getLogger().addHandler(self._log)

    def work(self, task: Task, runtime_dir: RuntimeDir, sites: Sequence[socket.socket]) -> int:
        """Be the console's process, which does not listen on the sockets of the site; its exit status."""
        port = Listening.shared(self._settings, sites).port
        for sock in sites:
            sock.close()
        return containment.run(self._live(task, runtime_dir, port))

    async def _live(self, task: Task, runtime_dir: RuntimeDir, port: int) -> int:
        from app_server.server.console.process import ConsoleProcess  # only this process needs all that it imports

        return await ConsoleProcess(self._settings, runtime_dir, task, self._sockets, port).live()

    def leave_to_others(self) -> None:
        """Close the console's sockets in a process that is not the console."""
        for sock in self._sockets:
            sock.close()

    def close(self) -> None:
        """Remove the Unix socket that was ours, and keep no more of the log."""
        if self._log is not None:
            logging.getLogger().removeHandler(self._log)
        self.leave_to_others()
        if self._inode is not None:
            listeners.unlink(self._place.unix_socket, self._inode)


def _bound(settings: Settings, place: ConsolePlace) -> Sequence[socket.socket]:
    """The sockets of the console; none if it is at a path of the site. OperatorError if they cannot be had."""
    if place.path:
        return ()
    try:
        # Without a login, all who can connect are operators.
        return listeners.bind(console_settings(settings), 0o666 if settings.console_auth else 0o600)
    except OperatorError as error:
        # A console has one flag for all of them.
        hint = None if error.hint is None else re.sub(r"--(unix-socket|port|address)\b", "--console", error.hint)
        raise type(error)(error.what, where="--console", hint=hint) from None

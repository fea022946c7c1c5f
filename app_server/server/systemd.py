"""What a service tells systemd about itself (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET names.

Nothing is sent if the variable is missing: then something else has started the process. The variable is removed from
the environment, so no child of an application speaks for the service.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)


class Notifier:
    """The way to systemd, or into nowhere."""

    def __init__(self, environ: MutableMapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environ) if self._address else 0.0
        """How often systemd wants to hear that the service moves, in seconds; half of this is the rhythm. 0: never."""
        self._ready = self._stopping = self._replacing = False
        self._clock = clock
        self._due_s = 0.0

    def __bool__(self) -> bool:
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """The service takes connections now; said once."""
        if not self._ready:
            self._ready = True
            self.tell("READY=1", *([f"STATUS={status}"] if status else []))

    def alive(self, status: str = "") -> None:
        """The service moves; to be called from what must not stand still."""
        self.tell("WATCHDOG=1", *([f"STATUS={status}"] if status else []))

    def tick(
        self, ready: int, wanted: int, *, stopping: bool = False, replacing: bool = False, moves: bool = True
    ) -> None:
        """What a main process says again and again, while so many of its workers are ready; too often does no harm.

        If no worker `moves` any more, systemd hears nothing, and restarts the service.
        """
        status = f"{ready} of {wanted} processes are ready"
        if stopping:
            self.stopping()
        elif self._ready and replacing != self._replacing:
            self._replacing = replacing
            if replacing:
                now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                self.tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=processes are replaced one after another")
            else:
                self.tell("READY=1", f"STATUS={status}")
        elif ready >= wanted:
            self.ready(status)
        if self.watchdog_s and (moves and ready or not self._ready) and self._clock() >= self._due_s:
            self._due_s = self._clock() + self.watchdog_s / 2
            self.alive(status)

    def stopping(self) -> None:
        """The service is about to end; said once."""
        if not self._stopping:
            self._stopping = True
            self.tell("STOPPING=1")

    def tell(self, *lines: str) -> None:
        """Send these assignments in one datagram; never waits, and never fails the caller."""
        if not self._address:
            return
        # An abstract address begins with a zero byte, which an environment cannot hold.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), address)
        except OSError as error:
            log.debug("Could not send %s to systemd: %s", lines[0], error)


def _watchdog_s(environ: MutableMapping[str, str]) -> float:
    """WatchdogSec= of the unit if this process is the watched one, which its pid tells."""
    usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(usec) / 1e6

"""The log of an instance, over all the containers and starts that it has while someone reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from app_server.deployment.daily.containers import Container
from app_server.deployment.daily.deployed import Line
from app_server.errors import OperatorError

_STAMP = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(?P<ns>\d{9})(?P<zone>Z|[+-]\d\d:\d\d) ")
"""When a line was logged, as `docker logs --timestamps` writes it before the line."""
_PIECE = 16384
"""In bytes: longer lines are logged in pieces. `docker logs` writes the time of the first one before each."""
LOG = ("docker", "logs", "--timestamps")


def has_gone(said: str) -> bool:
    """Whether this is what docker says if the container whose log is asked for was removed, or is about to be."""
    return re.search(r"no such container|dead or marked for removal", said, re.IGNORECASE) is not None


class ContainerLog:
    """What follows an instance's log from one container or start to the next, without a line lost or read twice.

    `look` gives the container that the instance has now, None if it has none. OperatorError if that cannot be known.
    `since_s` is from when lines are wanted at all, in seconds since the epoch. A program that is killed within a line
    leaves it without an end: docker prints the next line behind it, and what follows it may come twice.
    """

    def __init__(
        self, name: str, container: Container, look: Callable[[], Container | None], since_s: int | None = None
    ) -> None:
        self._name = name
        self._container = container
        self._look = look
        self._wanted_ns = (since_s or 0) * 10**9
        self._read_ns: int | None = None
        self._has_read = False
        self._is_waiting = False

    def line(self, printed: str) -> Line | None:
        """A line of the log; None for what docker says itself, which is without a time."""
        stamp = _STAMP.match(printed)
        logged_ns = None if stamp is None else _ns(stamp)
        if stamp is None or logged_ns is None:
            return None
        text = printed[stamp.end() :]
        if len(text.encode(errors="surrogateescape")) > _PIECE:
            text = text.replace(stamp[0], "")
        # The lines of stdout and stderr are not always in the order of their times.
        self._read_ns = max(self._read_ns or 0, logged_ns)
        self._has_read = True
        return self._name, text

    def after(self, complaint: str | None) -> tuple[str, ...] | None:
        """The program that reads on; None if there is nothing to read yet. OperatorError if it cannot be read."""
        now = self._look()
        # One that was broken off may go on; one that has read nothing would fail again.
        if complaint is not None and not has_gone(complaint) and not self._has_read:
            raise OperatorError(complaint)
        if now is None or now.started_s is None:
            return None
        was, was_waiting, self._is_waiting = self._container, self._is_waiting, True
        if now.id == was.id and now.started_s == was.started_s and not (now.status == "running" and was_waiting):
            # It has ended. Or it is about to, or being removed; if it still runs when one looks again, it is followed.
            return None
        since = self._since(was) if now.id == was.id else ()
        if now.id != was.id:
            self._read_ns = None
        self._container, self._is_waiting, self._has_read = now, False, False
        return (*LOG, "--follow", *since, now.id)

    def _since(self, was: Container) -> tuple[str, ...]:
        """From when a container's log is to be read on: after the last line, or without any from its start."""
        if self._read_ns is not None:
            # The next moment that the log knows: journald knows microseconds.
            ns = self._read_ns + (1 if self._read_ns % 1000 else 1000)
        else:
            # Engines before 27 write down when a container has started after its first lines.
            ns = max(self._wanted_ns, int(((was.started_s or 1) - 1) * 10**9))
        return "--since", f"{ns // 10**9}.{ns % 10**9:09}"


def _ns(stamp: re.Match[str]) -> int | None:
    """The moment that was written, in nanoseconds since the epoch; None for what is not a moment."""
    try:
        second = datetime.fromisoformat(stamp["second"] + stamp["zone"].replace("Z", "+00:00"))
    except ValueError:
        return None
    return int(second.timestamp()) * 10**9 + int(stamp["ns"])

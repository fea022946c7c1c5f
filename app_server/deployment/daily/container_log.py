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
"""In bytes: longer lines are logged in pieces, each of which gets its time, within the line."""
LOG = ("docker", "logs", "--timestamps")


def has_gone(said: str) -> bool:
    """Whether this is what docker says if the container whose log is asked for was removed, or is about to be."""
    return re.search(r"no such container|dead or marked for removal", said, re.IGNORECASE) is not None


class ContainerLog:
    """What follows an instance's log from one container or start to the next, without a line lost or read twice.

    `look` gives the container that the instance has now, None if it has none. OperatorError if that cannot be known.
    """

    def __init__(self, name: str, container: Container, look: Callable[[], Container | None]) -> None:
        self._name = name
        self._container = container
        self._look = look
        self._next_ns: int | None = None
        self._is_waiting = False

    def line(self, printed: str) -> Line | None:
        """A line of the log; None for what docker says itself, which is without a time."""
        if (stamp := _STAMP.match(printed)) is None:
            return None
        text = printed[stamp.end() :]
        if len(text.encode(errors="replace")) > _PIECE:
            *_, stamp = (stamp, *_STAMP.finditer(text))
            text = _STAMP.sub("", text)
        self._next_ns = _ns(stamp) + 1
        return self._name, text

    def after(self, complaint: str | None) -> tuple[str, ...] | None:
        """The program that reads on; None if there is nothing to read yet. OperatorError if it cannot be read."""
        now = self._look()
        if complaint is not None and not has_gone(complaint):
            raise OperatorError(complaint)
        if now is None or now.started_s is None:
            return None
        was, was_waiting, self._is_waiting = self._container, self._is_waiting, True
        if now.id != was.id:
            self._next_ns = None
        elif now.started_s == was.started_s and not (now.status == "running" and was_waiting):
            # It has ended. Or it is about to, or being removed; if it still runs when one looks again, it is followed.
            return None
        self._container, self._is_waiting = now, False
        since = () if now.id != was.id else ("--since", _moment(self._next_ns or int(now.started_s * 1e9)))
        return (*LOG, "--follow", *since, now.id)


def _ns(stamp: re.Match[str]) -> int:
    """The moment that was written, in nanoseconds since the epoch."""
    second = datetime.fromisoformat(stamp["second"] + stamp["zone"].replace("Z", "+00:00"))
    return int(second.timestamp()) * 10**9 + int(stamp["ns"])


def _moment(ns: int) -> str:
    """A moment as docker takes it: seconds since the epoch, with all digits."""
    return f"{ns // 10**9}.{ns % 10**9:09}"

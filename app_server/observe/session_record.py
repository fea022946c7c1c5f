"""What is noted of one session for the console: its messages, their round trips, and its slowest callback."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from app_server.observe.functions import name_and_code
from app_server.observe.gauges import FAST_S, Histogram


@dataclass(frozen=True, slots=True)
class Slowest:
    """The longest that the application has held its session, in seconds; `where` is the callback, `kind` its kind."""

    duration_s: float = 0.0
    kind: str = ""
    where: str = ""


NOTHING_YET = Slowest()


class SessionRecord:
    """What one session's clients have sent and how long the application took; times are monotonic."""

    __slots__ = ("last_s", "round_trip", "slowest")

    def __init__(self) -> None:
        self.round_trip = Histogram(FAST_S)
        """Of the messages that change the document, until the answer is on its way."""
        self.last_s: float | None = None
        """When the last of them came."""
        self.slowest = NOTHING_YET

    def heard(self, heard_s: float, now_s: float) -> None:
        """Note a message that came at `heard_s` and was answered now."""
        self.last_s = heard_s
        self.round_trip.note(now_s - heard_s)

    def note_slowest(self, slowest: Slowest) -> None:
        """Note a turn that was slower than all before."""
        self.slowest = slowest

    @property
    def messages(self) -> int:
        """How many messages have changed the document."""
        return sum(self.round_trip.counts)


def place_of(function: Any) -> str:
    """The file, line and name of a callback: `/srv/app.py:12 update`; its name only if it is not Python."""
    name, code = name_and_code(function)
    return name if code is None else f"{code.co_filename}:{code.co_firstlineno} {name}"


def short_place(place: str) -> str:
    """A place with only the last two names of its path."""
    path, colon, rest = place.partition(":")
    return os.sep.join(path.split(os.sep)[-2:]) + colon + rest

"""How long the parts of an HTTP exchange may take: a decision without a clock or a socket.

RFC 9110, section 15.5.9: a server that has not received a complete request in the time that it was prepared to wait
answers 408. A connection without any byte of a request is closed without an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

_SLOWEST_BYTES_PER_S: Final = 1024
"""A body may take longer than its time for each second's worth of bytes that it has brought at this rate."""


class Phase(Enum):
    """Where a connection is in its exchange."""

    OPENED = "a new connection, until the head of its first request is complete"
    KEPT = "an answer was given; until the head of the next request is complete"
    BODY = "the head is complete, the body is not"
    ANSWER = "the request is complete; until the answer was taken"


class PaceVerdict(Enum):
    """What to do with a connection."""

    GOES_ON = "it is in time"
    TIMEOUT = "answer 408, and close it"
    CLOSE = "close it without a word"


@dataclass(frozen=True)
class Progress:
    """How far a connection is: times in seconds of one clock.

    `since_s` is when the phase began, `begun_s` when the first byte of the head was seen (None: not yet), `body_bytes`
    what has arrived of the body, `stalled_s` since when the client does not read (None: it does).
    """

    phase: Phase
    since_s: float
    begun_s: float | None = None
    body_bytes: int = 0
    stalled_s: float | None = None


@dataclass(frozen=True)
class Pace:
    """The time limits of a server in seconds; 0 disables one."""

    request_s: float
    idle_s: float

    @property
    def look_every_s(self) -> float:
        """How often connections have to be checked for these limits."""
        limits = [limit for limit in (self.request_s, self.idle_s) if limit > 0]
        return min(1.0, max(0.02, min(limits, default=4.0) / 4))

    def body_left_s(self, body_bytes: int, taken_s: float) -> float | None:
        """How much longer a body may take that has brought so many bytes in this time; None without a limit."""
        return self.request_s + body_bytes / _SLOWEST_BYTES_PER_S - taken_s if self.request_s > 0 else None

    def judge(self, progress: Progress, now_s: float) -> PaceVerdict:
        """What to do with a connection that is this far."""
        if progress.phase is Phase.ANSWER:
            return PaceVerdict.CLOSE if _over(progress.stalled_s, self.idle_s, now_s) else PaceVerdict.GOES_ON
        if progress.phase is Phase.BODY:
            allowed_s = self.request_s and self.request_s + progress.body_bytes / _SLOWEST_BYTES_PER_S
            return PaceVerdict.TIMEOUT if _over(progress.since_s, allowed_s, now_s) else PaceVerdict.GOES_ON
        if progress.phase is Phase.OPENED:
            # The handshake of TLS is part of this, and one that never ends is closed too.
            begun = progress.begun_s is not None
            late = _over(progress.since_s, self.request_s, now_s)
            return PaceVerdict.GOES_ON if not late else PaceVerdict.TIMEOUT if begun else PaceVerdict.CLOSE
        if progress.begun_s is not None:
            return PaceVerdict.TIMEOUT if _over(progress.begun_s, self.request_s, now_s) else PaceVerdict.GOES_ON
        return PaceVerdict.CLOSE if _over(progress.since_s, self.idle_s, now_s) else PaceVerdict.GOES_ON


def _over(since_s: float | None, limit_s: float, now_s: float) -> bool:
    return since_s is not None and limit_s > 0 and now_s - since_s >= limit_s

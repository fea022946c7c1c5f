"""How far a client is behind what was sent to it, sans I/O.

A PING that follows a message is answered when the client has read up to there (RFC 6455, section 5.5.2): also if
proxies and kernels buffer data on the way, which this end cannot see. A client that has not answered any yet is judged
by what the kernel has accepted of its messages instead.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

PROBE_EVERY_BYTES: Final = 64 * 1024
"""So much may follow a probe before the next: on a line of 1 MB/s, a sixteenth of a second."""

MOST_PROBE_EVERY_BYTES: Final = 256 * 1024
_PROBE_EVERY_S = 1 / 16
"""On a line that was measured, as much may follow a probe as arrives in this time, if it is more, up to so many bytes:
each answer wakes the process up, which costs about half of what it costs to send a message."""

_PROBE_SMALL_BYTES = 16 * 1024
_PROBE_SMALL_S = 1.0
"""When less than that was sent a probe can wait until this has passed: small messages then cost none."""

_FIRST_PROBE_BYTES = 4 * 1024
"""The first message of this size has a probe before it, which says whether the client answers, and how far it is."""

QUEUED_BYTES: Final = 256 * 1024
"""What the kernel has not taken while it is this much makes a client late, however short the time."""

_LATE_S, _LATE_BY_ONE_S = 0.2, 0.3
_STRICTLY_LATE_S, _STRICTLY_LATE_BY_ONE_S = 0.05, 0.25
_STRICT_FOR_S = 5.0
"""How late a client is with the oldest of several messages, or with the only one, when nothing more is sent to it. One
that was late lately is given less: about two messages are under way to it. Nor is more under way than arrives in this
time: what is too much for a line is then known before it is late."""

_LATE_BYTES = 128 * 1024
"""However slow a line has been: so much may be under way before the client is late."""

_FIRST_BYTES_PER_S = 5e6
"""What a line is taken for that nothing was measured of."""

UNPROVEN_S: Final = 1.0
UNPROVEN_BYTES: Final = 1024 * 1024
"""How long a client may take for its first answer before it is taken for one that gives none, and how much it is sent
meanwhile."""

_NUMBER_BYTES = 4  # a keep-alive PING has no payload

_FARTHEST_S = 0.5
"""No line is longer than this, in time; what takes longer has waited."""

GIVEN_UP_AFTER_S: Final = 30.0
"""A probe that is not answered for so long may have been lost on the client: it is sent something again."""


@dataclass(frozen=True, slots=True)
class _Probe:
    number: int
    end: int
    ahead: int  # how many bytes were under way when it was sent, those before it included
    sent_s: float
    asked: bool  # whether a PING goes with it; else only the kernel says when what came before was taken


class Lag:
    """What was sent to one client, and what of it has arrived; all times by one monotonic clock."""

    def __init__(self) -> None:
        self.under_way: deque[_Probe] = deque()
        """The probes that are not confirmed; without any, all that was sent has arrived, as far as is known."""
        self._number = 0
        self.sent_bytes = 0
        self.look_at_bytes = _FIRST_PROBE_BYTES
        """From how many bytes on `probes` has something to say; a message that ends before needs no more than a sum."""
        self._confirmed_bytes = 0
        self._probed_bytes = 0
        self._probe_every_bytes = PROBE_EVERY_BYTES
        self._probed_s = -math.inf
        self._first_s = -math.inf
        self._distance_s = math.inf
        self._bytes_per_s = _FIRST_BYTES_PER_S
        self._measured = False
        self._late_s = -math.inf
        self.answers = False
        """Whether the client has answered a probe yet."""

    @property
    def oldest_s(self) -> float | None:
        """When the oldest of the probes that are not confirmed was sent; None where all are."""
        return self.under_way[0].sent_s if self.under_way else None

    @property
    def unconfirmed_bytes(self) -> int:
        """How much was sent that the client may not have read; 0 of one that answers no probes."""
        return self.sent_bytes - self._confirmed_bytes if self.answers else 0

    @property
    def is_idle(self) -> bool:
        """Whether all that was sent has arrived, as far as is known."""
        return not self.under_way

    def probes(self, size: int, now_s: float) -> tuple[bytes | None, bytes | None]:
        """Record a message; return the payloads of PINGs to send before and after it, None for no PING."""
        before = self._probe(now_s) if not self._number and size >= _FIRST_PROBE_BYTES else None
        self.sent_bytes += size
        unprobed = self.sent_bytes - self._probed_bytes
        strict = now_s - self._late_s < _STRICT_FOR_S
        if (
            unprobed >= self._probe_every_bytes
            or (unprobed >= _PROBE_SMALL_BYTES and now_s - self._probed_s >= _PROBE_SMALL_S)
            or strict
        ):
            self.look_at_bytes = 0 if strict else self.sent_bytes + _PROBE_SMALL_BYTES
            return before, self._probe(now_s)
        self.look_at_bytes = min(self.sent_bytes + _PROBE_SMALL_BYTES, self._probed_bytes + self._probe_every_bytes)
        return before, None

    def answered(self, payload: bytes, now_s: float) -> None:
        """Take note of a PONG; one that answers no probe is ignored."""
        number = int.from_bytes(payload, "big") if len(payload) == _NUMBER_BYTES else 0
        if not 1 <= number <= self._number:
            return
        if not self.answers:
            self.answers = True
            self.under_way = deque(probe for probe in self.under_way if probe.asked)
        if number == 1:
            self._distance_s = min(now_s - self._first_s, _FARTHEST_S)
        probe = None
        while self.under_way and self.under_way[0].number <= number:
            probe = self.under_way.popleft()
            self._confirmed_bytes = probe.end
        if probe is not None:
            self._measure(probe, now_s - probe.sent_s)

    def taken(self, queued_bytes: int) -> None:
        """Take note of what the kernel has left; for a client that answers no probes this is all that is known."""
        while not self.answers and self.under_way and self.under_way[0].end <= self.sent_bytes - queued_bytes:
            self._confirmed_bytes = self.under_way.popleft().end

    def is_late(self, queued_bytes: int, now_s: float) -> bool:
        """Whether nothing more should be sent for now."""
        if self.sent_bytes > UNPROVEN_BYTES and self.is_unproven(now_s):
            return True
        if not self.under_way:
            return queued_bytes > QUEUED_BYTES
        age_s = now_s - self.under_way[0].sent_s
        if age_s > GIVEN_UP_AFTER_S and not queued_bytes:
            self.under_way.clear()
            return False
        several, one = (
            (_STRICTLY_LATE_S, _STRICTLY_LATE_BY_ONE_S)
            if now_s - self._late_s < _STRICT_FOR_S
            else (_LATE_S, _LATE_BY_ONE_S)
        )
        distance_s = self._distance_s if self.answers else 0.0
        return (
            age_s - distance_s > (several if len(self.under_way) > 1 else one)
            or self.unconfirmed_bytes > max(_LATE_BYTES, self._bytes_per_s * (distance_s + several))
            or queued_bytes > QUEUED_BYTES
        )

    def is_unproven(self, now_s: float) -> bool:
        """Whether a client was asked for its first answer so lately that it may still come."""
        return not self.answers and now_s - self._first_s < UNPROVEN_S

    def has_room(self, queued_bytes: int) -> bool:
        """Whether little enough is on its way for a piece of what has been waiting."""
        return len(self.under_way) <= 1 and queued_bytes <= QUEUED_BYTES

    def was_late(self, now_s: float) -> None:
        """Take note that the client was late indeed: it is watched closely for a while."""
        self._late_s = now_s
        self.look_at_bytes = 0

    def _measure(self, probe: _Probe, took_s: float) -> None:
        """Learn how far away the client is, and how much reaches it in a second."""
        self._distance_s = min(self._distance_s, took_s)
        if probe.ahead:
            sample = probe.ahead / max(took_s - self._distance_s, 0.001)
            quicker = sample > self._bytes_per_s or not self._measured
            self._bytes_per_s += (sample - self._bytes_per_s) * (1 if quicker else 0.25)
            self._measured = True
            most = min(int(self._bytes_per_s * _PROBE_EVERY_S), MOST_PROBE_EVERY_BYTES)
            self._probe_every_bytes = max(PROBE_EVERY_BYTES, most)

    def _probe(self, now_s: float) -> bytes | None:
        self._number += 1
        if self._number == 1:
            self._first_s = now_s
        asked = self.answers or self.is_unproven(now_s)
        self._probed_bytes, self._probed_s = self.sent_bytes, now_s
        ahead = self.sent_bytes - self._confirmed_bytes
        self.under_way.append(_Probe(self._number, self.sent_bytes, ahead, now_s, asked))
        return self._number.to_bytes(_NUMBER_BYTES, "big") if asked else None

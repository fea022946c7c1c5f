"""What people experience: how long they wait, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from app_server.load.statistics import Spread

EXAMPLES_KEPT: Final = 3
LONGEST_EXAMPLE: Final = 200


@dataclass(slots=True)
class Tally:
    """Durations in seconds, and faults by their kind with a few examples of each."""

    opens_s: list[float] = field(default_factory=list)
    trips_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    missing: int = 0

    @property
    def moves(self) -> int:
        """How many messages were sent."""
        return len(self.late_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of so many people in so many seconds.

    `absent` of them had no page yet, and `missing` messages of a recording could not be played. `late_s` is how late
    the generator itself sent what was due, and `busy` which share of its core it used.
    """

    people: int
    seconds: float
    opens: Spread
    trips: Spread
    moves: int = 0
    faults: tuple[tuple[str, int], ...] = ()
    examples: tuple[str, ...] = ()
    late_s: float = 0.0
    busy: float = 0.0
    missing: int = 0
    absent: int = 0

    @property
    def fault_count(self) -> int:
        """How many faults there were, of all kinds."""
        return sum(count for _, count in self.faults)

    @property
    def fault_share(self) -> float:
        """Which share of all that people did has failed."""
        tried = self.opens.count + self.trips.count + self.fault_count
        return self.fault_count / tried if tried else 0.0


class Meter:
    """Collects what people experience; `take` gives what was collected since the last time."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._missing = 0

    def opened(self, duration_s: float) -> None:
        """A page was opened, and its document has come."""
        self._tally.opens_s.append(duration_s)

    def moved(self, late_s: float) -> None:
        """A message was sent, so much later than it was due."""
        self._tally.late_s.append(late_s)

    def answered(self, duration_s: float) -> None:
        """A message was answered after this time."""
        self._tally.trips_s.append(duration_s)

    def failed(self, kind: str, example: str = "") -> None:
        """Something went wrong."""
        self._tally.faults[kind] += 1
        examples = self._tally.examples.setdefault(kind, [])
        if example and len(examples) < EXAMPLES_KEPT and example not in examples:
            examples.append(example[:LONGEST_EXAMPLE])

    def not_found(self) -> None:
        """A message of a recording could not be played, because the page has no such model."""
        self._missing += 1

    def take(self) -> Tally:
        """What was collected; a new collection begins."""
        tally, self._tally = replace(self._tally, missing=self._missing), Tally()
        self._missing = 0
        return tally


def measured(
    tally: Tally, people: int, seconds: float, busy: float, waiting_s: list[float], absent: int = 0
) -> Measured:
    """The figures of a tally; `waiting_s` is for how long people have been waiting for answers that have not come."""
    examples = [f"{kind}: {text}" for kind, texts in tally.examples.items() for text in texts]
    return Measured(
        people,
        seconds,
        Spread.of(tally.opens_s),
        Spread.of([*tally.trips_s, *waiting_s]),
        tally.moves,
        tuple(tally.faults.most_common()),
        tuple(examples),
        Spread.of(tally.late_s or [0.0]).p99_s,
        busy,
        tally.missing,
        absent,
    )

"""Plays what was recorded in one session in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Final

from app_server.load.meter import Meter
from app_server.load.moves.step import Event, Step
from app_server.load.outline import Outline, Place
from app_server.load.recording.format import Recording, Said
from app_server.load.recording.structure import Unknown, with_ids

PACES: Final = (0.8, 1.25)
"""Some do the same more quickly than others, so people who came together do not stay in step."""


@dataclass(frozen=True, slots=True)
class Playback:
    """Does what was recorded, one of the recordings at each visit, and leaves at its end."""

    recordings: tuple[Recording, ...]

    async def steps(self, outline: Outline, random: Random, meter: Meter) -> AsyncIterator[Step]:
        """The messages of one recording."""
        recording, pace, last_s = random.choice(self.recordings), random.uniform(*PACES), 0.0
        for said in recording.messages:
            yield Step((said.at_s - last_s) * pace, ())
            yield Step(0.0, events_of(said, outline, meter))  # not before: the page may have changed meanwhile
            last_s = said.at_s
        yield Step((recording.seconds - last_s) * pace, ())


def events_of(said: Said, outline: Outline, meter: Meter) -> tuple[Event, ...]:
    """The events with the ids of this page; none, which is counted, if it has no such models."""
    ids: dict[Place, str] = {place: ident for ident, place in outline.places().items()}
    try:
        return tuple(with_ids(event, ids) for event in said.events)
    except Unknown:
        meter.not_found()
        return ()

"""What is written of several sessions in one call of the store."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from app_server.engine.saving.journal_keeper import Journal, JournalKeeper, Unwritten
from app_server.store.base import Claim, Store, Write
from app_server.store.errors import Lost, StoreError, Taken, Unavailable

_CLAIM_WITHIN_S: Final = 1.0
"""How long sessions that the store refuses are claimed, one after another: each may have to wait for its answer."""


class Batch:
    """What is written in one call."""

    def __init__(self) -> None:
        self.work: list[tuple[JournalKeeper, Unwritten]] = []
        self.size_bytes = 0

    def add(self, keeper: JournalKeeper, unwritten: Unwritten | None) -> None:
        """Write this too, unless it is None."""
        if unwritten is not None:
            self.work.append((keeper, unwritten))
            self.size_bytes += unwritten.size_bytes

    def keep_only(self, journals: Collection[Journal]) -> None:
        """Keep only what these journals miss."""
        self.work = [each for each in self.work if each[0].journal in journals]

    def give_up(self) -> None:
        """Have the whole documents of these sessions saved next: what was collected of them is lost."""
        for keeper, _ in self.work:
            keeper.save_whole()


@dataclass
class Written:
    """What came of a batch.

    Other processes have the `lost` journals now; those that are `refused` cannot be written at all, for this reason.
    If the store was `away`, wholly or for some of them, the `missing` ones are to be written later.
    """

    lost: list[Journal] = field(default_factory=list)
    refused: dict[Journal, Exception] = field(default_factory=dict)
    missing: list[Journal] = field(default_factory=list)
    away: Unavailable | None = None

    def note_away(self, error: Unavailable, missing: Iterable[Journal]) -> None:
        """The store could not be used for these journals."""
        self.away = error
        self.missing.extend(missing)


def write_batch(store: Store, work: list[tuple[Journal, Unwritten]]) -> Written:
    """Write these records, in the store's thread. What fails for one session keeps no other from being written."""
    written = Written()
    began_s = time.monotonic()
    ready: dict[Journal, Write] = {}
    for journal, unwritten in work:
        if written.away is not None and journal.claim is None and time.monotonic() - began_s > _CLAIM_WITHIN_S:
            written.missing.append(journal)
        elif (write := _sealed(journal, unwritten, store, written)) is not None:
            ready[journal] = write
    _write(store, ready, written)
    return written


def _sealed(journal: Journal, unwritten: Unwritten, store: Store, written: Written) -> Write | None:
    """The bytes of these records; None, and `written` says why, if there are none."""
    try:
        return journal.write(unwritten, store)
    except (Taken, Lost):
        written.lost.append(journal)
    except Unavailable as error:
        written.note_away(error, [journal])
    except Exception as error:  # of values in its records
        written.refused[journal] = error
        if (claim := journal.take_claim()) is not None:
            with suppress(StoreError):  # a lease ends by itself
                store.release(claim)
    return None


def _write(store: Store, ready: Mapping[Journal, Write], written: Written) -> None:
    try:
        lost = store.write(list(ready.values()))
    except Unavailable as error:
        lost, missing = error.lost, error.unwritten or [write.claim for write in ready.values()]
        written.note_away(error, _of(ready, missing))
    written.lost.extend(_of(ready, lost))


def _of(ready: Mapping[Journal, Write], claims: Sequence[Claim]) -> list[Journal]:
    """The journals with these claims."""
    ids = {id(claim) for claim in claims}
    return [journal for journal, write in ready.items() if id(write.claim) in ids]

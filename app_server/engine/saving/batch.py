"""What is written of several sessions in one call of the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from app_server.engine.saving.journal_keeper import Journal, JournalKeeper, Unwritten
from app_server.store.base import Store, Write
from app_server.store.errors import Lost, StoreError, Taken, Unavailable


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

    def keep_only(self, claims: Collection[int]) -> None:
        """Keep only those whose claims have these ids, or no claim; all of them if there are no such claims."""
        if claims:
            self.work = [
                each for each in self.work if each[0].journal.claim is None or id(each[0].journal.claim) in claims
            ]

    def give_up(self) -> None:
        """Have the whole documents of these sessions saved next: what was collected of them is lost."""
        for keeper, _ in self.work:
            keeper.save_whole()


@dataclass(frozen=True)
class Written:
    """What came of a batch: the journals that are another process's now, and why others cannot be written at all."""

    lost: list[Journal]
    refused: dict[Journal, Exception]


def write_batch(store: Store, work: list[tuple[Journal, Unwritten]]) -> Written:
    """Write these records, in the store's thread. Raises Unavailable."""
    writes: dict[int, Journal] = {}
    batch: list[Write] = []
    written = Written([], {})
    for journal, unwritten in work:
        try:
            write = journal.write(unwritten, store)
            batch.append(write)
            writes[id(write.claim)] = journal
        except (Taken, Lost):
            written.lost.append(journal)
        except Unavailable:
            raise
        except (StoreError, ValueError, TypeError) as error:
            written.refused[journal] = error
            if (claim := journal.take_claim()) is not None:
                store.release(claim)
    written.lost.extend(writes[id(claim)] for claim in store.write(batch))
    return written

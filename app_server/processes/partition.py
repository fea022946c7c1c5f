"""Whose session is it? Every process finds out from the session's id alone, whoever made the id.

A slot keeps its sessions when a new process takes it over. There are as many slots as processes, or, where processes
come and go in any number, so many that each can have its share of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b
from typing import TypeVar

Holder = TypeVar("Holder")


def slot_of(session_id: str, slots: int) -> int:
    """The slot, from 0 on, that the session of this id belongs to."""
    if slots == 1:
        return 0
    return int.from_bytes(blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % slots


def mint_for(held: Collection[int], slots: int, mint: Callable[[], str]) -> str:
    """An id made by `mint` that belongs to one of the slots held; on average it takes as many attempts as there are
    processes, where they hold equal shares."""
    while slot_of(session_id := mint(), slots) not in held:
        pass
    return session_id


def slots_of_joining(
    holders: Mapping[int, Holder | None], staying: Collection[Holder], untouchable: Collection[Holder] = ()
) -> dict[Holder | None, set[int]]:
    """The slots that a new process takes, by their present holders; None for those that nobody holds.

    All that nobody holds, all of those who leave, and of those who stay so many that all have the same. From the
    untouchable, who stay but cannot be asked, nothing is taken.
    """
    taken: dict[Holder | None, set[int]] = {}
    stays: dict[Holder, list[int]] = {holder: [] for holder in staying}
    for slot, holder in sorted(holders.items()):
        if holder is not None and holder in stays:
            stays[holder].append(slot)
        elif holder is None or holder not in untouchable:
            taken.setdefault(holder, set()).add(slot)
    share = len(holders) // (len(stays) + len(set(untouchable)) + 1)
    while sum(map(len, taken.values())) < share and stays:
        richest = max(stays, key=lambda holder: len(stays[holder]))
        if len(stays[richest]) <= 1:
            break
        taken.setdefault(richest, set()).add(stays[richest].pop())
    return taken


def spread(slots: Collection[int], counts: Mapping[Holder, int]) -> dict[Holder, set[int]]:
    """Who gets which of these slots: those who have the fewest, as `counts` says."""
    now = dict(counts)
    given: dict[Holder, set[int]] = {}
    for slot in sorted(slots):
        poorest = min(now, key=lambda holder: now[holder])
        given.setdefault(poorest, set()).add(slot)
        now[poorest] += 1
    return given

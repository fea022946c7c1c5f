"""Which process a session belongs to: every process derives it from the session's id.

Ids are partitioned into slots. A slot keeps its sessions when a new process takes it over. There are as many slots as
processes or, if processes come and go, so many that each can hold some.
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
    """An id made by `mint` that belongs to one of the slots held; takes as many attempts on average as there are
    processes, if they hold equally many slots."""
    while slot_of(session_id := mint(), slots) not in held:
        pass
    return session_id


def slots_of_joining(
    holders: Mapping[int, Holder | None], staying: Collection[Holder], untouchable: Collection[Holder] = ()
) -> dict[Holder | None, set[int]]:
    """The slots that a joining process takes, by their present holders; None for slots without a holder.

    It takes all slots without a holder, all of holders that leave, and as many of those that stay as make all equal.
    Nothing is taken from `untouchable` holders, which stay but cannot be asked.
    """
    taken: dict[Holder | None, set[int]] = {}
    stays: dict[Holder, list[int]] = {holder: [] for holder in staying}
    for slot, holder in sorted(holders.items()):
        if holder is not None and holder in stays:
            stays[holder].append(slot)
        elif holder is None or holder not in untouchable:
            taken.setdefault(holder, set()).add(slot)
    equal = len(holders) // (len(stays) + len(set(untouchable)) + 1)
    while sum(map(len, taken.values())) < equal and stays:
        richest = max(stays, key=lambda holder: len(stays[holder]))
        if len(stays[richest]) <= 1:
            break
        taken.setdefault(richest, set()).add(stays[richest].pop())
    return taken


def spread(slots: Collection[int], counts: Mapping[Holder, int]) -> dict[Holder, set[int]]:
    """Which holder gets which of these slots: those with the fewest, by `counts`, get them first."""
    now = dict(counts)
    given: dict[Holder, set[int]] = {}
    for slot in sorted(slots):
        poorest = min(now, key=lambda holder: now[holder])
        given.setdefault(poorest, set()).add(slot)
        now[poorest] += 1
    return given

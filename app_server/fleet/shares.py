"""Whose session is it? Every process finds out from the session's id alone, whoever made the id.

There are as many slots as processes, and a slot keeps its sessions when a new process takes it over.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b


def slot_of(session_id: str, slots: int) -> int:
    """The slot, from 0 on, that the session of this id belongs to."""
    if slots == 1:
        return 0
    return int.from_bytes(blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % slots


def mint_for(slot: int, slots: int, mint: Callable[[], str]) -> str:
    """An id made by `mint` that belongs to this slot; it takes as many attempts as there are slots, on average."""
    while slot_of(session_id := mint(), slots) != slot:
        pass
    return session_id

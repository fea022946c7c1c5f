"""What can go wrong with a saved session. None of these may break a page: the caller logs one line and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_server.errors import AppServerError

if TYPE_CHECKING:
    from app_server.store.base import Claim


class StoreError(AppServerError):
    """A session cannot be saved or restored."""


class Unreadable(StoreError):
    """These bytes are no journal of ours: damaged, forged, or signed with a secret that this server does not have."""


class NewerJournal(Unreadable):
    """A newer app-server wrote this journal. Do not overwrite it: that server may come back."""


class TooLarge(StoreError):
    """What is saved has `size_bytes`, more than the `limit_bytes` allowed; nothing of it was read."""

    def __init__(self, what: str, *, limit_bytes: int, size_bytes: int) -> None:
        super().__init__(f"{what} has {size_bytes} bytes, more than the {limit_bytes} allowed")
        self.limit_bytes = limit_bytes
        self.size_bytes = size_bytes


class Taken(StoreError):
    """Another process owns this session."""


class Lost(StoreError):
    """This process no longer owns the session: another one has taken it over, or it was deleted. Write no more."""


class Unavailable(StoreError):
    """The store cannot be used now: full, gone, too slow. Trying again later may help.

    After a batch of writes, `unwritten` are the claims whose bytes may be missing, wholly or in part: write the whole
    document of each next. `lost` are those claims of the batch, or of a renewal, that this process no longer owns.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        unwritten: Sequence[Claim] = (),
        lost: Sequence[Claim] = (),
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.unwritten = tuple(unwritten)
        self.lost = tuple(lost)


class Busy(Unavailable):
    """The store is there, but cannot answer now: Redis is starting, or this process has too many open files."""


class TooSlow(Busy):
    """The store has not answered in time, which it still may."""

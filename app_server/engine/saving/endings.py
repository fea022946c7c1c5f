"""Which sessions of this process are to end because a user has logged out in another one, or an operator says so."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from app_server.errors import OperatorError
from app_server.session.context import SessionContext
from app_server.session.session import Session
from app_server.store.base import ENDINGS_SINCE_S, Ending, session_key
from app_server.store.keys import Keys

log = logging.getLogger(__name__)

OwnerOf = Callable[[Any], str | None]
"""A text that stands for a user; None if anyone may have the sessions of this one."""


class Why(Enum):
    """Why a session is to end."""

    LOGGED_OUT = "its user has logged out"
    ORDERED = "an operator has said so"


class Endings:
    """What processes were asked to end lately. Sessions that begin later are other ones."""

    def __init__(self, keys: Keys, owner_of: OwnerOf) -> None:
        self._keys = keys
        self._owner_of = owner_of
        self._latest_s: dict[str, float] = {}

    def add(self, endings: Iterable[Ending]) -> None:
        """Note these, and forget those that no session can have begun before."""
        for ending in endings:
            self._latest_s[ending.name] = max(ending.at_s, self._latest_s.get(ending.name, 0.0))
        oldest_s = time.time() - ENDINGS_SINCE_S
        self._latest_s = {name: at_s for name, at_s in self._latest_s.items() if at_s > oldest_s}

    def includes(self, session: Session) -> bool:
        """Whether this session is to end."""
        return bool(self._latest_s) and self._why(session.application, session.context) is not None

    def concern(self, session: Session) -> bool:
        """Whether this session is to end; it takes note of that."""
        why = self._why(session.application, session.context) if self._latest_s else None
        if why is None or session.destroyed:
            return False
        log.info("%s: ends, because %s", session.name, why.value)
        if why is Why.ORDERED:
            session.note_ended_by_operator()
        session.request_expiration()
        return True

    def _why(self, url: str, context: SessionContext) -> Why | None:
        if self._is_ended(session_key(url, context.id), context.begun_s):
            return Why.ORDERED
        ended = any(self._is_ended(name, context.begun_s) for name in self._names_of(context.user))
        return Why.LOGGED_OUT if ended else None

    def _names_of(self, user: Any) -> Iterable[str]:
        try:
            owner = self._owner_of(user) if user else None
        except OperatorError:  # of a session that another version of the authentication module had
            return ()
        return () if owner is None else names_of(owner, self._keys)

    def _is_ended(self, name: str, begun_s: float) -> bool:
        return begun_s <= self._latest_s.get(name, 0.0)


def names_of(owner: str, keys: Keys) -> list[str]:
    """What stands for this user in the store, under each of the secrets: the store does not show who logs out."""
    text = b"app-server user " + owner.encode("utf-8", "surrogatepass")
    return [hmac.digest(secret, text, "sha256").hex() for secret in keys.accepted]

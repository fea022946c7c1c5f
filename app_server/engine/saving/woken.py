"""A saved session that this process has claimed, and what its next build needs of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app_server.security.visible_request import VisibleRequest
from app_server.store.base import Claim
from app_server.store.journal import Saved

log = logging.getLogger(__name__)

_FROM_REQUEST = frozenset({"arguments", "cookies", "headers"})
"""What a token's payload repeats of the request: it is rebuilt from that one."""


@dataclass(frozen=True, slots=True)
class SavedOpening:
    """Whose session it was, and what its application was built with."""

    request: VisibleRequest | None
    payload: Mapping[str, Any]
    user: Any
    skeleton: str
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Woken:
    """What was claimed: the journal's content and opening, or None where nothing that is saved can be used."""

    claim: Claim
    saved: Saved | None = None
    opening: SavedOpening | None = None


def opening_fields(
    url: str, session_id: str, request: VisibleRequest | None, payload: Mapping[str, Any], user: Any, skeleton: str
) -> dict[str, Any]:
    """The fields of a journal's first record."""
    return {
        "application": url,
        "session": session_id,
        "request": None if request is None else request.as_json(),
        "payload": {name: value for name, value in payload.items() if name not in _FROM_REQUEST},
        "user": user,
        "skeleton": skeleton,
    }


def read_opening(fields: Mapping[str, Any], url: str, session_id: str) -> SavedOpening:
    """What `opening_fields` has said of this session. ValueError, TypeError or KeyError if it is another one's."""
    if (fields["application"], fields["session"]) != (url, session_id):
        raise ValueError("it is another session's")
    request = None if fields["request"] is None else VisibleRequest.from_json(fields["request"])
    payload = {**({} if request is None else request.payload()), **fields["payload"]}
    return SavedOpening(request, payload, fields["user"], fields["skeleton"])

"""A saved session that this process has claimed, and what its next build needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app_server.document.saving.whole import skeleton
from app_server.document.served import ServedDocument
from app_server.engine.saving.plain import NotPlain, exact_json, from_exact
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import SessionContext
from app_server.store.base import Claim
from app_server.store.journal import Saved

_FROM_REQUEST = frozenset({"arguments", "cookies", "headers"})
"""What a token's payload repeats of the request: it is rebuilt from that one."""


@dataclass(frozen=True, slots=True)
class SavedOpening:
    """Whose session it was, and what its application was built with."""

    request: VisibleRequest | None
    payload: Mapping[str, Any]
    user: Any
    skeleton: str
    tag: str
    """What the ids of the document's models begin with."""
    sources: str
    """A digest of what the application was made of."""
    begun_s: float | None = None
    """When the session was first asked for, in seconds since the epoch; None if it begins when it is built."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request that has a session built says of it."""

    session_id: str
    request: VisibleRequest | None
    payload: Mapping[str, Any]
    user: Any
    begun_s: float

    def as_saved(self, opening: SavedOpening) -> Asked:
        """What the request said that the saved session was built for."""
        begun_s = self.begun_s if opening.begun_s is None else opening.begun_s
        return replace(self, request=opening.request, payload=opening.payload, user=opening.user, begun_s=begun_s)


@dataclass(frozen=True, slots=True)
class Woken:
    """What was claimed: the journal's content and opening, or None where nothing that is saved can be used.

    A copy, which a bookmark opens, has no claim. With `keeps` False the new session must not be saved, because what is
    saved under its id belongs to a newer version of the server.
    """

    claim: Claim | None
    saved: Saved | None = None
    opening: SavedOpening | None = None
    keeps: bool = True

    @property
    def user(self) -> Any:
        """Whose session it was."""
        return None if self.opening is None else self.opening.user

    @property
    def for_anyone(self) -> bool:
        """Whether a copy is not only for the session's own user."""
        return self.saved is not None and self.saved.fields.get("anyone") is True

    def request_of(self, visible: VisibleRequest) -> VisibleRequest:
        """A visitor's request, with the arguments that the session was opened with."""
        saved = None if self.opening is None else self.opening.request
        return visible if saved is None else replace(visible, arguments=saved.arguments)

    def for_visitor(self, request: VisibleRequest, payload: Mapping[str, Any], user: Any) -> Woken:
        """A copy for this visitor, whose own session it is; only what was worked out in it is another's."""
        assert self.opening is not None
        opening = replace(self.opening, request=request, payload=payload, user=user, begun_s=None)
        return replace(self, opening=opening)


def or_copy(woken: Woken | None, copy: Woken | None) -> Woken | None:
    """What is saved under the session's own id; the copy that a link leads to only if nothing of it can be used."""
    if woken is None or copy is None:
        return woken or copy
    return woken if woken.saved is not None else replace(copy, claim=woken.claim, keeps=woken.keeps)


def opening_fields(context: SessionContext, url: str, document: ServedDocument, sources: str) -> dict[str, Any]:
    """The fields of a journal's first record, for a document that its application has just built.

    Raises NotPlain, with what to log, if the session could not be given back to its user as it was.
    """
    return {
        "application": url,
        "session": context.id,
        "begun_s": context.begun_s,
        "request": None if context.request is None else context.request.as_json(),
        "payload": _exactly(
            "what process_request returned",
            {name: value for name, value in context.token_payload.items() if name not in _FROM_REQUEST},
        ),
        "user": _exactly("its user", context.user),
        "skeleton": skeleton(document),
        "tag": document.ids.tag,
        "sources": sources,
    }


def read_opening(fields: Mapping[str, Any], url: str, session_id: str) -> SavedOpening:
    """What `opening_fields` has said of this session. ValueError, TypeError or KeyError if it is another one's."""
    if (fields["application"], fields["session"]) != (url, session_id):
        raise ValueError("it is another session's")
    request = None if fields["request"] is None else VisibleRequest.from_json(fields["request"])
    payload = {**({} if request is None else request.payload()), **from_exact(fields["payload"])}
    user = from_exact(fields["user"])
    return SavedOpening(
        request, payload, user, fields["skeleton"], fields["tag"], fields["sources"], fields.get("begun_s")
    )


def _exactly(name: str, value: Any) -> Any:
    try:
        return exact_json(value)
    except NotPlain as error:
        raise NotPlain(f"{name} is not made of plain values: {error}") from None

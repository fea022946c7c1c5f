"""The session that a request is for: read from its token or id, and verified, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import PeerError
from app_server.requests.state.server_state import ServerState
from app_server.security import tokens
from app_server.security.tokens import Token
from app_server.settings import EXTERNAL_IDS

_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Opening:
    """What a request says of its session.

    `session_id` is None for a new session, and for what names none. `token` is a verified token. `refusal` is why the
    request can have no session, for the one who sent it; `error` is what is wrong with its token or id, for the log.
    `may_build` says whether the session may be built if it is not there.
    """

    session_id: str | None = None
    token: Token | None = None
    may_build: bool = True
    refusal: str = ""
    error: PeerError | None = None


def read_opening(state: ServerState, token: str | None, session_ids: Sequence[str]) -> Opening:
    """The opening of a request that brings this token and these session ids, of which one at most is right."""
    if len(session_ids) + (token is not None) > 1:
        return Opening(refusal="More than one session id or token was given")
    if token is not None:
        return read_token_opening(state, token)
    if session_ids:
        return _read_id(state, session_ids[0])
    if state.settings.session_ids in EXTERNAL_IDS:
        return Opening(refusal="No bokeh-session-id provided")
    return Opening()


def read_token_opening(state: ServerState, text: str) -> Opening:
    """The opening of a request with this token."""
    try:
        token = state.policy.read_token(text)
    except PeerError as error:
        return Opening(refusal="Invalid token or session ID", error=error)
    return Opening(token.session_id, token, state.process.may_build(token))


def _read_id(state: ServerState, given: str) -> Opening:
    if given and len(given) <= _LONGEST_ID and tokens.verify_session_id(state.policy.signer, given):
        return Opening(given)
    error = PeerError("the signature of a session id is wrong")
    return Opening(given or None, refusal="Invalid token or session ID", error=error)


async def as_saved(opening: Opening, runtime: ApplicationRuntime) -> Opening:
    """The opening, which may build its session after its token has expired if the session was saved.

    Raises Full if that cannot be said now.
    """
    if opening.session_id is None or runtime.registry.get(opening.session_id) is not None:
        return opening
    saved = await runtime.is_saved(opening.session_id)
    return replace(opening, may_build=True) if saved else opening

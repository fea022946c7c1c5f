"""What logging out does to a user's sessions, where they are saved."""

from __future__ import annotations

from functools import partial
from typing import Any

from app_server.http.auth_backend import AuthBackend
from app_server.requests.state.server_state import ServerState


def forget_sessions(state: ServerState, user: Any) -> None:
    """End this user's sessions in this process, and delete what is saved of them all; nothing without a store."""
    auth = state.policy.auth
    if not user or auth.open or not saves_sessions(state):
        return
    owner = auth.owner(user)
    is_theirs = partial(_is_owner, auth, owner)
    for runtime in state.runtimes:
        for session in [each for each in runtime.registry if is_theirs(each.context.user)]:
            session.request_expiration()
            runtime.begin_end(session)
    if owner is not None:
        state.runtimes[0].log_out(owner)  # of all applications


def saves_sessions(state: ServerState) -> bool:
    """Whether the server has a store."""
    return any(runtime.saves for runtime in state.runtimes)


def _is_owner(auth: AuthBackend, owner: str | None, user: Any) -> bool:
    return bool(user) and auth.owner(user) == owner

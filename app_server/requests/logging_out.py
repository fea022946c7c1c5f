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
    is_theirs = partial(_is_owner, auth, auth.owner(user))
    for runtime in state.runtimes:
        runtime.end_sessions_of(is_theirs)
    state.runtimes[0].forget_saved_of(is_theirs)  # of all applications


def saves_sessions(state: ServerState) -> bool:
    """Whether the server has a store."""
    return any(runtime.saves for runtime in state.runtimes)


def _is_owner(auth: AuthBackend, owner: str | None, user: Any) -> bool:
    return bool(user) and auth.owner(user) == owner

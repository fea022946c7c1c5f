"""What logging out does to a user's sessions: they end, in all processes of the server, and with them their sockets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from app_server.http.auth_backend import AuthBackend
from app_server.page import logged_out_notice
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.state.server_state import ServerState

QUESTION: Final = "log out"
"""What the processes of a server are asked when a user has logged out at one of them."""


def end_sessions(state: ServerState, user: Any) -> None:
    """End this user's sessions in all processes; with a store, everywhere, and what is saved of them is deleted."""
    auth = state.policy.auth
    owner = auth.owner(user) if user and not auth.open else None
    if owner is None:
        return
    end_sessions_here(state, owner)
    if any(runtime.saves for runtime in state.runtimes):
        state.runtimes[0].log_out(owner)  # of all applications
    workers = state.process.workers
    if workers is not None:
        state.process.begin(_tell_others(workers, owner))


def end_sessions_here(state: ServerState, owner: str) -> None:
    """End the sessions that this process has of this user; their pages say why."""
    is_theirs = partial(_is_owner, state.policy.auth, owner)
    state.policy.auth.logged_out(owner)
    for runtime in state.runtimes:
        for session in [each for each in runtime.registry if is_theirs(each.context.user)]:
            for connection in list(session.connections):
                runtime.show_notice(session, connection, logged_out_notice())
            session.request_expiration()
            runtime.begin_end(session)


async def answer(state: ServerState, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do what another process asks by `QUESTION`."""
    end_sessions_here(state, str(fields.get("owner")))
    return {}


async def _tell_others(workers: WorkerGroup, owner: str) -> None:
    await workers.ask_others({"question": QUESTION, "owner": owner})


def _is_owner(auth: AuthBackend, owner: str, user: Any) -> bool:
    return bool(user) and auth.owner(user) == owner

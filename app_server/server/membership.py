"""This process among the processes of its server: which slot it has, and what it answers to the others."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app_server.engine.runtime import ApplicationRuntime
from app_server.guests.shared_files import SHARED
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.requests import logging_out
from app_server.requests.state.process import has_session
from app_server.requests.state.server_state import ServerState
from app_server.security.admission import Admission, Key
from app_server.server.console.answers import NoConsole
from app_server.server.observing import metrics, metrics_reporter
from app_server.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Membership:
    """One of a server's processes: the directory in which they meet, its slot, and how many slots there are.

    `fork_servers` names the slot that forks the sessions of an application, by the route of those that are isolated.
    """

    runtime_dir: RuntimeDir
    slot: int
    slots: int
    kind: type[WorkerGroup] = WorkerGroup
    fork_servers: Mapping[str, int] = field(default_factory=dict)

    def workers(
        self,
        runtimes: Sequence[ApplicationRuntime],
        arrive: Callable[[Message, socket.socket], None],
        on_superseded: Callable[[], None],
    ) -> WorkerGroup:
        """The group of processes, with this one in it.

        `arrive` is called with each connection that is handed over, `on_superseded` when this process gets no new
        sessions any more.
        """
        SHARED.begin(self.runtime_dir.folder)
        knows = partial(has_session, runtimes)
        return self.kind(self.runtime_dir, self.slot, self.slots, knows, arrive, on_superseded)

    def session_processes(self, workers: WorkerGroup) -> SessionProcesses | None:
        """The processes of single sessions; None if no application is isolated."""
        return SessionProcesses(workers, dict(self.fork_servers)) if self.fork_servers else None


_SESSIONS_OF = "sessions of"


def make_admission(settings: Settings, workers: Callable[[], WorkerGroup | None], *, forked: bool) -> Admission:
    """Who gets a session in this process; `forked` is one that was started for a session, which is counted there."""

    async def elsewhere(owner: str) -> Set[Key]:
        group = workers()
        return frozenset() if group is None else await _sessions_elsewhere(group, owner)

    per_user = 0 if forked else settings.max_sessions_per_user
    return Admission(settings.max_sessions, settings.max_sessions_per_address, per_user, elsewhere)


async def _sessions_elsewhere(workers: WorkerGroup, owner: str) -> Set[Key]:
    """The user's sessions in the other processes; those of a process that is too busy to answer are left out."""
    answers = await workers.ask_peers({"question": _SESSIONS_OF, "owner": owner})
    return {(route, session) for answer in answers for route, session in (answer or {}).get("sessions", ())}


class PeerAnswers:
    """The questions that the other processes of the server may ask this one."""

    def __init__(self, state: ServerState, url: str, console: NoConsole) -> None:
        self._state = state
        self._url = url
        self._console = console

    def register(self, workers: WorkerGroup) -> None:
        """Answer the others' questions from now on."""
        workers.answer("inherit", self._inherit)
        workers.answer(metrics.QUESTION, self._observe)
        workers.answer("room", self._room)
        workers.answer(logging_out.QUESTION, partial(logging_out.answer, self._state))
        workers.answer(_SESSIONS_OF, self._sessions_of)
        self._console.register(workers)
        workers.answer(metrics_reporter.QUESTION, self._take_tally)

    async def _inherit(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._state.process.inherited.add(map(str, fields["sessions"]))
        return {}

    async def _observe(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**metrics.snapshot_of(self._state), "url": self._url}

    async def _take_tally(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._state.process.child_metrics.take(fields)
        return {}

    async def _room(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"room": self._state.process.has_room}

    async def _sessions_of(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"sessions": sorted(self._state.process.admission.sessions_of(str(fields["owner"])))}


async def notify_successors(workers: WorkerGroup, runtimes: Iterable[ApplicationRuntime]) -> None:
    """Name the sessions that are left to the processes where their pages come back: their tokens may be old."""
    sessions = [session.id for runtime in runtimes for session in runtime.registry]
    for socket_path, inherited in workers.successors(sessions).items():
        try:
            await workers.ask(socket_path, {"question": "inherit", "sessions": inherited})
        except (Unreachable, TimeoutError):
            log.warning("Could not name %d sessions to the process that takes over", len(inherited))

"""Finds the process that is to answer a request, and hands the request to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tornado.httputil import HTTPServerRequest

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.accepting import SCARCE
from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.processes.ipc import Unreachable
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.dispatch.arriving import is_given_up
from app_server.requests.dispatch.decision import Ask, Facts, HandOver, Here, Refuse, StartSession, Unknown, decide
from app_server.requests.dispatch.opening import Opening
from app_server.requests.dispatch.socket_handoff import pass_on
from app_server.requests.state.process import ProcessState
from app_server.security.admission import Full


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Another process answers the request from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request has to be refused for the moment: `full` says why there is no room, `log_line` what went wrong.

    `reason` is what the refusal is counted by, if that is not its status.
    """

    log_line: str = ""
    full: Full | None = None
    headline: str = "The process that has this session is about to start again"
    reason: str = ""


_GIVEN_UP = Refused(
    "the process of a session ended before it answered",
    headline="This session ended before it could answer",
    reason="failed",
)


Outcome: TypeAlias = Here | HandedOver | Refused


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an isolated session: `user` as another process can be sent it, the address and owner to count."""

    session_id: str
    user: Any
    address: str
    owner: str = ""


class Dispatcher:
    """The dispatch of one request among the processes of the server."""

    def __init__(
        self, process: ProcessState, workers: WorkerGroup, runtime: ApplicationRuntime, request: HTTPServerRequest
    ) -> None:
        self._process = process
        self._workers = workers
        self._runtime = runtime
        self._request = request

    async def among_workers(self, opening: Opening) -> Outcome:
        """Hand the request to the worker that has its session, or is to have it, unless that is this one."""
        full = self._workers.slots > 1 and self._process.admission.full
        facts = Facts(named=opening.session_id is not None, full=full)
        return await self._settled(facts, opening.session_id)

    async def to_session(self, opening: Opening, caller: Caller) -> Outcome:
        """Hand the request to the process of its session, which is started if need be."""
        session_processes = self._process.session_processes
        assert session_processes is not None
        socket_path = session_processes.socket_path(self._runtime.url, caller.session_id)
        facts = Facts(
            isolated=True,
            lives_here=self._runtime.registry.get(caller.session_id) is not None,
            may_build=opening.may_build,
            draining=self._process.draining,
            own_socket=socket_path if socket_path.exists() else None,
        )
        try:
            if opening.token is None and facts.own_socket is None:
                self._process.check_maintenance()
            return await self._settled(facts, caller.session_id, caller)
        except Full as full:  # or whether it is saved cannot be said now
            return Refused(full=full)

    async def _settled(self, facts: Facts, session_id: str | None, caller: Caller | None = None) -> Outcome:
        """What comes of these facts, once what is missing among them has been asked for."""
        if is_given_up(self._request):
            return _GIVEN_UP
        try:
            while True:
                match decide(facts):
                    case Ask() as question:
                        facts = await self._asked(facts, question, session_id)
                    case HandOver(socket_path):
                        found = await self._handed_over(facts, socket_path, caller)
                        if found is None:
                            return HandedOver()
                        facts = found
                    case StartSession():
                        assert caller is not None
                        return await self._started(caller)
                    case Refuse():
                        return Refused()
                    case Here() as here:
                        return here
        except OSError as error:
            if error.errno not in SCARCE:
                raise
            return Refused(f"no other process can be reached: {error.strerror}")

    async def _asked(self, facts: Facts, question: Ask, session_id: str | None) -> Facts:
        if question is Ask.ROOM:
            return replace(facts, room=await self._workers.with_room())
        if question is Ask.EXIT_RECORD:
            assert session_id is not None
            return replace(facts, exit_record=await self._exit_record(session_id))
        try:
            return replace(facts, owner=await self._workers.owner(session_id))
        except Unreachable:
            return replace(facts, owner=Unknown.UNREACHABLE)

    async def _exit_record(self, session_id: str) -> ExitRecord | None:
        """Why the session's process has ended; None if it may have another one."""
        session_processes = self._process.session_processes
        assert session_processes is not None
        record = await session_processes.exit_record(session_processes.socket_path(self._runtime.url, session_id))
        if record is not None and record.end is ExitReason.CRASH and await self._runtime.is_saved(session_id):
            return None  # it goes on where it was saved
        return record

    async def _handed_over(self, facts: Facts, socket_path: Path, caller: Caller | None) -> Facts | None:
        """None if the process behind this socket has the request now; else the facts without that process."""
        own = socket_path == facts.own_socket
        predecessor = self._workers.is_predecessor(socket_path)
        patience_s = 0 if own or predecessor or self._process.draining else None
        user = caller.user if own and caller is not None else None
        try:
            await pass_on(self._request, self._workers, socket_path, patience_s, user, awaits=own)
        except Unreachable:
            if own:
                return replace(facts, own_socket=None)
            if not predecessor:
                return replace(facts, owner=Unknown.UNREACHABLE)
            self._workers.forget(socket_path)  # it has ended since it was asked
            return replace(facts, owner=Unknown.UNASKED)
        return None

    async def _started(self, caller: Caller) -> Outcome:
        """Start a process for the session, and hand the request to it."""
        session_processes = self._process.session_processes
        assert session_processes is not None
        key = self._runtime.url, caller.session_id
        try:
            await self._admit(key, caller)
        except Full as full:
            return Refused(full=full)
        socket_path = session_processes.socket_path(*key)
        session_processes.clear(socket_path)
        try:
            await session_processes.begin(*key, partial(self._over, key, socket_path.name))
        except Unreachable as error:
            return Refused(f"no process for a session: {error}")
        facts = Facts(isolated=True, own_socket=socket_path)
        handed_over = socket_path.exists() and await self._handed_over(facts, socket_path, caller) is None
        return HandedOver() if handed_over else Refused()

    async def _admit(self, key: tuple[str, str], caller: Caller) -> None:
        """Reserve a place for the session; Full if there is none."""
        admission = self._runtime.admission
        admission.enter(key, caller.address, caller.owner)
        try:
            await admission.confirm(key, caller.owner)
        except BaseException:
            admission.leave(key)
            raise

    def _over(self, key: tuple[str, str], child: str) -> None:
        self._runtime.admission.leave(key)
        self._process.child_metrics.close(child)

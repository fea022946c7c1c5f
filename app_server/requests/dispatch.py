"""Which process answers a request: this one, another one that takes connections, or the one of the session alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.engine.runtime import ApplicationRuntime
from app_server.http.accepting import SCARCE
from app_server.processes.ipc import Unreachable
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.ended_page import show_exit_record
from app_server.requests.socket_handoff import pass_on, portable
from app_server.requests.state import ServerState
from app_server.security.admission import Full

if TYPE_CHECKING:
    from app_server.requests.application_handler import ApplicationHandler

log = logging.getLogger(__name__)


@contextmanager
def refusing_without_descriptors(handler: ApplicationHandler) -> Iterator[None]:
    """Answer 503 with one line in the log where another process cannot be asked for want of descriptors or memory."""
    try:
        yield
    except OSError as error:
        if error.errno not in SCARCE or handler.finished:
            raise
        handler.log_refusal("%s: no other process can be reached: %s", handler.runtime.name, error.strerror)
        handler.refuse_for_a_moment()


async def hand_over(handler: ApplicationHandler, workers: WorkerGroup) -> None:
    """Hand the request to the process that has its session, or is to have it, unless that is this one."""
    named = handler.named_session()
    try:
        socket_path = await workers.owner(named)
        if socket_path is None and named is None and workers.slots > 1 and handler.state.process.admission.full:
            socket_path = await workers.with_room()
        while socket_path is not None and not handler.finished:
            try:
                await pass_on(
                    handler.request,
                    workers,
                    socket_path,
                    0 if handler.state.process.draining or workers.is_predecessor(socket_path) else None,
                )
                handler.passed_on()
            except Unreachable:
                if not workers.is_predecessor(socket_path):
                    raise
                workers.forget(socket_path)  # it has ended since it was asked
                socket_path = await workers.owner(named)
    except Unreachable:
        handler.refuse_for_a_moment()


async def hand_to_session(
    handler: ApplicationHandler, workers: WorkerGroup, session_processes: SessionProcesses
) -> None:
    """Hand the request to the process of its session, which is started if need be; what is refused stays here."""
    if handler.answer_for_all(session_processes):
        return
    wanted = handler.wanted_session()
    if wanted is None or handler.runtime.registry.get(wanted.session_id) is not None:
        return
    socket_path = session_processes.socket_path(handler.runtime.url, wanted.session_id)
    if await _passed(handler, workers, socket_path):
        return
    try:
        other = await workers.owner(wanted.session_id)
        if other is not None:
            await pass_on(handler.request, workers, other, 0 if handler.state.process.draining else None)
            handler.passed_on()
            return
    except Unreachable:
        handler.refuse_for_a_moment()
        return
    exit_record = await session_processes.exit_record(socket_path)
    if exit_record is not None:
        handler.runtime.stand_in(wanted.session_id, partial(show_exit_record, exit_record), handler.user)
        return
    if not wanted.may_build or handler.state.process.draining:
        return
    await _start_session(handler, workers, session_processes, wanted.session_id, socket_path)


async def _start_session(
    handler: ApplicationHandler,
    workers: WorkerGroup,
    session_processes: SessionProcesses,
    session_id: str,
    socket_path: Path,
) -> None:
    key = handler.runtime.url, session_id
    try:
        handler.runtime.admission.enter(key, handler.address)
    except Full as full:
        handler.refuse_full(full)
        return
    session_processes.clear(socket_path)
    try:
        await session_processes.begin(
            *key, partial(_session_over, handler.runtime, handler.state, key, socket_path.name)
        )
    except Unreachable as error:
        handler.log_refusal("%s: no process for a session: %s", handler.runtime.name, error)
        handler.refuse_for_a_moment()
        return
    if not await _passed(handler, workers, socket_path):
        handler.refuse_for_a_moment()


def _session_over(runtime: ApplicationRuntime, state: ServerState, key: tuple[str, str], child: str) -> None:
    runtime.admission.leave(key)
    state.process.child_metrics.close(child)


async def _passed(handler: ApplicationHandler, workers: WorkerGroup, socket_path: Path) -> bool:
    """Whether a process answers behind this socket, and the request is its now."""
    if not socket_path.exists():
        return False
    try:
        await pass_on(
            handler.request,
            workers,
            socket_path,
            0,
            None if handler.state.policy.auth.open else portable(handler.current_user),
        )
    except Unreachable:
        return False
    handler.passed_on()
    return True

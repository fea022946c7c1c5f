"""Which process answers a request: this one, another one that takes connections, or the one of the session alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.fleet.crew import Crew
from app_server.fleet.letters import Unreachable
from app_server.fleet.wards import Wards
from app_server.security.admission import Full
from app_server.transport.accepting import SCARCE
from app_server.transport.handover import pass_on, portable
from app_server.transport.notices import show_remains
from app_server.transport.runtime import ApplicationRuntime
from app_server.transport.site import Site

if TYPE_CHECKING:
    from app_server.transport.application import ApplicationHandler

log = logging.getLogger(__name__)


@contextmanager
def refusing_without_descriptors(handler: ApplicationHandler) -> Iterator[None]:
    """Answer 503 with one line in the log where another process cannot be asked for want of descriptors or memory."""
    try:
        yield
    except OSError as error:
        if error.errno not in SCARCE or handler.finished:
            raise
        handler.tell_log("%s: no other process can be reached: %s", handler.runtime.name, error.strerror)
        handler.refuse_for_a_moment()


async def hand_over(handler: ApplicationHandler, crew: Crew) -> None:
    """Hand the request to the process that has its session, or is to have it, unless that is this one."""
    named = handler.named_session()
    try:
        box = await crew.owner(named)
        if box is None and named is None and crew.slots > 1 and handler.site.admission.full:
            box = await crew.with_room()
        while box is not None and not handler.finished:
            try:
                await pass_on(handler.request, crew, box, 0 if handler.site.draining or crew.is_elder(box) else None)
                handler.passed_on()
            except Unreachable:
                if not crew.is_elder(box):
                    raise
                crew.forget(box)  # it has ended since it was asked
                box = await crew.owner(named)
    except Unreachable:
        handler.refuse_for_a_moment()


async def hand_to_session(handler: ApplicationHandler, crew: Crew, wards: Wards) -> None:
    """Hand the request to the process of its session, which is started if need be; what is refused stays here."""
    if handler.answer_for_all(wards):
        return
    wanted = handler.wanted_session()
    if wanted is None or handler.runtime.registry.get(wanted.session_id) is not None:
        return
    box = wards.box(handler.runtime.url, wanted.session_id)
    if await _passed(handler, crew, box):
        return
    try:
        other = await crew.owner(wanted.session_id)
        if other is not None:
            await pass_on(handler.request, crew, other, 0 if handler.site.draining else None)
            handler.passed_on()
            return
    except Unreachable:
        handler.refuse_for_a_moment()
        return
    remains = await wards.remains(box)
    if remains is not None:
        handler.runtime.stand_in(wanted.session_id, partial(show_remains, remains), handler.user)
        return
    if not wanted.may_build or handler.site.draining:
        return
    await _start_session(handler, crew, wards, wanted.session_id, box)


async def _start_session(
    handler: ApplicationHandler, crew: Crew, wards: Wards, session_id: str, box: Path
) -> None:
    key = handler.runtime.url, session_id
    try:
        handler.runtime.admission.enter(key, handler.address)
    except Full as full:
        handler.refuse_full(full)
        return
    wards.clear(box)
    try:
        await wards.begin(*key, partial(_session_over, handler.runtime, handler.site, key, box.name))
    except Unreachable as error:
        handler.tell_log("%s: no process for a session: %s", handler.runtime.name, error)
        handler.refuse_for_a_moment()
        return
    if not await _passed(handler, crew, box):
        handler.refuse_for_a_moment()


def _session_over(runtime: ApplicationRuntime, site: Site, key: tuple[str, str], child: str) -> None:
    runtime.admission.leave(key)
    site.tallies.close(child)


async def _passed(handler: ApplicationHandler, crew: Crew, box: Path) -> bool:
    """Whether a process answers behind this socket, and the request is its now."""
    if not box.exists():
        return False
    try:
        await pass_on(handler.request, crew, box, 0, None if handler.site.gate.open else portable(handler.current_user))
    except Unreachable:
        return False
    handler.passed_on()
    return True

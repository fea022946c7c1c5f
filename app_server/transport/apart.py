"""Applications whose sessions are kept apart: which they are, and the process that their sessions' are forked from."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from socket import socket

from app_server.apps import Application
from app_server.document.served import new_document
from app_server.fleet.master import Task
from app_server.fleet.place import Place
from app_server.fleet.zygote import SessionLimits, Zygote
from app_server.settings import Settings
from app_server.transport.server import Server
from app_server.transport.solo import live, prepare_to_live

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Nursery:
    """One process that sessions' processes are forked from: its slot and the routes of its applications."""

    slot: int
    routes: tuple[str, ...]


def nurseries(applications: Mapping[str, Application], settings: Settings, first_slot: int) -> list[Nursery]:
    """Who forks the sessions of which applications; none where all sessions are together."""
    if settings.dev:
        return []
    chosen = {route: application.isolation or settings.isolation for route, application in applications.items()}
    plain = tuple(route for route, how in chosen.items() if how == "process")
    copied = [(route,) for route, how in chosen.items() if how == "snapshot"]
    groups = [*([plain] if plain else []), *copied]
    return [Nursery(first_slot + number, routes) for number, routes in enumerate(groups)]


def limits_of(settings: Settings) -> SessionLimits:
    """What the settings allow one session's process."""
    memory_bytes = settings.session_memory_mb * 1024 * 1024
    return SessionLimits(memory_bytes, settings.session_cpu_s, settings.callback_limit_s, settings.block_limit_s)


def fork_sessions(
    applications: Mapping[str, Application], settings: Settings, place: Place, task: Task, sockets: Sequence[socket]
) -> int:
    """Be the process that the sessions of these applications are forked from, until a signal; its exit status.

    `sockets` are those that the server listens on, which nobody else gets from here.
    """
    # Whoever ends TLS has the key, and no session's process needs it.
    settings = replace(settings, ssl_certfile=None, ssl_keyfile=None, ssl_password=None)
    nowhere = asyncio.new_event_loop()
    nowhere.close()
    server = Server(applications, settings, nowhere)
    server.share(sockets)
    for sock in sockets:
        sock.close()
    _import_ahead(applications.values())
    _warm(server)
    prepare_to_live()
    return Zygote(place, task, limits_of(settings), partial(live, server), partial(_leave_s, settings)).run()


def _leave_s(settings: Settings, number: int) -> float:
    return settings.drain_deadline_s + (settings.drain_s if number == signal.SIGTERM else 0)


def _import_ahead(applications: Iterable[Application]) -> None:
    """Import what the applications will import, once for all sessions; what fails is theirs to find out."""
    for name in sorted({name for application in applications for name in application.modules}):
        try:
            importlib.import_module(name)
        except Exception as error:
            log.debug("%s is not imported ahead: %s", name, error)
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        log.warning(
            "What the applications import has started threads (%s), which their sessions' processes do not have",
            ", ".join(others),
        )


def _warm(server: Server) -> None:
    """Have done once what every session would do the first time: templates, tables and lists that are kept."""
    for runtime in server.site.runtimes:
        document = new_document("")
        runtime.guest.render_page(
            document, "", server.site.bundles, server.site.root_url, app_path=None, head=server.site.page_head
        )
        document.destroy()

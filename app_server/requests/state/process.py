"""What changes while a process serves: its sessions, its connections, its counters, and whether it drains."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any
from weakref import WeakSet

from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import in_one_line
from app_server.observe.child_metrics import ChildMetrics
from app_server.observe.gauges import Gauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.state.maintenance import Maintenance
from app_server.security.admission import Admission, Full
from app_server.security.tokens import Token
from app_server.session.inheritance import Inheritance
from app_server.websocket.owner import ClientWire

log = logging.getLogger(__name__)

_LONGEST_ORIGIN = 200
"""How many characters of an Origin are kept and logged: browsers send fewer, and others up to 64 KB."""

_MOST_ORIGINS = 1000


async def nothing_changes() -> None:
    """Return at once: files are read when the server starts."""


class ProcessState:
    """What this process has at the moment, for the handlers of its requests.

    `only_session` is the session that this process was started for, if it serves only that one. `look_for_changes` is
    awaited before a session is opened: in development, files may have been saved a moment ago.
    """

    def __init__(
        self,
        runtimes: Sequence[ApplicationRuntime],
        gauges: Gauges,
        admission: Admission,
        *,
        workers: WorkerGroup | None = None,
        session_processes: SessionProcesses | None = None,
        only_session: str | None = None,
        look_for_changes: Callable[[], Awaitable[None]] = nothing_changes,
        maintenance: Maintenance | None = None,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self.tracing = tracing
        self.runtimes = runtimes
        self.gauges = gauges
        self.admission = admission
        self.workers = workers
        self.session_processes = session_processes
        self.only_session = only_session
        self.look_for_changes = look_for_changes
        self._maintenance = maintenance
        self.draining = False
        self.started_s = time.time()
        self.child_metrics = ChildMetrics()
        self.inherited = Inheritance()
        self.wires: set[ClientWire] = set()
        self.under_way: WeakSet[Any] = WeakSet()
        """The handlers of requests; those that are not finished are under way."""
        self._refused_origins: set[str] = set()
        self._begun: set[asyncio.Task[None]] = set()

    def serve_only(self, session_id: str) -> None:
        """Serve this session, and no other: this process has just been started for it."""
        self.only_session = session_id
        self.started_s = time.time()

    def begin_draining(self) -> None:
        """Make no new sessions from now on."""
        self.draining = True

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have this done in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    def check_maintenance(self) -> None:
        """Raise Full if new visitors are turned away for now."""
        notice = None if self._maintenance is None else self._maintenance.notice()
        if notice is not None:
            raise Full(in_one_line(notice.text.rstrip(".")) or "please come back later", "maintenance")

    def check_visitor(self, *, known: bool) -> None:
        """Raise Full if this is a new visitor, and these are turned away; not in the process of a session."""
        if not known and self.only_session is None:
            self.check_maintenance()

    @property
    def superseded(self) -> bool:
        """Whether another process has taken the slots of this one."""
        return self.workers is not None and self.workers.superseded

    @property
    def session_count(self) -> int:
        """How many sessions live here, or in processes of their own that this one hands connections to."""
        isolated = 0 if self.session_processes is None or self.superseded else len(self.session_processes)
        return isolated + sum(len(runtime.registry) for runtime in self.runtimes)

    @property
    def idle(self) -> bool:
        """Whether there are neither sessions, nor jobs of applications, which may outlive their sessions."""
        counts = [runtime.jobs.count(runtime.url) for runtime in self.runtimes]
        return not self.session_count and not any(count.running or count.queued for count in counts)

    @property
    def has_room(self) -> bool:
        """Whether this process takes new sessions."""
        return not (self.draining or self.superseded or self.admission.full)

    @property
    def answers(self) -> bool:
        """Whether a request is being answered, or a session built for a socket."""
        builds = any(runtime.registry.builds for runtime in self.runtimes)
        return builds or any(handler.awaited for handler in self.under_way)

    def session_id(self, mint: Callable[[], str]) -> str:
        """An id for a new session that belongs to this process; `mint` makes one for any."""
        if self.only_session is not None:
            return self.only_session
        return mint() if self.workers is None else self.workers.mint(mint)

    def may_build(self, token: Token) -> bool:
        """Whether this token may build its session: a fresh one, or that of a session which moves here."""
        if token.session_id == self.only_session:
            return True  # the process that had this one started has checked it
        return not token.expired(int(time.time())) or token.session_id in self.inherited

    def report_refused_origin(self, origin: str | None) -> None:
        """Log once for each origin which setting would allow it."""
        shown = None if origin is None else origin[:_LONGEST_ORIGIN]
        if shown is None or shown in self._refused_origins or len(self._refused_origins) > _MOST_ORIGINS:
            return
        self._refused_origins.add(shown)
        host = in_one_line(shown.split("://", 1)[-1])
        hint = f"If it is yours, start with --allow-websocket-origin={host}"
        log.error("Refused a page of origin %r. %s", shown, hint)


def has_session(runtimes: Sequence[ApplicationRuntime], session_id: str) -> bool:
    """Whether one of these applications has this session, or is building it."""
    return any(
        runtime.registry.get(session_id) is not None or runtime.registry.building(session_id) is not None
        for runtime in runtimes
    )

"""What a process that has sessions answers to the console, and what it does at an operator's word.

The questions come over the sockets of the runtime directory, which only the server's own user can reach.

    {"question": "console", "parts": ["sessions", "log", "stalls"]} -> {"sessions": [...], "log": [...], "stalls": …}
    {"question": "console-act", "act": "end", "key": …}             -> {"result": what came of it}

A session's key is a digest that names it, but does not open it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.observe.gauges import FAST_S
from app_server.observe.logs import SHORT
from app_server.observe.memory import proportional_bytes
from app_server.observe.recent import RecentLog, RecentStalls
from app_server.observe.session_record import SessionRecord
from app_server.observe.snapshots import quantile
from app_server.page import operators_message
from app_server.processes.worker_group import WorkerGroup
from app_server.security.auth.users import name_shown
from app_server.session.session import Session
from app_server.settings import Settings
from app_server.store.base import session_key

log = logging.getLogger(__name__)

QUESTION = "console"
ACT = "console-act"

MOST_SESSIONS = 2000
"""How many sessions of one process are shown."""

_LONGEST_USER = 100
_PROFILE_S = 10.0
_MEMORY_FOR_S = 10.0
"""How long a figure of the memory is good: the system takes milliseconds to find it out."""

Act = Callable[[ApplicationRuntime, Session, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""What it did is `result`, in words."""


async def end(runtime: ApplicationRuntime, session: Session, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """End the session."""
    log.info("%s: ends, because an operator has said so", session.name)
    runtime.end_by_operator(session)
    return {"result": "ended"}


async def message(runtime: ApplicationRuntime, session: Session, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the operator's text in the session's pages."""
    count = len(session.viewers)
    if not count:
        return {"result": "no page is open"}
    runtime.show_message(session, operators_message(str(fields.get("text", ""))))
    return {"result": "shown" if count == 1 else f"shown in {count} pages"}


async def profile(runtime: ApplicationRuntime, session: Session, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sample the session's callbacks for as many seconds as the operator says."""
    found = await runtime.profile(session, fields["seconds"] or _PROFILE_S)
    over = ", which has ended" if session.destroyed else ""
    if not found.busy_s:
        return {"result": f"no callback took long enough to be seen within {found.duration_s:.1f} s{over}"}
    return {
        "result": f"callbacks ran for {found.busy_s:.2f} s of {found.duration_s:.1f} s{over}; see the tab Profiles",
        "profile": {"duration_s": found.duration_s, "busy_s": found.busy_s, "calls": found.calls},
    }


ACTS: Mapping[str, Act] = {"end": end, "message": message, "profile": profile}
"""What can be done with one session. An act may take as many seconds as its order gives it in `seconds`."""


class NoConsole:
    """The answers of a process of a server without a console."""

    def begin(self) -> None:
        """There is nothing to keep."""

    def stop(self) -> None:
        """Nothing was kept."""

    def register(self, workers: WorkerGroup) -> None:
        """There is nothing to answer."""

    async def handle(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The console is off."""
        return {"error": "the console is off"}


class ConsoleAnswers(NoConsole):
    """The answers of one process; `isolated` says that it was started for its only session."""

    def __init__(
        self,
        runtimes: Sequence[ApplicationRuntime],
        stalls: RecentStalls,
        *,
        isolated: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtimes = runtimes
        self._stalls = stalls
        self._isolated = isolated
        self._clock = clock
        self._log = RecentLog()
        self._memory: tuple[float, int | None] = (-_MEMORY_FOR_S, None)

    def begin(self) -> None:
        """Keep the log's lines from now on."""
        logging.getLogger().addHandler(self._log)

    def stop(self) -> None:
        """Keep none any more."""
        logging.getLogger().removeHandler(self._log)

    def register(self, workers: WorkerGroup) -> None:
        """Answer the console's questions from now on."""
        workers.answer(QUESTION, self.answer)
        workers.answer(ACT, self.act)

    async def handle(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to whichever question this is."""
        answerers = {QUESTION: self.answer, ACT: self.act}
        answerer = answerers.get(str(fields.get("question")))
        return {"error": "unknown question"} if answerer is None else await answerer(fields)

    async def answer(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is known of the process's sessions, its log and its loop."""
        parts = fields.get("parts", ())
        found: dict[str, Any] = {"pid": os.getpid()}
        if "sessions" in parts:
            found["sessions"] = list(self._sessions())
        if "log" in parts:
            found["log"] = self._log.lines()
        if "stalls" in parts:
            found["stalls"] = self._stalls.stalls()
        return found

    async def act(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what an operator asks for."""
        act = ACTS.get(str(fields.get("act")))
        found = self._find(str(fields.get("key")))
        if act is None:
            return {"result": "this server does not know that act"}
        if found is None:
            return {"result": "the session has ended already"}
        return await act(*found, fields)

    def _find(self, key: str) -> tuple[ApplicationRuntime, Session] | None:
        for runtime in self._runtimes:
            for session, _ in runtime.own_sessions():
                if session_key(runtime.url, session.id) == key and not session.destroyed:
                    return runtime, session
        return None

    def _sessions(self) -> Iterator[Mapping[str, Any]]:
        memory_bytes = self._memory_bytes() if self._isolated else None
        since_epoch_s = time.time() - self._clock()
        left = MOST_SESSIONS
        for runtime in self._runtimes:
            for session, queue in runtime.own_sessions():
                left -= 1
                if left < 0:
                    return
                record = queue.record if isinstance(queue, ObservedTurnQueue) else SessionRecord()
                facts = facts_of(session, record, since_epoch_s)
                yield {**facts, "application": runtime.url, "memory_bytes": memory_bytes}

    def _memory_bytes(self) -> int | None:
        now_s = self._clock()
        if now_s - self._memory[0] >= _MEMORY_FOR_S:
            self._memory = now_s, proportional_bytes()
        return self._memory[1]


def console_answers(
    settings: Settings, runtimes: Sequence[ApplicationRuntime], stalls: RecentStalls, *, isolated: bool
) -> NoConsole:
    """What a process of a server with these settings answers."""
    return ConsoleAnswers(runtimes, stalls, isolated=isolated) if settings.console else NoConsole()


def facts_of(session: Session, record: SessionRecord, since_epoch_s: float) -> Mapping[str, Any]:
    """What is shown of a session; `since_epoch_s` turns times of the monotonic clock into seconds since the epoch."""
    round_trip = record.round_trip.snapshot()
    context, connections = session.context, session.connection_count
    last_s = context.begun_s if record.last_s is None else since_epoch_s + record.last_s
    return {
        "key": session_key(session.application, session.id),
        "id": session.id[:SHORT],
        "user": name_of(context.user),
        "begun_s": context.begun_s,
        "last_s": last_s,
        "connections": connections,
        "messages": record.messages,
        "p50_s": quantile(round_trip, FAST_S, 0.5),
        "p99_s": quantile(round_trip, FAST_S, 0.99),
        "slowest_s": record.slowest.duration_s,
        "slowest_kind": record.slowest.kind,
        "slowest_where": record.slowest.where,
    }


def name_of(user: Any) -> str:
    """What to call this user, whatever the login has made of it; "" for none."""
    return "" if user is None else (name_shown(user) or str(user))[:_LONGEST_USER]

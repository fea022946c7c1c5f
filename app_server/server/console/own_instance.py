"""The instance that a console belongs to: what its processes say of it, and what can be done with it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from app_server.observe.recent import read_stall
from app_server.observe.snapshots import Snapshot
from app_server.processes import ipc
from app_server.processes.ipc import Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.maintenance import Maintenance
from app_server.server.console import answers
from app_server.server.console.audit import Audit
from app_server.server.console.main_log import read_main_log
from app_server.server.console.places import parent_logs, stall_path
from app_server.server.console.usage import History, cpu_s, tree_of
from app_server.server.observing import metrics
from app_server.version import __version__

_ANSWER_S = 1.0
_ACT_S = 10.0
_LONGEST_ACT_S = 120.0

_ASKED_FOR = frozenset({"sessions", "log", "stalls"})
_PROCESS = re.compile(r"worker-[0-9]+-[0-9]+|s-[a-z2-7]{10,40}")
_LONGEST_TEXT = 2000
_LONGEST_ON = 300
_MOST_PROFILES = 3
"""How many profiles are kept; the youngest are."""


class OwnInstance:
    """This instance; `main` is the process id of its main process."""

    def __init__(self, name: str, runtime_dir: RuntimeDir, main: int, maintenance: Maintenance, audit: Audit) -> None:
        self.name = name
        self.run = secrets.token_hex(16)
        """What this run of the console is called by others, which name it in their orders: no other run takes them."""
        self._runtime_dir = runtime_dir
        self._main = main
        self._maintenance = maintenance
        self._audit = audit
        self._history = History()
        self._draining = False
        self._profiles: deque[dict[str, Any]] = deque(maxlen=_MOST_PROFILES)

    async def sample(self) -> None:
        """Note how the instance is now, for its charts."""
        snapshot = await self._snapshot()
        self._history.sample(snapshot, sum(map(cpu_s, tree_of(self._main))), time.time())

    async def look(self, parts: Collection[str]) -> dict[str, Any]:
        """What is known of the instance; `parts` are those that cost something."""
        asked = sorted(_ASKED_FOR & set(parts))
        snapshot, found = await asyncio.gather(self._snapshot(), self._ask_all(asked) if asked else _nothing())
        notice = self._maintenance.notice()
        merged = _merged(asked, found)
        if "stalls" in asked:
            merged["stalls"] += [stall for process in found if found[process] is None for stall in self._stall(process)]
        if "log" in asked:
            for process, path in parent_logs(self._runtime_dir):
                merged["log"] += [{**line, "process": process} for line in read_main_log(path)]
        return {
            "name": self.name,
            "run": self.run,
            "version": __version__,
            "snapshot": snapshot,
            "draining": self._draining,
            "maintenance": None if notice is None else notice.text,
            "history": self._history.points() if "history" in parts else {},
            "audit": self._audit.entries() if "audit" in parts else [],
            "profiles": list(self._profiles) if "profiles" in parts else [],
            **merged,
        }

    def _stall(self, process: str) -> Iterator[Mapping[str, Any]]:
        """What blocks a process that does not answer, if it has said so."""
        stall = read_stall(stall_path(self._runtime_dir, process))
        if stall is not None:
            yield {**stall, "process": process, "pid": process.rpartition("-")[2]}

    async def act(self, order: Mapping[str, Any], who: str) -> str:
        """Do what an operator asks for, and write it down; what came of it, in words."""
        act, text = str(order.get("act")), str(order.get("text", ""))[:_LONGEST_TEXT]
        try:
            result = await self._act(act, order, text)
        except (Unreachable, TimeoutError):
            result = "failed: the process does not answer"
        except OSError as error:
            result = f"failed: {error.strerror}"
        shown = f"{act}: {text}" if text else act
        self._audit.note(who, shown, str(order.get("on") or self.name)[:_LONGEST_ON], result)
        return result

    async def _act(self, act: str, order: Mapping[str, Any], text: str) -> str:
        if act in answers.ACTS:
            return await self._act_on_session(act, order, text)
        if act == "drain":
            return self._drain()
        if act == "maintenance on":
            self._maintenance.begin(text)
            return "new visitors are turned away"
        if act == "maintenance off":
            self._maintenance.end()
            return "new visitors are let in"
        return "this server does not know that act"

    async def _act_on_session(self, act: str, order: Mapping[str, Any], text: str) -> str:
        process = str(order.get("process"))
        if _PROCESS.fullmatch(process) is None:
            return "failed: not a process of this server"
        fields = {
            "question": answers.ACT, "act": act, "key": str(order.get("key")), "text": text, "seconds": lasts_s(order),
        }  # fmt: skip
        try:
            answer = await ipc.ask(self._runtime_dir.folder / process, fields, _ACT_S + lasts_s(order))
        except Unreachable:
            return "the session has ended already"
        if isinstance(profile := answer.get("profile"), dict):
            self._profiles.append({**profile, "on": str(order.get("on", ""))[:_LONGEST_ON], "at_s": time.time()})
        return str(answer.get("result", "failed"))

    def _drain(self) -> str:
        if self._draining:
            return "it drains already"
        self._draining = True
        # What was decided here is written down before the process that has decided it is asked to leave.
        asyncio.get_running_loop().call_later(0.1, os.kill, self._main, signal.SIGTERM)
        return "it takes no new sessions, and stops when those it has have ended"

    async def _snapshot(self) -> Snapshot:
        socket_paths = self._runtime_dir.socket_paths()
        found = await ipc.ask_all(socket_paths, {"question": metrics.QUESTION}, _ANSWER_S)
        return metrics.merged(dict(zip([path.name for path in socket_paths], found, strict=True)))

    async def _ask_all(self, parts: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
        """What each process answers, by the name of its socket; None for one that is too busy."""
        socket_paths = [*self._runtime_dir.socket_paths(), *self._runtime_dir.session_sockets()]
        fields = {"question": answers.QUESTION, "parts": parts}
        answered = await ipc.ask_all(socket_paths, fields, _ANSWER_S)
        return dict(zip([path.name for path in socket_paths], answered, strict=True))


def lasts_s(order: Mapping[str, Any]) -> float:
    """How long an act takes that the operator has given a duration, in seconds; 0 for the others."""
    seconds = order.get("seconds", 0)
    return min(max(float(seconds), 0.0), _LONGEST_ACT_S) if isinstance(seconds, int | float) else 0.0


async def _nothing() -> dict[str, Mapping[str, Any] | None]:
    return {}


def _merged(parts: Sequence[str], found: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """The lists of all processes as one for each part, each entry with the process that it comes from."""
    merged: dict[str, Any] = {part: [] for part in parts}
    for process, answer in found.items():
        for part in parts if answer is not None else ():
            pid = answer["pid"] if answer is not None else 0
            merged[part] += [{**each, "process": process, "pid": pid} for each in (answer or {}).get(part, ())]
    if found:
        merged["busy"] = sum(answer is None for process, answer in found.items() if process.startswith("s-"))
    return merged

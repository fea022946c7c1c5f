"""What this server counts, for its operator: /metrics, and the snapshot that `app-server status` shows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from tornado.web import HTTPError

from app_server.http.base_handler import BaseHandler
from app_server.observe import exposition
from app_server.observe.memory import proportional_bytes, resident_bytes
from app_server.observe.snapshots import Snapshot, add, merge
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.server_state import ServerState

QUESTION = "observe"
"""What processes ask each other for their snapshots with."""

_FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "Forwarded", "Via")
"""Any of these says that a proxy has passed the request on."""


async def snapshot_of_all(state: ServerState) -> Snapshot:
    """What all processes of this server have counted; one that does not answer soon is only named."""
    workers = state.process.workers
    if workers is None or workers.slots == 1:
        return snapshot_of(state)
    return merged(await workers.ask_all({"question": QUESTION}))


def merged(answers: Mapping[str, Mapping[str, Any] | None]) -> Snapshot:
    """The answers of processes, by the names of their sockets, as one snapshot."""
    silent = [RuntimeDir.process_of(socket_path) for socket_path, answer in answers.items() if answer is None]
    living = [f"{slot}-{pid}" for slot, pid in silent if os.path.exists(f"/proc/{pid}") or not os.path.exists("/proc")]
    return merge([answer for answer in answers.values() if answer is not None], living)


def snapshot_of(state: ServerState) -> Snapshot:
    """What this process has counted, and what is true of it now."""
    workers = state.process.workers
    slot, shared = (
        (0, False)
        if workers is None
        else (workers.slot, workers.slots > 1 or state.process.session_processes is not None)
    )
    # One that was replaced goes on beside its successor until its sessions have ended.
    name = f"{slot}-{os.getpid()}" if workers is not None and workers.superseded else str(slot)
    own = {
        runtime.url: {"now": {**runtime.now(), "apart_bytes": 0}, "ever": runtime.gauges.snapshot()}
        for runtime in state.runtimes
    }
    facts: dict[str, Any] = {
        "pid": os.getpid(),
        "started_s": state.process.started_s,
        "taken_s": time.time(),
        "draining": state.process.draining or (workers is not None and workers.superseded),
        "rss_bytes": resident_bytes(),
        "pss_bytes": proportional_bytes() if shared else None,  # which takes the system milliseconds to find out
        "cpu_s": time.process_time() + state.process.child_metrics.cpu_s(),
        "max_sessions": state.process.admission.max_sessions,
        "answers": add(dict(state.process.gauges.answers), state.process.child_metrics.answers()),
        "saving": {
            **add(state.process.gauges.saving.snapshot(), state.process.child_metrics.saving()),
            "away": int(state.process.gauges.saving.away),
        },
        "loop": state.process.gauges.loop.snapshot(),
        "applications": add(state.process.child_metrics.balance(), own),
    }
    return {"processes": {name: facts}, "silent": []}


class MetricsHandler(BaseHandler):
    """What the server counts; only for those who reach it directly, because strangers come through a proxy."""

    def initialize(self, state: ServerState) -> None:
        """Called by Tornado with what the route carries."""
        self._state = state

    async def get(self) -> None:
        """Prometheus's text, from all processes."""
        if any(name in self.request.headers for name in _FORWARDED):
            raise HTTPError(404)
        self.set_header("Content-Type", exposition.CONTENT_TYPE)
        self.forbid_caching()
        self.finish(exposition.expose(await snapshot_of_all(self._state)))

"""What this server counts, for whoever watches it: /metrics, and the snapshot that `app-server status` shows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from tornado.web import HTTPError

from app_server.fleet.place import Place
from app_server.observe import exposition
from app_server.observe.memory import proportional_bytes, resident_bytes
from app_server.observe.snapshots import Snapshot, add, merge
from app_server.transport.answers import Answering
from app_server.transport.site import Site

QUESTION = "observe"
"""What processes ask each other for their snapshots with."""

_FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "Forwarded", "Via")
"""Any of these says that a proxy has passed the request on."""


async def snapshot_of_all(site: Site) -> Snapshot:
    """What all processes of this server have counted; one that does not answer soon is only named."""
    crew = site.crew
    if crew is None or crew.slots == 1:
        return snapshot_of(site)
    return merged(await crew.ask_all({"question": QUESTION}))


def merged(answers: Mapping[str, Mapping[str, Any] | None]) -> Snapshot:
    """The answers of processes, by the names of their sockets, as one snapshot."""
    silent = [Place.process_of(box) for box, answer in answers.items() if answer is None]
    living = [f"{slot}-{pid}" for slot, pid in silent if os.path.exists(f"/proc/{pid}") or not os.path.exists("/proc")]
    return merge([answer for answer in answers.values() if answer is not None], living)


def snapshot_of(site: Site) -> Snapshot:
    """What this process has counted, and what is true of it now."""
    crew = site.crew
    slot, shared = (0, False) if crew is None else (crew.slot, crew.slots > 1 or site.wards is not None)
    # One that was replaced goes on beside its successor until its sessions have ended.
    name = f"{slot}-{os.getpid()}" if crew is not None and crew.superseded else str(slot)
    own = {
        runtime.url: {"now": {**runtime.now(), "apart_bytes": 0}, "ever": runtime.gauges.snapshot()}
        for runtime in site.runtimes
    }
    facts: dict[str, Any] = {
        "pid": os.getpid(),
        "started_s": site.started_s,
        "taken_s": time.time(),
        "draining": site.draining or (crew is not None and crew.superseded),
        "rss_bytes": resident_bytes(),
        "pss_bytes": proportional_bytes() if shared else None,  # which takes the system milliseconds to find out
        "max_sessions": site.admission.max_sessions,
        "answers": add(dict(site.gauges.answers), site.tallies.answers()),
        "loop": site.gauges.loop.snapshot(),
        "applications": add(site.tallies.balance(), own),
    }
    return {"processes": {name: facts}, "silent": []}


class MetricsHandler(Answering):
    """What the server counts; for those who reach it directly, for a proxy stands where strangers are."""

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self._site = site

    async def get(self) -> None:
        """Prometheus's text, from all processes."""
        if any(name in self.request.headers for name in _FORWARDED):
            raise HTTPError(404)
        self.set_header("Content-Type", exposition.CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(exposition.expose(await snapshot_of_all(self._site)))

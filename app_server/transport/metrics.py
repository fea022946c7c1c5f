"""What this server counts, for whoever watches it: /metrics, and the snapshot that `app-server status` shows."""

from __future__ import annotations

import os
import time
from typing import Any

from tornado.web import HTTPError

from app_server.observe import exposition
from app_server.observe.memory import proportional_bytes, resident_bytes
from app_server.observe.snapshots import Snapshot
from app_server.transport.answers import Answering
from app_server.transport.site import Site

_FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "Forwarded", "Via")
"""Any of these says that a proxy has passed the request on."""


async def snapshot_of_all(site: Site) -> Snapshot:
    """What all processes of this server have counted, and what is true of them now."""
    return await site.gather() if site.gather is not None else snapshot_of(site)


def snapshot_of(site: Site, process: str = "1", *, shared: bool = False) -> Snapshot:
    """What this process has counted, and what is true of it now; `shared` says that it has siblings."""
    facts: dict[str, Any] = {
        "pid": os.getpid(),
        "started_s": site.started_s,
        "taken_s": time.time(),
        "draining": site.draining,
        "rss_bytes": resident_bytes(),
        "pss_bytes": proportional_bytes() if shared else None,  # takes milliseconds
        "max_sessions": site.admission.max_sessions,
        "answers": dict(site.gauges.answers),
        "loop": site.gauges.loop.snapshot(),
    }
    applications = {}
    for runtime in site.runtimes:
        counts = [session.connection_count for session in runtime.registry]
        now = {
            "sessions": len(counts),
            "connections": sum(counts),
            "unused": counts.count(0),
            "queued_bytes": runtime.queued_bytes,
        }
        applications[runtime.url] = {"now": now, "ever": runtime.gauges.snapshot()}
    return {"processes": {process: facts}, "applications": applications, "silent": []}


class MetricsHandler(Answering):
    """What the server counts; for those who reach it directly, for a proxy stands where strangers are."""

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self._site = site

    async def get(self) -> None:
        """Prometheus's text, added up over all processes."""
        if any(name in self.request.headers for name in _FORWARDED):
            raise HTTPError(404)
        self.set_header("Content-Type", exposition.CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(exposition.expose(await snapshot_of_all(self._site)))

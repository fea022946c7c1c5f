"""How thoroughly the doctor looks, and how it reaches the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app_server.doctor.network.connection import Route

SHORT_IDLE_S: Final = 8.0
"""Finds time-outs of a few seconds, which are mostly mistakes, without keeping anybody waiting."""

LONG_IDLE_S: Final = 70.0
"""Longer than the 60 s of nginx and Apache as they come."""

MAX_REDIRECTS: Final = 8


@dataclass(frozen=True)
class Options:
    """How thoroughly to look, and how to get there. Times are seconds; `ca_file` replaces the machine's authorities."""

    ca_file: str | None = None
    route: Route = Route()
    idle_s: float = SHORT_IDLE_S
    openings: int = 6
    instances: int | None = None
    embed_origins: tuple[str, ...] = ()
    http_port: int | None = None
    proxy: str | None = None

    @property
    def limit_s(self) -> float:
        """A time within which all is over, whatever anybody does: the steps that come one after the other."""
        return self.idle_s + (MAX_REDIRECTS + 8) * self.route.timeout_s

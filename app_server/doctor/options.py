"""How thoroughly the doctor looks, and how it reaches the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app_server.doctor.network.connection import Route

SHORT_IDLE_S: Final = 8.0
"""Long enough to find timeouts of a few seconds, which are usually mistakes, and short enough to wait for."""

LONG_IDLE_S: Final = 70.0
"""Longer than the default 60 s of nginx and Apache."""

MAX_REDIRECTS: Final = 8


@dataclass(frozen=True)
class Options:
    """How thoroughly to look, and how. Times are seconds; `ca_file` replaces the machine's authorities."""

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
        """The longest time that all steps, one after the other, can take."""
        return self.idle_s + (MAX_REDIRECTS + 8) * self.route.timeout_s

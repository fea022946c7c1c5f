"""What a rule says about a deployment: what was seen, where the fault is, how bad it is, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from app_server.doctor.seen.evidence import Evidence


class Severity(Enum):
    """How bad it is; the worst comes first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Hop(Enum):
    """Which part of a request's path is at fault."""

    BROWSER = "browser"
    NAME = "name service"
    PROXY = "proxy"
    SERVER = "application server"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to change: `where` is nginx, apache, app-server or another place, `how` a phrase, `lines` what to write."""

    where: str
    how: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `id` never changes; `seen` says what was observed, `why` what comes of it."""

    id: str
    severity: Severity
    hop: Hop
    seen: str
    why: str
    remedies: tuple[Remedy, ...] = ()


Rule: TypeAlias = Callable[[Evidence], Iterable[Finding]]


def nginx(how: str, *lines: str) -> Remedy:
    """What to change if nginx is the proxy."""
    return Remedy("nginx", how, lines)


def apache(how: str, *lines: str) -> Remedy:
    """What to change if Apache is the proxy."""
    return Remedy("apache", how, lines)


def server(how: str, *lines: str) -> Remedy:
    """What to change at the application server."""
    return Remedy("app-server", how, lines)


def remedy(where: str, how: str, *lines: str) -> Remedy:
    """What to change somewhere else."""
    return Remedy(where, how, lines)

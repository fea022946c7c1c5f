"""Which process answers a request: a decision about facts, which the handler's `Dispatcher` gathers and carries out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TypeAlias

from app_server.processes.forking.exit_records import ExitRecord


class Unknown(Enum):
    """Why there is no answer to a question about the other processes."""

    UNASKED = auto()
    UNREACHABLE = auto()


class Ask(Enum):
    """What has to be found out before the decision can be made."""

    OWNER = auto()
    """Which worker has the session, or takes new ones in place of this one."""
    ROOM = auto()
    """Which worker has room for one more session."""
    EXIT_RECORD = auto()
    """Why the session's own process has ended, if it was ended or has crashed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request and its session; a None among the answers of others means that there is none.

    `allowed` says whether the request may have its session at all, `named` whether it names one. `full` says that this
    worker has no room for one more session, and is not the only worker.
    """

    allowed: bool = True
    named: bool = True
    isolated: bool = False
    lives_here: bool = False
    may_build: bool = True
    draining: bool = False
    full: bool = False
    own_socket: Path | None = None
    """Where the session's own process listens."""
    owner: Path | Unknown | None = Unknown.UNASKED
    room: Path | Unknown | None = Unknown.UNASKED
    exit_record: ExitRecord | Unknown | None = Unknown.UNASKED


@dataclass(frozen=True, slots=True)
class Here:
    """This process answers; with an exit record, it shows why the session has ended."""

    exit_record: ExitRecord | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """The process that listens on this socket answers."""

    socket_path: Path


@dataclass(frozen=True, slots=True)
class StartSession:
    """A new process answers, which is started for the session."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """No process can answer at the moment."""


Decision: TypeAlias = Here | HandOver | StartSession | Refuse


def decide(facts: Facts) -> Decision | Ask:
    """The process that answers, or what to find out first."""
    if not facts.allowed or facts.lives_here:
        return Here()  # which refuses what is not allowed
    if facts.own_socket is not None:
        return HandOver(facts.own_socket)
    if facts.owner is Unknown.UNASKED:
        return Ask.OWNER
    if isinstance(facts.owner, Unknown):
        return Refuse()
    if facts.owner is not None:
        return HandOver(facts.owner)
    return _decide_isolated(facts) if facts.isolated else _decide_shared(facts)


def _decide_shared(facts: Facts) -> Decision | Ask:
    """A session among others: a new one may go to a worker that has room."""
    if facts.named or not facts.full:
        return Here()
    if isinstance(facts.room, Unknown):
        return Ask.ROOM
    return Here() if facts.room is None else HandOver(facts.room)


def _decide_isolated(facts: Facts) -> Decision | Ask:
    """A session that has no process now, and that no other worker has."""
    if isinstance(facts.exit_record, Unknown):
        return Ask.EXIT_RECORD
    if facts.exit_record is not None:
        return Here(facts.exit_record)
    return StartSession() if facts.may_build and not facts.draining else Here()

"""What every target can do for the operator of a deployment that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app_server.deployment.daily.states import DeploymentState
from app_server.errors import OperatorError

Line = tuple[str, str]
"""The name of an instance, and a line of its log."""


@dataclass(frozen=True, slots=True)
class LogsWanted:
    """Which lines of a log: of these instances, none for all; of the last `lines`, None for all; since this moment."""

    names: tuple[str, ...] = ()
    follow: bool = False
    lines: int | None = None
    since_s: int | None = None
    """in seconds since the epoch"""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A program that prints logs, and what reads its lines: None for one that does not belong to a log.

    What is not UTF-8 in a line is escaped (PEP 383): the pieces of a character can be put together again.

    When the program has ended, `after` gives the one that goes on, as for a container that starts again: None if there
    is nothing to read yet. It is asked with what the program has complained of, None if it has ended well, until the
    reader leaves or it raises OperatorError. Without it, the log ends with the program.
    """

    name: str
    words: tuple[str, ...]
    read: Callable[[str], Line | None]
    after: Callable[[str | None], tuple[str, ...] | None] | None = None
    typed: str = ""
    """what the program reads first, such as a password"""


class Deployed(Protocol):
    """A deployment that was rolled out to one target. Every method raises OperatorError for what does not work."""

    def state(self) -> DeploymentState:
        """What runs."""
        ...

    def set_maintenance(self, closed: bool) -> tuple[str, ...]:
        """Close the site for new pages, or open it; where that was done."""
        ...

    def logs(self, wanted: LogsWanted) -> Sequence[LogSource]:
        """What prints the logs."""
        ...

    def command(self, name: str, words: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """The command that runs these words in the place and with the environment of an instance."""
        ...


def known_name(name: str, names: Iterable[str]) -> str:
    """The name, as the deployment has it: `a1`, or `app-a1` as its container is called. OperatorError for another."""
    known = list(names)
    plain = name.removeprefix("app-")
    if plain in known:
        return plain
    hint = f"There {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}."
    raise OperatorError("the deployment has no such instance", where=name[:60], hint=hint)


def no_proxy() -> OperatorError:
    """What to say if a site is to be closed that has no proxy."""
    hint = "Set `proxy: nginx`, or stop the instances."
    return OperatorError("nothing could answer in place of the instances", where="proxy: none", hint=hint)


def nothing_runs(name: str, target: str) -> OperatorError:
    """What to say if nothing of a deployment runs."""
    hint = f"`app-server deploy {target}` rolls it out."
    return OperatorError(f"nothing of {name} runs with {target}", where=name, hint=hint)

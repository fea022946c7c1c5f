"""What runs of a deployment, as values and as the lines of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.releases.kept import shown_as
from app_server.deployment.rollout.history import Entry

Maintenance = Literal["on", "off", "partly on", "unknown", "no proxy"]
WELL = ("healthy", "running")
"""The states of what needs no attention."""
PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance, or a proxy: what it is called, where it is, how it is and since when."""

    name: str
    host: str
    state: str
    since_s: float | None = None
    """in seconds since the epoch"""
    release: str = ""
    applications: tuple[str, ...] = ()
    restarts: int = 0
    revision: str = ""
    """git's, of its release, with -dirty if files differed from it"""

    @property
    def is_well(self) -> bool:
        """Whether it needs no attention."""
        return self.state in WELL


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """All of a deployment. `faults` says what could not be found out, and why."""

    name: str
    target: str
    url: str
    maintenance: Maintenance
    instances: tuple[InstanceState, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing needs attention; a site that is closed on purpose does not."""
        return not self.faults and all(each.is_well for each in self.instances)


def with_missing(plan: Plan, found: Sequence[InstanceState], host: str = "") -> tuple[InstanceState, ...]:
    """What was found in the order of the plan, and the instances that were not; what is not in the plan comes last."""
    known = {each.name: each for each in found}
    planned = {each.name for each in plan.instances}
    ours = [known.get(each.name) or missing(plan, each, host) for each in plan.instances]
    return (*ours, *(each for each in found if each.name not in planned))


def missing(plan: Plan, instance: Instance, host: str = "", state: str = "not running") -> InstanceState:
    """An instance that is in the plan and does not run."""
    return InstanceState(instance.name, host, state, applications=applications_of(plan, instance.name))


def applications_of(plan: Plan, name: str) -> tuple[str, ...]:
    """The addresses of the applications that an instance serves; none for a name that is not in the plan."""
    for pool in plan.pools:
        if any(instance.name == name for instance in pool.instances):
            return tuple(app.url for app in pool.apps)
    return ()


def as_json(state: DeploymentState, last: Entry | None) -> dict[str, Any]:
    """The state as JSON has it, with the last release of the history."""
    return {**asdict(state), "is_well": state.is_well, "released": None if last is None else asdict(last)}


def as_lines(state: DeploymentState, last: Entry | None, now_s: float, released_s: float | None) -> Iterator[str]:
    """The state as people read it; `released_s` is when the last release was."""
    yield f"{state.name} ({state.target}) at {state.url}"
    if last is not None:
        yield released(last, now_s, released_s)
    yield f"maintenance: {state.maintenance}"
    yield ""
    yield from in_table(state, now_s)
    yield from (f"note: {note}" for note in state.notes)
    yield from (f"fault: {fault}" for fault in state.faults)


def released(last: Entry, now_s: float, released_s: float | None) -> str:
    """A line on the last release."""
    when = last.at if released_s is None else f"{age(now_s - released_s)} ago"
    revision = f", revision {last.revision}" if last.revision else ""
    what = f"release {shown_as(last.release, last.name)}" if last.release else last.action
    return f"{what}, by {last.by} {when}{revision}"


def in_table(state: DeploymentState, now_s: float) -> list[str]:
    """A line for each instance, below a line of headings; columns that say nothing are left out."""
    head = ("INSTANCE", "HOST", "STATE", "SINCE", "RELEASE", "REVISION", "RESTARTS", "APPLICATIONS")
    rows = [_row(each, now_s) for each in state.instances]
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    return aligned([[row[number] for number in kept] for row in (head, *rows)])


def _row(each: InstanceState, now_s: float) -> tuple[str, ...]:
    since = "" if each.since_s is None else age(now_s - each.since_s)
    restarts = str(each.restarts) if each.restarts else ""
    applications = ", ".join(each.applications)
    return each.name, each.host, each.state, since, each.release, each.revision, restarts, applications


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of texts as lines, in which the columns begin below each other."""
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in listed]


def age(seconds: float) -> str:
    """A time as people say it: 5 s, 12 min, 3 h, 2 d."""
    for unit, size, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if seconds < until:
            return f"{max(0, int(seconds // size))} {unit}"
    return f"{int(seconds // 86400)} d"

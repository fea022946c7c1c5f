"""How the tests of a run are spread over its workers, in which order, and what each folder took.

A group of tests is run by one worker, one after another: a file, or a whole folder whose tests share something that is
slow to make, such as a browser or hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Protocol

WHOLE_FOLDERS = {
    "tests/container": "containers",
    "tests/manual": "manual",
    "tests/browser": "browser",
    "tests/peers": "peers",
}
"""Folders that are one group."""

ON_THE_SAME_HOSTS = ("tests/ansible/test_site.py", "tests/ansible/test_releases.py")
"""Files that are one group, in this order: the first sets hosts up, and the others go on with what is kept of them."""

LONGEST = ("tests/ansible", *WHOLE_FOLDERS)
"""Where the longest groups lie, the longest first: what begins last ends last."""

WITH_CONTAINERS = ("tests/ansible", "tests/container")
"""Where tests start hosts and stacks: a run of nothing else would wait for the engine only.

The manual's tests do, too; but if they waited for these, they would be alone at the end.
"""

# A library such as Panel, once imported, adds to every page of the process.
LAST = ("tests/unit/guests", "tests/unit/testing", "tests/unit/asgi")


class Timed(Protocol):
    """What pytest reports of a phase of a test."""

    nodeid: str
    start: float
    stop: float
    duration: float


def folder_of(nodeid: str) -> str:
    """The folder below `tests/` that a test lies in, as `tests/unit`."""
    return "/".join(nodeid.partition("::")[0].split("/")[:2])


def group_of(nodeid: str) -> str:
    """The name of the group that a test belongs to."""
    path = nodeid.partition("::")[0]
    return ON_THE_SAME_HOSTS[0] if path in ON_THE_SAME_HOSTS else WHOLE_FOLDERS.get(folder_of(nodeid), path)


def rank_of(nodeid: str) -> int:
    """Where a test is to come in a run: a smaller number comes first, equal ones stay in their order."""
    return _rank_of_file(nodeid.partition("::")[0])


def comes_last(path: str) -> bool:
    """Whether the tests of a file may disturb others that come after them in their process."""
    return any(path.startswith(f"{last}/") for last in LAST)


@cache
def _rank_of_file(path: str) -> int:
    places = (*ON_THE_SAME_HOSTS, *LONGEST)
    if comes_last(path):
        return len(places) + 1
    return next((places.index(place) for place in (path, folder_of(path)) if place in places), len(places))


def next_group(waiting: Sequence[str], running: Sequence[str], workers: int) -> str:
    """Which of the waiting groups a worker begins with; those of WITH_CONTAINERS have half of the workers at most.

    `running` are the groups that the others are at. Groups come in their order, with two exceptions. Tests of the
    protocol wait for much of their time: if all the others are at some, a unit test comes next. And when nothing but
    containers and unit tests is left, containers come first: unit tests are soon done, and half of the workers would
    idle.
    """
    if running and all(folder_of(group) == "tests/protocol" for group in running):
        for group in waiting:
            if folder_of(group) == "tests/unit" and not comes_last(group):
                return group
    others = [group for group in waiting if not waits_for_the_engine(group) and folder_of(group) != "tests/unit"]
    full = bool(others) and sum(map(waits_for_the_engine, running)) >= (workers + 1) // 2
    return next((group for group in waiting if not (full and waits_for_the_engine(group))), waiting[0])


def waits_for_the_engine(group: str) -> bool:
    """Whether the tests of this group are of WITH_CONTAINERS."""
    names = (WHOLE_FOLDERS.get(folder, folder) for folder in WITH_CONTAINERS)
    return group in names or folder_of(group) in WITH_CONTAINERS


def times_by_folder(reports: Iterable[Timed]) -> Mapping[str, tuple[int, float]]:
    """For each folder the number of its tests and the seconds that they took together, the longest first."""
    tests: defaultdict[str, set[str]] = defaultdict(set)
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        folder = folder_of(report.nodeid)
        tests[folder].add(report.nodeid)
        seconds[folder] += report.duration
    return {folder: (len(tests[folder]), seconds[folder]) for folder in sorted(seconds, key=lambda f: -seconds[f])}


def last_groups(reports: Iterable[Timed], most: int) -> Sequence[tuple[str, float, float]]:
    """The groups that ended last, the last one first: from when to when they ran, in seconds of the whole run."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    for report in reports:
        group = group_of(report.nodeid)
        begun[group] = min(report.start, begun.get(group, report.start))
        ended[group] = max(report.stop, ended.get(group, report.stop))
    zero = min(begun.values(), default=0.0)
    last = sorted(ended, key=lambda group: -ended[group])[:most]
    return [(group, begun[group] - zero, ended[group] - zero) for group in last]

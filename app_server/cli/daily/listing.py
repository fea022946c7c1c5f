"""`app-server deploy --list`: the releases that a deployment can return to."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.daily.target import Asked, asked
from app_server.cli.terminal import say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.releases.kept import KeptRelease


def prepare(namespace: argparse.Namespace) -> Callable[[], int]:
    """What shows the releases."""
    return partial(run, asked(namespace), as_json="json" in namespace)


def run(about: Asked, *, as_json: bool) -> int:
    """Show the releases; 1 if a host did not say which ones it has."""
    releases, faults = releases_of(about)
    if not releases and not faults:
        hint = f"`app-server deploy {about.target}` makes one."
        raise OperatorError("the deployment has no release yet", where=str(about.store.folder), hint=hint)
    if as_json:
        say(json.dumps([asdict(each) for each in releases], indent=2))
    else:
        say("\n".join([*as_lines(releases), *(f"fault: {fault}" for fault in faults)]))
    return 1 if faults else 0


def releases_of(about: Asked) -> tuple[Sequence[KeptRelease], Sequence[str]]:
    """The releases, the earliest first, and why some may be missing."""
    if about.target == "compose":
        from app_server.deployment.rollout import compose

        return compose.releases(about.store), ()
    if about.target == "swarm":
        from app_server.deployment.rollout import swarm

        return swarm.releases(about.store), ()
    return _on_hosts(about)


def _on_hosts(about: Asked) -> tuple[Sequence[KeptRelease], Sequence[str]]:
    from app_server.deployment.releases import kept
    from app_server.deployment.rollout import ansible
    from app_server.deployment.rollout.history import read

    found, current, faults = about.on_hosts().releases()
    # Those that were installed from elsewhere come first: it is not known when that was.
    order = [each.id for each in ansible.releases(about.store)]
    ids = sorted(found, key=lambda each: order.index(each) if each in order else -1)
    return kept.of_history(read(about.store.folder), about.target, ids, current), faults


def as_lines(releases: Sequence[KeptRelease]) -> Iterator[str]:
    """The releases as a table, the latest first; columns that say nothing are left out."""
    from app_server.deployment.daily.states import aligned

    head = ("RELEASE", "NAME", "WHEN", "WHO", "REVISION", "")
    rows = [_row(each) for each in reversed(releases)]
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    yield from aligned([[row[number] for number in kept] for row in (head, *rows)])


def _row(each: KeptRelease) -> tuple[str, ...]:
    when = each.at[:19].replace("T", " ")
    return each.id, each.name, when, each.by, each.revision, "current" if each.is_current else ""

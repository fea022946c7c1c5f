"""`app-server deploy status`: what runs of a deployment."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.command import Command, switch
from app_server.cli.daily.target import OF_A_DEPLOYMENT, Asked, asked
from app_server.cli.terminal import say

if TYPE_CHECKING:
    from app_server.deployment.daily.states import DeploymentState
    from app_server.deployment.rollout.history import Entry
    from app_server.deployment.rollout.store import Store

COMMAND = Command(
    forms=("[-f FILE] [-e NAME] [--json]",),
    text="Show which instances of a deployment run, since when and of which release, and whether the site is closed "
    "for maintenance. The exit status is 1 if something needs attention.",
    examples=("app-server deploy status", "app-server deploy status --target swarm --json"),
    flags=(*OF_A_DEPLOYMENT, switch("--json", "print it as JSON")),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What looks at the deployment."""
    return partial(run, asked(namespace), as_json="json" in namespace)


def run(about: Asked, *, as_json: bool) -> int:
    """Show the state; 1 if something needs attention."""
    from app_server.deployment.daily import states

    state, last = with_revisions(about.deployed().state(), about), last_release(about.store)
    if (roller := about.store.roller()) is not None:
        state = replace(state, notes=(*state.notes, f"{roller}, is rolling out"))
    if as_json:
        say(json.dumps(states.as_json(state, last), indent=2))
    else:
        released_s = None if last is None else seconds_of(last.at)
        say("\n".join(states.as_lines(state, last, time.time(), released_s)))
    return 0 if state.is_well else 1


def with_revisions(state: DeploymentState, about: Asked) -> DeploymentState:
    """The state with the revision of each instance's release, as far as the history knows it.

    A swarm has it from its images, whose tags are not the numbers of releases.
    """
    if about.target == "swarm":
        return state
    from app_server.deployment.releases import kept
    from app_server.deployment.rollout.history import read

    ids = [each.release for each in state.instances]
    known = {each.id: each.revision for each in kept.of_history(read(about.store.folder), about.target, ids, None)}
    instances = (replace(each, revision=known[each.release]) for each in state.instances)
    return replace(state, instances=tuple(instances))


def last_release(store: Store) -> Entry | None:
    """The last roll-out that was completed, None if none is known."""
    from app_server.deployment.rollout.history import read

    done = [each for each in read(store.folder) if each.action in ("deploy", "rollback") and each.result == "done"]
    return done[-1] if done else None


def seconds_of(at: str) -> float | None:
    """A time of the history in seconds since the epoch; None if it is none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return None

"""`app-server deploy maintenance on|off`: close a site for new pages for a while."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, Word
from app_server.cli.daily.target import OF_A_DEPLOYMENT, Asked, asked
from app_server.cli.terminal import say

COMMAND = Command(
    forms=("on|off [-f FILE] [-e NAME]",),
    text="Close a site for new pages: people get a notice with status 503, while open sessions go on and monitors get "
    "their answers. The site stays closed over reloads, restarts and new releases until you open it. The text is "
    "maintenance.message of the deployment, and maintenance.allow says who still sees the site.",
    examples=("app-server deploy maintenance on",),
    words=(
        Word(name="state", metavar="STATE", help="what the site is to be", required=True,
             choices={"on": "closed for new pages", "off": "open"}),
    ),
    flags=OF_A_DEPLOYMENT,
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What closes or opens the site."""
    return partial(run, asked(namespace), namespace.state)


def run(about: Asked, state: str) -> int:
    """Close the site or open it; 0."""
    from app_server.deployment.rollout.history import recorded

    about.store.folder.mkdir(parents=True, exist_ok=True)
    with recorded(about.store.folder, about.target, f"maintenance {state}", None):
        places = about.deployed().set_maintenance(state == "on")
    say(f"maintenance is {state}: {', '.join(places)}")
    return 0

"""`app-server secret`: a new key for signing."""

from __future__ import annotations

import argparse
import secrets
import string
from collections.abc import Callable, Mapping

from app_server.cli.command import Command
from app_server.cli.terminal import say

# 44 letters and digits carry 261 bits, as many as HMAC-SHA256 can use; none of them needs quoting in a shell.
ALPHABET = string.ascii_letters + string.digits
LENGTH = 44


COMMAND = Command(
    forms=("",),
    text="Print a new key for BOKEH_SECRET_KEY or BOKEH_COOKIE_SECRET.",
    examples=("export BOKEH_SECRET_KEY=$(app-server secret)",),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints a new key."""
    return run


def run() -> int:
    """Print a new key."""
    say(new_secret())
    return 0


def new_secret() -> str:
    """A key from the system's source of randomness."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))

"""`app-server serve --check`: looks at the settings, runs each application once, and serves nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from app_server.apps.faults import ADVICE
from app_server.auth.backends import backend_for
from app_server.document import engine
from app_server.observe import exposition
from app_server.observe.otel.setup import check_otel
from app_server.requests.state.policy import key_of_this_run
from app_server.server.applications import load_applications
from app_server.server.saving import check_store
from app_server.server.warming.failure import Failure
from app_server.server.warming.isolated_run import run_isolated
from app_server.server.warming.warmup import time_for
from app_server.settings import Settings


def check_applications(settings: Settings, paths: Sequence[str]) -> int:
    """Print a line for each of these applications; the exit status, 1 if one fails.

    What applications print goes to stderr. Raises OperatorError for a path that leads to none, and for settings with
    which no server starts.
    """
    engine.install()
    key_of_this_run()
    check_settings(settings)
    applications = load_applications(paths, replace(settings, dev=False), broken_too=True)
    status = 0
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace") as lines:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        for route, application in applications.items():
            failure = run_isolated(route, application, settings, time_for(settings, 1), sets_up=True)
            if failure is not None:
                _without_advice(failure).log(route)
                status = 1
            print(f"{route}: {'ok' if failure is None else failure.what}", file=lines, flush=True)
    return status


def check_settings(settings: Settings) -> None:
    """Raise OperatorError if a server with these settings would not start, as far as this machine can tell.

    That is: what is not installed, and what does not fit. Nothing is asked over the network: a release may be checked
    where its store cannot be reached.
    """
    check_otel(settings, os.environ)
    check_store(settings, asked=False)
    backend_for(settings)
    if settings.metrics:
        exposition.check()


def _without_advice(failure: Failure) -> Failure:
    """The failure without what helps where a server is running."""
    return replace(failure, hint="") if failure.hint == ADVICE else failure

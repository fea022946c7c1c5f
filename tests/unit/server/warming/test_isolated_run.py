"""An application that is run once in a process of its own."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps import application_from_function, load_application
from app_server.server.warming import isolated_run
from app_server.server.warming.isolated_run import Failure, run_isolated, warm_up_isolated
from app_server.settings import Settings
from tests.support.waiting import PATIENCE_S, patience

LIMIT_S = 0.2


def run(build: Callable[[Any], object], limit_s: float = 0.0, **settings: Any) -> Failure | None:
    """Why an application with this function fails."""
    application = application_from_function(lambda document: build(document), "/app")
    return run_isolated("/app", application, Settings(**settings), limit_s)


def native_loop(document: Any) -> None:
    """What native code does that does not return: no handler of Python's gets to run."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(patience(PATIENCE_S))


@pytest.mark.parametrize("isolation", ["none", "process", "snapshot"])
def test_application_that_does_not_fail_leaves_nothing_here(isolation: str, tmp_path: Path) -> None:
    def build(document: Any) -> None:
        document.add_root(Div())
        (tmp_path / "ran").write_text(str(os.getpid()))

    assert run(build, isolation=isolation, basic_auth="missing", ssl_certfile="missing", port=0) is None
    assert int((tmp_path / "ran").read_text()) != os.getpid()


def test_failure_has_the_line_and_the_traceback(tmp_path: Path) -> None:
    script = tmp_path / "faulty.py"
    script.write_text("def work():\n    1 / 0\n\n\nwork()\n")
    failure = run_isolated("/faulty", load_application(script), Settings(), 0.0)
    assert failure is not None
    assert failure.what == f"{script}:2: ZeroDivisionError: division by zero"
    assert failure.hint == "Correct it, and restart the server; --dev does so by itself"
    assert failure.traceback.startswith("Traceback") and "in work" in failure.traceback


def test_process_that_ends_or_does_not_return_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated_run, "_HOOKS_S", 0.3)
    assert run(lambda document: os._exit(7)) == Failure("ended the process that it was run in, with status 7")
    killed = Failure("ended the process that it was run in, with SIGKILL")
    assert run(lambda document: os.kill(os.getpid(), signal.SIGKILL)) == killed
    assert run(native_loop, LIMIT_S) == Failure("did not return within 0.2 s, and could not be interrupted")


def test_hook_that_fails_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    (tmp_path / "app_hooks.py").write_text("def on_server_loaded(server_context):\n    raise ValueError('oops')\n")
    failure = run_isolated("/app", load_application(tmp_path), Settings(), 0.0)
    assert failure is not None and f"{tmp_path}/app_hooks.py:2: ValueError: oops" in failure.what


def test_failures_are_logged_and_the_others_are_run(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def fail(document: Any) -> None:
        raise ValueError("oops")

    builds = {"/bad": fail, "/good": lambda document: (tmp_path / "ran").touch()}
    caplog.set_level(logging.ERROR)
    warm_up_isolated({route: application_from_function(build, route) for route, build in builds.items()}, Settings())
    (record,) = caplog.records
    assert "/bad: the warmup failed: " in record.getMessage() and "ValueError: oops" in record.getMessage()
    assert record.exc_text is not None and record.exc_text.startswith("Traceback (most recent call last):\n")
    assert "\n" not in record.getMessage()
    assert (tmp_path / "ran").exists()

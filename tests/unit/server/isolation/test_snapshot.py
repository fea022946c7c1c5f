"""Whether an application can be started once for all its sessions, and what is kept of that start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div

from app_server.apps import Application, application_from_function, load_application
from app_server.apps.function import FunctionApplication
from app_server.engine.local import Snapshot
from app_server.http.compression import default_cache
from app_server.server.isolation.snapshot import Unsound, take
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.client import Answer
from tests.support.clock import free_alarm, skipping_loop
from tests.support.servers.stage import Hooked

BUILD_HELD: list[Any] = []


@pytest.fixture(autouse=True)
def left() -> Iterator[list[Any]]:
    """What an application left behind, which is let go of after the test."""
    yield BUILD_HELD
    while BUILD_HELD:
        let_go = BUILD_HELD.pop()
        let_go()


@pytest.fixture(autouse=True)
def childless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests may have children of its own."""

    def none(*anything: object) -> None:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitid", none)


def taken(application: Application | Callable[[Any], Any], limit_s: float = 0.0) -> Snapshot:
    """What is kept of the application's start, which may take so long."""
    default_cache().wait()  # the thread of a server that was tested before may have a file open
    if not isinstance(application, Application):
        application = application_from_function(application, "/app")
    with skipping_loop() as loop:
        server = Server({"/app": application}, Settings(), loop)
        return take(server.state, server.state.runtimes[0], limit_s)


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(text="found"))


def test_document_page_and_first_answer_are_kept() -> None:
    snapshot = taken(fill)
    assert len(snapshot.document.roots) == 1 and snapshot.prepared is not None
    assert b"found" in snapshot.prepared.content and snapshot.prepared.inline
    page = b"a-token".join(snapshot.prepared.page)
    assert len(snapshot.prepared.page) == 3 and Answer(200, {}, page).token == "a-token"


def test_hook_for_each_session_leaves_nothing_that_is_the_same_for_all() -> None:
    assert taken(Hooked(fill, on_session_created=lambda context: None)).prepared is None


def start_thread(document: Any) -> None:
    """Start a thread that goes on."""
    done = threading.Event()
    BUILD_HELD.append(done.set)
    threading.Thread(target=done.wait, name="mine").start()


def open_file(document: Any) -> None:
    """Open a file."""
    BUILD_HELD.append(open(__file__).close)


def open_socket(document: Any) -> None:
    """Open a socket."""
    BUILD_HELD.append(socket.socket().close)


def open_pipe(document: Any) -> None:
    """Open a pipe."""
    for end in os.pipe():
        BUILD_HELD.append(lambda end=end: os.close(end))


def open_nothing(document: Any) -> None:
    """Open what is harmless."""
    BUILD_HELD.append(open(os.devnull).close)
    fill(document)


def fail(document: Any) -> None:
    """Fail."""
    raise ValueError("it is broken")


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (start_thread, "starts the thread mine, which a fork does not have"),
        (open_file, f"leaves {__file__} open, which its sessions would share"),
        (open_socket, "leaves a socket open, which its sessions would share"),
        (open_pipe, "leaves a pipe open, which its sessions would share"),
    ],
)
def test_what_a_fork_would_lack_or_share_is_named(build: Callable[[Any], None], why: str) -> None:
    with pytest.raises(Unsound) as caught:
        taken(build)
    assert str(caught.value) == why


def test_what_is_harmless_or_let_go_of_does_not_matter() -> None:
    assert taken(open_nothing).prepared is not None


def test_application_that_starts_a_process_is_not_started_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def start(document: Any) -> None:
        started = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
        BUILD_HELD.append(started.wait)

    with pytest.raises(Unsound, match="^starts a process, which is not its sessions'$"):
        taken(start)


def test_application_that_fails_says_so() -> None:
    with pytest.raises(Unsound, match=r"^fails: .*ValueError: it is broken"):
        taken(fail)


class Endless(FunctionApplication):
    """An application that takes forever before its code runs."""

    def prepare(self) -> None:
        while True:
            pass


def test_start_that_takes_too_long_outside_of_the_applications_code_says_so() -> None:
    with pytest.raises(Unsound) as caught, free_alarm():
        taken(Endless("/app", fill), 0.05)
    assert str(caught.value) == "fails: did not return within 0.05 s"


def test_hook_of_the_server_is_to_run_in_each_process() -> None:
    with pytest.raises(Unsound, match="^has the hook on_server_loaded, which is to run before it in each process$"):
        taken(Hooked(fill, on_server_loaded=lambda context: None))


def test_application_that_looks_at_its_session_is_told_by_its_line(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from bokeh.io import curdoc\n\nuser = curdoc().session_context.request.arguments\n", encoding="utf-8"
    )
    with pytest.raises(Unsound) as caught:
        taken(load_application(str(script)))
    assert str(caught.value) == f"looks at session_context when it starts at {script}:3"

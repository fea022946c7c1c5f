"""An application that has started once for all its sessions: its document, and what a page and a client get from it.

Every session is a fork of the process in which the application has started, so what all sessions share is computed
once. That is correct only if the start depends on nothing of a single session, and leaves nothing behind that a fork
cannot have. `take` checks this.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app_server.apps import Application, Hooks
from app_server.document.encoding.document_encoder import encode_built
from app_server.document.served import new_document
from app_server.engine.local import Snapshot
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.warmup import TooLong, deadline
from app_server.errors import AppServerError
from app_server.guests import Guest
from app_server.requests.state.server_state import ServerState
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import SessionContext
from app_server.session.whole_document import Prepared

_TOKEN = "the-place-of-the-token-0f3b5c2e9a7d4186"
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "anon_inode:[eventfd]")


class Unsound(Exception):
    """Why the application cannot be started once for all sessions, as the end of a sentence about it."""


def take(state: ServerState, runtime: ApplicationRuntime, limit_s: float = 0.0) -> Snapshot:
    """Start the application in this process; Unsound where that cannot be done for all sessions at once.

    It is also Unsound if it takes longer than `limit_s` seconds; 0 sets no limit.
    Then this process is of no use any more: the application has run in it.
    """
    application = runtime.application
    if type(runtime.guest) is not Guest:
        raise Unsound("is made with a library that keeps a state for each session")
    before = _Held.now()
    asked: list[str] = []
    document = new_document(f"snapshot {runtime.url}")
    context = SessionContext("", runtime.context.server_context, document, VisibleRequest(), {})
    document.probe_context(context, lambda: asked.append(_line_of(application)))
    try:
        if application.hooks.on_server_loaded is not Hooks().on_server_loaded:
            raise Unsound("has the hook on_server_loaded, which is to run before it in each process")
        with document.at_work(), deadline(limit_s):
            application.build(document)
        encoded = encode_built(document, inline=True)
        page = runtime.guest.render_page(
            document,
            _TOKEN,
            state.pages.bundles,
            state.pages.root_url,
            app_path=state.policy.socket_path(runtime.url),
            head=state.pages.head,
            encoded=encoded[0],
        )
    except AppServerError as error:
        raise Unsound(asked[0] if asked else f"fails: {error}") from error
    except TooLong as error:  # it may come while our own code runs
        raise Unsound(f"fails: {error}") from error
    if asked:
        raise Unsound(asked[0])
    gc.collect()  # what is not referenced any more is not left open
    for fault in before.left_behind():
        raise Unsound(fault)
    if application.hooks.on_session_created is not Hooks().on_session_created:
        return Snapshot(document, None)  # the hook may change the document of each session
    return Snapshot(document, Prepared(tuple(page.encode().split(_TOKEN.encode())), *encoded, inline=True))


def _line_of(application: Application) -> str:
    """That the context is looked at, and where in the application's own code."""
    files = {str(path) for path in application.watch_paths()}
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename not in files:
        frame = frame.f_back
    where = f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame.f_code.co_filename in files else ""
    return f"looks at session_context when it starts{where}"


@dataclass(frozen=True)
class _Held:
    """What a process holds that its forks would not have, or would share."""

    threads: frozenset[str]
    tasks: int
    descriptors: dict[str, str]

    @classmethod
    def now(cls) -> _Held:
        threads = frozenset(thread.name for thread in threading.enumerate())
        return cls(threads, len(os.listdir("/proc/self/task")), dict(_descriptors()))

    def left_behind(self) -> Iterator[str]:
        """What has been added since, as the end of a sentence."""
        now = _Held.now()
        if started := sorted(now.threads - self.threads):
            yield f"starts the thread {started[0]}, which a fork does not have"
        elif now.tasks > self.tasks:
            yield "starts a thread outside of Python, which a fork does not have"
        for number, target in now.descriptors.items():
            if self.descriptors.get(number) != target and target not in _HARMLESS:
                yield f"leaves {_described(target)} open, which its sessions would share"
        if _has_children():
            yield "starts a process, which is not its sessions'"


def _described(target: str) -> str:
    """What the link of a descriptor says, in words (proc_pid_fd(5))."""
    kind = target.partition(":")[0]
    return {"socket": "a socket", "pipe": "a pipe", "anon_inode": "an event loop"}.get(kind, target)


def _descriptors() -> Iterator[tuple[str, str]]:
    for path in Path("/proc/self/fd").iterdir():
        try:
            yield path.name, os.readlink(path)
        except FileNotFoundError:
            continue  # that of the listing itself


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True

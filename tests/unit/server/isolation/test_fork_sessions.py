"""The process that the processes of isolated sessions are forked from."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.apps.hooks import Hooks
from app_server.document.served import new_document
from app_server.engine.local import Snapshot
from app_server.server.isolation.fork_sessions import _import_ahead, _leave_s, _page_of_all
from app_server.session.whole_document import Prepared
from app_server.settings import Settings


@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGTERM, 15), (signal.SIGINT, 10)])
def test_sessions_have_their_time_to_go(number: int, seconds: float) -> None:
    assert _leave_s(Settings(drain_s=5, drain_deadline_s=10), number) == seconds


@pytest.mark.parametrize("case", ["kept", "no snapshot", "no page", "a hook"])
def test_page_of_all_is_in_pieces_unless_pages_differ(case: str) -> None:
    prepared = Prepared((b"<p>", b"</p>"), b"{}", [], inline=True)
    snapshot = Snapshot(new_document("one"), None if case == "no page" else prepared)
    hooks = Hooks(process_request=lambda request: {}) if case == "a hook" else Hooks()
    runtime = SimpleNamespace(application=SimpleNamespace(hooks=hooks))
    server: Any = SimpleNamespace(state=SimpleNamespace(runtimes=[runtime]))
    found = _page_of_all(server, None if case == "no snapshot" else snapshot)
    assert (None if found is None else json.loads(found)) == (["<p>", "</p>"] if case == "kept" else None)


def test_what_applications_import_is_imported_once_and_what_fails_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "imported_ahead.py").write_text("here = 1\n", encoding="utf-8")
    (tmp_path / "fails_ahead.py").write_text("raise ValueError('not now')\n", encoding="utf-8")
    applications = [
        SimpleNamespace(modules={"imported_ahead", "imported_ahead.here"}),
        SimpleNamespace(modules={"fails_ahead"}),
    ]
    before = set(threading.enumerate())
    _import_ahead(applications)  # type: ignore[arg-type]
    assert "imported_ahead" in sys.modules
    lines = [text for text in caplog.messages if "started threads" not in text]
    assert lines == ["fails_ahead cannot be imported ahead; each session tries it again: not now"]
    assert set(threading.enumerate()) <= before  # other tests' may end meanwhile
    del sys.modules["imported_ahead"]


def test_threads_that_imports_have_started_are_named(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="poller")
    thread.start()
    _import_ahead([])
    done.set()
    thread.join()
    (line,) = caplog.messages
    assert line.startswith("What the applications import has started threads (") and "poller" in line

"""Live reload: what is served when files have changed, and who is notified."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app_server.apps import load_application
from app_server.errors import ApplicationError, OperatorError
from app_server.server import reload
from app_server.server.reload import LiveReload, _is_installed, as_failure, in_short, own_modules
from tests.support.client import PATIENCE_S
from tests.support.servers.inside import Inside, inside
from tests.support.waiting import patience


def test_reloaded_application_is_named_as_most_people_typed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert in_short(tmp_path / "apps" / "hello.py") == Path("apps/hello.py")
    assert in_short(tmp_path.parent / "hello.py") == tmp_path.parent / "hello.py"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What tests have imported, which a reload would take for the application's, stays, with its model classes."""
    before = set(sys.modules)

    def imported_since() -> list[tuple[str, Path]]:
        return [(name, path) for name, path in own_modules() if name not in before]

    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setattr(reload, "own_modules", imported_since)
    yield
    sys.modules.pop("helper_of_reload", None)


def titled(title: str) -> str:
    """A script whose helper module has the title."""
    return (
        f"from bokeh.io import curdoc\nimport helper_of_reload\ncurdoc().title = '{title} ' + helper_of_reload.words\n"
    )


@contextmanager
def developing(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Iterator[tuple[Inside, Path]]:
    """A server in development, and the script that it serves."""
    monkeypatch.setattr(reload, "find_spec", lambda name: None)
    monkeypatch.setattr(reload, "_LOOK_EVERY_S", 3600)  # the tests look
    script = folder / "report.py"
    script.write_text(titled("first"), encoding="utf-8")
    (folder / "helper_of_reload.py").write_text("words = 'one'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    application = load_application(str(script), dev=True)
    application.prepare()
    with inside({"/report": application}, dev=True, **more) as served:
        yield served, script


def live_reload(state: Inside) -> LiveReload:
    """What watches the files."""
    found = state.server._live_reload
    assert found is not None
    return found


def test_page_is_that_of_the_files_as_they_were_saved_last(
    tmp_path: Path, modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with developing(tmp_path, monkeypatch) as (state, script):
        assert "<title>first one</title>" in state.get("/report").text
        (session,) = state.server.state.runtimes[0].registry
        start_id = live_reload(state).start_id
        state.do(live_reload(state).look())
        assert live_reload(state).start_id == start_id and not session.destroyed, "nothing has changed"
        script.write_text(titled("second"), encoding="utf-8")
        assert "<title>second one</title>" in state.get("/report").text
        assert session.destroyed and live_reload(state).start_id != start_id
        (tmp_path / "helper_of_reload.py").write_text("words = 'two'\n", encoding="utf-8")
        assert "<title>second two</title>" in state.get("/report").text


def test_file_that_does_not_load_is_a_page_that_says_why_until_it_is_mended(
    tmp_path: Path, modules: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with developing(tmp_path, monkeypatch) as (state, script):
        script.write_text("def (", encoding="utf-8")
        broken = state.get("/report")
        assert broken.status == 500 and "report.py:1" in broken.text and "/_dev/reload" in broken.text
        assert any("report.py:1" in text for text in caplog.messages)
        script.write_text(titled("mended"), encoding="utf-8")
        assert "<title>mended one</title>" in state.get("/report").text


def test_log_says_once_that_a_file_of_variables_is_only_read_at_the_start(
    tmp_path: Path, modules: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n", encoding="utf-8")
    with developing(tmp_path, monkeypatch, env_file=str(file), use_config=str(tmp_path / "no.toml")) as (state, _):
        start_id = live_reload(state).start_id
        file.write_text("A=2\n", encoding="utf-8")
        os.utime(file, (1, 1))
        for _ in range(2):
            state.do(live_reload(state).look())
        file.unlink()
        state.do(live_reload(state).look())
        assert caplog.messages.count(f"Changed: {file}. Restart the server to read it") == 1
        assert live_reload(state).start_id == start_id


def test_page_hears_that_something_has_changed(tmp_path: Path, modules: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with developing(tmp_path, monkeypatch) as (state, script):
        with socket.create_connection(("127.0.0.1", state.server.port or 0), PATIENCE_S) as sock:
            sock.sendall(b"GET /_dev/reload HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = b""
            while b"event: start" not in heard:
                heard += sock.recv(65536)
            assert b"Content-Type: text/event-stream" in heard
            assert f"data: {live_reload(state).start_id}".encode() in heard
            script.write_text(titled("second"), encoding="utf-8")
            state.do(live_reload(state).look())
            while b"event: reload" not in heard:
                heard += sock.recv(65536)
        with socket.create_connection(("127.0.0.1", state.server.port or 0), PATIENCE_S) as sock:
            sock.sendall(b"GET /_dev/reload HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(10)
            listening = state.call(lambda: list(state.server.state.process.under_way))
            assert listening and not any(handler.awaited for handler in listening), "it does not hold up the end"


def test_only_modules_of_its_own_are_watched_and_installed_ones_are_looked_up_once(
    tmp_path: Path, modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helper_of_reload.py").write_text("words = 'one'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("helper_of_reload")
    own = dict(own_modules())
    assert own["helper_of_reload"] == (tmp_path / "helper_of_reload.py").resolve()
    assert own.keys().isdisjoint({"json", "tornado", "bokeh.models", "app_server.server.reload", "__main__"})
    asked = _is_installed.cache_info().misses
    assert dict(own_modules()) == own
    assert _is_installed.cache_info().misses == asked


def test_fault_of_the_operator_is_one_that_a_page_can_show() -> None:
    found = as_failure(OperatorError("is not readable", where="app.py"))
    assert isinstance(found, ApplicationError) and str(found) == "app.py: is not readable"
    kept = ApplicationError("it broke")
    assert as_failure(kept) is kept


@pytest.mark.parametrize("installed", [True, False])
async def test_change_is_an_occasion_to_look_also_in_a_folder_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if not installed:
        monkeypatch.setattr(reload, "find_spec", lambda name: None)
    monkeypatch.setattr(reload, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(reload, "_LOOK_ANYWAY_MS", 50)
    monkeypatch.setattr(reload, "_PAUSE_S", 0)
    folders = {tmp_path / "a", tmp_path / "missing"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    seen: set[str] = set()

    async def look() -> None:
        async for _ in reload.occasions(lambda: folders):
            seen.update(path.name for path in tmp_path.glob("*/*"))

    looking = asyncio.create_task(look())
    async with asyncio.timeout(patience(20)):
        for name in ("a/first", "b/second"):
            while Path(name).name not in seen:
                # Before it watches, none is heard.
                (tmp_path / name).write_text(str(time.monotonic()), encoding="utf-8")
                await asyncio.sleep(0.02)
            folders.add(tmp_path / "b")
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_system_reports_a_change_long_before_files_are_compared_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "_LOOK_ANYWAY_MS", 3_600_000)
    async with aclosing(reload.reports(lambda: {tmp_path})) as reports, asyncio.timeout(patience(20)):
        reported = asyncio.ensure_future(anext(reports))
        while not reported.done():
            (tmp_path / "file").write_text(str(time.monotonic()), encoding="utf-8")  # before it watches, none is heard
            await asyncio.wait([reported], timeout=0.02)
        assert reported.exception() is None


async def test_files_are_compared_if_the_system_does_not_report(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(folders: object) -> AsyncIterator[None]:
        raise OSError(28, "OS file watch limit reached")
        yield

    monkeypatch.setattr(reload, "reports", full)
    monkeypatch.setattr(reload, "_LOOK_EVERY_S", 0)
    with caplog.at_level("INFO"):
        async for _ in reload.occasions(set):
            break
    assert caplog.messages == [
        "The system does not report changes ([Errno 28] OS file watch limit reached); comparing files instead"
    ]

"""The server in the process: what ends with it, and what a hang or a failure leaves behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import select
import socket
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Button, Div

from app_server.testing import AppFailure, AppTimeout, open_app
from tests.support.waiting import patience


def fill(document: Any) -> None:
    """A division."""
    document.add_root(Div(text="filled"))


def test_nothing_is_left_when_it_is_closed() -> None:
    handlers = list(logging.getLogger().handlers)
    app = open_app(fill)
    loop, document = app._site.loop, weakref.ref(app.session.document)
    app.close()
    assert loop.is_closed()
    assert logging.getLogger().handlers == handlers
    del app
    gc.collect()
    assert document() is None


def test_tasks_of_the_application_end_with_it() -> None:
    ended: list[str] = []

    def application(document: Any) -> None:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("task")

        tasks = []
        document.add_next_tick_callback(lambda: tasks.append(asyncio.create_task(forever())))
        fill(document)

    with open_app(application):
        assert not ended
    assert ended == ["task"]


def test_hook_that_never_returns_is_reported() -> None:
    def application(document: Any) -> None:
        async def forever(context: Any) -> None:
            await asyncio.Event().wait()

        document.on_session_destroyed(forever)

    app = open_app(application, timeout_s=patience(0.3))
    with pytest.raises(AppTimeout, match="the server was not done within [0-9.]+ s"):
        app.close()
    assert app._site.loop.is_closed()


def test_exit_of_a_task_is_a_failure() -> None:
    def application(document: Any) -> None:
        def leave() -> None:
            asyncio.get_running_loop().call_soon(exit_)

        def exit_() -> None:
            raise SystemExit(3)

        document.add_timeout_callback(leave, 1000)

    with open_app(application) as app, pytest.raises(AppFailure, match=r"the application called sys\.exit\(3\)"):
        app.advance(1)


def test_failing_load_hook_fails_open_app(tmp_path: Any) -> None:
    folder = tmp_path / "hooked"
    folder.mkdir()
    (folder / "main.py").write_text("")
    (folder / "app_hooks.py").write_text("def on_server_loaded(context):\n    raise LookupError('no data')\n")
    with pytest.raises(AppFailure, match=r"app_hooks\.py:2: LookupError: no data"):
        open_app(folder)


def test_hook_may_wait_for_a_connection_within_a_time_limit(tmp_path: Any) -> None:
    folder = tmp_path / "hooked"
    folder.mkdir()
    (folder / "main.py").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        (folder / "app_hooks.py").write_text(
            "import asyncio\n"
            "async def on_session_created(context):\n"
            "    async with asyncio.timeout(60):\n"
            f"        reader, writer = await asyncio.open_connection('127.0.0.1', {listening.getsockname()[1]})\n"
            "        context.state['read'] = (await reader.read()).decode()\n"
            "        writer.close()\n"
        )
        thread = threading.Thread(target=_answer, args=[listening])
        thread.start()
        with open_app(folder) as app:
            assert app.state == {"read": "hello"}
            assert app._site.loop.time() < 60
        thread.join()


def _answer(listening: socket.socket) -> None:
    """Say hello to the first who connects, a moment later."""
    with listening.accept()[0] as connection:
        select.select([connection], [], [], 0.05)
        connection.sendall(b"hello")


def test_clock_is_moved_on_at_once_if_nothing_else_is_waited_for(tmp_path: Any) -> None:
    script = tmp_path / "app_hooks.py"
    (tmp_path / "main.py").write_text("")
    script.write_text("import asyncio\nasync def on_session_created(context): await asyncio.sleep(600)\n")
    with open_app(tmp_path) as app:
        assert app._site.loop.time() == pytest.approx(600)
        app.disconnect()
        app.restart()
        assert app._site.loop.time() > 600


def test_several_failures_are_one_with_all_of_them() -> None:
    def application(document: Any) -> None:
        document.add_timeout_callback(lambda: [][1], 1000)
        document.add_timeout_callback(lambda: {}["a"], 1000)

    with open_app(application) as app, pytest.raises(AppFailure, match=r"IndexError: .* \(and 1 more") as failure:
        app.advance(1)
    assert [type(error) for error in failure.value.errors] == [IndexError, KeyError]


def test_unused_session_ends_when_its_time_is_over() -> None:
    with open_app(fill) as app:
        app.advance(3600)
        assert not app.session.destroyed
        app.disconnect()
        app.advance(60)
        assert app.session.destroyed


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"main.py": "def (:\n"}, r"main\.py:1: SyntaxError: invalid syntax$"),
        ({"main.py": "", "app_hooks.py": "1 / 0\n"}, r"app_hooks\.py:1: ZeroDivisionError: division by zero$"),
        ({"main.py": "", "theme.yaml": "attrs: [1"}, r"theme\.yaml"),
        ({"main.py": "", "templates/index.html": "{% if %}"}, r"index\.html"),
    ],
)
def test_application_that_cannot_be_loaded_fails_the_test(tmp_path: Path, files: dict[str, str], why: str) -> None:
    folder = tmp_path / "broken"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with pytest.raises(AppFailure, match=why):
        open_app(folder)


def test_restart_with_a_new_fault_fails_the_test_and_leaves_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("")
    with open_app(script) as app:
        script.write_text("def (:\n")
        with pytest.raises(AppFailure, match=r"script\.py:1: SyntaxError: invalid syntax$"):
            app.restart()
        script.write_text("")
        app.restart()


def test_call_that_only_notebooks_know_is_the_applications_failure(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import app_server\napp_server.show(lambda document: None)\n")
    with pytest.raises(AppFailure, match=r"script\.py:2"):
        open_app(script)


def test_callback_may_take_longer_than_an_action_and_have_consequences() -> None:
    def application(document: Any) -> None:
        shown, button = Div(name="shown"), Button()

        def slow() -> None:
            threading.Event().wait(0.2)
            document.add_next_tick_callback(lambda: shown.update(text="done"))

        button.on_click(slow)
        document.add_root(shown)
        document.add_root(button)

    with open_app(application, timeout_s=0.1) as app:
        app.click(app.find(Button))
        assert app.find(name="shown").text == "done"


def test_waiting_ends_in_tests_whose_time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_app(fill) as app:
        monkeypatch.setattr(time, "monotonic", lambda: 1.0)
        monkeypatch.setattr(time, "time", lambda: 1.0)
        with pytest.raises(AppTimeout, match=r"the condition is not met after 0\.05 s"):
            app.wait_for(lambda: False, timeout_s=0.05)

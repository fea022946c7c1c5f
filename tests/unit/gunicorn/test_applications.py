"""What gunicorn is asked to load, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.gunicorn import app
from tests.support.short_paths import tmp_path as tmp_path


def fill(document: Any) -> None:
    """An application."""
    document.title = "Filled"


@pytest.mark.parametrize(
    ("sources", "keywords", "message"),
    [
        ((fill,), {"port": 80}, "port: is for gunicorn to say. Give gunicorn --bind."),
        ((fill,), {"num_procs": 2}, "num_procs: is for gunicorn to say. Give gunicorn --workers."),
        ((fill,), {"show": True}, "show: is for gunicorn to say. Leave it out."),
        ((), {}, 'app_server.gunicorn:app: no application. Name at least one, such as app("myapp.py").'),
    ],
)  # fmt: skip
def test_what_is_gunicorns_to_say_is_refused_with_where_to_say_it(
    sources: tuple[Any, ...], keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(OperatorError) as caught:
        app(*sources, **keywords)
    assert str(caught.value) == message


def test_processes_for_sessions_that_the_environment_wants_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SERVER_ISOLATION", "process")
    with pytest.raises(OperatorError) as caught:
        app(fill)
    assert str(caught.value) == (
        "isolation: gunicorn's workers do not start processes for sessions. Use app-server serve --num-procs, or leave"
        " it out."
    )


def test_console_that_the_environment_wants_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SERVER_CONSOLE", "5007")
    with pytest.raises(OperatorError) as caught:
        app(fill)
    assert str(caught.value) == (
        "console: gunicorn does not start the console's process. Use app-server serve, or leave it out."
    )


def test_one_application_several_and_a_dictionary_are_served_at_their_routes() -> None:
    assert list(app(fill, prefix="/tools").applications) == ["/"]
    assert list(app({"/a": fill, "/b": fill}).applications) == ["/a", "/b"]
    assert app(fill, prefix="/tools").settings.prefix == "/tools"


def test_another_worker_class_answers_with_what_is_wrong_and_says_more_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[Any] = []
    body = app(fill)({}, lambda *answer: answers.append(answer))
    assert answers == [("500 Internal Server Error", [("Content-Type", "text/plain")])]
    assert body == [b"The server is misconfigured. Ask the site's operator; details are in the server log.\n"]
    assert caplog.messages == ["gunicorn has been started without our worker class. Add: -k app_server.gunicorn.Worker"]


def test_file_of_variables_reaches_settings_and_applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "variables"
    file.write_text("TEST_PASSWORD='hunter2 $x'\nAPP_SERVER_ROUTE=a\n", encoding="utf-8")
    for name in ("TEST_PASSWORD", "APP_SERVER_ROUTE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("APP_SERVER_ENV_FILE", str(file))
    assert app(fill).settings.route == "a"
    assert os.environ["TEST_PASSWORD"] == "hunter2 $x"

"""An application that does not load, in development."""

from __future__ import annotations

from pathlib import Path

import pytest
from bokeh.document import Document

from app_server.apps.broken import broken_application
from app_server.errors import ApplicationError


def test_every_session_gets_the_reason_until_a_file_changes(tmp_path: Path) -> None:
    script, helper = tmp_path / "app.py", tmp_path / "helper.py"
    script.touch()
    error = ApplicationError("it does not parse", where="app.py:1")
    made = broken_application("/app", script, error, [helper])
    for _ in range(2):
        with pytest.raises(ApplicationError) as caught:
            made.build(Document())
        assert caught.value is error
    assert list(made.watch_paths()) == [script, helper]
    assert (made.route, made.path, made.description) == ("/app", script, "")


def test_a_script_that_is_gone_is_not_watched_but_what_it_needs_is(tmp_path: Path) -> None:
    made = broken_application("/app", tmp_path / "gone.py", ApplicationError("gone"), [tmp_path])
    assert list(made.watch_paths()) == [tmp_path]

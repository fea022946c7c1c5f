"""The applications that the command names."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import ApplicationError, OperatorError
from app_server.server.applications import load_applications
from app_server.settings import Settings


def test_second_application_of_an_address_is_refused_with_another_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.py").touch()
    first, second = f"{tmp_path}/a/report.py", f"{tmp_path}/b/report.py"
    with pytest.raises(OperatorError) as refused:
        load_applications([first, second], Settings())
    assert str(refused.value) == (
        f"{second}: would be served at /report, as {first} is. Rename one, or give it another address: /NAME={second}"
    )
    assert set(load_applications([first, f"/other={second}"], Settings())) == {"/report", "/other"}


def test_application_that_does_not_load_is_served_in_development(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "broken.py"
    script.write_text("def (", encoding="utf-8")
    with pytest.raises(ApplicationError):
        load_applications([str(script)], Settings())
    (application,) = load_applications([str(script)], Settings(dev=True)).values()
    assert application.route == "/broken" and list(application.watch_paths()) == [script]
    assert any("broken.py" in text for text in caplog.messages)

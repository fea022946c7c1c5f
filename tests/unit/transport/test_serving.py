from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings import Settings
from app_server.transport.serving import load_applications


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

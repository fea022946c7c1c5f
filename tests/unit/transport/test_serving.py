from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings import Settings
from app_server.transport.apart import Nursery, idle_limits
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


def test_limit_that_ends_nothing_is_named() -> None:
    limits = Settings(session_memory_mb=500, session_cpu_s=9, callback_limit_s=3, hang_timeout_s=60)
    assert idle_limits(limits, 1, []) == [
        "--session-memory has no effect without --isolation",
        "--session-cpu has no effect without --isolation",
        "--callback-limit has no effect without --isolation",
        "--hang-timeout has no effect with one process; set --num-procs to 2 or more",
    ]
    assert idle_limits(limits, 1, [Nursery(1, ("/a",), copied=False)]) == []
    assert idle_limits(limits, 2, []) == idle_limits(limits, 1, [])[:3]
    assert idle_limits(Settings(), 1, []) == []

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.transport.reload import in_short


def test_reloaded_application_is_named_as_most_people_typed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert in_short(tmp_path / "apps" / "hello.py") == Path("apps/hello.py")
    assert in_short(tmp_path.parent / "hello.py") == tmp_path.parent / "hello.py"

"""What docs/client.md shows runs, one snippet after the other."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app_server.client import ClientSession
from tests.support.server import EXAMPLES, REPOSITORY, running_server

PAGE = REPOSITORY / "docs" / "client.md"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_snippets_of_the_manual_run_with_either_server(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "docs"}
    with running_server(EXAMPLES / "seed" / "sliders.py", server=kind) as server:
        for found in SNIPPET.finditer(text):
            line = text.count("\n", 0, found.start(1))
            code = found[1].replace("http://localhost:5006", server.url)
            exec(compile("\n" * line + code, str(PAGE), "exec"), names)
    session_line, offset_line, error_line = capsys.readouterr().out.splitlines()
    assert float(session_line.split()[1]) == pytest.approx(2.5, abs=0.01)
    assert float(offset_line) == pytest.approx(4, abs=0.01)
    assert error_line.startswith("http://localhost:9/nobody: no server answers: ")
    assert names["heard"] == [-1]
    assert isinstance(names["session"], ClientSession) and not names["session"].connected

"""Which folders' tests coverage measures."""

from __future__ import annotations

import os

import pytest
from coverage import Coverage

from tests.support import measuring
from tests.support.measuring import measure, unmeasured


def test_only_tests_of_units_and_of_the_protocol_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Running:
        calls: list[str] = []

        def stop(self) -> None:
            self.calls.append("stop")

        def start(self) -> None:
            self.calls.append("start")

    monkeypatch.setattr(Coverage, "current", lambda: Running())
    monkeypatch.setattr(measuring, "_put_aside", {})
    monkeypatch.setattr(measuring, "_stopped", [])
    monkeypatch.setenv("COVERAGE_PROCESS_START", "x")
    for folder, calls in (
        ("tests/unit", []),
        ("tests/browser", ["stop"]),
        ("tests/proxy", ["stop"]),
        ("tests/protocol", ["stop", "start"]),
        ("tests/unit", ["stop", "start"]),
    ):
        measure(folder)
        assert Running.calls == calls, folder
        assert ("COVERAGE_PROCESS_START" in os.environ) == (folder in measuring.MEASURED)


def test_environment_of_what_is_not_measured_has_no_word_of_coverage() -> None:
    assert unmeasured({"COVERAGE_PROCESS_START": "x", "PATH": "/bin"}) == {"PATH": "/bin"}

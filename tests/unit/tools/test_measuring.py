"""Which folders' tests coverage measures."""

from __future__ import annotations

import os
from types import ModuleType

import pytest
from coverage import Coverage

import app_server
from app_server.apps import load_application
from app_server.settings import Settings
from tests.protocol.processes import test_isolation, test_warm
from tests.support import measuring
from tests.support.measuring import measure, unmeasured, uses_ours


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
    for folder, module, calls in (
        ("tests/unit", test_warm, []),
        ("tests/browser", test_warm, ["stop"]),
        ("tests/proxy", test_isolation, ["stop"]),
        ("tests/protocol", test_warm, ["stop"]),
        ("tests/protocol", test_isolation, ["stop", "start"]),
        ("tests/protocol", test_warm, ["stop", "start", "stop"]),
        ("tests/unit", test_warm, ["stop", "start", "stop", "start"]),
    ):
        measure(folder, module)
        assert Running.calls == calls, folder
        assert ("COVERAGE_PROCESS_START" in os.environ) == (folder in measuring.MEASURED)


def test_module_uses_ours_if_it_has_imported_a_module_a_class_or_a_function() -> None:
    module = ModuleType("test_x")
    for value in (os, unmeasured, 1, None):
        module.value = value  # type: ignore[attr-defined]
        assert not uses_ours(module), value
    for value in (app_server, Settings, load_application):
        module.value = value  # type: ignore[attr-defined]
        assert uses_ours(module), value


def test_environment_of_what_is_not_measured_has_no_word_of_coverage() -> None:
    assert unmeasured({"COVERAGE_PROCESS_START": "x", "PATH": "/bin"}) == {"PATH": "/bin"}

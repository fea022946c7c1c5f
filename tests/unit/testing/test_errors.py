"""What fails a test is a failure of the test."""

from __future__ import annotations

import app_server.testing
from app_server.testing import AppFailure, AppTimeout, CannotDo, NotFound


def test_all_are_assertion_errors_and_pytest_does_not_take_them_for_tests() -> None:
    for kind in (AppFailure, AppTimeout, CannotDo, NotFound):
        assert issubclass(kind, AssertionError)
        assert kind.__test__ is False


def test_failure_has_all_exceptions() -> None:
    first, second = KeyError("a"), ValueError("b")
    assert AppFailure("both", (first, second)).errors == (first, second)


def test_public_names_are_there_and_others_are_not() -> None:
    for name in app_server.testing.__all__:
        assert getattr(app_server.testing, name).__name__ == name
    assert not hasattr(app_server.testing, "missing")

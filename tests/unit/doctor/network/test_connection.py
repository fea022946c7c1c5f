"""What errors of a connection mean."""

from __future__ import annotations

import pytest

from app_server.doctor.network.connection import failure_of


def test_error_that_means_nothing_here_is_raised_again() -> None:
    with pytest.raises(KeyError):
        failure_of(KeyError("x"))


def test_failures_are_named() -> None:
    found = [failure_of(error, 3.0) for error in (TimeoutError(), ConnectionResetError(), OSError(113, "No route"))]
    assert [(each.kind, str(each)) for each in found if each is not None] == [
        ("timeout", "no answer within 3 s"),
        ("closed", "the connection was closed"),
        ("unreachable", "the host cannot be reached: No route"),
    ]

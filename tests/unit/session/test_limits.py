"""What a client reads about an exception of the application."""

from __future__ import annotations

from app_server.session.limits import MessageLimits


def test_traceback_is_for_development_only() -> None:
    error = ValueError("the password is x")
    assert MessageLimits(100).describe(error) == "the application raised an exception; see the server's log"
    assert MessageLimits(100, show_tracebacks=True).describe(error) == "ValueError: the password is x\n"

"""What fails a test: the application, the wait for it, or what the test asks for.

All are AssertionErrors, which test runners report as failures of the test.
"""

from __future__ import annotations

from typing import Any

from app_server.errors import OperatorError


class TestingError(AssertionError):
    """What a test has asked for did not happen."""

    __test__ = False  # pytest takes classes whose names begin with Test for tests


class AppFailure(TestingError):
    """The application raised an exception, or logged one; that is the cause of this one, with its traceback.

    `errors` has all exceptions that came of the same action.
    """

    def __init__(self, what: str, errors: tuple[BaseException, ...] = ()) -> None:
        super().__init__(what)
        self.errors = errors


class AppTimeout(TestingError):
    """What was waited for did not happen in time."""


class NotFound(TestingError):
    """No model fits, or several do; the text says which there are."""


class CannotDo(TestingError):
    """A person could not do this: the widget is disabled or not shown, or the value is none that it offers."""


def hidden(caught: Any) -> bool:
    """Whether pytest leaves our own lines out of a traceback: the failure is the test's, or the application's."""
    return isinstance(caught.value, TestingError | OperatorError)

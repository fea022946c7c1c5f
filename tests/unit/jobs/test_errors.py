"""Whose fault it is if a job goes wrong."""

from __future__ import annotations

import pytest

from app_server.errors import ApplicationError
from app_server.jobs import errors


@pytest.mark.parametrize(
    "kind", [errors.JobsFull, errors.NotSendable, errors.JobDied, errors.JobTimeout, errors.WorkFailed]
)
def test_all_that_goes_wrong_with_a_job_is_an_error_of_the_application(kind: type[errors.JobError]) -> None:
    error = kind("went wrong", where="compute", hint="Try again")
    assert isinstance(error, errors.JobError) and isinstance(error, ApplicationError)
    assert str(error) == "compute: went wrong. Try again"

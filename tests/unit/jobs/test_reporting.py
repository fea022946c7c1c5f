"""What a job's function may call, in a job and outside of one."""

from __future__ import annotations

import pytest

from app_server.jobs.errors import JobCancelled
from app_server.jobs.reporting import cancelled, progress, reporting_to


class Noting:
    """A reporter that notes what it is told."""

    def __init__(self, *, cancelled: bool = False) -> None:
        self.cancelled = cancelled
        self.said: list[tuple[float | None, str]] = []

    def report(self, fraction: float | None, text: str) -> None:
        self.said.append((fraction, text))


def test_outside_of_a_job_it_does_nothing() -> None:
    progress(0.5, "half")
    assert cancelled() is False


def test_reports_arrive_with_fractions_from_0_to_1() -> None:
    noting = Noting()
    with reporting_to(noting):
        for fraction in (0.5, -1, 7, None, 1):
            progress(fraction, "so far")
    assert noting.said == [(0.5, "so far"), (0.0, "so far"), (1.0, "so far"), (None, "so far"), (1.0, "so far")]


def test_fraction_that_is_not_a_number_is_refused() -> None:
    with reporting_to(Noting()), pytest.raises(ValueError, match="the fraction is not a number; pass 0 to 1, or None"):
        progress(float("nan"))


def test_report_of_a_cancelled_job_raises_what_except_exception_does_not_catch() -> None:
    noting = Noting(cancelled=True)
    with reporting_to(noting):
        assert cancelled() is True
        with pytest.raises(JobCancelled):
            progress(0.5)
    assert noting.said == [] and not issubclass(JobCancelled, Exception)


def test_inner_job_does_not_change_the_outer_one() -> None:
    outer, inner = Noting(), Noting()
    with reporting_to(outer):
        with reporting_to(inner):
            progress(0.1)
        progress(0.2)
    assert (outer.said, inner.said) == ([(0.2, "")], [(0.1, "")])

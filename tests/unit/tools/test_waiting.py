"""Waiting for a claim: it returns when the claim holds, and says what did not hold when it gives up."""

from __future__ import annotations

import pytest

from tests.support import waiting
from tests.support.waiting import patience, until


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing else to do."""
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))


def test_claim_is_looked_at_until_it_holds() -> None:
    answers = iter([False, False, True])
    until(lambda: next(answers))
    assert list(answers) == []


def test_claim_that_does_not_hold_is_named() -> None:
    with pytest.raises(AssertionError) as caught:
        until(lambda: False, "the page is there", 0.02)
    assert str(caught.value) == "after 0.02 s still not so: the page is there"


def test_claim_that_takes_long_to_look_at_is_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, pauses = 0.0, []

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now_s

        @staticmethod
        def sleep(seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(waiting, "time", Clock)
    costs = iter([0.0, 0.05, 3.0])

    def claim() -> bool:
        nonlocal now_s
        cost_s = next(costs, None)
        now_s += cost_s or 0.0
        return cost_s is None

    until(claim)
    assert pauses == [0.01, 0.05, 0.5]


def test_patience_grows_with_what_each_core_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert patience(10) == 10
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (6.0, 0.0, 0.0))
    assert patience(10) == 30

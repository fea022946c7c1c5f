"""Which states of a job may follow which."""

from __future__ import annotations

import pytest

from app_server.jobs.state import NEXT, JobState, is_final


def test_every_state_has_a_row() -> None:
    assert set(NEXT) == set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_nothing_follows_what_is_final_and_nothing_leads_back(state: JobState) -> None:
    assert is_final(state) is (state not in (JobState.QUEUED, JobState.RUNNING))
    assert JobState.QUEUED not in NEXT[state]


def test_states_are_texts_that_an_application_can_compare_and_show() -> None:
    assert JobState.RUNNING == "running"
    assert f"{JobState.LOST}" == "lost"

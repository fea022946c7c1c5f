"""Limits of sessions and of what holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.rules.tripping import Case, assert_tripped

CASES: list[Case] = [
    (
        "stops_leave_time_to_drain",
        "service: {drain_s: 60, stop_timeout_s: 30}\n",
        "service: {drain_s: 60, stop_timeout_s: 70}\n",
        "deploy.yaml:2:24: service.stop_timeout_s: instances are killed after 30 s, but sessions have 60 s",
    ),
    (
        "stops_leave_time_to_drain",
        "containers: {grace_s: 10}\nsessions: {store: off}\n",
        "containers: {grace_s: 10}\n",
        "deploy.yaml:2:14: containers.grace_s: instances are killed after 10 s, but sessions have 30 s",
    ),
    (
        "limits_need_isolation",
        "sessions: {limits: {callback_s: 5}}\n",
        "sessions: {limits: {callback_s: 5}, isolation: process}\n",
        "deploy.yaml:2:21: sessions.limits.callback_s: callback_s needs a process for each session.",
    ),
    (
        "one_address_cannot_have_more_than_there_is",
        "sessions: {max_sessions: 5, max_sessions_per_address: 9}\n",
        "sessions: {max_sessions: 50, max_sessions_per_address: 9}\n",
        "deploy.yaml:2:29: sessions.max_sessions_per_address: is more than sessions.max_sessions (5). Lower it.",
    ),
    (
        "one_user_cannot_have_more_than_there_is",
        "sessions: {max_sessions: 5, max_sessions_per_user: 9}\n",
        "sessions: {max_sessions: 5, max_sessions_per_user: 9}\ninstances: {processes: 2}\n",
        "deploy.yaml:2:29: sessions.max_sessions_per_user: is more than sessions.max_sessions (5). Lower it.",
    ),
    (
        "one_user_cannot_have_more_than_there_is",
        "sessions: {max_sessions: 5, max_sessions_per_user: 11}\ninstances: {processes: 2}\n",
        "sessions: {max_sessions_per_user: 11}\ninstances: {processes: 2}\n",
        "deploy.yaml:2:29: sessions.max_sessions_per_user: is more than sessions.max_sessions (5 for each of 2"
        " processes). Lower it.",
    ),
    (
        "users_are_known_whose_sessions_are_limited",
        "sessions: {max_sessions_per_user: 2}\naccess: {basic: {file: /etc/passwords}}\n",
        "sessions: {max_sessions_per_user: 2}\nserver: {basic_auth: /etc/passwords}\n",
        "deploy.yaml:2:12: sessions.max_sessions_per_user: has no effect, because the server does not know its users."
        " Set access.external or a login of the server's, or use max_sessions_per_address.",
    ),
    (
        "a_session_fits_into_its_container",
        "sessions: {isolation: process, limits: {session_memory_mb: 2000}}\n",
        "sessions: {isolation: process, limits: {session_memory_mb: 2000}}\ncontainers: {memory_mb: 4000}\n",
        "deploy.yaml:2:41: sessions.limits.session_memory_mb: is more than the memory of a whole container (1024 MB).",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)

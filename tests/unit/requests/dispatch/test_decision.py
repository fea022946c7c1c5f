"""Which process answers a request, decided from facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.requests.dispatch.decision import (
    Ask,
    Decision,
    Facts,
    HandOver,
    Here,
    Refuse,
    StartSession,
    Unknown,
    decide,
)

OTHER, OWN = Path("/run/other"), Path("/run/own")
RECORD = ExitRecord(ExitReason.MEMORY, ("root",))


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (Facts(), Ask.OWNER),
        (Facts(owner=None), Here()),
        (Facts(owner=OTHER), HandOver(OTHER)),
        (Facts(owner=Unknown.UNREACHABLE), Refuse()),
        (Facts(owner=None, full=True), Here()),
        (Facts(owner=None, named=False), Here()),
        (Facts(owner=OTHER, named=False, full=True), HandOver(OTHER)),
        (Facts(owner=None, named=False, full=True), Ask.ROOM),
        (Facts(owner=None, named=False, full=True, room=None), Here()),
        (Facts(owner=None, named=False, full=True, room=OTHER), HandOver(OTHER)),
        (Facts(allowed=False), Here()),
    ],
)
def test_session_among_others_is_answered_by_the_worker_that_has_or_makes_it(
    facts: Facts, decision: Decision | Ask
) -> None:
    assert decide(facts) == decision


ISOLATED = Facts(isolated=True)
ALONE = replace(ISOLATED, owner=None, exit_record=None)


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        (ISOLATED, Ask.OWNER),
        (replace(ISOLATED, own_socket=OWN), HandOver(OWN)),
        (replace(ISOLATED, own_socket=OWN, owner=OTHER), HandOver(OWN)),
        (replace(ISOLATED, own_socket=OWN, lives_here=True), Here()),
        (replace(ISOLATED, owner=OTHER), HandOver(OTHER)),
        (replace(ISOLATED, owner=Unknown.UNREACHABLE), Refuse()),
        (replace(ISOLATED, owner=None), Ask.EXIT_RECORD),
        (replace(ISOLATED, owner=None, exit_record=RECORD), Here(RECORD)),
        (ALONE, StartSession()),
        (replace(ALONE, named=False, full=True), StartSession()),
        (replace(ALONE, may_build=False), Here()),
        (replace(ALONE, draining=True), Here()),
        (replace(ALONE, allowed=False), Here()),
    ],
)
def test_isolated_session_is_answered_by_its_own_process_which_is_started_if_need_be(
    facts: Facts, decision: Decision | Ask
) -> None:
    assert decide(facts) == decision

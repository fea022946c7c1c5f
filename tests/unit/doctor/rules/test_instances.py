"""What is found of several instances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import instances as rules
from app_server.doctor.rules import judge
from app_server.doctor.seen.pages import Opening, Page
from tests.unit.doctor.making import BARE, SEEN, TIMEOUT, answer, handshake, healthy, opening, refused
from tests.unit.doctor.rules.changing import OTHER, Case, Change, change, findings_of, names, trip

BARE_TIMEOUT = replace(BARE, failure=TIMEOUT)

TRIPPED: list[Case] = [
    ("affinity-missing", Severity.ERROR, Hop.PROXY, change(openings=(opening(), opening(SEEN, OTHER)))),
    ("affinity-missing", Severity.ERROR, Hop.PROXY,
     change(openings=(opening(), replace(opening(), again=(handshake(), handshake(OTHER)))))),
    ("affinity-missing", Severity.ERROR, Hop.SERVER,
     change(openings=(opening(route=None), opening(SEEN, OTHER, route=None)))),
    ("route-shared", Severity.ERROR, Hop.SERVER, change(openings=(opening(), opening(OTHER)))),
    ("instance-down", Severity.ERROR, Hop.SERVER,
     change(openings=(opening(), opening(), Opening(Page(answer(status=502, seen=None)))))),
    ("instance-down", Severity.ERROR, Hop.SERVER, change(failed_pages=(answer(status=504, seen=None),))),
    ("instance-down", Severity.ERROR, Hop.SERVER, change(repeated=((BARE_TIMEOUT, answer("/tools/nothing", 404)),))),
    ("instance-down", Severity.ERROR, Hop.SERVER, change(instances_expected=2)),
    ("opening-slow", Severity.WARNING, Hop.PROXY,
     change(openings=(opening(), opening(), opening(whole_s=3.0)))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        change(instances_expected=1),
        # What no instance ever answers may be meant for none.
        change(repeated=((BARE_TIMEOUT, BARE_TIMEOUT),)),
        change(repeated=((BARE_TIMEOUT, answer("/tools/healthz", 404, seen=None)),)),
        change(openings=(replace(opening(), again=(handshake(), refused(429, None))),)),
        change(openings=(opening(), opening(OTHER, route="b"))),
        change(openings=(opening(whole_s=3.0), opening(whole_s=3.0), opening(whole_s=3.5))),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []

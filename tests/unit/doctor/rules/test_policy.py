"""What is found of the page's Content-Security-Policy."""

from __future__ import annotations

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import policy as rules
from tests.unit.doctor.making import HSTS, healthy
from tests.unit.doctor.rules.changing import NO_STORE, Case, Change, csp, findings_of, names, page_with, trip

TRIPPED: list[Case] = [
    ("csp-blocks", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, csp("default-src 'none'"))),
    ("csp-narrow", Severity.WARNING, Hop.PROXY,
     page_with(HSTS, NO_STORE, csp("script-src 'self' 'unsafe-inline'; connect-src wss://app.test"))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        page_with(HSTS, NO_STORE, csp("frame-ancestors 'self'"), csp("upgrade-insecure-requests, img-src 'none'")),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []

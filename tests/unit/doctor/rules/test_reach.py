"""What is found of the name, the addresses and the way to https."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import reach as rules
from app_server.doctor.seen.answers import Failure, Reach
from app_server.doctor.seen.evidence import Evidence
from tests.unit.doctor.making import HOME, HSTS, TIMEOUT, answer, healthy
from tests.unit.doctor.rules.changing import Case, Change, change, findings_of, names, on_http, page_of, trip

TRIPPED: list[Case] = [
    ("name-unknown", Severity.ERROR, Hop.NAME,
     lambda _: Evidence(HOME, name_failure=Failure("name", "the name is not known"))),
    ("unreachable", Severity.ERROR, Hop.PROXY,
     lambda _: Evidence(HOME, reach=(Reach("203.0.113.5", Failure("refused", "the connection was refused")),))),
    ("address-dead", Severity.WARNING, Hop.NAME, change(reach=(Reach("203.0.113.5"), Reach("2001:db8::5", TIMEOUT)))),
    ("redirect-missing", Severity.ERROR, Hop.PROXY,
     change(plain=answer(target=replace(HOME, scheme="http", port=80), status=200))),
    ("redirect-missing", Severity.WARNING, Hop.PROXY,
     change(plain=answer(target=replace(HOME, scheme="http", port=80), status=0, failure=TIMEOUT))),
    ("redirect-wrong", Severity.ERROR, Hop.PROXY,
     change(plain=answer(HOME.path, 301, ("location", "https://app.test/"),
                         target=replace(HOME, scheme="http", port=80)))),
    ("redirect-wrong", Severity.ERROR, Hop.PROXY,
     change(plain=answer(HOME.path, 301, ("location", "http://app.test/tools/board"),
                         target=replace(HOME, scheme="http", port=80)))),
    ("redirect-loop", Severity.ERROR, Hop.PROXY,
     lambda evidence: replace(page_of(301, headers=(("location", "/tools/board"), HSTS))(evidence),
                              redirects=(answer(status=301),) * 8)),
    ("tls-missing", Severity.WARNING, Hop.PROXY, on_http),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        change(plain=None),
        change(plain=None, reach=(Reach("127.0.0.1"), Reach("::1", TIMEOUT)), target=replace(HOME, host="localhost")),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []


def test_nobody_at_this_machine_is_the_server_that_does_not_run() -> None:
    target = replace(HOME, scheme="http", host="localhost", port=5006)
    [finding] = judge(Evidence(target, reach=(Reach("127.0.0.1", Failure("refused", "the connection was refused")),)))
    assert (finding.id, finding.hop) == ("unreachable", Hop.SERVER)
    assert finding.remedies[0].lines == ("app-server serve --port 5006 …",)

"""What is found where the proxy tells the server too little, or what is not so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import headers as rules
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from tests.unit.doctor.making import HOME, SEEN, answer, healthy, page
from tests.unit.doctor.rules.changing import Case, Change, all_seen, change, findings_of, names, trip

TRIPPED: list[Case] = [
    ("host-lost", Severity.ERROR, Hop.PROXY, all_seen(host="other")),
    ("host-port-lost", Severity.WARNING, Hop.PROXY, all_seen(host="port")),
    ("xheaders-off", Severity.ERROR, Hop.SERVER, all_seen(scheme="other", proto="same", client="ignored")),
    ("xheaders-off", Severity.WARNING, Hop.SERVER, all_seen(client="ignored")),
    ("scheme-lost", Severity.ERROR, Hop.PROXY, all_seen(scheme="other", proto="none")),
    ("client-lost", Severity.WARNING, Hop.PROXY, all_seen(client="none")),
    ("forgery-believed", Severity.ERROR, Hop.PROXY, change(spoofed=answer(seen=replace(SEEN, address="claimed")))),
    ("forgery-believed", Severity.ERROR, Hop.PROXY, change(spoofed=answer(seen=replace(SEEN, scheme="other")))),
    ("buffering-on", Severity.WARNING, Hop.PROXY,
     change(trickle=answer("/tools/healthz?trickle", arrivals=(1.01,), whole_s=1.02))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        change(trickle=answer("/tools/healthz", 404, seen=None)),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []


def test_forgery_without_a_proxy_is_the_servers() -> None:
    seen = replace(SEEN, client="none", proto="none")

    def bare(thing: Any) -> Any:
        return replace(thing, headers=tuple(pair for pair in thing.headers if pair[0] != "server"))

    forged = bare(answer(seen=replace(seen, address="claimed")))
    evidence = Evidence(HOME, honest=bare(answer(seen=seen)), spoofed=forged)
    [finding] = judge(evidence)
    assert (finding.id, finding.hop) == ("forgery-believed", Hop.SERVER)
    assert [remedy.lines for remedy in finding.remedies] == [("--use-xheaders",)]


def test_port_of_the_host_is_spelt_out_for_nginx() -> None:
    target = replace(HOME, port=8443)
    seen = replace(SEEN, host="other")
    [finding] = judge(replace(healthy(), target=target, page=page(seen, target=target)))
    assert "proxy_set_header Host app.test:8443;" in finding.remedies[0].lines

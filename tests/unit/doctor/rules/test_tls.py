"""What is found of TLS and the certificate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import tls as rules
from app_server.doctor.seen.answers import Failure, Tls
from tests.unit.doctor.making import DAY_S, NOW, healthy
from tests.unit.doctor.rules.changing import (
    NO_STORE,
    Case,
    Change,
    change,
    findings_of,
    names,
    page_with,
    tls,
    trip,
    unanswered,
)

TRIPPED: list[Case] = [
    ("tls-failed", Severity.ERROR, Hop.PROXY, change(tls=Tls(failure=Failure("tls", "TLS failed: wrong version")))),
    ("tls-name-unknown", Severity.ERROR, Hop.PROXY, unanswered("tls-name", "TLS failed: tlsv1 unrecognized name")),
    ("tls-client-certificate", Severity.ERROR, Hop.PROXY, unanswered("tls-client", "TLS failed: certificate required")),
    ("tls-failed", Severity.ERROR, Hop.PROXY, unanswered("tls", "TLS failed: wrong version number")),
    ("tls-expired", Severity.ERROR, Hop.PROXY, tls(trust_code=10, trust_reason="certificate has expired")),
    ("tls-expired", Severity.ERROR, Hop.PROXY, tls(trust_code=9, trust_reason="certificate is not yet valid")),
    ("tls-self-signed", Severity.ERROR, Hop.PROXY, tls(trust_code=18, trust_reason="self-signed", chain_length=1)),
    ("tls-chain-incomplete", Severity.ERROR, Hop.PROXY, tls(trust_code=20, chain_length=1)),
    ("tls-untrusted", Severity.ERROR, Hop.PROXY, tls(trust_code=20, chain_length=2)),
    ("tls-untrusted", Severity.ERROR, Hop.PROXY, tls(trust_code=19, chain_length=2)),
    ("tls-name", Severity.ERROR, Hop.PROXY, tls(name_reason="hostname mismatch")),
    ("tls-expires-soon", Severity.WARNING, Hop.PROXY, tls(not_after=NOW + 3 * DAY_S)),
    ("tls-old", Severity.WARNING, Hop.PROXY, tls(old_versions=("TLSv1", "TLSv1.1"))),
    ("tls-13-missing", Severity.NOTE, Hop.PROXY, tls(has_tls13=False, version="TLSv1.2")),
    ("hsts-missing", Severity.WARNING, Hop.PROXY, page_with(("cache-control", "no-store"))),
    ("hsts-short", Severity.NOTE, Hop.PROXY,
     page_with(("cache-control", "no-store"), ("strict-transport-security", "max-age=300"))),
    ("hsts-short", Severity.NOTE, Hop.PROXY,
     page_with(("cache-control", "no-store"), ("strict-transport-security", "includeSubDomains"))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        tls(not_after=NOW + 20 * DAY_S),
        tls(not_before=NOW - 2 * DAY_S, not_after=NOW + 4 * DAY_S),  # a certificate of six days
        lambda evidence: replace(
            page_with(NO_STORE)(evidence), tls=replace(evidence.tls or Tls(), issuer="app-server, for development only")
        ),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []


def test_untrusted_certificate_hides_no_wrong_name_and_wants_no_hsts() -> None:
    evidence = tls(trust_code=20, chain_length=1, name_reason="hostname mismatch")(page_with(NO_STORE)(healthy()))
    assert [finding.id for finding in judge(evidence)] == ["tls-chain-incomplete", "tls-name"]

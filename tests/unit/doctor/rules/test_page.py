"""What is found of the application's page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import page as rules
from app_server.doctor.seen.pages import Opening
from tests.unit.doctor.making import (
    HSTS,
    SCRIPT,
    SEEN,
    TIMEOUT,
    answer,
    handshake,
    healthy,
    page,
)
from tests.unit.doctor.rules.changing import (
    NO_STORE,
    Case,
    Change,
    change,
    findings_of,
    named,
    names,
    of_another_server,
    page_of,
    page_with,
    trip,
)

TRIPPED: list[Case] = [
    ("page-failed", Severity.ERROR, Hop.PROXY, page_of(0, failure=TIMEOUT, seen=None)),
    ("server-down", Severity.ERROR, Hop.SERVER, page_of(502, seen=None)),
    ("login-required", Severity.WARNING, Hop.SERVER, page_of(403)),
    ("page-elsewhere", Severity.WARNING, Hop.SERVER, page_of(302, headers=(("location", "https://login.test/"), HSTS))),
    ("login-required", Severity.WARNING, Hop.SERVER,
     page_of(200, headers=(HSTS,), body=b'<form><input type="password"></form>')),
    ("prefix-missing", Severity.ERROR, Hop.SERVER, page_of(404, seen=replace(SEEN, place="elsewhere"))),
    ("page-missing", Severity.ERROR, Hop.SERVER, page_of(404)),
    ("page-missing", Severity.ERROR, Hop.PROXY, page_of(404, seen=None)),
    ("application-failed", Severity.ERROR, Hop.SERVER, page_of(500)),
    ("page-foreign", Severity.ERROR, Hop.PROXY, page_of(200, headers=(HSTS,), seen=None, body=b"<h1>It works</h1>")),
    ("page-refused", Severity.ERROR, Hop.PROXY, page_of(418, seen=None)),
    ("prefix-stripped", Severity.ERROR, Hop.PROXY,
     lambda evidence: replace(evidence, page=page(replace(SEEN, path="other")), scripts=(answer(SCRIPT, 404),))),
    ("page-cached", Severity.ERROR, Hop.PROXY, page_with(HSTS, ("cache-control", "public, max-age=600"))),
    ("page-cached", Severity.ERROR, Hop.PROXY, page_with(HSTS)),
    ("page-cached", Severity.WARNING, Hop.PROXY, page_with(HSTS, ("cache-control", "max-age=600"))),
    ("session-shared", Severity.ERROR, Hop.PROXY,
     change(page=named("s"), openings=(Opening(named("s"), handshake()),))),
    ("session-shared", Severity.ERROR, Hop.PROXY, change(own_scripts=(named("s").answer, named("s").answer))),
    ("page-type", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, ("content-type", "text/plain; charset=utf-8"))),
    ("page-type", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, ("content-disposition", "attachment"))),
    ("server-unknown", Severity.NOTE, Hop.SERVER, lambda _: of_another_server()),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        page_with(HSTS, ("cache-control", "private, no-cache")),
        change(page=page(replace(SEEN, path="other"))),
        change(page=named("s"), openings=(Opening(named("t"), handshake()), Opening(named("u"), handshake()))),
        change(page=named("s"), openings=(Opening(named("s"), handshake()),), names_session=True),
        change(own_scripts=(named("s").answer, named("t").answer)),
        page_with(HSTS, NO_STORE, ("content-type", "text/html; charset=utf-8"), ("content-disposition", "inline")),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []

"""What is found of the opening of a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import handshake as rules
from app_server.doctor.rules import judge
from app_server.doctor.seen.answers import Handshake
from app_server.doctor.seen.pages import Opening
from tests.unit.doctor.making import CAME, TIMEOUT, handshake, refused
from tests.unit.doctor.rules.changing import (
    FORBIDDEN,
    Case,
    findings_of,
    names,
    of_another_server,
    redirected,
    sockets,
    trip,
)

TRIPPED: list[Case] = [
    ("upgrade-lost", Severity.ERROR, Hop.PROXY, sockets(refused(400), refused(400))),
    ("upgrade-lost", Severity.ERROR, Hop.PROXY, sockets(refused(426, None), refused(426, None))),
    ("origin-refused", Severity.ERROR, Hop.SERVER, sockets(refused(403, FORBIDDEN), refused(403, FORBIDDEN))),
    ("origin-changed", Severity.ERROR, Hop.PROXY, sockets(refused(403, replace(FORBIDDEN, origin="other")))),
    ("socket-denied", Severity.ERROR, Hop.SERVER, sockets(refused(403, replace(CAME, refused="login")))),
    ("socket-denied", Severity.ERROR, Hop.SERVER, sockets(refused(403, replace(CAME, refused="owner", origin="none")))),
    ("socket-denied", Severity.ERROR, Hop.PROXY, sockets(refused(401, None), handshake())),
    ("socket-denied", Severity.ERROR, Hop.PROXY, sockets(refused(403, None), refused(403, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(404, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(200, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(404, replace(CAME, path="other")))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(redirected("/login"))),
    ("socket-path", Severity.ERROR, Hop.SERVER, sockets(refused(404, CAME))),
    ("socket-limited", Severity.ERROR, Hop.PROXY, sockets(handshake(), refused(429, None))),
    ("token-refused", Severity.ERROR, Hop.SERVER,
     sockets(handshake(greeting=None, close_code=1008, close_reason="the token is not signed"), handshake())),
    ("application-failed", Severity.ERROR, Hop.SERVER, sockets(handshake(greeting=None, close_code=1011))),
    ("socket-failed", Severity.ERROR, Hop.PROXY, sockets(refused(500, CAME))),
    ("socket-failed", Severity.ERROR, Hop.PROXY, sockets(handshake(greeting=None, failure=TIMEOUT))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


def test_server_that_does_not_know_the_doctor_refuses_origins() -> None:
    evidence = of_another_server()
    refused_socket = Handshake(replace(refused(403, None).answer, headers=()))
    evidence = replace(evidence, openings=(Opening(evidence.openings[0].page, refused_socket),))
    assert [finding.id for finding in judge(evidence)] == ["origin-refused", "server-unknown"]

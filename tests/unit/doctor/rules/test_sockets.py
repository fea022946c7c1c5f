"""What is found of sockets that are open, and pages of other sites."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import sockets as rules
from app_server.doctor.seen.answers import Failure, Idle
from tests.unit.doctor.making import CAME, SCRIPTS, answer, handshake, healthy, refused
from tests.unit.doctor.rules.changing import (
    EMBEDDED,
    EMBEDDER,
    FOREIGN,
    Case,
    Change,
    change,
    findings_of,
    names,
    sockets,
    trip,
)

TRIPPED: list[Case] = [
    ("document-lost", Severity.ERROR, Hop.PROXY, sockets(handshake(), handshake(pulled_bytes=None))),
    ("foreign-origin-accepted", Severity.ERROR, Hop.SERVER, change(foreign=handshake())),
    ("foreign-origin-accepted", Severity.ERROR, Hop.PROXY,
     change(foreign=replace(handshake(), answer=answer("/ws", 101, seen=replace(CAME, origin="none"))))),
    ("foreign-origin-accepted", Severity.ERROR, Hop.SERVER,
     change(foreign_script=answer("/autoload.js", 200, FOREIGN, seen=CAME))),
    ("header-buffers-small", Severity.ERROR, Hop.PROXY, change(large_token=refused(400, None))),
    ("header-buffers-small", Severity.ERROR, Hop.PROXY,
     change(large_token=refused(0, None, failure=Failure("closed", "the connection was closed")))),
    ("read-timeout", Severity.ERROR, Hop.PROXY, change(idle=Idle(6.5, 5.0, "the connection was closed"))),
    ("read-timeout", Severity.ERROR, Hop.PROXY, change(idle=Idle(70, 60.0, "the connection was closed", None, 1))),
    ("server-stopped", Severity.NOTE, Hop.SERVER, change(idle=Idle(6.5, 2.0, "a Close frame came", 1001))),
    ("embedding-refused", Severity.ERROR, Hop.SERVER,
     change(embeddings=(replace(EMBEDDED, script=answer("/autoload.js", 403)),))),
    ("embedding-refused", Severity.ERROR, Hop.PROXY,
     change(embeddings=(replace(EMBEDDED, script=answer("/autoload.js", 200)),))),
    ("embedding-refused", Severity.ERROR, Hop.SERVER,
     change(embeddings=(replace(EMBEDDED, socket=refused(403, CAME)),))),
    ("embedding-files-refused", Severity.ERROR, Hop.PROXY,
     change(embeddings=(EMBEDDED,),
            scripts=(replace(SCRIPTS, headers=(*SCRIPTS.headers, ("cross-origin-resource-policy", "same-origin"))),))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        change(foreign=refused(502, None)),
        change(large_token=refused(403, CAME)),
        change(idle=Idle(70, 70, None, None, 1)),
        change(idle=None),
        change(embeddings=(EMBEDDED,)),
        change(foreign_script=answer("/autoload.js", 200, ("access-control-allow-origin", EMBEDDER))),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []

"""What is found of the server's files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.rules import judge
from app_server.doctor.rules import static as rules
from app_server.doctor.seen.pages import Page
from tests.unit.doctor.making import HOME, HSTS, SCRIPT, TIMEOUT, answer, healthy, html
from tests.unit.doctor.rules.changing import (
    JS,
    KEPT,
    PACKED,
    Case,
    Change,
    change,
    findings_of,
    names,
    script_with,
    trip,
)

TRIPPED: list[Case] = [
    ("bokehjs-missing", Severity.ERROR, Hop.PROXY, script_with(status=404, seen=None)),
    ("bokehjs-missing", Severity.ERROR, Hop.SERVER, script_with(status=404)),
    ("bokehjs-type", Severity.WARNING, Hop.PROXY, script_with(("content-type", "text/plain"), PACKED, KEPT)),
    ("bokehjs-type", Severity.ERROR, Hop.PROXY,
     script_with(("content-type", "text/plain"), ("x-content-type-options", "nosniff"), PACKED, KEPT)),
    ("mixed-content", Severity.ERROR, Hop.SERVER,
     change(page=Page(answer(HOME.path, 200, HSTS, ("cache-control", "no-store"),
                             body=html(script="http://app.test/static/js/bokeh.min.js"))))),
    ("static-uncompressed", Severity.WARNING, Hop.PROXY,
     script_with(JS, KEPT, ("content-length", "1200000"), seen=None)),
    ("static-uncompressed", Severity.WARNING, Hop.SERVER, script_with(JS, KEPT)),
    ("static-uncached", Severity.NOTE, Hop.PROXY, script_with(JS, PACKED, seen=None)),
    ("static-uncached", Severity.WARNING, Hop.PROXY,
     lambda evidence: replace(script_with(JS, PACKED, seen=None)(evidence), scripts_again=(answer(SCRIPT, 200),))),
    ("static-uncached", Severity.NOTE, Hop.SERVER, script_with(JS, PACKED, ("cache-control", "no-cache"))),
    ("static-captured", Severity.ERROR, Hop.PROXY, change(beside_static=answer("/tools/static-x", 404, seen=None))),
    ("static-captured", Severity.ERROR, Hop.PROXY, change(own_static=answer("/tools/board/static/x", 404, seen=None))),
    ("extensions-captured", Severity.WARNING, Hop.PROXY, change(extensions=answer("/tools/static/e", 404, seen=None))),
]  # fmt: skip


@pytest.mark.parametrize("case", TRIPPED, ids=names(TRIPPED))
def test_rule_is_tripped_alone(case: Case) -> None:
    trip(case)


def test_every_finding_has_a_case() -> None:
    assert findings_of(rules) == {case[0] for case in TRIPPED}


@pytest.mark.parametrize(
    "changed",
    [
        script_with(JS, PACKED, ("cache-control", "max-age=31536000"), seen=None),
        script_with(JS, KEPT, ("content-length", "500")),
        change(beside_static=answer("/x", 404, seen=None), missing=answer("/y", 404, seen=None)),
        change(beside_static=answer("/x", 502, seen=None), own_static=answer("/y", 0, seen=None, failure=TIMEOUT)),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []

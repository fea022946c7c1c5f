"""What a rule says, and to whom it says what to change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app_server.doctor import finding
from app_server.doctor.finding import Finding, Hop, Remedy, Severity


def test_the_worst_severity_comes_first() -> None:
    assert [each.value for each in Severity] == ["error", "warning", "note"]


@pytest.mark.parametrize(
    ("made", "where"), [(finding.nginx, "nginx"), (finding.apache, "apache"), (finding.server, "app-server")]
)
def test_remedy_names_the_place(made: Callable[..., Remedy], where: str) -> None:
    assert made("write", "a", "b") == Remedy(where, "write", ("a", "b"))
    assert made("restart it") == Remedy(where, "restart it", ())


def test_remedy_at_another_place() -> None:
    assert finding.remedy("DNS", "add a record", "A") == Remedy("DNS", "add a record", ("A",))


def test_findings_that_say_the_same_are_the_same() -> None:
    first = Finding("a", Severity.NOTE, Hop.PROXY, "seen", "why.")
    assert first == Finding("a", Severity.NOTE, Hop.PROXY, "seen", "why.", ())
    assert len({first, Finding("a", Severity.NOTE, Hop.PROXY, "seen", "why.")}) == 1

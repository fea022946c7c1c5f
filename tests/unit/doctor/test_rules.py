"""The rules as a whole: that all is well with a deployment that is well, and what comes first with one that is not."""

from __future__ import annotations

import re
from pathlib import Path

import app_server.doctor.rules as rules_package
from app_server.doctor.finding import Severity
from app_server.doctor.rules import judge
from tests.unit.doctor.making import healthy
from tests.unit.doctor.rules.changing import all_seen, tls

HERE = Path(__file__).parent


def test_nothing_is_found_where_all_is_well() -> None:
    assert judge(healthy()) == []


def test_every_module_of_rules_has_tests() -> None:
    modules = {path.name for path in Path(rules_package.__file__).parent.glob("[a-z]*.py")}
    assert {f"test_{name}" for name in modules} == {path.name for path in (HERE / "rules").glob("test_*.py")}


def test_manual_names_every_finding() -> None:
    page = (HERE.parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    table = page.partition("## What it checks")[2].partition("\n## ")[0]
    sources = [path.read_text(encoding="utf-8") for path in Path(rules_package.__file__).parent.glob("*.py")]
    named = {found for source in sources for found in re.findall(r'"([a-z0-9-]+)", Severity', source)}
    assert set(re.findall(r"`([a-z0-9-]+)`", table)) == named


def test_the_worst_comes_first() -> None:
    evidence = tls(has_tls13=False, version="TLSv1.2")(all_seen(host="other", client="ignored")(healthy()))
    severities = [finding.severity for finding in judge(evidence)]
    assert severities == [Severity.ERROR, Severity.WARNING, Severity.NOTE]

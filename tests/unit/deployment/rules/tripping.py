"""A rule, a deployment that trips it, and one beside it that does not."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.rules import RULES
from tests.unit.deployment.making import loaded, planned

APP = "apps: {a: a.py}\n"
HOSTS = "hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.2}]"
BY_NAME = {rule.__name__: rule for rule in RULES}

Case = tuple[str, str, str, str]
"""The rule's name, what trips it, what must not, and how the former's error begins."""


def said(folder: Path, text: str, name: str) -> list[str]:
    """What one rule says of a deployment."""
    one = loaded(folder, APP + text)
    verdicts = BY_NAME[name](planned(folder, APP + text))
    return [str(one.fault(each.path, each.what, each.hint)).replace(f"{folder}/", "") for each in verdicts]


def assert_tripped(case: Case, folder: Path) -> None:
    """The rule finds fault with the one deployment, and none with the other."""
    name, bad, good, message = case
    found = said(folder, bad, name)
    assert found and found[0].startswith(message)
    assert said(folder, good, name) == []

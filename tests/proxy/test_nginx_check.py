"""`app-server config nginx --check`: what nginx, crossplane and gixy say of a site is told, and nothing is touched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from app_server.deployment.checks import Finding, check
from app_server.deployment.render import render
from tests.unit.deployment.making import planned, with_applications

BASE = "apps: {a: a.py}\npublic: foo.com\n"


def findings(folder: Path, text: str) -> list[Finding]:
    """What the checks of nginx find."""
    plan = planned(folder, text)
    with_applications(folder, text)
    return list(check("nginx", plan, render("nginx", plan)))


def test_good_site_is_started(tmp_path: Path) -> None:
    found = findings(tmp_path, BASE + "instances: 3\nproxy: {static: yes}\n")
    assert Counter(each.level for each in found) == {"good": 1}
    assert str(found[0]).startswith("nginx: nginx ") and str(found[0]).endswith("takes the site, and started with it")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("no_such_directive on;\n", 'unknown directive "no_such_directive"'),
        ("location / { return 404; }\n", 'duplicate location "/"'),
        ("listen 127.0.0.1:1 ssl;\n", "no "),
        ("root {;\n", "unexpected"),
    ],
)
def test_what_nginx_refuses_is_told(tmp_path: Path, own: str, message: str) -> None:
    include = tmp_path / "own.conf"
    include.write_text(own, encoding="utf-8")
    found = findings(tmp_path, BASE + f"proxy: {{include: {include}}}\n")
    faults = [str(each) for each in found if each.level == "fault"]
    assert faults and any(message in fault for fault in faults)
    assert not any(each.level == "good" for each in found)


def test_what_gixy_finds_is_a_warning(tmp_path: Path) -> None:
    include = tmp_path / "own.conf"
    include.write_text("location /i { alias /srv/x/; }\n", encoding="utf-8")
    found = findings(tmp_path, BASE + f"proxy: {{include: {include}}}\n")
    assert any(each.level == "warning" and "gixy" in each.what and "alias" in each.what.lower() for each in found)
    assert any(each.level == "good" for each in found)


def test_newer_nginx_is_said_to_be_missing(tmp_path: Path) -> None:
    found = findings(tmp_path, BASE + "instances: 2\nproxy: {version: 99.0.0}\n")
    [note] = [each for each in found if each.where == "proxy.version"]
    assert note.level == "note" and "so the site was tried in the form for that one" in note.what

"""`app-server config nginx --check`: reports what nginx, crossplane and gixy say, and touches nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.checks import CheckFinding, check
from app_server.deployment.checks.proxies import neighbours
from app_server.deployment.render import render
from tests.unit.deployment.making import planned, with_applications

BASE = "apps: {a: a.py}\npublic: foo.com\n"


@pytest.fixture(autouse=True)
def no_other_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of nginx's as it comes, but for the sites."""
    home = tmp_path / "etc"
    (home / "conf.d").mkdir(parents=True)
    (home / "nginx.conf").write_text(
        f"events {{}}\nhttp {{ access_log off; include {home}/conf.d/*.conf; include {home}/sites-enabled/*; }}\n"
    )
    monkeypatch.setattr(neighbours, "HOME", str(home))
    return home


def findings(folder: Path, text: str) -> list[CheckFinding]:
    """What the checks of nginx find."""
    plan = with_applications(planned(folder, text), folder)
    return list(check("nginx", plan, render("nginx", plan)))


def test_good_site_is_started(tmp_path: Path) -> None:
    found = findings(tmp_path, BASE + "instances: 3\nproxy: {static: yes}\n")
    assert Counter(each.level for each in found) == {"good": 1}
    assert str(found[0]).startswith("nginx: nginx ") and str(found[0]).endswith("accepts the site, and started with it")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("no_such_directive on;\n", 'unknown directive "no_such_directive"'),
        ("location / { return 404; }\n", 'duplicate location "/"'),
        ("listen 127.0.0.1:1 ssl;\n", "no "),
        ("root {;\n", "unexpected"),
    ],
)
def test_what_nginx_refuses_is_reported(tmp_path: Path, own: str, message: str) -> None:
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


DEBIANS = "server { listen 80 default_server; listen [::]:80 default_server; root /var/www/html; server_name _; }\n"


def beside(folder: Path, home: Path, text: str, **others: str) -> list[str]:
    """What is found of a site that is installed below `home`, beside these others."""
    for path, other in others.items():
        place = home / path.replace("__", "/")
        place.parent.mkdir(exist_ok=True)
        place.write_text(other)
    plan = with_applications(planned(folder, text), folder)
    plan = replace(plan, paths=replace(plan.paths, nginx=f"{home}/conf.d"))
    files = render("nginx", plan)
    return [str(each).replace(str(home), "HOME") for each in check("nginx", plan, files) if each.level != "good"]


def test_site_that_comes_with_the_system_is_reported(tmp_path: Path, no_other_sites: Path) -> None:
    assert beside(tmp_path, no_other_sites, BASE, **{"sites-enabled__default": DEBIANS}) == [
        "nginx: this machine's nginx would refuse it together with its other sites: a duplicate default server for "
        "0.0.0.0:80 in HOME/sites-enabled/default:1. Remove that site if it is nginx's default one, or set "
        "proxy.catch_all: no."
    ]
    assert beside(tmp_path, no_other_sites, BASE + "proxy: {catch_all: no}\n") == []


def test_own_earlier_site_and_others_faults_are_not_reported(tmp_path: Path, no_other_sites: Path) -> None:
    earlier = "server { listen 80 default_server; }\n"
    assert beside(tmp_path, no_other_sites, BASE, **{"conf.d__app-server.conf": earlier}) == []
    assert beside(tmp_path, no_other_sites, BASE, **{"conf.d__broken.conf": "no_such_directive on;\n"}) == []


def test_two_deployments_on_one_host_are_reported(tmp_path: Path, no_other_sites: Path) -> None:
    other = next(iter(render("nginx", planned(tmp_path, "name: first\n" + BASE)).values())).text
    found = beside(tmp_path, no_other_sites, "name: second\n" + BASE, **{"conf.d__first.conf": other})
    assert len(found) == 1 and "would refuse it together with its other sites: " in found[0], found

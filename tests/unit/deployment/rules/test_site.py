"""The public address, its applications, its certificate and its logins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.rules import site
from tests.unit.deployment.making import planned
from tests.unit.deployment.rules.tripping import APP, Case, assert_tripped

CASES: list[Case] = [
    (
        "tls_has_what_it_needs",
        "tls: files\n",
        "tls: {mode: files, certificate: /c}\n",
        "deploy.yaml:2:1: tls: mode files needs a certificate. Set tls.certificate and tls.key.",
    ),
    (
        "tls_has_what_it_needs",
        "tls: {mode: acme, certificate: /c}\npublic: a.example.org\n",
        "tls: acme\npublic: a.example.org\n",
        "deploy.yaml:2:19: tls.certificate: has no effect with mode acme. Remove one of them.",
    ),
    (
        "tls_has_what_it_needs",
        "public: {scheme: https}\n",
        "public: {scheme: https}\nproxy: {trusted_proxies: 10.0.0.0/8}\n",
        "deploy.yaml:2:10: public.scheme: is https without tls: another proxy in front must terminate TLS",
    ),
    (
        "authorities_sign_only_public_names",
        "tls: acme\n",
        "tls: {acme: {directory: 'https://ca.example/dir'}, mode: acme}\n",
        "deploy.yaml:1:1: public.hosts[0]: no public authority issues certificates for localhost.",
    ),
    (
        "one_authenticator_decides",
        "access: {basic: /users, external: 'http://127.0.0.1:4180/auth'}\n",
        "access: {external: 'http://127.0.0.1:4180/auth'}\n",
        "deploy.yaml:2:25: access.external: access.basic already decides who is let in. Remove one of them.",
    ),
    (
        "embedding_sites_can_show_it",
        "embedding: https://acme.com\n",
        "embedding: https://acme.com\ntls: {certificate: /c}\n",
        "deploy.yaml:2:1: embedding: pages of https://acme.com cannot load anything from http://localhost. Set up tls.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)


def test_every_public_name_is_an_origin_of_every_instance(tmp_path: Path) -> None:
    plan = planned(tmp_path, APP + "public: [foo.com, bar.com]\ninstances: 2\n")
    assert list(site.every_public_name_is_an_origin(plan)) == []
    pool = plan.pools[0]
    broken = replace(pool.instances[1], flags=("--allow-websocket-origin", "foo.com"))
    worse = replace(plan, pools=(replace(pool, instances=(pool.instances[0], broken)),))
    assert [verdict.what for verdict in site.every_public_name_is_an_origin(worse)] == [
        "pages of bar.com could not connect to a2"
    ]


def test_applications_have_places_of_their_own(tmp_path: Path) -> None:
    text = "apps: {a: a.py, b: {path: b.py, route: /a}, c: {path: static.py}, d: d.py}\n"
    found = [(v.path, v.what) for v in site.applications_have_places_of_their_own(planned(tmp_path, text))]
    assert found == [
        (("apps", "b", "route"), "a is also at /a"),
        (("apps", "c", "path"), "/static is reserved for the server"),
    ]


@pytest.mark.parametrize(
    ("apps", "faults"),
    [
        ("a: {path: a.py, route: '/users/{name}'}, b: {path: b.py, route: '/users/{id:int}', instances: 1}",
         ["b at /users/{id:int} has other instances, and begins with the same names",
          "a at /users/{name} has other instances, and begins with the same names"]),
        ("a: {path: a.py, route: '/users/{name}', instances: 1}, b: {path: b.py, route: /users/me}",
         ["b at /users/me has other instances, and begins with the same names"]),
        ("a: a.py, b: {path: b.py, route: '/{name}', instances: 1}",
         ["has instances of its own, but begins with a placeholder"]),
        ("a: {path: a.py, route: '/{name}'}, b: {path: b.py, route: '/items/{id}', instances: 1}", []),
        ("a: {path: a.py, route: '/users/{name}'}, b: {path: b.py, route: /users/me}", []),
    ],
)  # fmt: skip
def test_placeholders_lead_to_one_place(tmp_path: Path, apps: str, faults: list[str]) -> None:
    plan = planned(tmp_path, f"apps: {{{apps}}}\n")
    assert [verdict.what for verdict in site.placeholders_lead_to_one_place(plan)] == faults

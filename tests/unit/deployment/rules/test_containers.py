"""The images of containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules import judge
from tests.unit.deployment.making import loaded
from tests.unit.deployment.rules.tripping import Case, assert_tripped

CASES: list[Case] = [
    (
        "bases_are_no_products",
        "containers: {build_context: ., images: {app: 'app-server:2'}}\n",
        "containers: {build_context: ., images: {app: 'site/app-server:2'}}\n",
        "deploy.yaml:2:41: containers.images.app: app-server:2 is the base of other images, and would contain "
        "this site's applications. Remove it, or choose another name.",
    ),
    (
        "bases_are_no_products",
        "containers: {images: {app: site, proxy: site}}\n",
        "containers: {images: {app: site, proxy: front}}\n",
        "deploy.yaml:2:23: containers.images.app: site is also the proxy's image. Give them different names.",
    ),
    (
        "bases_are_no_products",
        "image: site\ncontainers: {build_context: ., images: {app: site}}\n",
        "image: base\ncontainers: {build_context: ., images: {app: site}}\n",
        "deploy.yaml:2:1: image: site is also the base that it would be built on. Give them different names.",
    ),
]


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("", ["the authority asks for the challenge at port 80, and 8080 is published"]),
        ("containers: {publish: {http: 80}}\n", []),
    ],
)
def test_authorities_ask_at_port_80(tmp_path: Path, more: str, warned: list[str]) -> None:
    text = f"apps: {{a: a.py}}\npublic: tools.example.org\ntls: acme\n{more}"
    verdicts = judge(resolve_plan(loaded(tmp_path, text), layout="compose"))
    assert [each.what for each in verdicts if each.path == ("containers", "publish", "http")] == warned


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)

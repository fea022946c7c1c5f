"""Which applications a proxy sends elsewhere than what is around their addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.render.proxies.places import places
from tests.unit.deployment.making import planned

NESTED = """
apps:
  dash: {path: dash.py, instances: 2}
  inside: {path: inside.py, route: /dash/inside}
  deep: {path: deep.py, route: /dash/inside/deep, instances: 2}
  dashboard: dashboard.py
instances: 2
public: foo.com
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """One application inside another one, and a third one inside that."""
    return planned(tmp_path, NESTED)


def _upstreams(plan: Plan) -> dict[str, str]:
    return {app.name: pool.upstream for pool in plan.pools for app in pool.apps}


def test_inner_application_comes_before_the_outer_one(plan: Plan) -> None:
    assert [app.name for app, _ in places(plan)] == ["deep", "inside", "dash"]
    assert all(app in pool.apps for app, pool in places(plan))


def test_apache_finds_the_inner_application_first(plan: Plan) -> None:
    text, upstreams = next(iter(render("apache", plan).values())).text, _upstreams(plan)
    found = re.findall(r"^    ProxyPass (/\S*) balancer://([^/\s]+)", text, re.MULTILINE)
    rules = re.findall(r'RewriteRule "(\^\(/_i/[^"]*)" "balancer://([^$]+)\$1', text)
    for app in plan.apps:
        assert next(to for at, to in found if f"{app.url}/".startswith(f"{at.rstrip('/')}/")) == upstreams[app.name]
        below = f"/_i/old{app.url}/ws"
        assert next(to for rule, to in rules if re.match(rule, below)) == upstreams[app.name]


def test_nginx_finds_the_inner_application(plan: Plan) -> None:
    text, upstreams = next(iter(render("nginx", plan).values())).text, _upstreams(plan)
    rules = re.findall(r'location ~ "(\^/_i/[^"]+)" \{[^}]*proxy_pass http://([^;]+);', text)
    for app in plan.apps:
        own = upstreams[app.name]
        if app.name != "dashboard":
            for location in (f"= {app.url}", f"{app.url}/"):
                leads = rf"location {location} \{{\n(?:        .*\n)*? +proxy_pass http://{own};"
                assert re.search(leads, text), location
        below = f"/_i/old{app.url}/ws"
        assert next((to for rule, to in rules if re.match(rule, below)), plan.main_pool.upstream) == own

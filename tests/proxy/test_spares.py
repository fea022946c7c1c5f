"""Instances that an autoscaler has not started yet: the proxy knows them all, and pages go to those that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app_server.deployment.plan.values import Plan
from tests.support.client import Answer, Site
from tests.support.deployments.deployed import plan_of, running_instances, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.server import REPOSITORY
from tests.support.waiting import until

APPS = REPOSITORY / "tests" / "protocol" / "apps"
MOST = 6


def of_instances(plan: Plan, first: int, end: int) -> Plan:
    """The plan with these instances only."""
    (pool,) = plan.pools
    return replace(plan, pools=(replace(pool, instances=pool.instances[first:end]),))


@contextmanager
def started(kind: str) -> Iterator[tuple[Plan, Site]]:
    """A proxy that knows six instances, of which one runs."""
    with proxy_folder() as folder:
        plan = plan_of(f"apps: {{board: board.py}}\ninstances: {MOST}\nproxy: {kind}\n", folder, APPS)
        plan = replace(plan, pools=tuple(replace(pool, spares=MOST - 1) for pool in plan.pools))
        with running_instances(of_instances(plan, 0, 1)), running_proxy_of(plan, folder):
            yield plan, Site(plan.site.url.rstrip("/"))


def instance_of(answer: Answer) -> str:
    """The route in a page's addresses."""
    assert answer.status == 200, answer.text[:300]
    found = re.search(r"/_i/([a-z0-9]+)/", answer.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_pages_go_to_the_instances_that_are_there_and_to_new_ones_without_a_reload(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long nginx does not ask again where no one answered.
    monkeypatch.setattr("app_server.deployment.render.proxies.nginx.FAIL_TIMEOUT_S", 1)
    with started(kind) as (plan, site):
        names = [instance.name for instance in plan.instances]
        assert {instance_of(site.get("/board")) for _ in range(3 * MOST)} == {names[0]}
        # The last one was stopped because there were few sessions: another one answers for it.
        assert site.get(f"/_i/{names[-1]}/board").status == 200
        with running_instances(of_instances(plan, 1, 2)):
            until(lambda: instance_of(site.get("/board")) == names[1], "a page comes from the second instance", 60)

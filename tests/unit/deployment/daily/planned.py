"""Plans of deployments that run."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.containers.swarm import with_slots_names
from app_server.deployment.targets import Layout
from tests.unit.deployment.making import loaded

TWO_POOLS = "name: site\napps: {who: who.py, sales: {path: sales.py, instances: 1}}\npublic: foo.com\ninstances: 2\n"


def plan(folder: Path, text: str = TWO_POOLS, layout: Layout = "compose") -> Plan:
    """The plan of this deploy.yaml."""
    found = resolve_plan(loaded(folder, text), layout=layout)
    return with_slots_names(found) if layout == "containers" else found

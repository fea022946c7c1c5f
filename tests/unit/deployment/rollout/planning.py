"""Plans of deployments with compose."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from tests.unit.deployment.making import loaded


def planned(folder: Path, text: str) -> Plan:
    return resolve_plan(loaded(folder, text), layout="compose")

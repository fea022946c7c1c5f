"""How the files of platforms are written: YAML with a head of comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from app_server.deployment.plan.values import Plan
from app_server.deployment.render.templates import comments


def document(plan: Plan, target: str, value: Mapping[str, Any], *more: str) -> str:
    """A value as YAML, below how the file is generated again and further lines of comments."""
    # What holds no further blocks is one line: so is the command, however many words it has.
    written = yaml.safe_dump(
        dict(value), sort_keys=False, width=10_000, allow_unicode=True, default_flow_style=None
    )  # fmt: skip
    return comments(plan, target, *more) + written

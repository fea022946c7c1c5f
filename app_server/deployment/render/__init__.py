"""From a plan to the files of one target. Each target is a module with a pure function; this is their list.

To add one: write `render/NAME.py` with `render(plan) -> Files`, put its templates into `deploy/NAME/`, and name it in
`targets.TARGETS`. The module is imported when its target is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from app_server.deployment.plan.values import Plan
from app_server.deployment.render.unwritable import Unwritable
from app_server.deployment.targets import TARGETS
from app_server.errors import OperatorError


@dataclass(frozen=True, slots=True)
class File:
    """A generated file: its text, its permissions, the user that should own it, and where on a host it belongs.

    `owner` is a hint: `root`, or `service` for the user that runs the instances. `install` is an absolute path, None
    for what is only read where it was written. `host` is the machine that it is for, None where every machine with a
    use for it has the same.
    """

    text: str
    mode: int = 0o644
    owner: str = "root"
    install: str | None = None
    host: str | None = None


Files: TypeAlias = Mapping[str, File]
"""Files by their paths in the output's folder, such as `nginx/app-server.conf`."""


def render(target: str, plan: Plan) -> Files:
    """The files of a target, by their paths. OperatorError for a value that the target's format cannot carry."""
    if target not in TARGETS:
        raise OperatorError(f"expected one of {', '.join(TARGETS)}, not {target!r}", where="TARGET")
    return _rendered(target, _IdentityKey(plan))


class _IdentityKey:
    """A plan as a key that is equal only to itself; plans cannot be hashed, and comparing them takes a while."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _IdentityKey) and self.plan is other.plan

    def __hash__(self) -> int:
        return id(self.plan)


# The inventory and the containers' targets need the files of others: they are the same for the same plan.
@lru_cache(maxsize=len(TARGETS))
def _rendered(target: str, of: _IdentityKey) -> Files:
    module = importlib.import_module(f"app_server.deployment.render.{TARGETS[target].module}")
    try:
        return MappingProxyType(module.render(of.plan))
    except Unwritable as error:
        raise error.at_home(of.plan.entry) from None


def is_wanted(target: str, plan: Plan) -> bool:
    """Whether `all` renders the target for this plan; a module says so with `wanted(plan)`, without it: always."""
    module = importlib.import_module(f"app_server.deployment.render.{TARGETS[target].module}")
    wanted = getattr(module, "wanted", None)
    return wanted is None or bool(wanted(plan))

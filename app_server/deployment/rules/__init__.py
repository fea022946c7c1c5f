"""Rules across fields: what is right by itself and wrong together.

A fault keeps a deployment from working, and nothing is written; with a warning it works, but not as people expect.
"""

from __future__ import annotations

from typing import Final

from app_server.deployment.load import LoadedSpec
from app_server.deployment.plan.values import Plan
from app_server.deployment.rules import access, console, containers, limits, listening, proxy, secrets, site, store
from app_server.deployment.rules.verdict import Rule, RuleVerdict
from app_server.errors import OperatorError, OperatorErrors

RULES: Final[tuple[Rule, ...]] = (
    *proxy.RULES,
    *limits.RULES,
    *site.RULES,
    *access.RULES,
    *containers.RULES,
    *listening.RULES,
    *secrets.RULES,
    *console.RULES,
    *store.RULES,
)


def judge(plan: Plan) -> list[RuleVerdict]:
    """Everything that the rules find."""
    return [verdict for each in RULES for verdict in each(plan)]


def enforce(loaded: LoadedSpec, plan: Plan) -> list[OperatorError]:
    """The warnings, with their positions in the file; OperatorErrors if there are faults."""
    errors: dict[str, list[OperatorError]] = {"fault": [], "warning": []}
    for verdict in judge(plan):
        errors[verdict.level].append(loaded.fault(verdict.path, verdict.what, verdict.hint))
    if errors["fault"]:
        raise OperatorErrors(errors["fault"])
    return errors["warning"]

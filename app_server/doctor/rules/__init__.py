"""The rules: pure functions from evidence to findings, in the order in which a person would want to read them."""

from __future__ import annotations

from typing import Final

from app_server.doctor.finding import Finding, Rule, Severity
from app_server.doctor.rules import handshake, headers, instances, page, policy, reach, sockets, static, tls
from app_server.doctor.seen.evidence import Evidence

RULES: Final[tuple[Rule, ...]] = (
    *reach.RULES,
    *tls.RULES,
    *page.RULES,
    *policy.RULES,
    *handshake.RULES,
    *sockets.RULES,
    *headers.RULES,
    *instances.RULES,
    *static.RULES,
)


def judge(evidence: Evidence) -> list[Finding]:
    """All findings, the worst first."""
    order = list(Severity)
    found = [finding for rule in RULES for finding in rule(evidence)]
    return sorted(found, key=lambda finding: order.index(finding.severity))

"""What rules say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from app_server.deployment.plan.values import Plan

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule found: about which value, what is wrong, and what to do."""

    level: Literal["fault", "warning"]
    path: Path
    what: str
    hint: str | None = None


Rule = Callable[[Plan], Iterator[RuleVerdict]]


def fault(path: Path, what: str, hint: str | None = None) -> RuleVerdict:
    return RuleVerdict("fault", path, what, hint)


def warning(path: Path, what: str, hint: str | None = None) -> RuleVerdict:
    return RuleVerdict("warning", path, what, hint)

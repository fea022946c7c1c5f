"""What a tab needs of the page that it is on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app_server.console.kit import Kit

LONGEST_MESSAGE = 1000
"""How many characters an operator can write to visitors."""


@dataclass(frozen=True, slots=True)
class Order:
    """An act, at the instance with this address; `fields` is what the instance gets."""

    address: str
    fields: dict[str, str | float]


@dataclass(frozen=True, slots=True)
class PageParts:
    """What makes widgets, carries out orders, says something to the operator, and shows the log of a session."""

    kit: Kit
    carry_out: Callable[[Sequence[Order]], None]
    say: Callable[[str], None]
    show_log: Callable[[str], None]

"""What instances say, read with care: another instance may be of another version, or broken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app_server.console.feed import Instance


def text(fields: Mapping[str, Any], name: str, longest: int = 2000) -> str:
    """The text of this name; "" if there is none."""
    found = fields.get(name)
    return "" if found is None else str(found)[:longest]


def number(fields: Mapping[str, Any], name: str) -> float:
    """The number of this name; NaN if there is none."""
    found = fields.get(name)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else math.nan


def known(value: float) -> float | None:
    """The number; None if it is not known."""
    return None if math.isnan(value) else value


def whole(fields: Mapping[str, Any], name: str) -> int:
    """The whole number of this name; 0 if there is none."""
    found = number(fields, name)
    return int(found) if math.isfinite(found) else 0


def mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The dictionary of this name; an empty one if there is none."""
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def entries(instance: Instance, part: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a part of what an instance says."""
    found = instance.get(part)
    for entry in found if isinstance(found, Sequence) and not isinstance(found, str) else ():
        if isinstance(entry, dict):
            yield entry


def numbers(fields: Mapping[str, Any], name: str) -> list[float]:
    """The list of numbers of this name, NaN in place of what is none."""
    found = fields.get(name)
    listed = found if isinstance(found, list) else []
    return [number({"": value}, "") for value in listed]

"""Numbers as the console shows them."""

from __future__ import annotations

from datetime import UTC, datetime


def duration(value_s: float | None) -> str:
    """A duration in its largest unit or two; "–" if it is not known."""
    if value_s is None:
        return "–"
    seconds = int(max(value_s, 0))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def short(value_s: float | None) -> str:
    """A short duration, such as that of a callback; "–" if it is not known."""
    if value_s is None:
        return "–"
    if value_s < 1:
        return f"{value_s * 1000:.1f} ms" if value_s < 0.1 else f"{value_s * 1000:.0f} ms"
    return f"{value_s:.1f} s"


def size(value: float | None) -> str:
    """An amount of memory in units of 1000; "–" if it is not known."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def clock(at_s: float) -> str:
    """A time of the day, in UTC as in the log."""
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "–"

"""The headers by which a request says in which trace it is sent: W3C Trace Context, `traceparent` and `tracestate`.

Anyone can send them. What is not well formed is ignored, as the recommendation says (https://www.w3.org/TR/trace-context/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?", re.ASCII)
_LONGEST_TRACEPARENT = 256
"""Later versions may append something; this one has 55 characters."""

_KEY = r"[a-z0-9][a-z0-9_\-*/@]{0,255}"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(rf"({_KEY})=({_VALUE})", re.ASCII)
_MOST_MEMBERS, _LONGEST_STATE = 32, 512


@dataclass(frozen=True, slots=True)
class Parent:
    """The span of the sender of a request; `state` has what tracing systems pass on, nothing if not well formed."""

    trace_id: int
    span_id: int
    flags: int
    state: tuple[tuple[str, str], ...] = ()


def read_parent(traceparent: str | None, tracestate: str | None = None) -> Parent | None:
    """The span that these headers name; None if there is none, or it is not well formed."""
    if traceparent is None or len(traceparent) > _LONGEST_TRACEPARENT:
        return None
    found = _TRACEPARENT.fullmatch(traceparent.strip(" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    parent = Parent(int(trace_id, 16), int(span_id, 16), int(flags, 16) & 1, _state(tracestate))
    return parent if parent.trace_id and parent.span_id else None


def _state(tracestate: str | None) -> tuple[tuple[str, str], ...]:
    """The members of this header; none at all if one is wrong."""
    if not tracestate or len(tracestate) > _LONGEST_STATE:
        return ()
    members = [_MEMBER.fullmatch(each.strip(" \t")) for each in tracestate.split(",") if each.strip(" \t")]
    found = tuple((member[1], member[2]) for member in members if member is not None)
    whole = len(found) == len(members) <= _MOST_MEMBERS and len({key for key, _ in found}) == len(found)
    return found if whole else ()


def written(trace_id: int, span_id: int, flags: int) -> str:
    """The header that names this span."""
    return f"00-{trace_id:032x}-{span_id:016x}-{flags & 1:02x}"

"""What `Document.hold` holds back, thread by thread, and what is left to send of it afterwards."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from bokeh.core.has_props import HasProps
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
)


@dataclass(eq=False, slots=True)
class Hold:
    """What a thread holds back: its events, and the values before by (model's identity, property)."""

    policy: Any
    events: list[Any]
    before: dict[tuple[int, str], tuple[Any, HasProps, Any]]

    def put(self, events: list[Any]) -> None:
        """Hold back these events instead of those before."""
        self.events = events

    def begin(self, policy: Any) -> None:
        """Hold back by this policy; by None, nothing."""
        self.policy = policy

    def end(self) -> Hold:
        """Hold nothing back any more; what was held back."""
        ended = Hold(None, self.events, self.before)
        self.policy, self.events, self.before = None, [], {}
        return ended


class Holds:
    """The holds of a document: each thread has its own, and none holds back, or loses, what another one changes."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._all: dict[object, Hold] = {}
        self.any = False
        """Whether a thread holds anything back."""

    def mine(self) -> Hold:
        """The hold of this thread, which holds nothing as long as its policy is None."""
        try:
            found: Hold = self._here.hold
        except AttributeError:
            found = self._here.hold = Hold(None, [], {})
        return found

    def set(self, policy: Any) -> None:
        """Begin or end the hold of this thread."""
        mine = self.mine()
        mine.begin(policy)
        if policy is None:
            self._all.pop(id(mine), None)
        else:
            self._all[id(mine)] = mine
        self.any = bool(self._all)

    def take(self) -> list[Hold]:
        """End the hold of this thread, or of all others if it has none: one may begin here and end elsewhere."""
        mine = self.mine()
        taken = [mine] if mine.policy is not None else list(self._all.values())
        ended = [hold.end() for hold in taken]
        for hold in taken:
            self._all.pop(id(hold), None)
        self.any = bool(self._all)
        return ended


def without_repetition(events: list[Any]) -> list[Any]:
    """The events of a hold as they are sent at its end: whole columns have what was streamed into them meanwhile.

    A stream or patch that follows whole columns is therefore not sent again; only the application's callbacks get it.
    """
    found: list[Any] = []
    whole: dict[int, Any] = {}
    for event in events:
        if isinstance(event, ColumnDataChangedEvent | ModelChangedEvent) and event.attr == "data":
            whole[id(event.model)] = event
        elif isinstance(event, ColumnsStreamedEvent | ColumnsPatchedEvent) and id(event.model) in whole:
            before = whole[id(event.model)]
            if isinstance(before, ColumnDataChangedEvent):
                before.cols = None
            event = _Repeated(event)
        found.append(event)
    return found


class _Repeated(DocumentChangedEvent):
    """A change that pages know already: only the application's callbacks get it."""

    kind = "Repeated"

    def __init__(self, event: DocumentPatchedEvent) -> None:
        super().__init__(event.document, event.setter, event.callback_invoker)

"""What of an application is called for a change or an event: in which order, and how reports and traces name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent
from bokeh.events import Event
from bokeh.model import Model

_MOST_EVENTS = 100


class InOrder(set[Any]):
    """A set whose items come in the order in which they were added; bokeh keeps hooks and callbacks in sets."""

    def __init__(self) -> None:
        super().__init__()
        self._order: dict[Any, None] = {}

    def add(self, item: Any) -> None:
        self._order.setdefault(item)
        super().add(item)

    def remove(self, item: Any) -> None:
        super().remove(item)
        del self._order[item]

    def __iter__(self) -> Iterator[Any]:
        return iter([item for item in list(self._order) if item in self])  # other threads may add to it


@dataclass(frozen=True, slots=True)
class Called:
    """Callbacks that are called together: `what` is what happened, such as `Slider.value`."""

    what: str
    first: Callable[..., Any]


Around: TypeAlias = Callable[[Called], AbstractContextManager[None]]
"""A block in which they are called."""


def called_for_change(event: DocumentChangedEvent, of_document: Iterable[Callable[..., Any]]) -> Called | None:
    """The callbacks of this change; None if there are none."""
    model, attr = getattr(event, "model", None), getattr(event, "attr", "")
    functions = [*(model._callbacks.get(attr, ()) if isinstance(model, Model) and attr else ()), *of_document]
    what = f"{type(model).__name__}.{attr}" if isinstance(model, Model) and attr else type(event).__name__
    return Called(what, functions[0]) if functions else None


def called_for_event(event: Event, of_document: Iterable[Callable[..., Any]]) -> Called | None:
    """The callbacks of this event; None if there are none."""
    model = getattr(event, "model", None)
    own = model._event_callbacks.get(event.event_name, ()) if isinstance(model, Model) else ()
    functions = [*own, *of_document]
    what = f"{type(model).__name__} {event.event_name}" if isinstance(model, Model) else event.event_name
    return Called(what, functions[0]) if functions else None


def callbacks_of(document: Document, content: Mapping[str, Any]) -> Iterator[Callable[..., Any]]:
    """The callbacks for the first events of a PATCH-DOC, which may be malformed: what is not understood has none."""
    events = content.get("events") if isinstance(content, dict) else None
    for event in islice(events, _MOST_EVENTS) if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield from _of_event(document, event)


def _of_event(document: Document, event: Mapping[str, Any]) -> Iterator[Callable[..., Any]]:
    if event.get("kind") == "MessageSent":
        yield from _of_message(document, event.get("msg_data"))
        return
    attr = event.get("attr", "data")
    model = _model(document, event.get("model"))
    if model is not None and isinstance(attr, str):
        yield from getattr(model, "_callbacks", {}).get(attr, ())


def _of_message(document: Document, data: object) -> Iterator[Callable[..., Any]]:
    """Those of an event such as a click; `{"name": "button_click", "values": {"model": {"id": …}}}` or its encoding."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return
    model = _model(document, _named_model(data.get("values")))
    if model is not None:
        yield from getattr(model, "_event_callbacks", {}).get(data["name"], ())


def _named_model(values: object) -> object:
    if not isinstance(values, dict):
        return None
    pairs = values.get("entries")
    if not isinstance(pairs, list):
        return values.get("model")
    return next((pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2 and pair[0] == "model"), None)


def _model(document: Document, named: object) -> Any:
    ident = named.get("id") if isinstance(named, dict) else None
    return document.get_model_by_id(ID(ident)) if isinstance(ident, str) else None

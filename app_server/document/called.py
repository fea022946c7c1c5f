"""Which callbacks of the application a client's change calls, for a report of what was slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from bokeh.core.types import ID
from bokeh.document import Document

_MOST_EVENTS = 100


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

"""Text from the other end of a connection is never a path of this machine.

Bokeh reads the file that a text in an `Image` property names. That is meant for an application's own code. What a
client or a server sends for such a property is marked as `ForeignText`, which bokeh then keeps as it is: nothing is
opened, and the sender cannot find out whether a file exists. The mark stays with the value, so it is also safe when the
application copies it or clones its model.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import bokeh
import numpy
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Image
from bokeh.core.property.bases import Property
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentPatchedEvent,
    MessageSentEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
    TitleChangedEvent,
)

from app_server.document import classes
from app_server.errors import AppServerError, PeerError

log = logging.getLogger(__name__)

EVENTS: Final[Mapping[str, Any]] = {
    event.kind: event
    for event in (
        ModelChangedEvent,
        ColumnDataChangedEvent,
        ColumnsStreamedEvent,
        ColumnsPatchedEvent,
        RootAddedEvent,
        RootRemovedEvent,
        TitleChangedEvent,
        MessageSentEvent,
    )
}
"""What the other end may send in a PATCH-DOC, by kind. Bokeh's own table has classes in 3.9, and functions in 3.10."""

_READERS: tuple[Any, ...] = (Image,)
"""The properties of bokeh that read the file which a text names."""

_FOLDERS: tuple[str, ...] = tuple(
    os.path.join(folder, "") for folder in (str(Path(__file__).parents[2]), *bokeh.__path__, *numpy.__path__)
)
"""Where the code is that can refuse an event of the other end."""

_LONGEST_ERROR = 1000
_LONGEST_NAME = 40
_MOST_UNKNOWN = 100

_unknown: set[tuple[type[HasProps], str]] = set()

_MARK = "app_server_foreign_text"


class ForeignText(str):
    """A text that bokeh must not take for the name of a file."""

    __slots__ = ()


def install() -> None:
    """Teach bokeh's `Image` property to keep foreign text as it is. Idempotent."""
    transform = Image.transform
    if hasattr(transform, _MARK):
        return

    def kept(self: Image, value: Any) -> Any:
        return value if isinstance(value, ForeignText) else transform(self, value)

    setattr(kept, _MARK, True)
    Image.transform = cast(Any, kept)  # type: ignore[method-assign]


def set_foreign(model: HasProps, name: str, value: Any, setter: object) -> None:
    """Set a property to what the other end sent; callbacks run, and what they raise comes through.

    ValueError if the property does not take the value. A name that is not a property is logged and left out.
    """
    kind = type(model)
    names_files = _known.get((kind, name))
    if names_files is None:
        if name not in kind.properties(_with_props=True):
            _log_unknown(kind, name)
            return
        names_files = _known[kind, name] = _names_files(kind, name)
    if names_files:
        value = marked(value)
    if kind.set_from_json is HasProps.set_from_json:  # which makes a text of the model and the value for a log
        kind.lookup(name).set_from_json(model, value, setter=setter)  # type: ignore[arg-type]
    else:
        model.set_from_json(name, value, setter=setter)  # type: ignore[arg-type]


def lay_foreign(model: HasProps, name: str, value: Any) -> None:
    """Give a property what was saved of it, without an event. ValueError if the property does not take the value."""
    descriptor = type(model).lookup(name)
    if _names_files(type(model), name):
        value = marked(value)
    prepared = descriptor.property.prepare_value(model, name, value)
    reset(model, name)
    descriptor._set_value(model, prepared)


def reset(model: HasProps, name: str) -> None:
    """Let a property have its default, without an event."""
    before = model._property_values.pop(name, None)
    if isinstance(before, PropertyValueContainer):
        before._unregister_owner(model, type(model).lookup(name))


def _log_unknown(kind: type[HasProps], name: str) -> None:
    """Log once for a name that it is not a property; a client can make up any number of them."""
    key = kind, name[:_LONGEST_NAME]
    if key not in _unknown and len(_unknown) < _MOST_UNKNOWN:
        _unknown.add(key)
        log.warning("%s has no property %r, which a client has set; it was left out", kind.__name__, key[1])


def carry_out(document: Document, event: DocumentPatchedEvent) -> None:
    """Do to the document what an event of the other end says; callbacks run, and what they raise comes through.

    PeerError if the event says what cannot be done, before a callback has run.
    """
    try:
        if isinstance(event, ModelChangedEvent):
            set_foreign(event.model, event.attr, event.new, event.setter)
        elif isinstance(event, ColumnDataChangedEvent):
            set_foreign(event.model, event.attr, _all_columns(event), event.setter)
        else:
            event._handle_event(document, event)
    except AppServerError:
        raise
    except Exception as error:
        if _called_nobody(error):
            raise PeerError(f"a {cast(Any, event).kind} cannot be carried out: {_short(error)}") from error
        raise


def _short(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}… ({len(text)} characters)"


def _called_nobody(error: BaseException) -> bool:
    """Whether bokeh has raised it by itself: no code of the application, or of a library on top of bokeh, has run."""
    return all(frame.f_code.co_filename.startswith(_FOLDERS) for frame, _ in traceback.walk_tb(error.__traceback__))


def _all_columns(event: ColumnDataChangedEvent) -> Any:
    """The columns after the event. Where it names columns, the others stay as they are, as they do in BokehJS."""
    columns = getattr(event.model, event.attr)
    if event.cols is None or not isinstance(event.data, dict) or not isinstance(columns, dict):
        return event.data
    return {**columns, **event.data}


def marked(value: Any) -> Any:
    """The value, lists and dictionaries copied, with each text in it marked as foreign."""
    if isinstance(value, str):
        return ForeignText(value)
    if isinstance(value, list | tuple | set):
        return type(value)(marked(item) for item in value)
    if isinstance(value, dict):
        return {key: marked(item) for key, item in value.items()}
    return value


_known: dict[tuple[type[HasProps], str], bool] = classes.table()
"""The properties that were set so far, and whether they name files; other names are not kept."""


def _names_files(kind: type[HasProps], name: str) -> bool:
    """Whether a text in this property is the name of a file for bokeh."""
    whole: Property[Any] = kind.lookup(name).property
    return any(isinstance(part, _READERS) for part in parts(whole))


def parts(whole: Property[Any]) -> Iterator[Property[Any]]:
    """A property and all the properties that it is made of, whatever they are kept in."""
    waiting: list[Any] = [whole]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, Property):
            if id(item) in seen:
                continue
            seen.add(id(item))
            yield item
            waiting.extend(vars(item).values())
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)

"""What was saved, given back to the new document of a session whose application has been built again.

First the inputs, through bokeh's ordinary setters: the application's callbacks work out their Python state.
Then every saved value, without events: the document is as it was, whatever the callbacks have made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from bokeh.core.has_props import HasProps
from bokeh.core.serialization import Buffer
from bokeh.core.types import ID
from bokeh.model import Model
from bokeh.models.widgets import Widget

from app_server.document.encoding.decoder import Decoder
from app_server.document.encoding.foreign import lay_foreign, reset, set_foreign
from app_server.document.saving.replay import SavedDocument
from app_server.document.saving.whole import is_left_out
from app_server.document.served import ServedDocument

DOCUMENT = ""
"""Stands for the document itself where a model's id is expected: its roots and its title may change too."""


class Changed(NamedTuple):
    """A property that was changed after the application had built the document."""

    model: str
    attr: str
    by_client: bool


@dataclass(frozen=True)
class LayReport:
    """What could not be given back: the changed values that fit no model any more, in words."""

    left_out: tuple[str, ...] = ()


class Restoration:
    """Gives a saved document back to a new one.

    With `exact`, the application has built the very models that it built before, and everything is given back. If it
    was changed meanwhile, only what was `changed` after the build is, on the models that still fit.
    """

    def __init__(
        self, document: ServedDocument, saved: SavedDocument, changed: Sequence[Changed], *, exact: bool, max_bytes: int
    ) -> None:
        self._document = document
        self._saved = saved
        self._changed = changed
        self._exact = exact
        self._max_bytes = max_bytes

    def give_inputs(self, call: Callable[[Callable[[], None]], None]) -> None:
        """Set what people have set, and what else inputs hold, in the order in which they were changed last.

        Each is set by a function that `call` calls: the application's callbacks run in it, and may raise.
        """
        for change in sorted(self._changed, key=lambda change: not change.by_client):
            model = self._fitting(change.model)
            if model is None or not (change.by_client or isinstance(model, Widget)):
                continue
            for value in self._plain_value(model, change):
                if not _same(getattr(model, change.attr), value):
                    call(partial(set_foreign, model, change.attr, value, None))

    def lay_over(self) -> LayReport:
        """Give back all saved values without an event. Raises ValueError and more if they are malformed."""
        with self._document.changing, self._document.at_work():
            return self._lay_all() if self._exact else self._lay_changed()

    def _lay_all(self) -> LayReport:
        decoder = _Decoder(self._document, self._max_bytes)
        roots = decoder.decode(self._saved.content["roots"], _buffers(self._saved))
        for model, values in decoder.values:
            if self._document.get_model_by_id(model.id) is model:
                values.pop("name", None)  # templates find roots by it, and Panel numbers names through all sessions
                _reset(model, values)
            _lay(model, values)
        self._document.take_roots(roots, self._saved.content["title"])
        return LayReport()

    def _lay_changed(self) -> LayReport:
        left_out: list[str] = []
        for change in self._changed:
            if change.model == DOCUMENT:
                continue
            model = self._fitting(change.model)
            values = [] if model is None else list(self._plain_value(model, change))
            if model is None or not values:
                left_out.append(self._name(change))
            else:
                _lay(model, {change.attr: values[0]})
        self._document.models.invalidate()
        return LayReport(tuple(name for name in left_out if name))

    def _fitting(self, ident: str) -> Model | None:
        """The model of the new document that the saved one of this id was."""
        saved = self._saved.models.get(ident)
        if saved is None:
            return None
        name = saved.get("attributes", {}).get("name")
        model = self._document.get_model_by_id(ID(ident))
        if model is not None and _is_of(model, saved) and (self._exact or model.name == name):
            return model
        named = self._document.select({"name": name}) if isinstance(name, str) else []
        fitting = [model for model in named if _is_of(model, saved)]
        return fitting[0] if len(fitting) == 1 else None

    def _plain_value(self, model: Model, change: Changed) -> Iterator[Any]:
        """The saved value of this property, if there is one and it refers to no model."""
        attributes = self._saved.models[change.model].get("attributes", {})
        if change.attr in attributes and change.attr in type(model).properties(_with_props=True):
            value = attributes[change.attr]
            if not _refers(value):
                yield Decoder(self._document, None, self._max_bytes).decode(value, _buffers(self._saved))

    def _name(self, change: Changed) -> str:
        """The changed property for the log; "" if its model was gone already."""
        saved = self._saved.models.get(change.model)
        if saved is None:
            return ""
        name = saved.get("attributes", {}).get("name")
        return f"{saved['name']}{f' {name!r}' if isinstance(name, str) else ''}.{change.attr}"


class _Decoder(Decoder):
    """Takes the document's own models for the saved ones, and keeps their values until all of them are decoded."""

    def __init__(self, document: ServedDocument, max_bytes: int) -> None:
        super().__init__(document, None, max_bytes, any_ids=True)
        self.values: list[tuple[Model, dict[str, Any]]] = []

    def _decode_object_ref(self, obj: Any) -> Model:
        ident = ID(obj["id"])
        model = self._references.get(ident)
        if model is not None:
            return model
        model = self._document.get_model_by_id(ident)
        if model is None or not _is_of(model, obj):
            kind = self._resolve_type(obj["name"])
            model = kind.__new__(kind, id=ident)
            if not model._initialized:
                HasProps.__init__(model)  # not the class's own: the values come from what was saved
        self._references[ident] = model
        values = {name: self._decode(value) for name, value in obj.get("attributes", {}).items()}
        self.values.append((model, values))
        return model


def _lay(model: Model, values: Mapping[str, Any]) -> None:
    known: Collection[str] = type(model).properties(_with_props=True)
    for name, value in values.items():
        if name in known:
            lay_foreign(model, name, value)


def _reset(model: Model, saved: Mapping[str, Any]) -> None:
    """Give the properties their defaults that had them when the model was saved; a model that was excluded has all."""
    for name in set(model._property_values).difference(saved) if saved else ():
        if name != "name" and model.lookup(name).serialized and not is_left_out(model, name):
            reset(model, name)


def _is_of(model: Model, saved: Mapping[str, Any]) -> bool:
    return bool(type(model).__qualified_model__ == saved["name"])


def _refers(value: Any) -> bool:
    """Whether this JSON names a model, or defines one."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "id" in item and item.keys() <= {"id", "type", "name", "attributes"}:
                return True
            waiting.extend(child for child in item.values() if isinstance(child, dict | list))
        elif isinstance(item, list):
            waiting.extend(child for child in item if isinstance(child, dict | list))
    return False


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except ValueError:  # arrays
        return False


def _buffers(saved: SavedDocument) -> list[Buffer]:
    return [Buffer(ID(ident), payload) for ident, payload in saved.buffers]

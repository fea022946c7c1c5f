"""What was saved, given back to the new document of a session whose application has been built again.

First the inputs, through bokeh's ordinary setters: the application's callbacks work out their Python state.
Then every saved value, without events: the document is as it was, whatever the callbacks have made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Final, NamedTuple

from bokeh.core.types import ID
from bokeh.model import Model
from bokeh.models import Selection, Tabs
from bokeh.models.widgets import ColorPicker, Widget

from app_server.document.encoding.decoder import Decoder
from app_server.document.encoding.foreign import set_foreign
from app_server.document.saving.pairing import counterparts
from app_server.document.saving.replay import SavedDocument
from app_server.document.saving.typed import typed
from app_server.document.saving.whole_laying import DOCUMENT, as_buffers, is_of, lay, lay_whole
from app_server.document.served import ServedDocument

_INPUTS: Final = (
    (Widget, ("value", "active")),
    (ColorPicker, ("color",)),
    (Tabs, ("active",)),
    (Selection, ("indices",)),
)
"""The properties that people set, and the application in their place."""


class Changed(NamedTuple):
    """A property that was changed after the application had built the document."""

    model: str
    attr: str
    by_client: bool


@dataclass(frozen=True)
class LayReport:
    """What could not be given back: the changed values that fit no model any more, in words."""

    left_out: tuple[str, ...] = ()


class Fit(Enum):
    """How much the new document is like the saved one was when it had just been built."""

    SAME = auto()
    """The same application has built the same models: everything is given back."""
    MODELS = auto()
    """A changed application has built the same models: what was changed after the build is given back."""
    PARTS = auto()
    """It has built other models: what was changed is given back to those that fit, if it refers to no model."""


class Restoration:
    """Gives a saved document back to a new one; `changed` are the properties that were changed after the build."""

    def __init__(
        self, document: ServedDocument, saved: SavedDocument, changed: Sequence[Changed], fit: Fit, *, max_bytes: int
    ) -> None:
        self._document = document
        self._saved = saved
        self._changed = changed
        self._fit = fit
        self._max_bytes = max_bytes
        self._built: dict[str, Model] = {model.id: model for model in document.models}
        self._made: tuple[int, Mapping[str, Model]] = (-1, {})
        document.ids.leave_out(saved.models)

    def give_inputs(
        self, call: Callable[[Callable[[], None]], None], settle: Callable[[], None] = lambda: None
    ) -> None:
        """Set what people have set, and what else inputs hold, in the order in which they were changed last.

        So an input comes after the one whose callback has set it. Each is set by a function that `call` calls: the
        application's callbacks run in it, and may raise. So is `settle`, when all that was changed of one model in a
        row is set.
        """
        before: str | None = None
        for change in self._changed:
            if before is not None and change.model != before:
                call(settle)
                before = None
            model = self._fitting(change.model)
            if model is None or not (change.by_client or _is_input(model, change.attr)):
                continue
            for value in self._plain_value(model, change):
                if not _has(model, change.attr, value):
                    call(partial(set_foreign, model, change.attr, value, None))
                    before = change.model
        call(settle)

    @property
    def changed(self) -> Sequence[Changed]:
        """What was changed, by the ids of the models that the document has once it is laid over."""
        return self._changed

    def lay_over(self) -> LayReport:
        """Give back all saved values without an event. Raises ValueError and more if they are malformed."""
        with self._document.changing, self._document.at_work():
            if self._fit is Fit.PARTS:
                return self._lay_parts()
            only = None if self._fit is Fit.SAME else {(change.model, change.attr) for change in self._changed}
            made = self._counterparts()
            self._changed = [_now(change, made) for change in self._changed]
            lay_whole(self._document, self._saved.content, self._saved.buffers, self._max_bytes, only, made)
            return LayReport()

    def _lay_parts(self) -> LayReport:
        left_out: list[str] = []
        for change in self._changed:
            if change.model == DOCUMENT:
                continue
            model = self._fitting(change.model)
            values = [] if model is None else list(self._plain_value(model, change))
            if model is None or not values:
                left_out.append(self._name(change))
            else:
                lay(model, {change.attr: values[0]})
        self._document.models.invalidate()
        return LayReport(tuple(name for name in left_out if name))

    def _fitting(self, ident: str) -> Model | None:
        """The model of the new document that the saved one of this id was."""
        saved = self._saved.models.get(ident)
        if saved is None:
            return None
        name = saved.get("attributes", {}).get("name")
        exact = self._fit is not Fit.PARTS
        model = self._document.get_model_by_id(ID(ident)) or (self._counterparts().get(ident) if exact else None)
        if model is not None and is_of(model, saved) and (exact or model.name == name):
            return model
        named = self._document.select({"name": name}) if isinstance(name, str) else []
        fitting = [model for model in named if is_of(model, saved)]
        return fitting[0] if len(fitting) == 1 else None

    def _counterparts(self) -> Mapping[str, Model]:
        """The models that callbacks have made again by now, by the ids of the saved ones that they stand for."""
        noted, found = self._made
        if noted != self._document.callbacks.noted:
            noted = self._document.callbacks.noted
            found = counterparts(
                self._saved.content["roots"],
                self._saved.models,
                self._document.roots,
                self._built,
                {(change.model, change.attr) for change in self._changed},
            )
            self._made = noted, found
        return found

    def _plain_value(self, model: Model, change: Changed) -> Iterator[Any]:
        """The saved value of this property, if there is one and it refers to no model."""
        attributes = self._saved.models[change.model].get("attributes", {})
        if change.attr in attributes and change.attr in type(model).properties(_with_props=True):
            value = attributes[change.attr]
            if not _refers(value):
                decoder = Decoder(self._document, None, self._max_bytes)
                read = decoder.decode(value, as_buffers(self._saved.buffers))
                yield typed(model._property_values.get(change.attr), read)

    def _name(self, change: Changed) -> str:
        """The changed property for the log; "" if its model was gone already."""
        saved = self._saved.models.get(change.model)
        if saved is None:
            return ""
        name = saved.get("attributes", {}).get("name")
        return f"{saved['name']}{f' {name!r}' if isinstance(name, str) else ''}.{change.attr}"


def _now(change: Changed, made: Mapping[str, Model]) -> Changed:
    """The change, of the model that stands for the saved one now."""
    model = made.get(change.model)
    return change if model is None else change._replace(model=model.id)


def _refers(value: Any) -> bool:
    """Whether this JSON names a model, or defines one."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "id" in item and item.keys() <= {"id", "type", "name", "attributes"}:
                return True
            if item.get("type") == "bytes":
                continue  # their id is that of a buffer
            waiting.extend(child for child in item.values() if isinstance(child, dict | list))
        elif isinstance(item, list):
            waiting.extend(child for child in item if isinstance(child, dict | list))
    return False


def _is_input(model: Model, attr: str) -> bool:
    """Whether a model is there to be given this value, by people or by the application."""
    return any(isinstance(model, kind) and attr in attrs for kind, attrs in _INPUTS)


def _has(model: Model, attr: str, value: Any) -> bool:
    """Whether the property has this value already."""
    try:
        return bool(getattr(model, attr) == value)
    except ValueError:  # arrays, and what has no value yet
        return False

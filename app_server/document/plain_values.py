"""Sets a property to a text, a number, a boolean or None in one step: nearly all that applications set is one of these.

Bokeh asks some twenty functions what to do with a value: whether it is valid, how it is wrapped, compared, stored and
announced. For a plain value of a plain property the answers are always the same, so a table says which properties are
plain; it is similar with columns, as whole dictionaries. All of this belongs to the versions of bokeh in
`tested.BOKEH`; another one is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import bokeh
import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Any as AnyValue
from bokeh.core.properties import Bool, Float, Int, Nullable, Required, Seq, String
from bokeh.core.property.bases import Property
from bokeh.core.property.descriptors import ColumnDataPropertyDescriptor, PropertyDescriptor
from bokeh.core.property.wrappers import PropertyValueColumnData, PropertyValueContainer
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, ModelChangedEvent
from bokeh.model import Model

from app_server import tested
from app_server.document import classes
from app_server.document.changes import UNSET, put_back
from app_server.document.served import ServedDocument
from app_server.document.speedups import CONSTANT_TYPES

_NOTHING: frozenset[type] = frozenset()
_TAKEN_AS_THEY_ARE: dict[type, frozenset[type]] = {
    String: frozenset({str}),
    Bool: frozenset({bool}),
    Int: frozenset({int}),
    Float: frozenset({int, float}),
}
"""The types of which these properties take every value, and store it as it is. Subclasses may differ."""

_TEXTS = frozenset({str})
_SEQUENCES = frozenset({list, tuple, np.ndarray})

_NO_PROPERTY: tuple[Any, frozenset[type]] = None, _NOTHING

_plain: dict[tuple[type[HasProps], str], tuple[PropertyDescriptor[Any], frozenset[type]]] = classes.table()

_tests: dict[tuple[type[HasProps], str], tuple[Callable[[Any, Any], bool], ...] | None] = classes.table()
"""What columns have to pass, by class and property."""

_stock_setattr = HasProps.__setattr__
_stock_set_from_json = PropertyDescriptor.set_from_json
_stock_set_columns: Any = ColumnDataPropertyDescriptor.__set__
_stock_init_changed = ModelChangedEvent.__init__


def plain_types(descriptor: PropertyDescriptor[Any], kind: type[HasProps]) -> frozenset[type]:
    """The types of which a property of this class takes every value as it is; none if something else must be asked."""
    whole = descriptor.property
    as_usual = type(descriptor) is PropertyDescriptor and not whole.readonly and not whole.assertions
    # The document finds models by their names.
    return _types_of(whole) if as_usual and _announces(kind) and descriptor.name != "name" else _NOTHING


def _announces(kind: type[HasProps]) -> bool:
    """Whether these are models that announce changes as usual: a class may have a `trigger` of its own."""
    return issubclass(kind, Model) and kind.trigger is Model.trigger


def _types_of(whole: Property[Any]) -> frozenset[type]:
    if type(whole) is Required:
        return _types_of(whole.type_param)
    if type(whole) is Nullable:
        return _types_of(whole.type_param) | {type(None)}
    return _TAKEN_AS_THEY_ARE.get(type(whole), _NOTHING)


def _setattr(self: HasProps, name: str, value: Any) -> None:
    kind = type(value)
    if kind in CONSTANT_TYPES:
        known = _plain.get((type(self), name))
        if known is None and not name.startswith("_"):
            known = _look_up(type(self), name)
        if known is not None and kind in known[1] and _set(known[0], self, value, None):
            return
    _stock_setattr(self, name, value)


def _set_from_json(self: PropertyDescriptor[Any], obj: HasProps, value: Any, *, setter: Any = None) -> None:
    kind = type(value)
    if kind in CONSTANT_TYPES:
        try:
            _, types = _plain[type(obj), self.name]
        except KeyError:
            _, types = _look_up(type(obj), self.name)
        if kind in types and _set(self, obj, value, setter):
            return
    _stock_set_from_json(self, obj, value, setter=setter)


def _look_up(kind: type[HasProps], name: str) -> tuple[PropertyDescriptor[Any], frozenset[type]]:
    """The property of this name, and of which types it takes every value."""
    descriptor = getattr(kind, name, None)
    if not isinstance(descriptor, PropertyDescriptor):
        return _NO_PROPERTY
    found = _plain[kind, name] = descriptor, plain_types(descriptor, kind)
    return found


def _set(descriptor: PropertyDescriptor[Any], obj: Any, value: Any, setter: Any) -> bool:
    """Whether the value was set, and announced if it is another one than before; if not, nothing has happened."""
    fields, name = obj.__dict__, descriptor.name
    values = fields.get("_property_values")
    if values is None or fields["_temp_document"] is not None:
        return False
    old = values[name] if name in values else descriptor._get_default(obj)
    if type(old) not in CONSTANT_TYPES:
        return False
    if value == old:
        return True
    document = fields["_document"]
    if document is None:
        descriptor._set_value(obj, value)
        _call_back(obj, name, old, value)
        return True
    if type(document) is not ServedDocument:
        return False
    callbacks = document.callbacks
    with document.changing:  # as `changes` does it for all other values
        if callbacks.holds.any:
            return False
        before, noted = values.get(name, UNSET), callbacks.noted
        if name in fields["_unstable_default_values"] or name in fields["_unstable_themed_values"]:
            descriptor._set_value(obj, value)
        else:
            values[name] = value
        call_back = partial(_call_back, obj, name, old, value) if name in obj._callbacks else None
        try:
            callbacks.announce(ModelChangedEvent(document, obj, name, value, setter, call_back))
        except BaseException:
            if callbacks.noted == noted:
                put_back(document, descriptor, obj, before)
            raise
    return True


def _init_changed(
    self: ModelChangedEvent,
    document: Document,
    model: Model,
    attr: str,
    new: Any,
    setter: Any = None,
    callback_invoker: Any = None,
) -> None:
    """What three constructors do otherwise, each of which calls the next."""
    self.document = document
    self.setter = setter
    self.callback_invoker = callback_invoker
    self.model = model
    self.attr = attr
    self.new = new


def _call_back(model: Any, name: str, old: Any, new: Any) -> None:
    for callback in model._callbacks.get(name, ()):
        callback(name, old, new)


def _set_columns(self: ColumnDataPropertyDescriptor, obj: Any, value: Any, *, setter: Any = None) -> None:
    document = _document_of(obj)
    if document is None or type(value) is not dict or not _takes(self, obj, value):
        _stock_set_columns(self, obj, value, setter=setter)
        return
    name, callbacks, columns = self.name, document.callbacks, PropertyValueColumnData(value)
    with document.changing:  # as `changes` does it for all other values
        old = self._get(obj)
        before, noted = obj._property_values.get(name, UNSET), callbacks.noted
        if callbacks.holds.any:
            callbacks.keep_for_hold(self, obj, old)
        try:
            if isinstance(old, PropertyValueContainer):
                old._unregister_owner(obj, self)
            self._set_value(obj, columns)
            call_back = partial(_call_back, obj, name, old, columns) if name in obj._callbacks else None
            callbacks.announce(ColumnDataChangedEvent(document, obj, name, setter=setter, callback_invoker=call_back))
        except BaseException:
            if callbacks.noted == noted:
                put_back(document, self, obj, before)
            raise


def _document_of(obj: Any) -> ServedDocument | None:
    document = obj.__dict__.get("_document")
    return document if type(document) is ServedDocument and obj._temp_document is None else None


def _takes(descriptor: ColumnDataPropertyDescriptor, obj: HasProps, value: dict[Any, Any]) -> bool:
    """Whether these are columns that the property takes; if not, bokeh says why."""
    try:
        tests = _tests[type(obj), descriptor.name]
    except KeyError:
        tests = _tests[type(obj), descriptor.name] = _tests_of(descriptor.property, type(obj))
    if tests is None or not (_TEXTS.issuperset(map(type, value)) and _SEQUENCES.issuperset(map(type, value.values()))):
        return False
    for fits in tests:
        if not fits(obj, value):
            return False
    return True


def _tests_of(whole: Any, kind: type[HasProps]) -> tuple[Callable[[Any, Any], bool], ...] | None:
    """What else columns of sequences have to pass that this property of a class takes; None if it may refuse some."""
    columns = whole.values_type
    as_usual = type(whole.keys_type) is String and type(columns) is Seq and type(columns.item_type) is AnyValue
    if not as_usual or whole.readonly or not _announces(kind):
        return None
    return tuple(fits for fits, _ in whole.assertions if callable(fits))


def installed() -> bool:
    """Whether plain values are set in one step."""
    return HasProps.__setattr__ is _setattr


def install() -> bool:
    """Set plain values in one step; False, and nothing changed, if this version of bokeh is not known. Idempotent."""
    if bokeh.__version__ not in tested.BOKEH:
        return False
    HasProps.__setattr__ = _setattr  # type: ignore[method-assign, assignment]
    PropertyDescriptor.set_from_json = _set_from_json  # type: ignore[method-assign]
    ColumnDataPropertyDescriptor.__set__ = _set_columns  # type: ignore[method-assign]
    ModelChangedEvent.__init__ = _init_changed  # type: ignore[method-assign]
    return True

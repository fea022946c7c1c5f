"""What bokeh works out for every model, worked out once for every model class.

Making a model asks for the default of each of its properties: half of what an application's start costs. Most defaults
are constants, and most of the rest are empty lists and dictionaries that are never used. Here a table for each class
says which is which. It belongs to the versions of bokeh that were tested; with another one, every model class is made
both ways first, and where the two differ bokeh is left as it is.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import bokeh
import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.singletons import Intrinsic, Undefined
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.core.serialization import Serializer
from bokeh.model import Model
from bokeh.util.dataclasses import entries, is_dataclass

from app_server import tested
from app_server.document import classes

log = logging.getLogger(__name__)

_CONSTANT = (str, int, float, bool, type(None))
CONSTANT_TYPES = frozenset(_CONSTANT)
"""Texts, numbers, booleans and None, but none of their subclasses: values that refer to no model."""

_WITHOUT_MODELS = CONSTANT_TYPES | {np.ndarray}

_stock_init = HasProps.__init__
_stock_overridden_defaults: Any = vars(HasProps)["_overridden_defaults"]
_stock_themed_values = HasProps.themed_values
_stock_has_unstable_default = PropertyDescriptor.has_unstable_default
_stock_get_default = PropertyDescriptor._get_default
_stock_trigger = Model.trigger

_overridden: dict[type, dict[str, Any]] = classes.table()
_unstable: dict[tuple[PropertyDescriptor[Any], type], bool] = classes.table()
_eager: dict[type, tuple[PropertyDescriptor[Any], ...]] = classes.table()
_constants: dict[tuple[PropertyDescriptor[Any], type], Any] = classes.table()
_MISSING = object()
_MODEL_ID = re.compile(r"id='[^']*'")


def _overridden_defaults(cls: type[HasProps]) -> dict[str, Any]:
    try:
        return _overridden[cls]
    except KeyError:
        _overridden[cls] = _stock_overridden_defaults.__func__(cls)
        return _overridden[cls]


def _themed_values(self: HasProps) -> dict[str, Any] | None:
    # A look-up by getattr would end in HasProps.__getattr__, for every model without a theme.
    return self.__dict__.get("__themed_values__")


def _has_unstable_default(self: PropertyDescriptor[Any], obj: HasProps) -> bool:
    key = (self, type(obj))
    try:
        return _unstable[key]
    except KeyError:
        found = _unstable[key] = _stock_has_unstable_default(self, obj)
        return found


def _get_default(self: PropertyDescriptor[Any], obj: HasProps) -> Any:
    themed = obj.__dict__.get("__themed_values__")
    if themed is not None and self.name in themed:
        return _stock_get_default(self, obj)
    kind = type(obj)
    if _has_unstable_default(self, obj):
        made = obj._unstable_default_values.get(self.name, _MISSING)
        return _stock_get_default(self, obj) if made is _MISSING else made
    key = (self, kind)
    constant = _constants.get(key, _MISSING)
    if constant is _MISSING:
        constant = _stock_get_default(self, obj)
        if isinstance(constant, _CONSTANT):
            _constants[key] = constant
    return constant


def _eager_descriptors(obj: HasProps) -> tuple[PropertyDescriptor[Any], ...]:
    """The properties whose defaults must be made with the model: all that are made again each time, except containers
    that are empty at first, which are made when they are asked for."""
    kind = type(obj)
    eager = []
    for name in kind.properties(_with_props=True):
        descriptor = kind.lookup(name)
        if descriptor.has_unstable_default(obj):  # an alias says no
            value = descriptor._get(obj)
            if not isinstance(value, PropertyValueContainer) or len(value) > 0:  # type: ignore[arg-type]
                eager.append(descriptor)
    return tuple(eager)


def _init(self: HasProps, **properties: Any) -> None:
    super(HasProps, self).__init__()
    self._property_values = {}
    self._unstable_default_values = {}
    self._unstable_themed_values = {}
    for name, value in properties.items():
        if value is Undefined or value is Intrinsic:
            continue
        setattr(self, name, value)
    eager = _eager.get(type(self))
    if eager is None:
        eager = _eager[type(self)] = _eager_descriptors(self)
    for descriptor in eager:
        if descriptor.name not in properties:
            descriptor._get(self)
    self._initialized = True


def _trigger(self: Model, attr: str, old: Any, new: Any, hint: Any = None, setter: Any = None) -> None:
    # A number or a text refers to no model: the document's set of models stays as it is.
    if type(old) not in CONSTANT_TYPES or type(new) not in CONSTANT_TYPES:
        document = self._document
        if hint is None and document is not None and (_names_models(new) or _names_models(old)):
            document.models.invalidate()
        super(Model, self).trigger(self.lookup(attr).name, old, new, hint=hint, setter=setter)
        return

    def invoke() -> None:
        for callback in self._callbacks.get(attr, ()):
            callback(attr, old, new)

    document = self.document
    if document is None:
        invoke()
    else:
        document.callbacks.notify_change(self, attr, old, new, hint, setter, invoke)


def _names_models(whole: Any) -> bool:
    """Whether a value is or holds a model; a list may have millions of plain values, which cost next to nothing."""
    waiting: list[Any] = [whole]
    seen: dict[int, Any] = {}  # lists and dictionaries, for one may hold itself
    while waiting:
        value = waiting.pop()
        if isinstance(value, Model):
            return True
        if isinstance(value, list | dict):
            if id(value) in seen:
                continue
            seen[id(value)] = value
        if isinstance(value, list | tuple):
            _add_others(waiting, value)
        elif isinstance(value, dict):
            _add_others(waiting, value.keys())
            _add_others(waiting, value.values())
        elif isinstance(value, HasProps):
            _add_others(waiting, [getattr(value, name) for name in value.properties_with_refs()])
        elif is_dataclass(value):
            _add_others(waiting, [item for _, item in entries(value)])
    return False


def _add_others(waiting: list[Any], values: Collection[Any]) -> None:
    if not _WITHOUT_MODELS.issuperset(map(type, values)):
        waiting.extend(value for value in values if type(value) not in _WITHOUT_MODELS)


def _put(fast: bool) -> None:
    HasProps.__init__ = _init if fast else _stock_init  # type: ignore[method-assign, assignment]
    HasProps._overridden_defaults = (  # type: ignore[method-assign]
        classmethod(_overridden_defaults) if fast else _stock_overridden_defaults  # type: ignore[assignment]
    )
    HasProps.themed_values = _themed_values if fast else _stock_themed_values  # type: ignore[method-assign]
    PropertyDescriptor.has_unstable_default = (  # type: ignore[method-assign]
        _has_unstable_default if fast else _stock_has_unstable_default
    )
    Model.trigger = _trigger if fast else _stock_trigger  # type: ignore[method-assign]
    PropertyDescriptor._get_default = _get_default if fast else _stock_get_default  # type: ignore[method-assign]


def installed() -> bool:
    """Whether the tables are in use."""
    return HasProps.__init__ is _init


def install() -> bool:
    """Use the tables; False, and nothing changed, if this version of bokeh makes other models with them."""
    if installed():
        return True
    if not isinstance(_stock_overridden_defaults, classmethod):
        return False
    _put(fast=True)
    if bokeh.__version__ not in tested.BOKEH and differing_classes():
        _put(fast=False)
        return False
    return True


@contextmanager
def stock() -> Iterator[None]:
    """A block in which bokeh is as it was, for comparison."""
    was = installed()
    _put(fast=False)
    try:
        yield
    finally:
        _put(fast=was)


def differing_classes() -> list[str]:
    """The names of the model classes whose instances are not the same with the tables as without."""
    differing = []
    with warnings.catch_warnings(action="ignore"):  # of classes that are deprecated
        for name, kind in sorted(Model.model_class_reverse_map.items()):
            try:
                with stock():
                    expected = _description(kind)
            except Exception:
                continue  # an abstract class, or one that wants arguments
            if _description(kind) != expected:
                differing.append(name)
    return differing


def _description(kind: type[HasProps]) -> object:
    """All that can be seen of a new instance: its JSON without ids, and every value."""
    model = kind()
    values = {
        name: _plain(model.lookup(name)._get(model))
        for name in kind.properties(_with_props=True)
        if isinstance(kind.lookup(name), PropertyDescriptor)  # an alias shows another property's value
    }
    return _without_ids(Serializer(deferred=False).encode(model)), values


def _plain(value: Any) -> object:
    return _MODEL_ID.sub("id", repr(value))


def _without_ids(rep: Any) -> Any:
    if isinstance(rep, dict):
        return {key: _without_ids(value) for key, value in rep.items() if key != "id"}
    if isinstance(rep, list | tuple):
        return [_without_ids(item) for item in rep]
    return rep

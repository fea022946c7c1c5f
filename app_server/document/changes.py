"""Changes of a served document: one at a time, and whole or not at all, whichever thread makes them.

Bokeh changes a value first and says so afterwards. Two threads could then change a value in one order and announce it
in the other, or both extend a column from the same old one; and what cannot be sent would stay in Python, where no page
learns of it. Here a change and its event are one step, under the document's lock, which is free again while the
application's callbacks run. A value that cannot be sent is refused, and the property keeps the one before.
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.wrappers import (
    PropertyValueColumnData,
    PropertyValueContainer,
    PropertyValueDict,
    PropertyValueList,
    PropertyValueSet,
)
from bokeh.document.events import ModelChangedEvent

from app_server.document.callbacks import UnsendableError
from app_server.document.encoding.patch_encoder import check
from app_server.document.served import ServedDocument

_stock_set = PropertyDescriptor._set
_stock_stream = PropertyValueColumnData._stream
_stock_patch = PropertyValueColumnData._patch
UNSET: Final = object()
"""The value of a property that has its default."""

_MUTATORS = frozenset(
    "__delitem__ __iadd__ __imul__ __setitem__ append extend insert pop remove reverse sort"
    " add difference_update discard intersection_update symmetric_difference_update update"
    " clear popitem setdefault".split()
)
"""The methods by which bokeh's containers are changed, and which send an event."""


def _served(model: Any) -> ServedDocument | None:
    document = getattr(model, "_document", None)
    return document if isinstance(document, ServedDocument) else None


def _set(
    self: PropertyDescriptor[Any], obj: HasProps, old: Any, value: Any, *, hint: Any = None, setter: Any = None
) -> None:
    document = getattr(obj, "_document", None)
    if not isinstance(document, ServedDocument):
        _stock_set(self, obj, old, value, hint=hint, setter=setter)
        return
    callbacks = document.callbacks
    with document.changing:
        before, noted = obj._property_values.get(self.name, UNSET), callbacks.noted
        if callbacks.holds.any:
            callbacks.keep_for_hold(self, obj, old)
        try:
            if type(value) is PropertyValueColumnData and hint is not None:
                _set_columns(self, obj, old, value, hint, setter)
            else:
                _stock_set(self, obj, old, value, hint=hint, setter=setter)
        except BaseException:
            if callbacks.noted == noted:  # else it was raised by a callback, which ran after the change
                put_back(document, self, obj, before)
            raise


def _set_columns(
    self: PropertyDescriptor[Any], obj: HasProps, old: Any, value: PropertyValueColumnData, hint: Any, setter: Any
) -> None:
    """Do what bokeh does, without its comparison of all columns: they are sent whether or not they differ."""
    replaced = obj._property_values.get(self.name, old)
    if replaced is not value:
        if isinstance(replaced, PropertyValueContainer):
            replaced._unregister_owner(obj, self)
        self._set_value(obj, value)
    self._trigger(obj, old, value, hint=hint, setter=setter)


def put_back(document: ServedDocument, descriptor: PropertyDescriptor[Any], obj: HasProps, before: Any) -> None:
    """Give a property the value that it had before a change was refused, without an event."""
    refused = obj._property_values.pop(descriptor.name, None)
    if isinstance(refused, PropertyValueContainer):
        refused._unregister_owner(obj, descriptor)
    if before is not UNSET:
        descriptor._set_value(obj, before)
    document.models.invalidate()


def _document_of(container: PropertyValueContainer) -> ServedDocument | None:
    owners = container._owners
    while owners:
        # Another thread may take the only owner away meanwhile, or add one: look again.
        with contextlib.suppress(StopIteration, RuntimeError):
            owner, _ = next(iter(owners))
            return _served(owner)
    return None


def _whole(method: Callable[..., Any], restore: Callable[[Any, Any], None]) -> Callable[..., Any]:
    """The method of a container, which leaves its contents as they were if no event was sent."""

    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        document = _document_of(self)
        if document is None:
            return method(self, *args, **kwargs)
        with document.changing:
            before, noted = self._saved_copy(), document.callbacks.noted
            try:
                return method(self, *args, **kwargs)
            except BaseException:
                if document.callbacks.noted == noted:
                    restore(self, before)
                raise

    change.__doc__ = method.__doc__
    return change


def _restore_list(container: Any, before: Any) -> None:
    list.__setitem__(container, slice(None), before)


def _restore_dict(container: Any, before: Any) -> None:
    dict.clear(container)
    dict.update(container, before)


def _restore_set(container: Any, before: Any) -> None:
    set.clear(container)
    set.update(container, before)


def as_rollover(rollover: Any) -> int | None:
    """How many rows to keep, as an int that both ends understand; None for all. TypeError, ValueError for nonsense."""
    if rollover is None or (isinstance(rollover, float | np.floating) and rollover == math.inf):
        return None
    if isinstance(rollover, float | np.floating) and float(rollover).is_integer():
        rollover = int(rollover)
    try:
        rows = operator.index(rollover)
    except TypeError:
        raise TypeError(f"stream: rollover must be a whole number of rows or None, not {rollover!r}") from None
    if rows < 0:
        raise ValueError(f"stream: rollover must not be negative, but is {rows}")
    return rows


def _stream(
    self: PropertyValueColumnData, doc: Any, source: Any, new_data: Any, rollover: Any = None, setter: Any = None
) -> None:
    rows = as_rollover(rollover)
    _change_columns(source, new_data, lambda: _stock_stream(self, doc, source, new_data, rows, setter))


def _patch(self: PropertyValueColumnData, doc: Any, source: Any, patches: Any, setter: Any = None) -> None:
    fixed = any(_is_fixed(self[name]) for name in patches)

    def change() -> None:
        _stock_patch(self, doc, source, patches, setter)
        document = _served(source)
        if fixed and document is not None:  # bokeh has sent a patch that it has not carried out
            _send_whole(document, source)

    _change_columns(source, patches, change)


def _is_fixed(column: Any) -> bool:
    return isinstance(column, tuple | str) or (isinstance(column, np.ndarray) and not column.flags.writeable)


def _change_columns(source: Any, changes: Any, change: Callable[[], None]) -> None:
    """Carry out a change of some rows; if it fails half-way, the pages get the columns as they are then."""
    document = _served(source)
    if document is None:
        change()
        return
    with document.changing:
        check(changes, source, "data")
        noted = document.callbacks.noted
        try:
            change()
        except BaseException:
            if document.callbacks.noted == noted:
                with contextlib.suppress(UnsendableError):
                    _send_whole(document, source)
            raise


def _send_whole(document: ServedDocument, source: Any) -> None:
    document.callbacks.trigger_on_change(ModelChangedEvent(document, source, "data", source.data))


class _Owners(set[Any]):
    """The owners that a container notifies of a change: those at its beginning, even if a callback changes them."""

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(super().__iter__()))


def _init(self: PropertyValueContainer, *args: Any, **kwargs: Any) -> None:
    self._owners = _Owners()
    super(PropertyValueContainer, self).__init__(*args, **kwargs)


_RESTORE: tuple[tuple[type, Callable[[Any, Any], None]], ...] = (
    (PropertyValueList, _restore_list),
    (PropertyValueSet, _restore_set),
    (PropertyValueDict, _restore_dict),
    (PropertyValueColumnData, _restore_dict),
)


def install() -> bool:
    """Let bokeh make changes one at a time; say whether it does. Idempotent."""
    if PropertyDescriptor._set is _set:
        return True
    PropertyDescriptor._set = _set  # type: ignore[method-assign]
    PropertyValueContainer.__init__ = _init  # type: ignore[method-assign]
    PropertyValueColumnData._stream = _stream  # type: ignore[method-assign]
    PropertyValueColumnData._patch = _patch  # type: ignore[method-assign]
    for kind, restore in _RESTORE:
        for name in _MUTATORS & vars(kind).keys():
            setattr(kind, name, _whole(vars(kind)[name], restore))
    return True

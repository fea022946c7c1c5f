"""Saved values in the types that Python had them in.

JSON keeps less: dates come back as numbers or texts, arrays of 64 bits as those of 32, tuples as lists. What the
application has built in the place of a value says which type was meant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from bokeh.core.serialization import Serializer
from bokeh.model import Model
from bokeh.util.serialization import transform_array

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_EPOCH: Final = dt.datetime(1970, 1, 1)


def typed(built: Any, saved: Any) -> Any:
    """The saved value, as the built one is."""
    if type(built) in _PLAIN or isinstance(built, Model):
        return saved
    if isinstance(built, dict) and isinstance(saved, dict):
        return {name: typed(built[name], value) if name in built else value for name, value in saved.items()}
    if isinstance(saved, np.ndarray):
        return _typed_array(built, saved)
    if isinstance(built, list | tuple) and isinstance(saved, list | tuple):
        return _typed_items(built, saved)
    return _typed_scalar(built, saved)


def _typed_items(built: list[Any] | tuple[Any, ...], saved: list[Any] | tuple[Any, ...]) -> Any:
    """Items beyond those that were built are like the last of them."""
    if built and not _PLAIN.issuperset(map(type, built)):
        last = len(built) - 1
        saved = [typed(built[min(index, last)], value) for index, value in enumerate(saved)]
    return tuple(saved) if isinstance(built, tuple) else saved


def _typed_array(built: Any, saved: np.ndarray) -> Any:
    """The built array or column of a table itself if it holds what was saved; else what was saved, in its type."""
    try:
        array = np.asarray(built)
        sent = transform_array(array)
        if sent.dtype == saved.dtype and np.array_equal(sent, saved, equal_nan=sent.dtype.kind == "f"):
            return built
        return saved if isinstance(built, list | tuple) else _as_type(saved, array.dtype)
    except (TypeError, ValueError):
        return saved


def _as_type(saved: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    if wanted.kind in "Mm" and saved.dtype.kind == "f":
        times = np.full(saved.shape, "NaT", f"{wanted.kind}8[us]")
        known = ~np.isnan(saved)
        times[known] = np.round(saved[known] * 1000).astype("int64").astype(times.dtype)
        return times.astype(wanted)
    if wanted.kind in "iu" and saved.dtype.kind == wanted.kind and np.can_cast(saved.dtype, wanted):
        return saved.astype(wanted)
    return saved


def _typed_scalar(built: Any, saved: Any) -> Any:
    for kind, wanted, read in _SCALARS:
        if type(built) is kind and type(saved) in wanted:
            try:
                return read(built, saved)
            except (OverflowError, ValueError):
                return saved
    return built if _same(built, saved) else saved


def _datetime(built: dt.datetime, saved: float) -> dt.datetime:
    return (_EPOCH + dt.timedelta(milliseconds=saved)).replace(tzinfo=built.tzinfo)


_NUMBERS: Final = frozenset({int, float})
_SCALARS: Final[tuple[tuple[type, frozenset[type], Callable[[Any, Any], Any]], ...]] = (
    (dt.date, frozenset({str}), lambda built, saved: dt.date.fromisoformat(saved)),
    (dt.datetime, _NUMBERS, _datetime),
    (dt.timedelta, _NUMBERS, lambda built, saved: dt.timedelta(milliseconds=saved)),
)


def _same(built: Any, saved: Any) -> bool:
    """Whether the built value, of whatever kind, is sent as the saved one."""
    try:
        return bool(Serializer().encode(built) == Serializer().encode(saved))
    except ValueError:
        return False

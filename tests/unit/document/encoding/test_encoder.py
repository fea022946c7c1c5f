from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.core.properties import Int, Required
from bokeh.core.property.vectorization import expr, field, value
from bokeh.core.serialization import SerializationError, Serializer
from bokeh.model import Model
from bokeh.models import CumSum, Div, Dodge
from bokeh.plotting import figure
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.document import engine
from app_server.document.encoding.encoder import Encoder
from tests.support.examples import examples
from tests.unit.document.encoding.making import exact, normal

engine.install()

REPOSITORY = Path(__file__).parents[4]


def ours(obj: Any, *, inline: bool = False) -> Any:
    encoder = Encoder(inline=inline)
    rep = encoder.encode(obj)
    return exact(normal(rep, {ident: bytes(payload) for ident, payload in encoder.binary}))


def stock(obj: Any, *, inline: bool = False) -> Any:
    return exact(normal(Serializer(deferred=not inline).encode(obj), {}))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=9)
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas()
    | st.sampled_from([math.nan, math.inf, -math.inf, 2**53, -(2**53), 2**53 - 1, 10**400, -0.0])
    | st.sampled_from([np.float64(1.5), np.float32(np.nan), np.int8(-3), np.uint64(2**63), np.bool_(True)])
    | st.sampled_from([np.datetime64("2020-02-02"), np.timedelta64(5, "m"), pd.Timestamp(0), pd.NaT, pd.NA])
    | st.sampled_from([field("x"), value(7), slice(1, None, 2), pd.Timedelta(1), pd.Period("2020-01", "M")])
)
dtypes = ["f4", "f8", ">f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "M8[ms]", "m8[s]", "O", "U3"]
arrays = st.tuples(st.sampled_from(dtypes), st.sampled_from([(0,), (3,), (2, 3), (1, 2, 2)]), st.booleans()).map(
    lambda made: np.ones(made[1]).astype(made[0]) if made[2] else np.asfortranarray(np.zeros(made[1]).astype(made[0]))
)
series = st.sampled_from(
    [
        pd.Series([1, 2, 3]),
        pd.Series(["a", None]),
        pd.Series([1.5, np.nan]),
        pd.Series(pd.date_range("2020", periods=3)),
        pd.Series(["x", "y", "x"], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pd.Index([1, 2]),
        pd.RangeIndex(3),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
        pd.date_range("2020", periods=2, tz="Europe/Berlin"),
    ]
)
values = st.recursive(
    scalars | arrays | series,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.sets(st.integers() | st.text(max_size=2), max_size=3)
    ),
    max_leaves=8,
)


def outcome(encode: Callable[..., Any], obj: Any, inline: bool) -> Any:
    try:
        return encode(obj, inline=inline)
    except (SerializationError, OverflowError) as error:
        return type(error)


@pytest.mark.filterwarnings("ignore:out of range integer")
@settings(deadline=None, max_examples=examples(300))
@given(values, st.booleans())
def test_values_are_encoded_as_bokeh_does(obj: Any, inline: bool) -> None:
    assert outcome(ours, obj, inline) == outcome(stock, obj, inline)


@pytest.mark.filterwarnings("ignore:out of range integer")
@settings(deadline=None)
@given(
    st.lists(st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=2), min_size=15, max_size=25)
)
def test_long_lists_are_encoded_as_bokeh_does(obj: list[Any]) -> None:
    assert ours(obj) == stock(obj)


@pytest.mark.parametrize(
    "items",
    [
        [1.0] * 20,
        [1.0] * 19 + [math.nan],
        [1.0] * 19 + [math.inf],
        [1e308] * 20,
        [1] * 20,
        [1] * 19 + [2**53],
        [-(2**53)] * 20,
        [True] * 20,
        [None] * 20,
        ["a"] * 20,
        [True, 1] * 10,
        [[1]] * 20,
        [math.inf, -math.inf] * 10,
    ],
)
def test_uniform_lists_are_encoded_as_bokeh_does(items: list[Any]) -> None:
    assert ours(items) == stock(items)


@pytest.mark.parametrize("obj", [object(), 1j, {1: object()}, [lambda: None], Div])
def test_what_bokeh_refuses_is_refused(obj: Any) -> None:
    assert outcome(ours, obj, False) == outcome(stock, obj, False)


def test_reference_cycle_ends() -> None:
    figures = [figure(), figure()]
    figures[0].x_range = figures[1].x_range
    assert ours(figures) == stock(figures)


def test_model_without_a_required_value_is_refused_as_by_bokeh() -> None:
    class Needy(Model):
        must = Required(Int)

    for encode in (ours, stock):
        with pytest.raises(Exception, match="must"):
            encode(Needy())


def test_arrays_that_are_views_are_encoded_as_bokeh_does() -> None:
    base = np.arange(24, dtype="f8").reshape(4, 6)
    for view in (base[::2], base[:, ::3], base.T, base[::-1], base[0:0], base[1]):
        assert ours(view) == stock(view)
        assert ours(view, inline=True) == stock(view, inline=True)


def test_encoded_array_is_not_changed_by_its_owner_afterwards() -> None:
    data = np.zeros(3)
    encoder = Encoder()
    encoder.encode(data)
    data[:] = 1
    assert bytes(encoder.binary[0][1]) == bytes(24)


def test_without_copying_the_buffer_is_the_array_itself() -> None:
    data = np.zeros(3)
    encoder = Encoder(copy=False)
    encoder.encode(data)
    data[:] = 1
    assert bytes(encoder.binary[0][1]) == data.tobytes()


def test_dates_are_those_of_bokeh_whatever_their_time_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    for moment in (dt.datetime(2020, 1, 1, tzinfo=zone), dt.datetime(1969, 1, 1), dt.date.max):
        assert ours(moment) == stock(moment)


def test_vectorized_values_are_those_of_bokeh() -> None:
    given_values = [field("a", Dodge(value=2)), expr(CumSum(field="q")), value("v")]
    assert ours(given_values) == stock(given_values)

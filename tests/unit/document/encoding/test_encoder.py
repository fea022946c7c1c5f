from __future__ import annotations

import datetime as dt
import gzip
import json
import math
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.core.properties import Any as AnyProperty
from bokeh.core.properties import Int, Required
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.core.property.vectorization import expr, field, value
from bokeh.core.serialization import Buffer, SerializationError, Serializer
from bokeh.model import DataModel, Model
from bokeh.models import ColumnDataSource, CumSum, CustomJS, Div, Dodge, Range1d, Slider
from bokeh.plotting import figure
from bokeh.themes import Theme
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.apps import load_application
from app_server.document import engine
from app_server.document.encoding.encoder import Encoder, PatchEncoder, encode_built, encode_document
from app_server.document.served import ServedDocument, new_document
from app_server.errors import ApplicationError
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext

engine.install()

REPOSITORY = Path(__file__).parents[4]


def normal(rep: Any, buffers: dict[str, bytes]) -> Any:
    """JSON in which every buffer, by reference or inline, stands as what it holds."""
    if isinstance(rep, dict):
        if rep.get("type") == "bytes":
            data = rep["data"]
            if isinstance(data, Buffer):
                return {"type": "bytes", "data": data.to_bytes()}
            if isinstance(data, str):
                raw = b64decode(data)
                return {"type": "bytes", "data": gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw}
            return {"type": "bytes", "data": buffers[data["id"]]}
        return {key: normal(item, buffers) for key, item in rep.items()}
    if isinstance(rep, list | tuple):
        return [normal(item, buffers) for item in rep]
    return rep


def exact(rep: Any) -> Any:
    """Values that compare as JSON does: 1 is not 1.0, and True is not 1."""
    if isinstance(rep, dict):
        return {key: exact(item) for key, item in rep.items()}
    if isinstance(rep, list):
        return [exact(item) for item in rep]
    return (type(rep).__name__, rep)


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
@settings(deadline=None, max_examples=300)
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


class Point(DataModel):
    x = Int(default=3)
    other = AnyProperty()


def documents() -> Iterator[Any]:
    """Documents that are filled by hand, and those of all applications that the project ships."""

    def empty(document: ServedDocument) -> None:
        pass

    def plots(document: ServedDocument) -> None:
        plot = figure(title="t", x_range=(0, 10), tooltips=[("x", "@x")])
        plot.scatter("x", "y", source=ColumnDataSource({"x": np.arange(3), "y": pd.Series([1, 2, 3])}), size=field("x"))
        plot.line([1, 2], [3, math.nan])
        document.add_root(plot)

    def themed(document: ServedDocument) -> None:
        document.theme = Theme(
            json={"attrs": {"Plot": {"background_fill_color": "#123456"}, "Axis": {"axis_label": "a"}}}
        )
        plots(document)

    def data_models(document: ServedDocument) -> None:
        document.add_root(Point(other=Range1d(0, 1)))
        document.title = "points"

    def touched(document: ServedDocument) -> None:
        plots(document)
        for model in document.models:
            for name in model.properties():
                with suppress(UnsetValueError):
                    getattr(model, name)

    def js(document: ServedDocument) -> None:
        slider = Slider(start=0, end=1, value=0)
        slider.js_on_change("value", CustomJS(args={"s": slider}, code="1"))
        document.js_on_event("document_ready", CustomJS(code="2"))
        document.add_root(slider)
        document.add_root(Div(text="x", tags=[{"a": (1, 2)}], styles={"color": "red"}))

    for fill in (empty, plots, themed, data_models, touched, js):
        yield pytest.param(fill, id=fill.__name__)
    shipped = [REPOSITORY / "examples", REPOSITORY / "examples" / "seed", REPOSITORY / "bench" / "apps"]
    for folder in shipped:
        for path in sorted(folder.iterdir()):
            if path.suffix == ".py" or (path / "main.py").is_file():
                yield pytest.param(path, id=str(path.relative_to(REPOSITORY)))


def built(source: Any) -> ServedDocument:
    document = new_document("A" * 44)
    application = None if callable(source) else load_application(source, [])
    context = ApplicationContext("/", list)
    session_context = SessionContext("A" * 44, context.server_context, document, VisibleRequest(), {})
    document.attach_context(session_context)
    document.kept = session_context, context  # type: ignore[attr-defined]
    with document.at_work():
        if application is None:
            source(document)
        else:
            application.hooks.on_session_created(session_context)
            application.build(document)
    return document


@pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehDeprecationWarning")
@pytest.mark.parametrize("source", list(documents()))
def test_document_is_encoded_as_bokeh_does(source: Any) -> None:
    document = built(source)
    for inline in (False, True):
        content, binary = encode_document(document, inline=inline)
        found = normal(json.loads(content)["doc"], {ident: bytes(payload) for ident, payload in binary})
        with document.at_work():
            stocks: Any = document.to_json(deferred=not inline)
        expected = normal(stocks if inline else stocks.content, {})
        assert exact(found) == exact(expected)
    document.destroy()


def test_event_is_encoded_when_it_happens() -> None:
    document = new_document("s")
    source = ColumnDataSource({"x": [1]})
    document.add_root(source)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    source.stream({"x": [2]})
    source.stream({"x": [3]})
    content = patch.content()
    assert content is not None
    events = json.loads(content[0])["events"]
    assert [dict(event["data"]["entries"])["x"] for event in events] == [[2], [3]]


def test_changes_of_all_kinds_of_values_keep_their_order() -> None:
    document = new_document("s")
    div, slider = Div(), Slider(start=0, end=9, value=5)
    document.add_root(div)
    document.add_root(slider)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    div.text = "plain \ud800"
    div.tags = [1, float("inf")]
    slider.value = 7
    div.name = None
    slider.step = 2.5
    div.tags = []
    div.disabled = True
    slider.value = float("nan")
    new = [event["new"] for event in json.loads(patch.content()[0])["events"]]  # type: ignore[index]
    infinite, nothing = {"type": "number", "value": "+inf"}, {"type": "number", "value": "nan"}
    assert new == ["plain \ud800", [1, infinite], 7, 2.5, [], True, nothing]


def test_new_model_is_written_out_once_and_then_named() -> None:
    document = new_document("s")
    div = Div(tags=[])
    document.add_root(div)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    slider = Slider(start=0, end=9, value=5)
    div.tags = [slider]
    div.tags = [slider, slider]
    events = json.loads(patch.content()[0])["events"]  # type: ignore[index]
    assert events[0]["new"][0]["type"] == "object"
    assert events[1]["new"] == [{"id": slider.id}, {"id": slider.id}]
    assert events[0]["model"] == {"id": div.id}
    patch.close()
    again = PatchEncoder(document)
    document.on_change(lambda event: again.add(event))  # type: ignore[arg-type]
    div.tags = [slider]
    assert json.loads(again.content()[0])["events"][0]["new"] == [{"id": slider.id}]  # type: ignore[index]


def test_what_a_connection_set_is_left_out_for_it_alone() -> None:
    document = new_document("s")
    div = Div()
    document.add_root(div)
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    setter = object()
    div.set_from_json("text", "theirs", setter=setter)  # type: ignore[arg-type]
    assert patch.content(without=setter) is None
    div.text = "ours"
    assert patch.setters == {id(setter)}
    assert [event["new"] for event in json.loads(patch.content(without=setter)[0])["events"]] == ["ours"]  # type: ignore[index]
    assert [event["new"] for event in json.loads(patch.content()[0])["events"]] == ["theirs", "ours"]  # type: ignore[index]


def test_dates_are_those_of_bokeh_whatever_their_time_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    for moment in (dt.datetime(2020, 1, 1, tzinfo=zone), dt.datetime(1969, 1, 1), dt.date.max):
        assert ours(moment) == stock(moment)


def test_vectorized_values_are_those_of_bokeh() -> None:
    given_values = [field("a", Dodge(value=2)), expr(CumSum(field="q")), value("v")]
    assert ours(given_values) == stock(given_values)


@pytest.mark.parametrize("container", [[], {}])
def test_value_that_holds_itself_is_named_and_holds_nobody_up(container: Any) -> None:
    if isinstance(container, list):
        container.append(container)
    else:
        container["itself"] = container
    document = new_document("session")
    with document.at_work():
        document.add_root(Div(name="looped", tags=[container]))
    with pytest.raises(ApplicationError) as failed:
        encode_built(document)
    assert str(failed.value) == (
        "Div (name 'looped').tags holds itself, or is nested too deeply to be sent to a browser."
        " Correct the application's code"
    )

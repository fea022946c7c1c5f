from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, Div, Range1d, Slider
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_server.document import engine
from app_server.document.encoding import patch
from app_server.document.encoding.decoder import MAX_DEPTH
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.served import ServedDocument, new_document
from app_server.errors import PeerError
from tests.support.examples import examples

engine.install()

LIMIT = 1_000_000


def document() -> ServedDocument:
    """A document of three roots, all of which the clients have."""
    made = new_document("session")
    with made.at_work():
        made.add_root(Slider(name="slider", start=0, end=10, value=1))
        made.add_root(Div(name="div", tags=[Range1d(name="part")]))
        made.add_root(ColumnDataSource({"x": np.arange(3.0)}, name="source"))
    encode_document(made)
    return made


def apply(made: ServedDocument, content: Any, buffers: list[tuple[str, bytes]] | None = None) -> int:
    """Apply a PATCH-DOC; how many events it had."""
    count = 0
    with made.at_work():
        for event in patch.read_events(made, content, buffers or [], setter=object(), max_bytes=LIMIT):
            patch.apply(made, event)
            count += 1
    return count


def named(made: ServedDocument, name: str) -> Any:
    return made.get_model_by_name(name)


def change(made: ServedDocument, name: str, attr: str, new: object) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": named(made, name).id}, "attr": attr, "new": new}


def test_each_kind_of_event_is_applied() -> None:
    made = document()
    source = {"id": named(made, "source").id}
    new = {"type": "object", "name": "Div", "id": "n", "attributes": {"text": "new"}}
    events = [
        change(made, "slider", "value", 5),
        {"kind": "ColumnsStreamed", "model": source, "attr": "data", "data": {"x": [9]}, "rollover": 3},
        {"kind": "ColumnsPatched", "model": source, "attr": "data", "patches": {"x": [[0, 7]]}},
        {"kind": "TitleChanged", "title": "named"},
        {"kind": "RootAdded", "model": new},
        {"kind": "RootRemoved", "model": {"id": named(made, "div").id}},
        {"kind": "MessageSent", "msg_type": "word", "msg_data": [1]},
    ]
    heard: list[object] = []
    made.on_message("word", heard.append)
    as_maps = json.loads(json.dumps(events), object_hook=lambda rep: as_map(rep))
    assert apply(made, {"events": as_maps}) == 7
    assert named(made, "slider").value == 5
    assert list(named(made, "source").data["x"]) == [7, 2, 9]
    assert (made.title, heard) == ("named", [[1]])
    assert [root.name for root in made.roots] == ["slider", "source", None]


def as_map(rep: dict[str, Any]) -> dict[str, Any]:
    return {"type": "map", "entries": [["x", rep["x"]]]} if list(rep) == ["x"] else rep


@pytest.mark.parametrize(
    ("named_columns", "left"), [(["y"], {"x": [0, 1, 2], "y": [4, 5, 6]}), (None, {"y": [4, 5, 6]})]
)
def test_change_of_some_columns_leaves_the_others(named_columns: list[str] | None, left: dict[str, list[int]]) -> None:
    made = document()
    data = {"type": "map", "entries": [["y", [4, 5, 6]]]}
    event = {"kind": "ColumnDataChanged", "model": {"id": named(made, "source").id}, "attr": "data", "data": data}
    apply(made, {"events": [{**event, "cols": named_columns}]})
    assert {name: list(column) for name, column in named(made, "source").data.items()} == left


def test_new_models_may_be_named_by_later_events() -> None:
    made = document()
    model = {"type": "object", "name": "Range1d", "id": "r", "attributes": {"start": 1}}
    apply(made, {"events": [change(made, "div", "tags", [model]), change(made, "slider", "tags", [{"id": "r"}])]})
    assert named(made, "slider").tags == named(made, "div").tags
    assert made.get_model_by_id("r").start == 1  # type: ignore[arg-type,union-attr]


def test_plain_values_of_new_models_may_follow_in_the_same_message() -> None:
    made = document()
    model = {"type": "object", "name": "Range1d", "id": "r", "attributes": {"start": 1}}
    later = {"kind": "ModelChanged", "model": {"id": "r"}, "attr": "end", "new": 5}
    apply(made, {"events": [change(made, "slider", "value", 3), change(made, "div", "tags", [model]), later]})
    assert made.get_model_by_id("r").end == 5 and named(made, "slider").value == 3  # type: ignore[arg-type,union-attr]
    assert made.models.clients_have(made.get_model_by_id("r"))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"attr": 1}, {"model": {"id": 1}}, {"model": "div"}, {"model": {"id": "no such"}}])
def test_malformed_change_to_a_plain_value_is_refused(wrong: dict[str, Any]) -> None:
    made = document()
    with pytest.raises(PeerError):
        apply(made, {"events": [{**change(made, "slider", "value", 3), **wrong}]})


def test_buffers_become_arrays() -> None:
    made = document()
    rep = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "b"}}, "shape": [2], "dtype": "int32"}
    data = {"type": "map", "entries": [["x", {**rep, "order": "little"}]]}
    apply(made, {"events": [change(made, "source", "data", data)]}, [("b", np.array([4, 5], "i4").tobytes())])
    assert list(named(made, "source").data["x"]) == [4, 5]


def inline_bytes(raw: bytes) -> dict[str, Any]:
    packed = b64encode(gzip.compress(raw, 9)).decode()
    return {"kind": "MessageSent", "msg_type": "m", "msg_data": {"type": "bytes", "data": packed}}


def test_inline_array_that_unpacks_beyond_the_limit_is_refused() -> None:
    made = document()
    assert apply(made, {"events": [inline_bytes(bytes(LIMIT))]}) == 1
    with pytest.raises(PeerError, match="larger than 1000000 bytes"):
        apply(made, {"events": [inline_bytes(bytes(LIMIT + 1))]})


def test_inline_arrays_of_a_message_share_one_limit() -> None:
    made = document()
    some = [inline_bytes(bytes(LIMIT // 4))] * 4
    assert apply(made, {"events": some}) == 4
    with pytest.raises(PeerError, match="the arrays of a message are larger than 1000000 bytes"):
        apply(made, {"events": [*some, inline_bytes(b"one more")]})


def test_each_use_of_a_buffer_counts() -> None:
    made = document()
    array = {"type": "bytes", "data": {"id": "b"}}
    rep = {"type": "ndarray", "array": array, "shape": [LIMIT // 4], "dtype": "uint8", "order": "little"}
    event = {"kind": "MessageSent", "msg_type": "m", "msg_data": [rep] * 5}
    with pytest.raises(PeerError, match="the arrays of a message are larger than 1000000 bytes"):
        apply(made, {"events": [event]}, [("b", bytes(LIMIT // 4))])


def test_arrays_of_a_document_that_is_pushed_share_one_limit_too() -> None:
    made = document()
    tags = [inline_bytes(bytes(LIMIT // 4))["msg_data"]] * 5
    root = {"type": "object", "name": "Div", "id": "d", "attributes": {"tags": tags}}
    with pytest.raises(PeerError, match="the arrays of a message are larger than 1000000 bytes"):
        patch.replace_document(made, {"doc": {"roots": [root], "title": "t"}}, [], max_bytes=LIMIT)
    assert len(made.roots) == 3


def test_inline_array_that_is_cut_off_is_refused() -> None:
    packed = b64encode(gzip.compress(bytes(1000))[:-12]).decode()
    event = {"kind": "MessageSent", "msg_type": "m", "msg_data": {"type": "bytes", "data": packed}}
    with pytest.raises(PeerError, match="an inline array is cut off"):
        apply(document(), {"events": [event]})


@pytest.mark.parametrize("dtype", ["(9999,9999,99)f8", "S2000000000", "f8,f8", {"names": [], "itemsize": 10**9}])
def test_array_types_that_the_protocol_does_not_know_are_refused(dtype: object) -> None:
    rep = {"type": "ndarray", "array": [0], "shape": [1], "dtype": dtype, "order": "little"}
    with pytest.raises(PeerError, match="no array has the type|unhashable"):
        apply(document(), {"events": [{"kind": "MessageSent", "msg_type": "m", "msg_data": rep}]})


def nested(levels: int) -> list[Any]:
    value: list[Any] = [{"type": "set"}]
    for _ in range(levels - 2):
        value = [value]
    return value


def test_values_may_be_nested_so_deep_that_they_can_be_sent_again() -> None:
    made = document()
    # The event itself is the first level.
    apply(made, {"events": [change(made, "slider", "tags", nested(MAX_DEPTH - 1))]})
    encode_document(made)
    with pytest.raises(PeerError, match="nested more than 150 levels deep"):
        apply(made, {"events": [change(made, "slider", "tags", nested(MAX_DEPTH))]})


def test_models_may_be_nested_so_deep_that_they_can_be_sent_again() -> None:
    made = document()
    for levels in (70, 80):
        model: dict[str, Any] = {"type": "object", "name": "Div", "id": "last"}
        for number in range(levels):
            tags = {"tags": [model]}
            model = {"type": "object", "name": "Div", "id": f"{levels}-{number}", "attributes": tags}
        if levels == 70:
            apply(made, {"events": [{"kind": "RootAdded", "model": model}]})
            encode_document(made)
    with pytest.raises(PeerError, match="nested more than 150 levels deep"):
        apply(made, {"events": [{"kind": "RootAdded", "model": model}]})


def test_message_that_brings_too_many_models_is_refused() -> None:
    models = [{"type": "object", "name": "Range1d", "id": f"r{number}"} for number in range(1001)]
    made = document()
    apply(made, {"events": [change(made, "slider", "tags", models[:1000])]})
    made = document()
    with pytest.raises(PeerError, match="too many new models"):
        apply(made, {"events": [change(made, "slider", "tags", models)]})


def test_events_that_change_too_often_which_models_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch, "_MAX_LOOKED_AT", 20_000)  # the real number takes a second
    made = document()
    models = [{"type": "object", "name": "Range1d", "id": f"r{number}"} for number in range(1000)]
    apply(made, {"events": [change(made, "slider", "tags", models)]})
    turns = [change(made, "div", "tags", [{"id": f"r{number % 2}"}]) for number in range(30)]
    with pytest.raises(PeerError, match="change too often which models there are"):
        apply(made, {"events": turns})


@pytest.mark.parametrize("ident", [7, None, ["a"], {"a": 1}, True])
def test_model_whose_id_is_no_text_is_refused(ident: object) -> None:
    model = {"type": "object", "name": "Div", "id": ident}
    with pytest.raises(PeerError, match="cannot be decoded"):
        apply(document(), {"events": [{"kind": "RootAdded", "model": model}]})


def test_known_root_that_is_added_again_is_left_out_unread() -> None:
    made = document()
    again = {"kind": "RootAdded", "model": {"type": "object", "name": "Nonsense", "id": named(made, "div").id}}
    assert apply(made, {"events": [again, change(made, "slider", "value", 6)]}) == 1
    assert named(made, "slider").value == 6


def test_event_about_a_model_that_has_gone_is_left_out() -> None:
    made = document()
    event = change(made, "part", "start", 5)
    with made.at_work():
        named(made, "div").tags = []
    assert apply(made, {"events": [event]}) == 0


def test_event_about_a_model_that_never_was_is_refused() -> None:
    made = document()
    event = {"kind": "ModelChanged", "model": {"id": "never"}, "attr": "text", "new": "x"}
    with pytest.raises(PeerError) as refused:
        apply(made, {"events": [event]})
    assert str(refused.value) == "a PATCH-DOC names a model 'never' that the document never had"


def test_events_before_a_malformed_one_are_applied() -> None:
    made = document()
    with pytest.raises(PeerError):
        apply(made, {"events": [change(made, "slider", "value", 7), {"kind": "Nonsense"}]})
    assert named(made, "slider").value == 7


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "name", "data", "entries", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
hostile_values = json_values | st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["object", "map", "set", "slice", "number", "bytes", "ndarray", "typed_array", "value", "field", "expr"]
            + ["model", "symbol", "date", "Nonsense", "ref"]
        )
    },
    optional={
        "name": st.sampled_from(["Div", "Range1d", "Figure", "Nope", "Model", "GlyphRenderer"]) | json_values,
        "id": st.sampled_from(["new", "b0"]) | json_values,
        "attributes": st.dictionaries(st.sampled_from(["text", "start", "nope", "id"]), json_values, max_size=2)
        | json_values,
        "entries": st.lists(st.lists(json_values, max_size=3), max_size=2) | json_values,
        "array": st.sampled_from([{"type": "bytes", "data": "AAAA"}, {"type": "bytes", "data": {"id": "b0"}}])
        | json_values,
        "data": st.sampled_from(["AAAA", "!", {"id": "b0"}, {"id": "gone"}, "H4sIAAAAAAAA"]) | json_values,
        "shape": st.sampled_from([[2], [-1], [1 << 40], [1 << 80], [], [0], 3]) | json_values,
        "dtype": st.sampled_from(["float64", "int8", "object", "nope", "bool"]) | json_values,
        "order": st.sampled_from(["little", "big", "mixed"]) | json_values,
        "value": json_values,
        "start": json_values,
        "extends": json_values,
        "properties": json_values,
    },
)


@st.composite
def hostile_events(draw: st.DrawFn) -> list[Any]:
    """Events of the right kinds with hostile fields; IDS stand for the document's models."""
    references = st.sampled_from([{"id": name} for name in ("<slider>", "<div>", "<source>")])
    event = st.fixed_dictionaries(
        {"kind": st.sampled_from(sorted(patch.EVENTS)) | json_values},
        optional={
            "model": references | hostile_values,
            "attr": st.sampled_from(["value", "text", "data", "tags", "children", "id", "nope", "__class__"])
            | json_values,
            "new": hostile_values,
            "hint": json_values,
            "data": hostile_values | st.just({"type": "map", "entries": [["x", [1]]]}),
            "cols": json_values,
            "rollover": st.integers(-3, 3) | json_values,
            "patches": hostile_values | st.just({"type": "map", "entries": [["x", [[9, 1]]]]}),
            "title": json_values,
            "msg_type": st.sampled_from(["bokeh_event", "word"]) | json_values,
            "msg_data": hostile_values
            | st.just({"type": "event", "name": "button_click", "values": {"type": "map", "entries": []}}),
            "setter": json_values,
            "document": json_values,
            "callback_invoker": json_values,
        },
    )
    return draw(st.lists(event | hostile_values, min_size=1, max_size=3))


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
@given(hostile_events())
def test_reading_hostile_events_yields_events_or_a_peer_error(events: list[Any]) -> None:
    made = document()
    text = json.dumps(events)
    for name in ("slider", "div", "source"):
        text = text.replace(f"<{name}>", named(made, name).id)
    with made.at_work():
        try:
            for event in patch.read_events(
                made, {"events": json.loads(text)}, [("b0", bytes(8))], setter=object(), max_bytes=LIMIT
            ):
                assert event.kind in patch.EVENTS
        except PeerError:
            pass


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "doc": json_values
            | st.fixed_dictionaries(
                {"roots": st.lists(hostile_values, max_size=2) | json_values, "title": json_values},
                optional={
                    "version": json_values,
                    "defs": st.lists(hostile_values, max_size=2) | json_values,
                    "callbacks": json_values,
                    "config": hostile_values,
                },
            )
        },
    )
)
def test_hostile_document_is_taken_or_refused_with_a_peer_error(content: dict[str, Any]) -> None:
    made = document()
    with made.at_work():
        try:
            patch.replace_document(made, content, [("b0", bytes(8))], max_bytes=LIMIT)
        except PeerError:
            pass


@pytest.mark.parametrize("ident", ['"><img onerror=alert(1)>', "</script>", "a'b", "a&lt;b", "a\nb", "", "x" * 513])
@pytest.mark.parametrize("nested", [False, True])
def test_id_that_would_be_markup_in_a_page_is_refused(ident: str, nested: bool) -> None:
    made = document()
    model: dict[str, Any] = {"type": "object", "name": "Div", "id": ident}
    if nested:
        model = {"type": "object", "name": "Column", "id": "outer", "attributes": {"children": [model]}}
    with pytest.raises(PeerError, match="the id of a model is empty, too long, or has a character"):
        apply(made, {"events": [{"kind": "RootAdded", "model": model}]})
    with pytest.raises(PeerError, match="the id of a model is empty, too long, or has a character"):
        patch.replace_document(made, {"doc": {"roots": [model], "title": ""}}, [], max_bytes=LIMIT)
    assert len(made.roots) == 3


def test_ids_that_programs_choose_are_taken() -> None:
    made = document()
    for ident in ("p1001", "3f2b8a0e-0000-4000-8000-000000000000", "my plot (1)", "größe:5", "x" * 512):
        apply(made, {"events": [{"kind": "RootAdded", "model": {"type": "object", "name": "Div", "id": ident}}]})
        assert made.get_model_by_id(ident) is not None  # type: ignore[arg-type]

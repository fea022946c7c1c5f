"""What a client that reads slowly is sent in the end, and what newer values have replaced."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.core.serialization import Buffer, Serialized
from bokeh.document import Document
from bokeh.document.events import MessageSentEvent
from bokeh.models import ColumnDataSource, Div, Slider

from app_server.protocol import codec
from app_server.protocol.messages import Message
from app_server.protocol.websocket import BINARY, TEXT
from app_server.session.backlog import Backlog, changes_of, keys_of
from app_server.session.effects import Role, Send
from app_server.session.session import Session
from tests.unit.session.making import make_session, read, subscriber

EVERYTHING = 1 << 40


class Slow:
    """A session, what a slow client of it has waiting, and a document that follows what it is sent."""

    def __init__(self) -> None:
        self.session: Session = make_session()
        self.client = subscriber(self.session)
        self.backlog = Backlog()
        self.shown = Document.from_json(self.session.document.to_json())

    def model(self, name: str) -> Any:
        return self.session.document.get_model_by_name(name)

    def turn(self, function: Callable[[], Any]) -> None:
        """Let the session take this turn; what it sends waits."""
        for effect in self.session.turn(function, "a turn"):
            assert isinstance(effect, Send) and effect.role is Role.CHANGES
            self.backlog.add_changes(changes_of(effect.frames))

    def set(self, name: str, attr: str, value: object) -> None:
        self.turn(lambda: setattr(self.model(name), attr, value))

    def take(self, most_bytes: int = EVERYTHING) -> list[dict[str, Any]]:
        """The messages that are sent now; the document that is shown follows the patches."""
        taken = self.backlog.take(most_bytes)
        for frames in taken:
            content = json.loads(bytes(frames[2][1]))
            if "events" in content:
                buffers = [
                    Buffer(json.loads(bytes(head[1]))["id"], bytes(body[1]))
                    for head, body in zip(frames[3::2], frames[4::2], strict=True)
                ]
                self.shown.apply_json_patch(Serialized(content, buffers))
        return [read(frames) for frames in taken]

    def events(self) -> list[dict[str, Any]]:
        """The events of all that is sent now."""
        return [event for message in self.take() for event in message["content"]["events"]]


def test_newer_value_takes_the_place_of_the_one_that_waits() -> None:
    slow = Slow()
    for number in range(5):
        slow.set("div", "text", f"text {number}")
        slow.set("slider", "value", number + 2)
    assert [(event["attr"], event["new"]) for event in slow.events()] == [("text", "text 4"), ("value", 6)]
    assert slow.backlog.replaced == 8 and not slow.backlog and slow.backlog.size == 0


def test_replaced_arrays_take_no_bytes_and_those_that_stay_keep_their_buffers() -> None:
    slow = Slow()
    for number in range(10):
        slow.set("source", "data", {"x": np.full(1000, float(number)), "y": np.arange(1000.0)})
        slow.set("div", "text", str(number))
    assert 16_000 <= slow.backlog.size < 17_000 and slow.backlog.fixed_bytes == 0
    [message] = slow.take()
    assert [np.frombuffer(payload)[0] for payload in message["buffers"]] == [9.0, 0.0]
    assert slow.shown.get_model_by_name("source").data["x"][0] == 9.0  # type: ignore[union-attr]


def test_streams_and_patches_stay_and_keep_what_they_build_on() -> None:
    slow = Slow()
    source = slow.model("source")
    slow.set("source", "data", {"x": [1, 2]})
    slow.turn(lambda: source.stream({"x": [3]}))
    slow.turn(lambda: source.patch({"x": [(0, 7)]}))
    slow.turn(lambda: source.stream({"x": [4]}, rollover=3))
    slow.set("source", "data", {"x": [10, 20]})
    slow.set("source", "data", {"x": [100, 200]})
    slow.turn(lambda: source.stream({"x": [300]}))
    data, stream = "ColumnDataChanged", "ColumnsStreamed"
    kinds = [data, stream, "ColumnsPatched", stream, data, stream]
    assert [event["kind"] for event in slow.events()] == kinds
    assert list(slow.shown.get_model_by_name("source").data["x"]) == [100, 200, 300]  # type: ignore[union-attr]


def test_stream_of_one_source_does_not_keep_the_values_of_others() -> None:
    slow = Slow()
    for number in range(3):
        slow.turn(lambda: slow.model("source").stream({"x": [9]}))
        slow.set("div", "text", str(number))
    assert [event["kind"] for event in slow.events()] == ["ColumnsStreamed", "ModelChanged", *["ColumnsStreamed"] * 2]
    assert slow.backlog.fixed_bytes == 0


def test_values_with_other_columns_are_both_sent() -> None:
    slow = Slow()
    for data in ({"x": [1]}, {"x": [1], "z": [2]}, {"x": [3], "z": [4]}, {"x": [5]}, {"x": [6]}):
        slow.set("source", "data", data)
    columns = [sorted(name for name, _ in event["data"]["entries"]) for event in slow.events()]
    assert columns == [["x"], ["x", "z"], ["x"]]
    assert slow.shown.get_model_by_name("source").data == {"x": [6]}  # type: ignore[union-attr]


def test_one_column_that_is_set_is_replaced_by_itself_only() -> None:
    slow = Slow()
    slow.set("source", "data", {"x": [1], "y": [1]})
    for number in (2, 3):
        slow.turn(lambda number=number: slow.model("source").data.update(y=[number]))
    slow.set("source", "data", {"x": [4], "y": [4]})
    assert [(event["cols"], event["data"]["entries"]) for event in slow.events()] == [
        (None, [["x", [1]], ["y", [1]]]),
        (["y"], [["y", [3]]]),
        (None, [["x", [4]], ["y", [4]]]),
    ]


def test_what_defines_a_model_is_sent_and_later_names_it() -> None:
    slow = Slow()
    inner = Div(name="inner", text="inner")
    slow.turn(lambda: slow.session.document.add_root(Slider(name="other", start=0, end=1, value=0)))
    slow.set("slider", "tags", [1])
    slow.set("slider", "tags", [2])
    slow.set("slider", "subscribed_events", {"a"})
    slow.turn(lambda: slow.session.document.add_root(inner))
    slow.set("inner", "text", "one")
    slow.set("inner", "text", "two")
    slow.turn(lambda: slow.session.document.remove_root(inner))
    slow.turn(lambda: slow.session.document.add_root(inner))
    slow.set("inner", "text", "three")
    slow.take()
    assert slow.shown.get_model_by_name("inner").text == "three"  # type: ignore[union-attr]
    assert slow.shown.get_model_by_name("other") is not None


def test_value_does_not_move_before_a_message_of_the_application() -> None:
    slow = Slow()
    slow.set("div", "text", "before")
    document = slow.session.document
    slow.turn(lambda: document.callbacks.trigger_on_change(MessageSentEvent(document, "custom", "word")))
    slow.set("div", "text", "after")
    assert [event["kind"] for event in slow.events()] == ["ModelChanged", "MessageSent", "ModelChanged"]


def test_answer_keeps_its_place_and_values_before_it_may_be_newer() -> None:
    slow = Slow()
    slow.set("div", "text", "one")
    slow.backlog.add_answer(codec.ok("m1"))
    slow.set("div", "text", "two")
    first, ok = slow.take()
    assert first["content"]["events"][0]["new"] == "two" and ok["msgtype"] == "OK"


def test_no_value_moves_before_the_state_of_the_document() -> None:
    slow = Slow()
    slow.set("div", "text", "one")
    slow.backlog.add_answer(codec.ok("m1"), is_state=True)
    slow.set("div", "text", "two")
    assert [message["msgtype"] for message in slow.take()] == ["PATCH-DOC", "OK", "PATCH-DOC"]


def test_value_that_the_client_sets_itself_is_not_brought_back() -> None:
    slow = Slow()
    slow.set("slider", "value", 3)
    slow.set("div", "text", "stays")
    event = {"kind": "ModelChanged", "model": {"id": slow.model("slider").id}, "attr": "value", "new": 5}
    slow.backlog.forget(keys_of(Message("m1", "PATCH-DOC", {"events": [event]}).content))
    assert [event["attr"] for event in slow.events()] == ["text"]
    assert slow.backlog.size == slow.backlog.fixed_bytes == 0


def test_what_waits_is_given_out_in_pieces_that_end_with_a_turn() -> None:
    slow = Slow()
    source = slow.model("source")
    for number in range(4):
        slow.turn(lambda number=number: [source.stream({"x": [number] * 500}), source.stream({"x": [number]})])
    pieces = []
    while slow.backlog:
        pieces.append([len(message["content"]["events"]) for message in slow.take(2500)])
    assert pieces == [[4], [4]] or pieces == [[2]] * 4
    assert len(slow.shown.get_model_by_name("source").data["x"]) == 2 + 4 * 501  # type: ignore[union-attr]


def test_text_that_utf_8_cannot_carry_waits_like_any_other() -> None:
    slow = Slow()
    slow.set("div", "text", "half of a pair: \ud83d")
    assert slow.events()[0]["new"] == "half of a pair: \ud83d"


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_a_slow_client_ends_with_the_sessions_document(seed: int) -> None:
    slow, chance = Slow(), random.Random(seed)
    document, source = slow.session.document, slow.model("source")
    actions: list[Callable[[], object]] = [
        lambda: setattr(slow.model("div"), "text", str(chance.random())),
        lambda: setattr(slow.model("slider"), "value", chance.randrange(10)),
        lambda: setattr(source, "data", _data(chance)),
        lambda: source.stream({key: [chance.random()] for key in source.data}),
        lambda: source.patch({key: [(0, chance.random())] for key in source.data}),
        lambda: document.add_root(Div(name=f"more {chance.random()}")),
        lambda: setattr(document, "title", str(chance.random())),
        lambda: setattr(document.roots[-1], "tags", [chance.random()]),
    ]
    for _ in range(40):
        slow.turn(lambda: [chance.choice(actions)() for _ in range(chance.randrange(1, 4))])
        if chance.random() < 0.1:
            slow.take(chance.randrange(3000))
    while slow.backlog:
        slow.take(chance.randrange(3000))
    assert _plain(slow.shown) == _plain(document)
    assert slow.backlog.size == slow.backlog.fixed_bytes == 0


def _data(chance: random.Random) -> dict[str, Any]:
    size = chance.randrange(1, 5)
    names = ["x", "y"] if chance.random() < 0.7 else ["x"]
    return {name: np.array([chance.random() for _ in range(size)]) for name in names}


def _plain(document: Document) -> Any:
    """The document's values, arrays as lists."""
    found = []
    for root in document.roots:
        values = {
            name: {key: list(column) for key, column in value.items()} if name == "data" else value
            for name, value in root.properties_with_values().items()
            if name in ("text", "value", "tags", "data")
        }
        found.append((root.id, values))
    return document.title, found


def test_root_that_is_added_keeps_its_arrays() -> None:
    slow = Slow()
    document = slow.session.document
    slow.turn(lambda: document.add_root(ColumnDataSource({"x": np.arange(1000.0)}, name="late")))
    assert 8000 <= slow.backlog.size == slow.backlog.fixed_bytes
    slow.turn(lambda: document.add_root(ColumnDataSource({"x": np.ones(1000)}, name="later")))
    slow.take()
    assert [slow.shown.get_model_by_name(name).data["x"][7] for name in ("late", "later")] == [7.0, 1.0]  # type: ignore[union-attr]
    assert slow.backlog.size == 0


def test_arrays_in_values_keep_their_buffers() -> None:
    slow = Slow()
    for number in range(3):
        slow.set("div", "tags", [np.full(1000, float(number)), {"deep": [np.arange(3.0)]}])
    [message] = slow.take()
    assert [np.frombuffer(payload)[0] for payload in message["buffers"]] == [2.0, 0.0]
    tags = slow.shown.get_model_by_name("div").tags  # type: ignore[union-attr]
    assert tags[0][999] == 2.0 and list(tags[1]["deep"][0]) == [0.0, 1.0, 2.0]


def test_arrays_of_a_model_in_a_value_are_sent_with_it() -> None:
    slow = Slow()
    inner = ColumnDataSource({"x": np.arange(5.0)}, name="inner")
    slow.set("div", "tags", [inner])
    slow.set("div", "tags", [])
    assert [event["new"] for event in slow.events()][1] == []
    slow.set("div", "tags", [inner])
    slow.take()
    assert list(slow.shown.get_model_by_name("inner").data["x"]) == [0, 1, 2, 3, 4]  # type: ignore[union-attr]


def test_message_of_the_application_keeps_its_arrays() -> None:
    slow = Slow()
    document = slow.session.document
    slow.turn(lambda: document.callbacks.trigger_on_change(MessageSentEvent(document, "custom", np.arange(4.0))))
    [message] = slow.take()
    [buffer] = message["buffers"]
    assert list(np.frombuffer(buffer)) == [0, 1, 2, 3]


def test_newer_title_takes_the_place_of_the_one_that_waits() -> None:
    slow = Slow()
    for number in range(3):
        slow.turn(lambda number=number: setattr(slow.session.document, "title", str(number)))
        slow.set("div", "text", str(number))
    assert slow.backlog.fixed_bytes == 0
    assert [event.get("title") or event["new"] for event in slow.events()] == ["2", "2"]


def test_title_does_not_move_before_a_root() -> None:
    slow = Slow()
    document = slow.session.document
    for number in range(2):
        slow.turn(lambda number=number: setattr(document, "title", str(number)))
        slow.turn(lambda number=number: document.add_root(Div(text=str(number))))
    assert [event["kind"] for event in slow.events()] == ["TitleChanged", "RootAdded"] * 2


def test_stream_ends_the_replacing_of_its_own_source_only() -> None:
    slow = Slow()
    slow.turn(lambda: slow.session.document.add_root(ColumnDataSource({"x": [1]}, name="other")))
    for number in range(2):
        slow.set("source", "data", {"x": [number]})
        slow.set("other", "data", {"x": [number]})
        slow.turn(lambda: slow.model("source").stream({"x": [9]}))
    other, source = slow.model("other").id, slow.model("source").id
    kinds = [(event["kind"], event["model"]["id"]) for event in slow.events()[1:]]
    assert kinds == [
        ("ColumnDataChanged", source), ("ColumnDataChanged", other), ("ColumnsStreamed", source),
        ("ColumnDataChanged", source), ("ColumnsStreamed", source),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["stream", "patch"])
def test_patch_of_columns_ends_the_replacing_like_a_stream(kind: str) -> None:
    slow = Slow()
    for number in range(2):
        slow.set("source", "data", {"x": [number]})
        if kind == "stream":
            slow.turn(lambda: slow.model("source").stream({"x": [9]}))
        else:
            slow.turn(lambda: slow.model("source").patch({"x": [(0, 9)]}))
        slow.set("slider", "value", number + 2)
    assert [event["kind"] for event in slow.events()][:2] == [
        "ColumnDataChanged", "ColumnsStreamed" if kind == "stream" else "ColumnsPatched",
    ]  # fmt: skip
    assert slow.backlog.replaced == 1


def test_dictionaries_with_other_keys_are_both_sent() -> None:
    slow = Slow()
    for styles in ({"color": "red"}, {"color": "blue"}, {"border": "1px"}):
        slow.set("div", "styles", styles)
    entries = [event["new"]["entries"] for event in slow.events()]
    assert entries == [[["color", "blue"]], [["border", "1px"]]]


def test_value_that_names_a_model_stays() -> None:
    slow = Slow()
    for _ in range(2):
        slow.set("slider", "tags", [slow.model("div")])
        slow.set("slider", "tags", [])
    assert len(slow.events()) == 4
    slow.set("slider", "tags", [{"id": 1}])
    slow.set("slider", "tags", [{"id": 2}])
    assert len(slow.events()) == 1


@pytest.mark.parametrize("content", [
    {}, {"events": None}, {"events": 7}, {"events": {"kind": "ModelChanged"}}, {"events": [7, None, "a"]},
    {"events": [{"kind": "ModelChanged", "model": "p1", "attr": "a"}, {"kind": "ModelChanged"}]},
    {"events": [{"kind": "ColumnDataChanged", "model": {"id": "p1"}, "attr": "data"}]},
])  # fmt: skip
def test_content_that_sets_no_property_has_no_keys(content: dict[str, Any]) -> None:
    assert list(keys_of(content)) == []


def test_keys_are_those_of_every_property_that_is_set() -> None:
    events = [
        {"kind": "ModelChanged", "model": {"id": "p1"}, "attr": "a"}, 7, {"kind": "MessageSent"},
        {"kind": "ModelChanged", "model": {"id": "p2"}, "attr": "b"},
    ]  # fmt: skip
    assert list(keys_of({"events": events})) == [("p1", "a"), ("p2", "b")]


def test_property_that_does_not_wait_is_forgotten_silently() -> None:
    slow = Slow()
    slow.set("div", "text", "stays")
    slow.backlog.forget(iter([("p1", "value"), (slow.model("div").id, "name")]))
    assert [event["new"] for event in slow.events()] == ["stays"]


def test_value_that_was_forgotten_may_be_set_again() -> None:
    slow = Slow()
    key = (slow.model("div").id, "text")
    for text in ("one", "two"):
        slow.set("div", "text", text)
        slow.backlog.forget(iter([key]))
    assert not slow.backlog and slow.backlog.size == slow.backlog.fixed_bytes == 0
    slow.set("div", "text", "three")
    assert [event["new"] for event in slow.events()] == ["three"]


def answer(size: int) -> list[codec.Frame]:
    return [(TEXT, b"x" * size)]


def test_pieces_are_as_large_as_they_may_be() -> None:
    backlog = Backlog()
    for _ in range(3):
        backlog.add_answer(answer(10))
    assert len(backlog.take(20)) == 2
    backlog.add_answer(answer(10))
    assert len(backlog.take(19)) == 1
    assert len(backlog.take(0)) == 1
    assert backlog.take(0) == [] and not backlog


def test_answer_is_kept_as_it_was() -> None:
    array = bytearray(b"before")
    backlog = Backlog()
    backlog.add_answer([(BINARY, memoryview(array))])
    array[:] = b"after!"
    assert (backlog.size, backlog.fixed_bytes) == (6, 6)
    assert backlog.take(0) == [[(BINARY, b"before")]]


def test_value_that_has_left_is_not_replaced() -> None:
    slow = Slow()
    for number in range(3):
        slow.set("div", "text", str(number))
        slow.set("slider", "value", number + 2)
        assert [event["attr"] for event in slow.events()] == ["text", "value"]
    assert slow.backlog.replaced == 0


def test_replaced_value_keeps_its_place_and_its_turn() -> None:
    slow = Slow()
    slow.turn(lambda: [setattr(slow.model("div"), "text", "a"), setattr(slow.model("slider"), "value", 2)])
    slow.set("slider", "value", 3)
    slow.set("div", "text", "b" * 100)
    assert slow.backlog.size > 100 and slow.backlog.fixed_bytes == 0
    [message] = slow.take(0)  # one turn, whole
    assert [event["new"] for event in message["content"]["events"]] == ["b" * 100, 3]
    assert slow.backlog.size == 0


def test_column_that_is_set_does_not_replace_all_columns() -> None:
    slow = Slow()
    source = slow.model("source")
    slow.set("source", "data", {"x": [1], "y": [1]})
    slow.take()
    slow.set("source", "data", {"x": [2]})  # without y
    slow.turn(lambda: source.data.update(x=[3]))
    assert [event["cols"] for event in slow.events()] == [None, ["x"]]
    assert slow.shown.get_model_by_name("source").data == {"x": [3]}  # type: ignore[union-attr]

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
from bokeh.models import Div, Slider

from app_server.protocol import codec
from app_server.protocol.messages import Message
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

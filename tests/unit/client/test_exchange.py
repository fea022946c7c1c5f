"""What a session makes of messages, without a connection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div, Row, Slider

from app_server.client.errors import ProtocolViolation, RequestFailed
from app_server.client.exchange import Exchange
from app_server.document.callbacks import SessionCallback
from app_server.document.remote import Mirror
from app_server.protocol import codec
from app_server.protocol.codec import Buffer
from app_server.protocol.messages import Message

WHERE = "http://localhost/app"


class Notes:
    """A listener that keeps what it receives."""

    def __init__(self) -> None:
        self.patches: list[tuple[dict[str, Any], list[Buffer]]] = []
        self.callbacks: list[str] = []

    def changed(self, content: bytes, buffers: Sequence[Buffer]) -> None:
        self.patches.append((codec.loads(content), list(buffers)))

    def callback_added(self, callback: SessionCallback) -> None:
        self.callbacks.append(callback.timing.value)

    def callback_removed(self, ident: str) -> None:
        self.callbacks.append("removed")

    def events(self) -> list[dict[str, Any]]:
        return [event for content, _ in self.patches for event in content["events"]]


def reply(msgtype: str, reqid: str, content: dict[str, Any] | None = None) -> Message:
    return Message("1", msgtype, content or {}, reqid=reqid)


def patch(*events: dict[str, Any]) -> Message:
    return Message("1", "PATCH-DOC", {"events": list(events)})


def set_value(model: Any, attr: str, new: object) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": new}


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def slider() -> Slider:
    return Slider(start=0, end=10, value=1, name="slider")


@pytest.fixture
def mirror(notes: Notes, slider: Slider) -> Mirror:
    """The mirror of a document with a slider, which the server has."""
    document = Document()
    document.add_root(slider)
    made = Mirror(document, notes)
    made.whole()
    made.listen()
    return made


@pytest.fixture
def exchange(mirror: Mirror) -> Exchange:
    made = Exchange(WHERE, lambda frames: None)
    made.receive(reply("OK", made.push(mirror)))
    return made


# Answers


def test_answer_is_found_by_its_request() -> None:
    exchange = Exchange(WHERE, lambda frames: None)
    first, second = exchange.ask("SERVER-INFO-REQ"), exchange.ask("SERVER-INFO-REQ")
    exchange.receive(reply("SERVER-INFO-REPLY", second, {"version_info": {}}))
    assert (exchange.answered(first), exchange.answered(second)) == (False, True)
    assert exchange.answer(second).content == {"version_info": {}}


def test_error_is_raised_where_its_request_waits() -> None:
    exchange = Exchange(WHERE, lambda frames: None)
    ident = exchange.ask("PUSH-DOC")
    exchange.receive(reply("ERROR", ident, {"text": "no", "traceback": "line 1"}))
    with pytest.raises(RequestFailed) as failed:
        exchange.answer(ident)
    assert str(failed.value) == f"{WHERE}: PUSH-DOC was not carried out: no"
    assert failed.value.traceback == "line 1"


def test_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    exchange = Exchange(WHERE, lambda frames: None)
    ident = exchange.ask("SERVER-INFO-REQ")
    exchange.abandon(ident)
    exchange.receive(reply("SERVER-INFO-REPLY", ident))
    assert not exchange.answered(ident)


def test_failed_changes_are_logged_and_the_first_is_raised_once(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []
    exchange = Exchange(WHERE, sent.append)
    for _ in range(3):
        exchange.change(b'{"events":[]}', ())
    idents = [codec.loads(frames[0][1])["msgid"] for frames in sent]
    exchange.receive(reply("OK", idents[0]))
    exchange.check()
    exchange.receive(reply("ERROR", idents[1], {"text": "first"}))
    exchange.receive(reply("ERROR", idents[2], {"text": "second"}))
    with pytest.raises(RequestFailed) as failed:
        exchange.check()
    assert str(failed.value) == f"{WHERE}: a change of the document was not carried out: first"
    exchange.check()
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [text.rpartition(" ")[2] for text in logged] == ["first", "second"]


# Patches


def test_patch_is_applied_and_not_sent_back(exchange: Exchange, notes: Notes, slider: Slider) -> None:
    seen: list[tuple[object, object]] = []
    slider.on_change("value", lambda attr, old, new: seen.append((old, new)))
    exchange.receive(patch(set_value(slider, "value", 4), {"kind": "TitleChanged", "title": "New"}))
    assert seen == [(1, 4)]
    assert slider.document is not None and slider.document.title == "New"
    assert notes.patches == []


def test_what_a_callback_changes_is_sent(exchange: Exchange, notes: Notes, slider: Slider) -> None:
    slider.on_change("value", lambda attr, old, new: slider.update(title=str(new)))
    exchange.receive(patch(set_value(slider, "value", 4)))
    assert [(event["attr"], event["new"]) for event in notes.events()] == [("title", "4")]


def test_later_event_may_name_what_an_earlier_one_brought(exchange: Exchange, mirror: Mirror) -> None:
    div = {"type": "object", "name": "Div", "id": "x1", "attributes": {"text": "a"}}
    exchange.receive(
        patch(
            {"kind": "RootAdded", "model": div},
            {"kind": "ModelChanged", "model": {"id": "x1"}, "attr": "text", "new": "b"},
            {"kind": "RootRemoved", "model": {"id": "x1"}},
            {"kind": "RootAdded", "model": {"type": "object", "name": "Row", "id": "x2", "attributes": {}}},
        )
    )
    assert [root.id for root in mirror.document.roots][1:] == ["x2"]


def test_exception_of_a_callback_comes_through_after_the_other_events(
    exchange: Exchange, slider: Slider, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(attr: str, old: object, new: object) -> None:
        raise RuntimeError(f"{attr} is {new}")

    slider.on_change("value", fail)
    slider.on_change("end", fail)
    with pytest.raises(RuntimeError, match="value is 4"):
        exchange.receive(
            patch(*(set_value(slider, name, new) for name, new in (("value", 4), ("end", 20), ("step", 2))))
        )
    assert (slider.end, slider.step) == (20, 2)
    assert "end is 20" in caplog.text


def test_event_about_a_model_that_was_removed_here_is_left_out(
    exchange: Exchange, mirror: Mirror, slider: Slider
) -> None:
    mirror.document.remove_root(slider)
    exchange.receive(patch(set_value(slider, "value", 4), {"kind": "TitleChanged", "title": "New"}))
    assert (slider.value, mirror.document.title) == (1, "New")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "a PATCH-DOC lacks its events"),
        ({"events": [7]}, "a PATCH-DOC cannot be decoded: 'int' object has no attribute 'pop'"),
        ({"events": [{"kind": "Odd"}]}, "a PATCH-DOC cannot be decoded: 'Odd'"),
    ],
)
def test_malformed_patch_is_a_violation(exchange: Exchange, content: dict[str, Any], what: str) -> None:
    with pytest.raises(ProtocolViolation) as violation:
        exchange.receive(Message("1", "PATCH-DOC", content))
    assert str(violation.value) == f"{WHERE}: {what}"


def test_model_of_a_class_that_is_not_imported_is_explained(exchange: Exchange) -> None:
    event = {"kind": "RootAdded", "model": {"type": "object", "name": "shop.Basket", "id": "x1"}}
    with pytest.raises(ProtocolViolation) as violation:
        exchange.receive(patch(event))
    assert str(violation.value) == (
        f"{WHERE}: a PATCH-DOC cannot be decoded: can't resolve type 'shop.Basket'."
        " Import the modules that define the application's own models before you pull its document."
    )


def test_patch_before_the_document_is_there_belongs_to_nothing(notes: Notes) -> None:
    exchange = Exchange(WHERE, lambda frames: None)
    exchange.receive(patch({"kind": "TitleChanged", "title": "early"}))
    mirror = Mirror(Document(), notes)
    early = patch({"kind": "TitleChanged", "title": "early"})
    exchange.pull(mirror)
    exchange.receive(early)
    refused = exchange.push(mirror)
    exchange.receive(early)
    exchange.receive(reply("ERROR", refused))
    exchange.receive(early)
    assert mirror.document.title != "early"


def test_change_of_a_model_that_was_never_sent_is_left_out(
    exchange: Exchange, mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.receive(patch({"kind": "RootAdded", "model": {"id": "x9"}}, {"kind": "TitleChanged", "title": "New"}))
    assert (len(mirror.document.roots), mirror.document.title) == (1, "New")
    assert caplog.messages == [
        "left out a change that names the model 'x9', which the server has not sent; pull() brings it"
    ]


# The document


def test_change_is_sent_at_once_with_each_new_model_once(mirror: Mirror, notes: Notes, slider: Slider) -> None:
    slider.value = 3
    div = Div(text="a")
    row = Row(children=[slider, div])
    mirror.document.add_root(row)
    div.text = "b"
    row.children = [div]
    changed, added, text, children = notes.events()
    assert changed == set_value(slider, "value", 3)
    assert added["model"]["attributes"]["children"][0] == {"id": slider.id}
    assert added["model"]["attributes"]["children"][1]["attributes"] == {"text": "a"}
    assert text == set_value(div, "text", "b")
    assert children["new"] == [{"id": div.id}]


def test_arrays_are_sent_as_they_were_when_they_changed(mirror: Mirror, notes: Notes) -> None:
    source = ColumnDataSource({"x": np.arange(3.0)})
    mirror.document.add_root(source)
    source.data["x"][0] = 99.0
    (_, buffers), *_ = notes.patches
    assert np.frombuffer(buffers[0][1]).tolist() == [0.0, 1.0, 2.0]


def test_what_was_pushed_can_be_pulled(mirror: Mirror, notes: Notes) -> None:
    source = ColumnDataSource({"x": np.arange(3.0), "y": ["a", "b", "c"]}, name="source")
    mirror.document.add_root(source)
    mirror.document.title = "Both"
    content, buffers = mirror.whole()
    other = Mirror(Document(), Notes())
    for _ in range(2):  # the second time it takes the first one's place
        other.replace(codec.loads(content), [(ident, bytes(payload)) for ident, payload in buffers])
    assert other.document.title == "Both"
    assert [root.id for root in other.document.roots] == [root.id for root in mirror.document.roots]
    pulled = other.document.get_model_by_name("source")
    assert pulled is not None and pulled.data["x"].tolist() == [0.0, 1.0, 2.0] and pulled.data["y"] == ["a", "b", "c"]


@pytest.mark.parametrize("content", [{}, {"doc": 7}, {"doc": {"title": "x", "roots": [7]}}, {"doc": {"title": "x"}}])
def test_malformed_document_fails_its_pull_and_changes_nothing(
    exchange: Exchange, mirror: Mirror, content: dict[str, Any]
) -> None:
    ident = exchange.ask("PULL-DOC-REQ")
    exchange.receive(reply("PULL-DOC-REPLY", ident, content))
    with pytest.raises(ProtocolViolation, match="the document cannot be decoded"):
        exchange.answer(ident)
    assert len(mirror.document.roots) == 1


def test_nothing_is_sent_after_the_end(mirror: Mirror, notes: Notes, slider: Slider) -> None:
    mirror.stop_listening()
    mirror.stop_listening()
    slider.value = 7
    assert notes.patches == []


def test_listener_learns_of_callbacks_old_and_new(notes: Notes) -> None:
    document = Document()
    document.add_next_tick_callback(lambda: None)
    mirror = Mirror(document, notes)
    mirror.listen()
    beat = document.add_periodic_callback(lambda: None, 50)
    document.remove_periodic_callback(beat)
    assert notes.callbacks == ["next tick", "periodic", "removed"]

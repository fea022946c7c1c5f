"""Messages both ways: documents, patches, arrays, faults, and what becomes of a connection that comes back."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bokeh.client import pull_session, push_session
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div

from app_server.document.encoding.document_encoder import REPULLED_BUFFERS_ARE_READ
from tests.protocol.conftest import Served
from tests.support.client import Client, Received
from tests.support.waiting import patience


def array(values: np.ndarray[Any, Any], ident: str) -> tuple[dict[str, object], tuple[str, bytes]]:
    """An array as a client sends it: its JSON and its buffer."""
    dtype = str(values.dtype)
    rep = {"type": "ndarray", "array": {"type": "bytes", "data": {"id": ident}}, "dtype": dtype, "order": "little"}
    return {**rep, "shape": list(values.shape)}, (ident, values.tobytes())


def numbers(rep: Any, buffers: tuple[tuple[str, bytes], ...] = ()) -> list[float]:
    """The values of an array as the server sends it, in a buffer or inline."""
    if isinstance(rep, list):
        return rep
    data = rep["array"]["data"]
    raw = zlib.decompress(b64decode(data), 31) if isinstance(data, str) else dict(buffers)[data["id"]]
    return list(np.frombuffer(raw, rep["dtype"]))


def columns(client: Client, reply: Received) -> dict[str, list[float]]:
    """The columns of the model `source` in a document that was just pulled."""
    entries = client.value("source", "data")["entries"]
    return {name: numbers(rep, reply.buffers) for name, rep in entries}


@pytest.fixture
def pair(plain: Served) -> Iterator[tuple[Client, Client]]:
    """Two clients of one session of the board."""
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as one, plain.site.client("/board", token) as other:
        yield one, other


def test_change_reaches_the_other_client_and_is_not_echoed(pair: tuple[Client, Client]) -> None:
    one, other = pair
    assert one.set("slider", "value", 21).msgtype == "OK"
    other.wait_value("double", "value", 42)
    assert other.value("slider", "value") == 21
    assert [(event["model"]["id"], event["new"]) for event in one.events()] == [(one.ident("double"), 42)]


def test_derived_changes_come_before_the_ok(plain: Served) -> None:
    with plain.site.client("/board") as client:
        msgid = client.send("PATCH-DOC", {"events": [client.change("slider", "value", 30)]})
        first, second = client.receive(), client.receive()
        assert (first.msgtype, second.msgtype, second.reqid) == ("PATCH-DOC", "OK", msgid)


def test_changes_of_one_turn_reach_all_clients_in_one_message(pair: tuple[Client, Client]) -> None:
    one, other = pair
    one.patch(one.change("slider", "value", 1.5), one.change("answer", "text", "mine"))
    other.wait_value("answer", "text", "mine")
    assert [len(message.content["events"]) for message in other.pushed] == [3]


def test_arrays_travel_in_buffers_from_the_server(pair: tuple[Client, Client]) -> None:
    one, other = pair
    one.set("command", "value", "data:6.5")
    other.wait_for(lambda: any(event["kind"] == "ColumnDataChanged" for event in other.events()))
    for client in pair:
        [message] = [message for message in client.pushed if message.buffers]
        [event] = [event for event in message.content["events"] if event["kind"] == "ColumnDataChanged"]
        found = {name: numbers(rep, message.buffers) for name, rep in event["data"]["entries"]}
        assert found == {"x": [6.5] * 3, "y": [0] * 3}


def test_arrays_travel_in_buffers_to_the_server(plain: Served) -> None:
    token = plain.site.token("/board")
    x, x_buffer = array(np.array([1.5, np.inf, -2.0]), "b0")
    y, y_buffer = array(np.array([7, 8, 9], dtype=np.int32), "b1")
    with plain.site.client("/board", token) as client:
        data = {"type": "map", "entries": [["x", x], ["y", y]]}
        assert client.patch(client.change("source", "data", data), buffers=[x_buffer, y_buffer]).msgtype == "OK"
        reply = client.pull()
        assert columns(client, reply) == {"x": [1.5, np.inf, -2.0], "y": [7, 8, 9]}


def test_streams_are_sent_once_each_and_in_order(plain: Served) -> None:
    with plain.site.client("/board") as client:
        client.set("command", "value", "stream:100")
        events = client.events()
        assert [event["kind"] for event in events] == ["ColumnsStreamed", "ColumnsStreamed", "ModelChanged"]
        assert [dict(event["data"]["entries"])["x"] for event in events[:2]] == [[100.0], [101.0]]
        assert columns(client, client.pull())["x"] == [0, 1, 2, 3, 4, 100, 101]


def test_changes_of_threads_come_once_each_and_end_as_in_the_session(plain: Served) -> None:
    start = plain.log_size()
    token = plain.site.token("/threads")
    with plain.site.client("/threads", token) as client:
        client.set("command", "value", "go")
        client.wait_for(lambda: client.title == "done")
        streamed = [row for event in client.events() if event["kind"] == "ColumnsStreamed" for row in rows(event)]
        with plain.site.client("/threads", token) as other:
            assert rows({"data": other.value("source", "data")}) == streamed
            assert sorted(streamed) == sorted(other.value("text", "tags")) == list(range(400))
            for attr in ("tags", "text"):
                assert client.value("text", attr) == other.value("text", attr)
    assert plain.tracebacks_since(start) == []


def rows(event: dict[str, Any]) -> list[int]:
    [(_, column)] = event["data"]["entries"]
    return [int(row) for row in column]


def test_patches_of_columns_travel_both_ways(pair: tuple[Client, Client]) -> None:
    one, other = pair
    one.set("command", "value", "patch:77")
    [event] = one.events()
    assert (event["kind"], dict(event["patches"]["entries"])) == ("ColumnsPatched", {"x": [[0, 77.0]]})
    source = {"id": one.ident("source")}
    patches = {"type": "map", "entries": [["x", [[1, 55.0]]]]}
    event = {"kind": "ColumnsPatched", "model": source, "attr": "data", "patches": patches}
    assert one.patch(event).msgtype == "OK"
    assert columns(other, other.pull())["x"] == [77, 55, 2, 3, 4]


def test_client_may_stream(pair: tuple[Client, Client]) -> None:
    one, other = pair
    data = {"type": "map", "entries": [["x", [9.0]], ["y", [9]]]}
    event = {"kind": "ColumnsStreamed", "model": {"id": one.ident("source")}, "attr": "data", "data": data}
    assert one.patch({**event, "rollover": 3}).msgtype == "OK"
    assert columns(other, other.pull())["x"] == [3, 4, 9]


def test_roots_come_and_go(pair: tuple[Client, Client]) -> None:
    one, other = pair
    before = list(one.roots)
    one.set("command", "value", "root:guest")
    assert one.roots == [*before, one.ident("guest")]
    one.set("command", "value", "unroot:guest")
    other.wait_for(lambda: len(other.events()) >= 4)
    assert one.roots == other.roots == before


def test_root_that_a_client_adds_reaches_the_other_one_whole(pair: tuple[Client, Client]) -> None:
    one, other = pair
    model = {"type": "object", "name": "Div", "id": "from-client", "attributes": {"name": "theirs", "text": "hi"}}
    assert one.patch({"kind": "RootAdded", "model": model}).msgtype == "OK"
    other.wait_for(lambda: "from-client" in other.roots)
    assert other.value("theirs", "text") == "hi"
    one.patch({"kind": "ModelChanged", "model": {"id": "from-client"}, "attr": "text", "new": "ho"})
    other.wait_value("theirs", "text", "ho")
    assert one.patch({"kind": "RootRemoved", "model": {"id": "from-client"}}).msgtype == "OK"
    other.wait_for(lambda: "from-client" not in other.roots)


def test_title_travels_both_ways(pair: tuple[Client, Client]) -> None:
    one, other = pair
    one.set("command", "value", "title:From the server")
    assert one.title == "From the server"
    one.patch({"kind": "TitleChanged", "title": "From a client"})
    other.wait_for(lambda: other.title == "From a client")


def test_events_and_messages_reach_the_application(plain: Served) -> None:
    with plain.site.client("/board") as client:
        values = {"type": "map", "entries": [["model", {"id": client.ident("button")}]]}
        click = {"type": "event", "name": "button_click", "values": values}
        assert client.patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": click}).msgtype == "OK"
        assert client.value("answer", "text") == "clicked"
        assert client.patch({"kind": "MessageSent", "msg_type": "echo", "msg_data": [1, 2]}).msgtype == "OK"
        assert client.value("answer", "text") == "heard [1, 2]"


def test_server_info_names_both_versions(plain: Served) -> None:
    with plain.site.client("/board") as client:
        reply = client.request("SERVER-INFO-REQ")
        assert reply.msgtype == "SERVER-INFO-REPLY"
        assert reply.content["version_info"].keys() == {"bokeh", "server"}


def test_pushed_document_replaces_the_old_one(pair: tuple[Client, Client]) -> None:
    one, other = pair
    document = Document()
    document.add_root(Div(name="pushed", text="from Python"))
    document.title = "Pushed"
    assert one.request("PUSH-DOC", {"doc": document.to_json(deferred=False)}).msgtype == "OK"
    one.pull()
    assert (one.value("pushed", "text"), one.title, len(one.roots)) == ("from Python", "Pushed", 1)
    other.wait_for(lambda: other.title == "Pushed")
    assert other.roots == one.roots and other.value("pushed", "text") == "from Python"


@pytest.mark.parametrize(
    "content", [{}, {"doc": 7}, {"doc": {}}, {"doc": {"roots": 1, "title": 2}}, {"doc": {"roots": [{"id": "x"}]}}]
)
def test_malformed_push_is_answered_with_an_error(plain: Served, content: object) -> None:
    with plain.site.client("/board") as client:
        assert client.request("PUSH-DOC", content).msgtype == "ERROR"
        assert client.set("slider", "value", 2).msgtype == "OK"


def test_stock_client_pulls_and_changes_a_session(plain: Served) -> None:
    with pull_session(url=f"{plain.site.url}/board", arguments={"a": "b"}) as session:
        assert session.document.title == "Board"
        session.document.get_model_by_name("slider").value = 12
        source = session.document.get_model_by_name("source")
        assert list(source.data["x"]) == [0, 1, 2, 3, 4]
        source.data = {"x": np.array([1.0]), "y": np.array([2.0])}
        session.document.get_model_by_name("command").value = "hundred:stock"
        assert session.request_server_info()["version_info"]["bokeh"]
        with pull_session(url=f"{plain.site.url}/board", session_id=session.id) as again:
            assert again.document.get_model_by_name("double").value == 24
            assert again.document.get_model_by_name("many-99").text == "stock"
            assert list(again.document.get_model_by_name("source").data["x"]) == [1]


def test_stock_client_pushes_a_session(plain: Served) -> None:
    document = Document()
    source = ColumnDataSource({"x": np.arange(3.0)}, name="pushed-source")
    document.add_root(source)
    with push_session(document, url=f"{plain.site.url}/board", session_id="pushed-by-stock") as session:
        source.stream({"x": [3.0]})
        session.force_roundtrip()
        token = plain.site.token("/board", **{"bokeh-session-id": "pushed-by-stock"})
        with plain.site.client("/board", token, pull=False) as client:
            reply = client.pull()
            [(name, rep)] = client.value("pushed-source", "data")["entries"]
            assert (name, numbers(rep, reply.buffers)) == ("x", [0, 1, 2, 3])


# Frames


def test_message_in_fragments_is_one_message(plain: Served) -> None:
    with plain.site.client("/board") as client:
        content = json.dumps({"events": [client.change("slider", "value", 11)]})
        client.socket.send(json.dumps({"msgid": "f", "msgtype": "PATCH-DOC"}))
        client.socket.send("{}")
        client.socket.send(content[start : start + 10] for start in range(0, len(content), 10))
        client.wait_value("double", "value", 22)


def test_ping_is_answered(plain: Served) -> None:
    with plain.site.client("/board") as client:
        assert client.socket.ping(b"are you there").wait(5)


def test_close_is_answered_with_its_code(plain: Served) -> None:
    with plain.site.client("/board") as client:
        client.socket.close(4321, "enough")
        assert client.socket.close_code == 4321


def test_compression_is_agreed_only_if_it_is_asked_for(plain: Served, brief: Served) -> None:
    with plain.site.client("/board", compression="deflate") as client:
        assert client.socket.protocol.extensions == []
    with brief.site.client("/board", compression="deflate") as client:
        assert [extension.name for extension in client.socket.protocol.extensions] == ["permessage-deflate"]
        client.set("command", "value", "hundred:" + "packed " * 1000)
        assert client.value("many-99", "text") == "packed " * 1000
        reply = client.pull()
        assert columns(client, reply)["x"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_message_that_is_too_large_ends_its_connection_with_1009(brief: Served, compression: str | None) -> None:
    start = brief.log_size()
    token = brief.site.token("/board")
    with brief.site.client("/board", token) as staying:
        with brief.site.client("/board", token, compression=compression) as client:
            client.send("PATCH-DOC", {"events": [client.change("answer", "text", "x" * 100_000)]})
            assert client.close_code() == 1009
        assert staying.set("slider", "value", 6).msgtype == "OK"
        logged = brief.log_since(start)
    assert "/board session " in logged and "--websocket-max-message-size" in logged
    size = "at least 100,001 bytes" if compression else r"100,\d{3} bytes"
    assert re.search(rf"from \S+: a message of {size} is larger than 100,000 bytes\. ", logged), logged


def test_browser_is_shown_that_a_message_was_too_large_before_its_connection_ends_and_when_it_is_back(
    brief: Served,
) -> None:
    token = brief.site.token("/board")
    for _ in range(2):
        with brief.site.client("/board", token, origin=brief.process.url) as client:
            client.send("PATCH-DOC", {"events": [client.change("answer", "text", "x" * 100_000)]})
            assert "too large" in json.dumps(client.receive().content)
            assert client.close_code() == 1009
    with brief.site.client("/board", token, origin=brief.process.url) as client:
        [added] = client.receive().content["events"]
        assert added["kind"] == "RootAdded" and "too large" in added["model"]["attributes"]["text"]
    with brief.site.client("/board", token, origin=brief.process.url) as client:
        assert client.set("slider", "value", 7).msgtype == "OK"
        assert [event["kind"] for event in client.events()] == ["ModelChanged"]


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("fragmented", [False, True])
def test_known_root_that_is_uploaded_again_may_be_larger_than_the_limit(
    brief: Served, compression: str | None, fragmented: bool
) -> None:
    with brief.site.client("/board", compression=compression) as client:
        ident = client.ident("answer")
        model = {"type": "object", "name": "Div", "id": ident, "attributes": {"text": "x" * 300_000}}
        content = json.dumps({"events": [{"kind": "RootAdded", "model": model}]}, separators=(",", ":"))
        client.socket.send(json.dumps({"msgid": "again", "msgtype": "PATCH-DOC"}))
        client.socket.send("{}")
        step = 65_536 if fragmented else len(content)
        parts = [content[start : start + step] for start in range(0, len(content), step)]
        client.socket.send(parts if fragmented else content)
        reply = client.receive()
        assert (reply.msgtype, reply.reqid) == ("OK", "again")
        assert client.set("slider", "value", 2).msgtype == "OK"
        client.pull()
        assert not client.value("answer", "text")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b"binary"], 1002),
        (["no json"], 1002),
        (["[]"], 1002),
        (['{"msgid":"1","msgtype":"DROP"}'], 1002),
        (['{"msgid":"1","msgtype":"ACK"}', "{}", "{}"], 1002),
        (['{"msgid":"1","msgtype":"PULL-DOC-REPLY"}', "{}", "{}"], 1002),
        (['{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":-1}'], 1002),
        (['{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1}', "{}", '{"events":[]}', "{}"], 1002),
        (['{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1}', "{}", '{"events":[]}', '{"id":"b"}', "text"], 1002),
        (["[" * 50_000], 1002),
        (['{"a":"' + "x" * 70_000 + '"}'], 1009),
    ],
)
def test_malformed_message_ends_its_connection_with_a_legal_code(
    plain: Served, frames: list[str | bytes], code: int
) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as staying, plain.site.client("/board", token) as client:
        for frame in frames:
            client.socket.send(frame)
        assert client.close_code() == code
        assert staying.set("slider", "value", 14).msgtype == "OK"


MALFORMED_EVENTS: dict[str, object] = {
    "no events": {},
    "events are no list": {"events": {}},
    "an event is no object": {"events": [1]},
    "unknown kind": {"events": [{"kind": "Nonsense"}]},
    "kind is no text": {"events": [{"kind": ["ModelChanged"]}]},
    "no fields": {"events": [{"kind": "ModelChanged"}]},
    "unknown model": {"events": [{"kind": "ModelChanged", "model": {"id": "x"}, "attr": "text", "new": 1}]},
    "model is no model": {"events": [{"kind": "ModelChanged", "model": 5, "attr": "text", "new": 1}]},
    "unknown class": {"events": [{"kind": "RootAdded", "model": {"type": "object", "name": "Nope", "id": "n1"}}]},
    "missing buffer": {
        "events": [{"kind": "MessageSent", "msg_type": "echo", "msg_data": {"type": "bytes", "data": {"id": "gone"}}}]
    },
    "array of another size": {
        "events": [
            {
                "kind": "MessageSent",
                "msg_type": "echo",
                "msg_data": {
                    "type": "ndarray",
                    "array": {"type": "bytes", "data": "AAAA"},
                    "shape": [1 << 40],
                    "dtype": "float64",
                    "order": "little",
                },
            }
        ]
    },
}


@pytest.mark.parametrize("content", MALFORMED_EVENTS.values(), ids=list(MALFORMED_EVENTS))
def test_malformed_patch_is_answered_with_an_error(plain: Served, content: object) -> None:
    start = plain.log_size()
    with plain.site.client("/board") as client:
        reply = client.request("PATCH-DOC", content)
        assert (reply.msgtype, reply.content["traceback"]) == ("ERROR", None)
        assert client.set("slider", "value", 2).msgtype == "OK"
    assert "/board session" in plain.log_since(start)
    assert "answering a PATCH-DOC raised" not in plain.log_since(start)


def test_change_to_a_value_of_the_wrong_type_is_answered_with_an_error(plain: Served) -> None:
    with plain.site.client("/board") as client:
        assert client.set("slider", "value", "text").msgtype == "ERROR"
        assert client.set("slider", "value", 2).msgtype == "OK"


def test_change_about_a_model_that_has_gone_is_left_out(plain: Served) -> None:
    with plain.site.client("/board") as client:
        client.set("command", "value", "root:gone")
        event = client.change("gone", "text", "too late")
        client.set("command", "value", "unroot:gone")
        assert client.patch(event, client.change("slider", "value", 40)).msgtype == "OK"
        assert client.value("double", "value") == 80


def test_value_that_cannot_be_written_harms_only_its_own_callback(plain: Served) -> None:
    with plain.site.client("/board") as client:
        assert client.set("command", "value", "unserializable:").msgtype == "ERROR"
        assert client.set("slider", "value", 17).msgtype == "OK"
        assert client.value("double", "value") == 34


# Coming back


def test_second_pull_has_its_arrays_inline_if_bokehjs_ignores_its_buffers(plain: Served) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token, pull=False) as client:
        first = client.pull()
        assert first.buffers
        before = columns(client, first)
        client.cut()
    with plain.site.client("/board", token, pull=False) as returned:
        second = returned.pull()
        assert bool(second.buffers) == REPULLED_BUFFERS_ARE_READ
        assert columns(returned, second) == before == {"x": [0, 1, 2, 3, 4], "y": [0, 1, 2, 3, 4]}


def test_returning_client_finds_what_it_changed(plain: Served) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as client:
        client.set("slider", "value", 33)
        client.cut()
    with plain.site.client("/board", token) as returned:
        assert (returned.value("slider", "value"), returned.value("double", "value")) == (33, 66)


def test_browser_that_came_back_and_says_nothing_is_realigned(plain: Served) -> None:
    token = plain.site.token("/board")
    with plain.site.client("/board", token) as client:
        client.cut()
    with plain.site.client("/board", token, pull=False, origin=plain.process.url) as returned:
        frames = [returned.socket.recv(timeout=patience(4)) for _ in range(7)]
        assert len(set(frames[:6])) == 1 and frames[6] == b""
        header = json.loads(frames[0])
        assert (header["msgtype"], header["num_buffers"]) == ("ACK", 1)

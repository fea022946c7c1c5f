from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.protocol import codec
from app_server.protocol.websocket import BINARY, TEXT


def parsed(frames: list[codec.Frame]) -> list[Any]:
    return [json.loads(bytes(payload)) if opcode == TEXT else bytes(payload) for opcode, payload in frames]


def without_msgid(frames: list[codec.Frame]) -> list[Any]:
    header, *rest = parsed(frames)
    assert isinstance(header.pop("msgid"), str)
    return [header, *rest]


def test_ack_is_three_text_frames() -> None:
    assert [opcode for opcode, _ in codec.ack()] == [TEXT, TEXT, TEXT]
    assert without_msgid(codec.ack()) == [{"msgtype": "ACK"}, {}, {}]


def test_ok_names_the_message_that_it_answers() -> None:
    assert without_msgid(codec.ok("42")) == [{"msgtype": "OK", "reqid": "42"}, {}, {}]


def test_error_carries_no_traceback_by_itself() -> None:
    assert without_msgid(codec.error("42", "a fault")) == [
        {"msgtype": "ERROR", "reqid": "42"},
        {},
        {"text": "a fault", "traceback": None},
    ]


def test_each_buffer_is_an_id_and_a_binary_frame() -> None:
    view = memoryview(b"\x01\x02\x03")[1:]
    frames = codec.encode("PATCH-DOC", b'{"events":[]}', buffers=[("b0", b""), ("b1", view)])
    assert [opcode for opcode, _ in frames] == [TEXT, TEXT, TEXT, TEXT, BINARY, TEXT, BINARY]
    header = {"msgtype": "PATCH-DOC", "num_buffers": 2}
    assert without_msgid(frames) == [header, {}, {"events": []}, {"id": "b0"}, b"", {"id": "b1"}, b"\x02\x03"]
    assert frames[-1][1] is view


def test_message_ids_differ() -> None:
    assert len({parsed(codec.ack())[0]["msgid"] for _ in range(100)}) == 100


def test_realignment_is_a_filler_for_one_buffer_and_an_ack() -> None:
    frames = codec.realignment(3)
    assert [opcode for opcode, _ in frames] == [TEXT, BINARY, TEXT, TEXT, TEXT]
    filler, empty, *rest = parsed(frames)
    header = rest[0]
    assert (filler, empty, rest[1:]) == ({"id": "filler3"}, b"", [{}, {}])
    assert (header["msgtype"], header["id"]) == ("ACK", "ack3")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=15,
)


@given(json_values)
def test_dumps_is_utf_8_json_that_reads_back(value: Any) -> None:
    text = codec.dumps(value)
    text.decode("utf-8")
    assert json.loads(text) == value


@pytest.mark.parametrize("value", [2**64, -(2**70), "\ud800", {"\udfff": ["\ud83d"]}])
def test_dumps_writes_what_its_fast_path_cannot(value: Any) -> None:
    assert json.loads(codec.dumps(value).decode("utf-8")) == value


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[1,]", b"\xff", b"[" * 100_000])
def test_loads_refuses_what_is_not_json(text: bytes) -> None:
    with pytest.raises(ValueError):
        codec.loads(text)


def test_loads_reads_a_view() -> None:
    assert codec.loads(memoryview(b'x{"a":1}')[1:]) == {"a": 1}

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.protocol import codec
from app_server.protocol.codec import Frame
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


class Receiver:
    """The states of BokehJS 3.9's receiver; `received` are the types of the messages that were completed."""

    def __init__(self, missing: int, buffers: int) -> None:
        """One that waits for the frame number `missing`, from 0, of a PATCH-DOC with so many buffers."""
        self.received: list[str] = []
        self.fragments: list[bytes] = []
        self.idents: set[str] = set()
        self.buffers = buffers
        self.waits_for_bytes = False
        header = {"msgid": "cut off", "msgtype": "PATCH-DOC"} | ({"num_buffers": buffers} if buffers else {})
        whole = [(TEXT, json.dumps(header).encode()), (TEXT, b"{}"), (TEXT, b'{"events": []}')]
        for number in range(buffers):
            whole += [(TEXT, json.dumps({"id": f"b{number}"}).encode()), (BINARY, b"1234")]
        self.consume(whole[:missing])

    @property
    def at_rest(self) -> bool:
        """Whether the next frame begins a message."""
        return not self.fragments

    def consume(self, frames: Iterable[Frame]) -> None:
        for opcode, payload in frames:
            if (opcode == BINARY) == self.waits_for_bytes:
                self._take(bytes(payload))

    def _take(self, payload: bytes) -> None:
        self.fragments.append(payload)
        if self.waits_for_bytes:
            self.waits_for_bytes = False
            self.idents.add(json.loads(self.fragments[-2]).get("id"))
        elif len(self.fragments) > 3:
            self.waits_for_bytes = True
            return
        if len(self.fragments) >= 3:
            header, *_ = map(json.loads, self.fragments[:3])
            if len(self.idents) == header.get("num_buffers", 0):
                self.received.append(header.get("msgtype", ""))
                self.fragments, self.idents = [], set()


def cut_off_states() -> list[tuple[int, int]]:
    return [(missing, buffers) for buffers in (0, 1, 2, 5) for missing in range(3 + 2 * buffers)]


@pytest.mark.parametrize(("missing", "buffers"), cut_off_states())
@pytest.mark.parametrize("answers", [0, 1, 2])
def test_realignment_brings_a_receiver_that_was_cut_off_anywhere_to_an_ack(
    missing: int, buffers: int, answers: int
) -> None:
    receiver = Receiver(missing, buffers)
    receiver.consume(codec.ack())
    for _ in range(answers):  # to what its person has done meanwhile
        receiver.consume(codec.ok("m1"))
    receiver.consume(codec.realignment(0, buffers))
    assert receiver.at_rest
    assert receiver.received[-1] == "ACK"


def test_realignment_for_too_few_buffers_is_made_good_by_the_next() -> None:
    receiver = Receiver(4, 5)
    for round_number, buffers in enumerate((1, 3)):
        receiver.consume(codec.realignment(round_number, buffers))
    assert receiver.at_rest


def test_realignment_leaves_a_receiver_that_needs_none_as_it_is() -> None:
    receiver = Receiver(0, 0)
    receiver.consume([*codec.ack(), *codec.realignment(0, 2), *codec.encode("PULL-DOC-REPLY", b'{"doc": {}}')])
    assert receiver.received == ["ACK", "ACK", "ACK", "ACK", "PULL-DOC-REPLY"]


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


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": ["\ud83d", 1]}])
def test_loads_reads_what_dumps_writes_of_lone_surrogates(value: Any) -> None:
    assert codec.loads(codec.dumps(value)) == value
    assert codec.loads(memoryview(codec.dumps(value).upper().replace(b"\\U", b"\\u"))) == value


@pytest.mark.parametrize("text", [b'["\\ud800", NaN]', b'["\\ud800"', b'"\\ud800\xff"', b"[" * 100_000 + b'"\\ud800"'])
def test_loads_refuses_what_is_not_json_also_beside_lone_surrogates(text: bytes) -> None:
    with pytest.raises(ValueError):
        codec.loads(text)


def test_loads_reads_a_view() -> None:
    assert codec.loads(memoryview(b'x{"a":1}')[1:]) == {"a": 1}


def test_fast_path_writes_no_spaces_and_neither_does_the_other() -> None:
    assert codec.dumps({"a": [1, "ä"]}) == '{"a":[1,"ä"]}'.encode()
    assert codec.dumps({"a": [1, "ä", 2**64]}) == b'{"a":[1,"\\u00e4",18446744073709551616]}'


def test_number_that_is_none_is_no_json() -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        codec.dumps([float("nan"), 2**64])


def test_error_of_a_development_server_has_its_traceback() -> None:
    assert without_msgid(codec.error("42", "a fault", "Traceback"))[2] == {"text": "a fault", "traceback": "Traceback"}


def test_realignment_is_acks_with_ids_of_their_own() -> None:
    frames = codec.realignment(3, 1)
    assert [opcode for opcode, _ in frames] == ([TEXT] * 6 + [BINARY]) * 2
    headers = [{"msgid": ident, "msgtype": "ACK", "num_buffers": 1, "id": ident} for ident in ("ack3.0", "ack3.1")]
    assert parsed(frames) == [*[headers[0]] * 6, b"", *[headers[1]] * 6, b""]
    assert len(codec.realignment(0, 0)) == 7


def test_message_numbers_count_up() -> None:
    first, second = (int(parsed(codec.ack())[0]["msgid"]) for _ in range(2))
    assert second == first + 1


def test_message_without_content_is_an_empty_object() -> None:
    assert parsed(codec.encode("OK"))[1:] == [{}, {}]
    assert "reqid" not in parsed(codec.encode("OK"))[0] and "num_buffers" not in parsed(codec.encode("OK"))[0]
    assert parsed(codec.encode("OK", reqid=""))[0]["reqid"] == ""

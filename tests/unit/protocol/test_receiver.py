from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import PeerError
from app_server.protocol import codec, messages
from app_server.protocol.messages import Message
from app_server.protocol.receiver import MAX_HEADER_BYTES, Receiver, ReceiverState, announced_root, check_structure
from app_server.protocol.websocket import BINARY, TEXT

Frames = list[tuple[int, bytes]]

HEADER = (TEXT, b'{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1}')
EMPTY = (TEXT, b"{}")
BUFFER_ID = (TEXT, b'{"id":"b0"}')
BUFFER = (BINARY, b"\x00\x01")
KNOWN_ROOT = b'{"events":[{"kind":"RootAdded","model":{"type":"object","name":"Row","id":"p1","attributes":{}}}]}'

# The frames that bring a receiver into each state.
REACHED_BY: dict[ReceiverState, Frames] = {
    ReceiverState.HEADER: [],
    ReceiverState.METADATA: [HEADER],
    ReceiverState.CONTENT: [HEADER, EMPTY],
    ReceiverState.BUFFER_ID: [HEADER, EMPTY, EMPTY],
    ReceiverState.BUFFER: [HEADER, EMPTY, EMPTY, BUFFER_ID],
}


def feed_all(receiver: Receiver, frames: Iterable[tuple[int, bytes]]) -> list[Message]:
    return [message for frame in frames if (message := receiver.feed(*frame)) is not None]


def receiver_in(state: ReceiverState, **options: Any) -> Receiver:
    receiver = Receiver(10_000, **options)
    assert feed_all(receiver, REACHED_BY[state]) == []
    assert receiver.state is state
    return receiver


def header(**fields: object) -> bytes:
    return json.dumps({"msgid": "1", "msgtype": "PATCH-DOC"} | fields).encode()


def test_message_without_buffers_is_complete_after_its_content() -> None:
    frames = [(TEXT, b'{"msgid":"7","msgtype":"OK","reqid":"3"}'), EMPTY, (TEXT, b'{"a":[1]}')]
    receiver = Receiver(100)
    assert feed_all(receiver, frames) == [Message("7", "OK", {"a": [1]}, [], "3")]
    assert receiver.state is ReceiverState.HEADER


def test_message_with_buffers_is_complete_after_the_last_one() -> None:
    frames = codec.encode(messages.PATCH_DOC, b'{"events":[]}', buffers=[("b0", b"xy"), ("b1", b"")])
    received = feed_all(Receiver(100), [(opcode, bytes(payload)) for opcode, payload in frames])
    assert [(message.content, message.buffers) for message in received] == [
        ({"events": []}, [("b0", b"xy"), ("b1", b"")])
    ]


def test_one_receiver_takes_message_after_message() -> None:
    frames = [(opcode, bytes(payload)) for opcode, payload in [*codec.ok("1"), *codec.ack(), *codec.error("2", "no")]]
    assert [message.msgtype for message in feed_all(Receiver(100), frames)] == ["OK", "ACK", "ERROR"]


def test_unknown_header_keys_and_metadata_are_tolerated() -> None:
    frames = [(TEXT, header(username="ann", num_buffers=0)), (TEXT, b'{"anything":{"at":["all"]}}'), EMPTY]
    assert feed_all(Receiver(100), frames) == [Message("1", "PATCH-DOC", {}, [], None)]


@pytest.mark.parametrize("state", ReceiverState)
def test_frame_of_the_wrong_kind_is_refused_in_every_state(state: ReceiverState) -> None:
    wrong = TEXT if state is ReceiverState.BUFFER else BINARY
    with pytest.raises(PeerError) as refused:
        receiver_in(state).feed(wrong, b"{}")
    assert str(refused.value) == f"expected the {state.value} of a message, got another kind of frame"
    assert refused.value.close_code == 1002


@pytest.mark.parametrize("state", [state for state in ReceiverState if state is not ReceiverState.BUFFER])
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"NaN", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 9_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'"text"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"7", "is not a JSON object"),
    ],
)
def test_text_that_is_no_json_object_is_refused_in_every_state(
    state: ReceiverState, payload: bytes, reason: str
) -> None:
    with pytest.raises(PeerError, match=reason):
        receiver_in(state).feed(TEXT, payload)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{}", "the header of a message lacks msgid or msgtype"),
        (b'{"msgid":"1"}', "the header of a message lacks msgid or msgtype"),
        (b'{"msgtype":"OK"}', "the header of a message lacks msgid or msgtype"),
        (b'{"msgid":1,"msgtype":"OK"}', "the header of a message lacks msgid or msgtype"),
        (b'{"msgid":"1","msgtype":["OK"]}', "the header of a message lacks msgid or msgtype"),
        (b'{"msgid":"1","msgtype":"DROP-TABLE"}', "unknown message type 'DROP-TABLE'"),
        (header(num_buffers=-1), "the header of a message has a malformed num_buffers or reqid"),
        (header(num_buffers=1.0), "the header of a message has a malformed num_buffers or reqid"),
        (header(num_buffers=True), "the header of a message has a malformed num_buffers or reqid"),
        (header(num_buffers="1"), "the header of a message has a malformed num_buffers or reqid"),
        (header(num_buffers=None), "the header of a message has a malformed num_buffers or reqid"),
        (header(reqid=4), "the header of a message has a malformed num_buffers or reqid"),
    ],
)
def test_malformed_header_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(PeerError) as refused:
        Receiver(100).feed(TEXT, payload)
    assert str(refused.value) == reason


@pytest.mark.parametrize("payload", [b"{}", b'{"id":7}', b'{"id":null}'])
def test_buffer_header_without_a_textual_id_is_refused(payload: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        receiver_in(ReceiverState.BUFFER_ID).feed(TEXT, payload)
    assert str(refused.value) == "a buffer header lacks its id"


@pytest.mark.parametrize("state", [ReceiverState.HEADER, ReceiverState.METADATA, ReceiverState.BUFFER_ID])
def test_oversized_small_part_is_refused_unread(state: ReceiverState) -> None:
    receiver = Receiver(10 * MAX_HEADER_BYTES)
    feed_all(receiver, REACHED_BY[state])
    with pytest.raises(PeerError) as refused:
        receiver.feed(TEXT, b'{"id":"' + b"x" * MAX_HEADER_BYTES + b'"}')
    assert refused.value.close_code == 1009


def test_content_and_buffers_count_together_against_the_limit() -> None:
    receiver = Receiver(100)
    feed_all(receiver, [HEADER, EMPTY, (TEXT, b'{"events":[]}'), BUFFER_ID])
    with pytest.raises(PeerError) as refused:
        receiver.feed(BINARY, b"x" * 90)
    assert (str(refused.value), refused.value.close_code) == ("a message is larger than 100 bytes", 1009)


def test_message_of_exactly_the_limit_is_taken() -> None:
    content = b'{"events":[]}'
    frames = [(TEXT, header()), EMPTY, (TEXT, content)]
    assert len(feed_all(Receiver(len(content)), frames)) == 1
    with pytest.raises(PeerError):
        feed_all(Receiver(len(content) - 1), frames)


def test_the_limit_begins_anew_with_each_message() -> None:
    frames = [(TEXT, header()), EMPTY, (TEXT, b'{"events":[]}')]
    assert len(feed_all(Receiver(15), frames * 50)) == 50


def test_endless_empty_buffers_end_at_the_limit() -> None:
    receiver = Receiver(10_000)
    feed_all(receiver, [(TEXT, header(num_buffers=10**9)), EMPTY, EMPTY])
    with pytest.raises(PeerError) as refused:
        for _ in range(2_000):
            feed_all(receiver, [BUFFER_ID, (BINARY, b"")])
    assert refused.value.close_code == 1009


def with_content(content: bytes, limit: int = 20 * 2**20) -> list[Message]:
    return feed_all(Receiver(limit), [(TEXT, header()), EMPTY, (TEXT, content)])


@pytest.mark.parametrize(
    "content",
    [
        b'{"events":[' + b"[]," * 300_000 + b"[]]}",
        b'{"events":[' + b"{}," * 300_000 + b"{}]}",
        b'{"events":' + b'{"a":' * 300_000 + b"0" + b"}" * 300_001,
        b'{"events":[' + b'"",' * 3_000_000 + b'""]}',
        b'{"events":[' + b"0," * 3_000_000 + b"0]}",
        b'{"a\\\\":["\\"[{",' + b"[]," * 300_000 + b"[]]}",
    ],
    ids=["lists", "objects", "nested", "texts", "numbers", "behind escaped quotes"],
)
def test_message_of_too_many_values_is_refused_before_they_are_made(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PeerError, match="209715 lists and objects, or more than 2621440 values") as refused:
            with_content(content)
        assert refused.value.close_code == 1009
        assert tracemalloc.get_traced_memory()[1] < 5 * len(content) + 20_000_000
    finally:
        tracemalloc.stop()


def test_brackets_and_commas_inside_of_texts_are_no_values() -> None:
    text = '[{,"\\' * 600_000
    [message] = with_content(json.dumps({"events": [text]}).encode())
    assert message.content == {"events": [text]}


def test_patient_receiver_takes_more_values() -> None:
    frames = [(TEXT, header()), EMPTY, (TEXT, b'{"events":[' + b"0," * 3_000_000 + b"0]}")]
    [message] = feed_all(Receiver(20 * 2**20, patience=4), frames)
    assert len(message.content["events"]) == 3_000_001


def test_small_limit_leaves_room_for_values() -> None:
    [message] = with_content(b'{"events":[' + b"[]," * 9_000 + b"[]]}", limit=50_000)
    assert len(message.content["events"]) == 9_001


def test_message_of_too_many_buffers_is_refused() -> None:
    receiver = Receiver(10**6)
    feed_all(receiver, [(TEXT, header(num_buffers=10**9)), EMPTY, EMPTY])
    with pytest.raises(PeerError, match="more than 10000 buffers") as refused:
        for _ in range(10_001):
            feed_all(receiver, [BUFFER_ID, (BINARY, b"")])
    assert refused.value.close_code == 1009


def test_known_root_that_is_uploaded_again_is_discarded() -> None:
    receiver = Receiver(10_000, lambda ident: ident == "p1")
    frames = [(TEXT, header(num_buffers=1)), EMPTY, (TEXT, KNOWN_ROOT), BUFFER_ID, BUFFER]
    assert feed_all(receiver, frames) == [Message("1", "PATCH-DOC", {"events": []}, [], None, discarded=True)]
    assert receiver.state is ReceiverState.HEADER


def test_message_after_a_discarded_one_is_read_again() -> None:
    receiver = Receiver(10_000, lambda ident: True)
    feed_all(receiver, [(TEXT, header()), EMPTY, (TEXT, KNOWN_ROOT)])
    assert feed_all(receiver, [(TEXT, header()), EMPTY, (TEXT, b'{"events":[1]}')]) == [
        Message("1", "PATCH-DOC", {"events": [1]}, [], None)
    ]


def test_new_root_is_not_discarded() -> None:
    [message] = feed_all(Receiver(10_000), [(TEXT, header()), EMPTY, (TEXT, KNOWN_ROOT)])
    assert (message.discarded, message.content) == (False, json.loads(KNOWN_ROOT))


def test_only_the_content_of_a_patch_may_be_discarded() -> None:
    allowed = {
        state: receiver_in(state, is_root=lambda ident: True).may_discard(TEXT, KNOWN_ROOT) for state in ReceiverState
    }
    assert allowed == {state: state is ReceiverState.CONTENT for state in ReceiverState}


def test_oversized_parts_of_a_discarded_message_go_by() -> None:
    receiver = receiver_in(ReceiverState.CONTENT, is_root=lambda ident: ident == "p1")
    assert receiver.may_discard(TEXT, KNOWN_ROOT[:90])
    assert receiver.discard() is None
    assert receiver.feed(*BUFFER_ID) is None
    assert receiver.may_discard(BINARY, b"\x00" * 100)
    message = receiver.discard()
    assert message is not None and message.discarded and message.buffers == []


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        (KNOWN_ROOT, "p1"),
        (KNOWN_ROOT.partition(b',"attributes"')[0], "p1"),
        (KNOWN_ROOT.partition(b'p1"')[0], None),
        (KNOWN_ROOT.replace(b"RootAdded", b"RootRemoved"), None),
        (b" " + KNOWN_ROOT, None),
        (b"", None),
        (KNOWN_ROOT.replace(b'"p1"', b'"p\\u0031"'), None),
        (KNOWN_ROOT.replace(b'"p1"', b'"\xff"'), "\ufffd"),
    ],
)
def test_announced_root_reads_the_first_bytes_alone(prefix: bytes, root: str | None) -> None:
    assert announced_root(prefix) == root


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
header_like = st.fixed_dictionaries(
    {},
    optional={
        "msgid": st.text(max_size=3) | json_values,
        "msgtype": st.sampled_from(sorted(messages.MESSAGE_TYPES)) | json_values,
        "reqid": st.text(max_size=3) | json_values,
        "num_buffers": st.integers(-2, 3) | json_values,
        "id": st.text(max_size=3) | json_values,
    },
)
payloads = (
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode())
    | header_like.map(lambda value: json.dumps(value).encode())
    | st.just(KNOWN_ROOT)
)


@given(
    st.sampled_from(list(ReceiverState)),
    st.lists(st.tuples(st.sampled_from([TEXT, TEXT, TEXT, BINARY, 0, 9, -1]), payloads), max_size=12),
)
def test_arbitrary_frames_yield_messages_or_a_peer_error_and_nothing_else(state: ReceiverState, frames: Frames) -> None:
    receiver = receiver_in(state, is_root=lambda ident: ident == "p1")
    try:
        for opcode, payload in frames:
            message = receiver.feed(opcode, payload)
            if message is not None:
                assert message.msgtype in messages.MESSAGE_TYPES
                assert isinstance(message.content, dict)
                assert all(isinstance(ident, str) for ident, _ in message.buffers)
    except PeerError as error:
        assert error.close_code in (1002, 1007, 1009)


@given(
    st.sampled_from(sorted(messages.MESSAGE_TYPES)),
    st.dictionaries(st.text(), json_values, max_size=3),
    st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=50)), max_size=4),
    st.none() | st.text(max_size=5),
)
def test_what_the_codec_writes_the_receiver_reads(
    msgtype: str, content: dict[str, object], buffers: list[tuple[str, bytes]], reqid: str | None
) -> None:
    frames = codec.encode(msgtype, codec.dumps(content), buffers=buffers, reqid=reqid)
    [message] = feed_all(Receiver(1_000_000), [(opcode, bytes(payload)) for opcode, payload in frames])
    expected = json.loads(json.dumps(content))
    assert (message.msgtype, message.content, list(message.buffers), message.reqid) == (
        msgtype,
        expected,
        buffers,
        reqid,
    )


def test_memory_of_a_receiver_is_bounded_by_its_limit() -> None:
    limit = 1_000_000
    receiver = Receiver(limit)
    feed_all(receiver, [(TEXT, header(num_buffers=10**6)), EMPTY, EMPTY])
    tracemalloc.start()
    try:
        with pytest.raises(PeerError):
            while True:
                feed_all(receiver, [BUFFER_ID, (BINARY, bytes(10_000))])
        assert tracemalloc.get_traced_memory()[0] < 2 * limit
    finally:
        tracemalloc.stop()


def test_known_root_beside_another_event_is_kept() -> None:
    content = KNOWN_ROOT.replace(b"}]}", b'},{"kind":"TitleChanged","title":"new"}]}')
    [message] = feed_all(Receiver(10_000, lambda ident: True), [(TEXT, header()), EMPTY, (TEXT, content)])
    assert (message.discarded, len(message.content["events"])) == (False, 2)


@pytest.mark.parametrize(("state", "part"), [
    (ReceiverState.HEADER, "header"), (ReceiverState.METADATA, "metadata"), (ReceiverState.CONTENT, "content"),
    (ReceiverState.BUFFER_ID, "buffer header"),
])  # fmt: skip
def test_part_that_is_at_fault_is_named(state: ReceiverState, part: str) -> None:
    for payload, what in ((b"{", "is not JSON"), (b"[]", "is not a JSON object")):
        with pytest.raises(PeerError) as refused:
            receiver_in(state).feed(TEXT, payload)
        assert (str(refused.value), refused.value.close_code) == (f"the {part} of a message {what}", 1002)


def test_small_part_may_have_64_kilobytes() -> None:
    padding = b" " * (MAX_HEADER_BYTES - len(HEADER[1]))
    assert Receiver(100).feed(TEXT, HEADER[1] + padding) is None
    with pytest.raises(PeerError) as refused:
        Receiver(100).feed(TEXT, HEADER[1] + padding + b" ")
    assert (str(refused.value), refused.value.close_code) == (
        "the header of a message is larger than 65536 bytes",
        1009,
    )


def test_unknown_message_type_is_shown_in_part() -> None:
    with pytest.raises(PeerError) as refused:
        Receiver(100).feed(TEXT, header(msgtype="X" * 100))
    assert str(refused.value) == f"unknown message type {'X' * 40!r}"


def too_many(payload: bytes, limit: int) -> bool:
    try:
        check_structure(payload, limit)
    except PeerError as error:
        containers, values = max(10_000, limit // 100), max(100_000, limit // 8)
        what = f"a message has more than {containers} lists and objects, or more than {values} values"
        assert (str(error), error.close_code) == (f"{what}; send large data as arrays", 1009)
        return True
    return False


@pytest.mark.parametrize(
    ("piece", "limit", "most"),
    [
        (b"[", 1_000, 10_000), (b"{", 1_000, 10_000), (b"[", 2_000_000, 20_000), (b",", 1_000, 100_000),
        (b",", 1_600_000, 200_000), (b'"",', 1_000, 100_000),
    ],
)  # fmt: skip
def test_values_are_taken_up_to_their_limit(piece: bytes, limit: int, most: int) -> None:
    assert not too_many(piece * most, limit)
    assert too_many(piece * (most + 1), limit)


def test_lists_and_commas_count_together_as_values() -> None:
    assert not too_many(b"[" * 10_000 + b"," * 90_000, 1_000)
    assert too_many(b"[" * 10_000 + b"," * 90_001, 1_000)


def test_more_texts_than_values_are_too_many_whatever_is_between_them() -> None:
    assert not too_many(b'"[[[",' * 50_000 + b'""' * 99_999, 1_000)
    assert too_many(b'"[[[",' * 50_000 + b'""' * 150_001, 1_000)


def test_text_that_goes_on_in_the_next_piece_is_still_a_text() -> None:
    half = 256 * 1024
    assert not too_many(b'"' + b"[" * (2 * half) + b'"', 1_000)
    assert not too_many(b'""' + b'"' + b"[" * half + b'"' + b'"' + b"{," * half + b'"', 1_000)
    assert too_many(b'"' + b"x" * half + b'"' + b"[" * 10_001, 1_000)


@pytest.mark.parametrize("text", [rb"\"", rb"\\", rb"\\\"", rb"[\\\\\"["])
def test_escaped_quote_ends_no_text(text: bytes) -> None:
    assert not too_many(b'"' + text + b"[" * 20_000 + b'"', 1_000)
    assert too_many(b'"' + text + b'"' + b"[" * 20_000, 1_000)


def test_many_roots_that_are_known_change_nothing() -> None:
    event = KNOWN_ROOT[len(b'{"events":[') : -len(b"]}")]
    content = b'{"events":[' + event + b"," + event.replace(b'"p1"', b'"p2"') + b"]}"
    known = Receiver(10_000, lambda ident: ident in ("p1", "p2"))
    [message] = feed_all(known, [(TEXT, header()), EMPTY, (TEXT, content)])
    assert message.discarded
    [message] = feed_all(Receiver(10_000, lambda ident: ident == "p1"), [(TEXT, header()), EMPTY, (TEXT, content)])
    assert not message.discarded


@pytest.mark.parametrize("events", [
    "[]", "{}", "7", "[7]", '[{"kind":"RootAdded"}]', '[{"kind":"RootAdded","model":7}]',
    '[{"kind":"RootAdded","model":{"id":7}}]', '[{"kind":"RootAdded","model":{}}]', '[{"model":{"id":"p1"}}]',
])  # fmt: skip
def test_events_of_another_shape_are_kept(events: str) -> None:
    receiver = Receiver(10_000, lambda ident: True)
    [message] = feed_all(receiver, [(TEXT, header()), EMPTY, (TEXT, f'{{"events":{events}}}'.encode())])
    assert (message.discarded, message.content) == (False, {"events": json.loads(events)})


def test_root_of_another_message_than_a_patch_is_kept() -> None:
    receiver = Receiver(10_000, lambda ident: True)
    [message] = feed_all(receiver, [(TEXT, header(msgtype="PUSH-DOC")), EMPTY, (TEXT, KNOWN_ROOT)])
    assert not message.discarded
    feed_all(receiver, [(TEXT, header(msgtype="PUSH-DOC")), EMPTY])
    assert not receiver.may_discard(TEXT, KNOWN_ROOT)


def test_only_a_root_that_is_known_may_be_discarded() -> None:
    receiver = receiver_in(ReceiverState.CONTENT, is_root=lambda ident: ident == "p1")
    assert receiver.may_discard(TEXT, KNOWN_ROOT)
    assert not receiver.may_discard(TEXT, KNOWN_ROOT.replace(b'"p1"', b'"p2"'))
    assert not receiver.may_discard(TEXT, b"{}")
    assert not receiver.may_discard(BINARY, KNOWN_ROOT)
    assert not receiver_in(ReceiverState.CONTENT).may_discard(TEXT, KNOWN_ROOT)


def test_message_without_buffers_is_complete_when_it_was_dropped() -> None:
    receiver = Receiver(10_000, lambda ident: True)
    feed_all(receiver, [(TEXT, header(reqid="7")), EMPTY])
    assert receiver.discard() == Message("1", "PATCH-DOC", {"events": []}, [], "7", discarded=True)
    assert receiver.state is ReceiverState.HEADER and not receiver.may_discard(TEXT, KNOWN_ROOT)


def test_buffers_of_a_dropped_message_do_not_count() -> None:
    receiver = Receiver(200, lambda ident: True)
    feed_all(receiver, [(TEXT, header(num_buffers=3)), EMPTY, (TEXT, KNOWN_ROOT)])
    for number in range(3):
        assert receiver.feed(TEXT, b'{"id":"b"}') is None
        message = receiver.feed(BINARY, bytes(1000))
        assert (message is not None) is (number == 2)


def test_names_of_buffers_count_against_the_limit() -> None:
    receiver = Receiver(30)
    feed_all(receiver, [(TEXT, header(num_buffers=9)), EMPTY, EMPTY, BUFFER_ID, (BINARY, b"")])
    with pytest.raises(PeerError, match="a message is larger than 30 bytes"):
        feed_all(receiver, [BUFFER_ID, (BINARY, b""), BUFFER_ID])


def test_impatient_receiver_takes_as_many_buffers_as_lists() -> None:
    receiver = Receiver(1_000, patience=1_001)
    feed_all(receiver, [(TEXT, header(num_buffers=3)), EMPTY, EMPTY, BUFFER_ID, BUFFER])
    assert len(receiver._buffers) == 1
    receiver._buffers = [("b", b"")] * 10_010
    with pytest.raises(PeerError, match="^a message has more than 10010 buffers$"):
        feed_all(receiver, [BUFFER_ID, BUFFER])

"""The messages of the protocol, as clients name them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from bokeh import protocol as stock

from app_server.protocol import messages
from app_server.protocol.messages import MESSAGE_TYPES, Message


def test_message_types_are_those_of_the_stock_protocol() -> None:
    assert MESSAGE_TYPES == set(stock.Protocol()._messages)


def test_every_named_message_type_is_among_them() -> None:
    named = {value for name, value in vars(messages).items() if name.isupper() and isinstance(value, str)}
    assert named == MESSAGE_TYPES


def test_message_has_no_buffers_answers_nothing_and_was_read_unless_said() -> None:
    message = Message("1", messages.PATCH_DOC, {"events": []})
    assert (message.buffers, message.reqid, message.discarded) == ((), None, False)


def test_message_is_a_value() -> None:
    message = Message("1", messages.OK, {}, reqid="7")
    assert message == Message("1", messages.OK, {}, reqid="7") != Message("1", messages.OK, {}, reqid="8")
    with pytest.raises(FrozenInstanceError):
        message.msgid = "2"  # type: ignore[misc]

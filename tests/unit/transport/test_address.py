from __future__ import annotations

import socket

import pytest

from app_server.errors import OperatorError, TransientError
from app_server.settings import Settings
from app_server.transport.address import bind


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("[::1]", "Write it without brackets: --address ::1."),
        ("[::1]:8000", "Write it without brackets: --address ::1 --port 8000."),
        ("127.0.0.1:8000", "Give the port by itself: --address 127.0.0.1 --port 8000."),
        ("http://localhost", "Write the host only: --address localhost."),
    ],
)
def test_address_as_it_stands_in_a_url_is_refused_with_the_right_spelling(address: str, hint: str) -> None:
    with pytest.raises(OperatorError) as refused:
        bind(Settings(address=address, port=0))
    assert (refused.value.where, refused.value.hint) == ("--address", hint)
    assert not isinstance(refused.value, TransientError)


def test_port_in_use_may_be_free_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TransientError, match=f"port {port} is in use"):
            bind(Settings(address="127.0.0.1", port=port))

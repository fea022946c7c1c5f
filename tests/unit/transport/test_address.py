from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from app_server.errors import OperatorError, TransientError
from app_server.settings import Settings
from app_server.transport import address
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


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("203.0.113.9", "203.0.113.9 is not an address of this machine. Choose one that it has, or leave out "
         "--address to listen on all of them."),
        ("nosuch.invalid", "no address is known for the name nosuch.invalid. Check the spelling, and the "
         "machine's DNS."),
    ],
)  # fmt: skip
def test_address_that_cannot_be_had_is_named_with_what_to_do(address: str, message: str) -> None:
    with pytest.raises(TransientError) as refused:
        bind(Settings(address=address, port=0))
    assert str(refused.value) == f"--address: {message}"


def test_folder_of_a_unix_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransientError) as refused:
        bind(Settings(unix_socket=f"{tmp_path}/none/app.sock"))
    hint = "Create it first, or choose another --unix-socket."
    assert str(refused.value) == f"--unix-socket: the folder {tmp_path}/none does not exist. {hint}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(port=80), "--port: this user may not listen on port 80. Choose a --port from 1024 on: lower ones are "
         "for root."),
        (Settings(unix_socket="/run/app.sock"), "--unix-socket: this user may not create /run/app.sock. Let the user "
         "write to /run, or choose another --unix-socket."),
    ],
)  # fmt: skip
def test_missing_permission_says_whose_and_for_what(
    settings: Settings, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Root may listen everywhere, and tests may run as root.
    monkeypatch.setattr(address, "bind_sockets", refuse)
    monkeypatch.setattr(address, "bind_unix_socket", refuse)
    with pytest.raises(OperatorError) as refused:
        bind(settings)
    assert str(refused.value) == message

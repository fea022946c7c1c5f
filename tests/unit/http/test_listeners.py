"""The address of a server, and the TLS that is spoken there: what cannot be had is named with what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from app_server.errors import OperatorError, TransientError
from app_server.http import listeners
from app_server.http.listeners import bind, tls_context, unlink
from app_server.settings import Settings
from app_server.tls.guideline import guideline


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
    monkeypatch.setattr(listeners, "bind_sockets", refuse)
    monkeypatch.setattr(listeners, "bind_unix_socket", refuse)
    with pytest.raises(OperatorError) as refused:
        bind(settings)
    assert str(refused.value) == message


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """The context of a server with a certificate."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    found = tls_context(Settings(ssl_certfile=str(tmp_path / "both.pem")))
    assert found is not None
    return found


def test_protocols_and_ciphers_are_those_of_the_guideline(context: ssl.SSLContext) -> None:
    profile = guideline().profiles["intermediate"]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    named = {each["name"] for each in context.get_ciphers()}
    assert {name for name in named if not name.startswith("TLS_")} == set(profile.ciphers)
    assert {name for name in named if name.startswith("TLS_")} == set(profile.ciphersuites)


def test_browser_chooses_the_cipher_that_its_machine_is_fast_at(context: ssl.SSLContext) -> None:
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("bare.pem", None, "bare.pem: holds no private key in PEM form. Name the key's file with --ssl-keyfile."),
        ("bare.pem", "other.key", "other.key: the key does not belong to bare.pem. "
         "Name the key that the certificate was made with."),
        ("other.key", "other.key", "other.key: holds no certificate in PEM form. Name a file that begins with "
         "-----BEGIN CERTIFICATE-----."),
        ("bare.pem", "bare.pem", "bare.pem: holds no private key in PEM form. Name the file of the certificate's key."),
    ],
)  # fmt: skip
def test_certificate_of_no_use_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, key: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    authority = trustme.CA()
    authority.issue_cert("localhost").cert_chain_pems[0].write_to_path("bare.pem")
    authority.issue_cert("localhost").private_key_pem.write_to_path("other.key")
    with pytest.raises(OperatorError) as refused:
        tls_context(Settings(ssl_certfile=certificate, ssl_keyfile=key))
    assert str(refused.value) == message


def test_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        tls_context(Settings(ssl_certfile=str(tmp_path / "none.pem")))
    assert str(refused.value) == f"{tmp_path}/none.pem: cannot be read: No such file or directory"
    assert tls_context(Settings()) is None


def test_unix_socket_on_which_somebody_listens_is_not_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    (first,) = bind(Settings(unix_socket=path))
    with pytest.raises(TransientError) as refused:
        bind(Settings(unix_socket=path))
    assert str(refused.value) == (
        f"--unix-socket: {path} is in use. Stop what listens there, or choose another --unix-socket."
    )
    first.close()
    (second,) = bind(Settings(unix_socket=path))
    second.close()


def test_unix_socket_is_removed_by_whom_it_belongs_to(tmp_path: Path) -> None:
    path = tmp_path / "s"
    (sock,) = bind(Settings(unix_socket=str(path)))
    inode = path.stat().st_ino
    unlink(str(path), inode + 1)
    assert path.exists()
    unlink(str(path), inode)
    unlink(str(path), inode)
    unlink(None, inode)
    assert not path.exists()
    sock.close()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (Settings(port=1), OSError(errno.EIO, "Input/output error"),
         "--address: cannot listen on all addresses: Input/output error"),
        (Settings(unix_socket="/run/s"), OSError(errno.EIO, "Input/output error"),
         "--unix-socket: cannot listen at /run/s: Input/output error"),
        (Settings(unix_socket="/run/s"), ValueError("too long"), "--unix-socket: cannot listen at /run/s: too long"),
    ],
)  # fmt: skip
def test_any_other_reason_is_the_systems_own_word(
    settings: Settings, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(listeners, "bind_sockets", refuse)
    monkeypatch.setattr(listeners, "bind_unix_socket", refuse)
    with pytest.raises(TransientError) as refused:
        bind(settings)
    assert str(refused.value) == message

"""The address that a server listens on: bound, refused with the reason, and left behind in order; and its TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tornado.netutil import bind_sockets

from app_server import system
from app_server.errors import OperatorError, TransientError
from app_server.settings import Settings

if system.has_unix_sockets():
    from tornado.netutil import bind_unix_socket


@dataclass(frozen=True)
class Listening:
    """The sockets that a server takes connections from, and its port, which the system may have chosen.

    `inode` is that of a Unix socket that this process made, and that it removes when it closes; else None.
    """

    port: int
    sockets: tuple[socket.socket, ...] = ()
    unix_socket: str | None = None
    inode: int | None = None

    @classmethod
    def bound(cls, settings: Settings) -> Listening:
        """New sockets at the settings' address. OperatorError if the address cannot be used."""
        sockets = tuple(bind(settings))
        if settings.unix_socket:
            return cls(settings.port, sockets, settings.unix_socket, os.stat(settings.unix_socket).st_ino)
        return cls(_port_of(sockets), sockets)

    @classmethod
    def shared(cls, settings: Settings, sockets: Sequence[socket.socket]) -> Listening:
        """Sockets that other processes listen on, too; the one that made them removes what they leave."""
        return cls(settings.port if settings.unix_socket else _port_of(sockets), tuple(sockets))

    def close(self) -> None:
        """Close the sockets, and remove the Unix socket that is ours. Idempotent."""
        for sock in self.sockets:
            sock.close()
        if self.inode is not None:
            unlink(self.unix_socket, self.inode)


def _port_of(sockets: Sequence[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context; None without TLS. OperatorError if the certificate cannot be used."""
    if not settings.ssl_certfile:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Mozilla's guideline 6.0, "intermediate", but for the groups, which Python leaves to OpenSSL.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait there.
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password=settings.ssl_password or "")
    except ssl.SSLError as error:
        raise _no_tls(settings.ssl_certfile, settings.ssl_keyfile, error) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=settings.ssl_certfile) from None
    return context


def _refuse_taken(path: str) -> None:
    """Raise OperatorError where another server listens on this Unix socket; a file that was left over is none."""
    with socket.socket(system.UNIX_FAMILY) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    hint = "Stop what listens there, or choose another --unix-socket."
    raise TransientError(f"{path} is in use", where="--unix-socket", hint=hint)


def unlink(path: str | None, inode: int) -> None:
    """Remove the Unix socket that was ours, unless another one has taken its place."""
    try:
        if path is not None and os.stat(path).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        return


def bind(settings: Settings, unix_mode: int = 0o666) -> list[socket.socket]:
    """Listening sockets; a Unix socket has this mode. OperatorError where the address cannot be had."""
    try:
        if settings.unix_socket:
            hint = "Leave it out, and listen at --address and --port."
            system.require(system.has_unix_sockets(), "Unix sockets", where="--unix-socket", hint=hint)
            _refuse_taken(settings.unix_socket)
            return [bind_unix_socket(settings.unix_socket, mode=unix_mode)]
        return bind_sockets(settings.port, settings.address or None, backlog=1024)
    except (OSError, ValueError) as error:
        raise (_no_socket if settings.unix_socket else _no_address)(settings, error) from None


def _no_tls(certificate: str, key: str | None, error: ssl.SSLError) -> OperatorError:
    """Why OpenSSL does not take a certificate and its key: by what the files hold, for OpenSSL's words say little."""
    if b"-----BEGIN CERTIFICATE-----" not in Path(certificate).read_bytes():
        hint = "Name a file that begins with -----BEGIN CERTIFICATE-----."
        return OperatorError("holds no certificate in PEM form", where=certificate, hint=hint)
    if b"PRIVATE KEY-----" not in Path(key or certificate).read_bytes():
        hint = "Name the key's file with --ssl-keyfile." if key is None else "Name the file of the certificate's key."
        return OperatorError("holds no private key in PEM form", where=key or certificate, hint=hint)
    if error.reason == "KEY_VALUES_MISMATCH":
        hint = "Name the key that the certificate was made with."
        return OperatorError(f"the key does not belong to {certificate}", where=key or certificate, hint=hint)
    what = f"the certificate or its key cannot be used: {error.reason or error}"
    hint = "Check that they belong together, and BOKEH_SSL_PASSWORD if the key has a password."
    return OperatorError(what, where=key or certificate, hint=hint)


def _no_socket(settings: Settings, error: OSError | ValueError) -> OperatorError:
    """Why there is no Unix socket at the path that was given, and what to do."""
    path = settings.unix_socket or ""
    folder = os.path.dirname(os.path.abspath(path))
    number = getattr(error, "errno", None)
    what, hint = f"cannot listen at {path}: {getattr(error, 'strerror', None) or error}", None
    if number == errno.ENOENT:
        what, hint = f"the folder {folder} does not exist", "Create it first, or choose another --unix-socket."
    elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
        what = f"this user may not create {path}"
        hint = f"Let the user write to {folder}, or choose another --unix-socket."
    return TransientError(what, where="--unix-socket", hint=hint)


def _no_address(settings: Settings, error: OSError | ValueError) -> OperatorError:
    """Why the address and port cannot be had, and what to do.

    A TransientError where trying again may help: the port may be given up, the network may come up.
    """
    address, port, number = settings.address or "", settings.port, getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        hint = "Stop what listens there, or choose another --port."
        return TransientError(f"port {port} is in use", where="--port", hint=hint)
    if number == errno.EACCES:
        hint = "Choose a --port from 1024 on: lower ones are for root."
        return OperatorError(f"this user may not listen on port {port}", where="--port", hint=hint)
    if mending := _hint_on(address):
        return OperatorError(f"{address} is not a host's name or address", where="--address", hint=mending)
    if isinstance(error, socket.gaierror):
        what, hint = f"no address is known for the name {address}", "Check the spelling, and the machine's DNS."
        return TransientError(what, where="--address", hint=hint)
    if number == errno.EADDRNOTAVAIL:
        what = f"{address} is not an address of this machine"
        hint = "Choose one that it has, or leave out --address to listen on all of them."
        return TransientError(what, where="--address", hint=hint)
    reason = getattr(error, "strerror", None) or str(error)
    return TransientError(f"cannot listen on {address or 'all addresses'}: {reason}", where="--address")


def _hint_on(address: str) -> str | None:
    """What to type for an address that was written as in a URL."""
    if address.startswith("[") and "]" in address:
        bare, _, port = address[1:].partition("]")
        return f"Write it without brackets: --address {bare}" + (f" --port {port[1:]}." if port[1:].isdigit() else ".")
    if "://" in address:
        return "Write the host only: --address localhost."
    host, _, port = address.rpartition(":")
    if port.isdigit() and host and ":" not in host:
        return f"Give the port by itself: --address {host} --port {port}."
    return None

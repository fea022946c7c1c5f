"""What a hosting platform says in $PORT and $HOST: where the server must listen.

Heroku, Cloud Run, Cloud Foundry and others choose the port and give it in PORT. Both names are generic, so they come
after all variables of ours and of bokeh, and only `app-server serve` reads them: a program that has a server inside
uses PORT for itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from app_server.errors import OperatorError
from app_server.settings.parsers import integer
from app_server.settings.reading import Given, shortened
from app_server.settings.table import Settings

PORT = "PORT"
HOST = "HOST"
_parse_port = integer(1, 65535)


def from_platform(environ: Mapping[str, str], chosen: Mapping[str, Given]) -> dict[str, Given]:
    """The port and the address that the platform asks for, unless `chosen` (flags and variables) has a port or socket.

    HOST applies only together with PORT, and only if it is an IP address: csh and many CI systems set it to the
    machine's name, and a server that listens there would not be reached through any other interface.
    """
    text = environ.get(PORT, "").strip()
    if not text or "port" in chosen or "unix_socket" in chosen:
        return {}
    try:
        found = {"port": Given(_parse_port(text), PORT)}
    except ValueError as error:
        what = f"expected {error}, not {shortened(text)}"
        hint = "Hosting platforms set this variable. Unset it, or give --port, which has precedence."
        raise OperatorError(what, where=PORT, hint=hint) from None
    address = _ip_address(environ.get(HOST, ""))
    if address and "address" not in chosen:
        found["address"] = Given(address, HOST)
    return found


def used_or_not(environ: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """A line for the log about each of the two variables that is set."""
    port, host = environ.get(PORT, "").strip(), environ.get(HOST, "").strip()
    if not port or settings.unix_socket:
        return
    if port.lstrip("0") != str(settings.port):  # 05006 is 5006, too
        yield f"{PORT} asks for port {shortened(port)}, but a flag or another variable says {settings.port}"
        return
    yield f"listening on port {port}, as {PORT} says"
    if host and settings.address is None:
        yield f"{HOST} has no effect: {shortened(host)} is not an IP address"


def _ip_address(text: str) -> str:
    """The address, or "" if the text is something else, such as a machine's name."""
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        return ""

"""What the command says when its server is ready: the addresses, in the log and in a browser."""

from __future__ import annotations

import logging
import socket
import sys
import webbrowser
from collections.abc import Iterator

from app_server.server.server import Server

NO_BROWSER = "No browser was found on this machine. Open %s in one yourself."

log = logging.getLogger(__name__)


def announce(server: Server) -> None:
    """Log where the applications are served, and open them in a browser if the settings ask for it."""
    settings = server.settings
    if any(runtime.application.placeholder for runtime in server.state.runtimes):
        log.warning(
            "No application was named: the page at / says so, and programs can bring documents of their own. "
            "To serve one: app-server serve myapp.py"
        )
    if settings.unix_socket:
        log.info("Serving on the Unix socket %s", settings.unix_socket)
        return
    for runtime in server.state.runtimes:
        log.info("Serving %s", server.url.rstrip("/") + runtime.url)
    if sys.stderr is not None and sys.stderr.isatty():
        for line in for_people(server, network_address()):
            log.info("%s", line)
    if settings.show:
        for runtime in server.state.runtimes if len(server.state.runtimes) == 1 else server.state.runtimes[:0]:
            open_in_browser(server.url.rstrip("/") + ("/" if runtime.url_pattern else runtime.url))
        if len(server.state.runtimes) > 1:
            open_in_browser(server.url)


def open_in_browser(url: str) -> None:
    """Open an address in the system's browser, or say that none was found, as on most servers."""
    if not webbrowser.open(url, new=2):
        log.warning(NO_BROWSER, url)


def for_people(server: Server, address: str | None) -> Iterator[str]:
    """What people at a terminal want to know besides: where other machines find the server, and how to stop it.

    `address` is this machine's in its network, None if it has none.
    """
    settings = server.settings
    if address is not None and settings.address in (None, "0.0.0.0", "::"):
        scheme, host = "https" if settings.ssl_certfile else "http", f"{address}:{server.port}"
        lets_in = server.state.policy.origins.allows(f"{scheme}://{host}", host)
        how = "" if lets_in else f" (needs --allow-websocket-origin {host})"
        yield f"From other machines: {scheme}://{host}{settings.prefix}/{how}"
    yield "Press Ctrl-C to stop"


def network_address() -> str | None:
    """This machine's IPv4 address in its network. Nothing is sent: the system only says which one it would send from.

    RFC 5737 reserves 192.0.2.0/24 for documentation.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith(("127.", "0.")) else address

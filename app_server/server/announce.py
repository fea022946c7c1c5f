"""What the command says when its server is ready: the addresses, in the log and in a browser."""

from __future__ import annotations

import logging
import webbrowser

from app_server.server.server import Server

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
    if settings.show:
        for runtime in server.state.runtimes if len(server.state.runtimes) == 1 else server.state.runtimes[:0]:
            webbrowser.open(server.url.rstrip("/") + ("/" if runtime.url_pattern else runtime.url), new=2)
        if len(server.state.runtimes) > 1:
            webbrowser.open(server.url, new=2)

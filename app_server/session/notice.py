"""A notice for a page whose connection is about to end."""

from __future__ import annotations

from collections.abc import Sequence

from app_server.document.pages.notice import added_notice
from app_server.protocol import codec, messages
from app_server.session.connection import Connection
from app_server.session.effects import Effect, Send


class Notice:
    """Shown before a browser's connection ends, and once more when the browser has pulled the document again."""

    def __init__(self) -> None:
        self._html = ""

    def show(self, connection: Connection, html: str, *, now: bool) -> list[Effect]:
        """Show this to the browser behind the connection when it is back, and `now` too if it has the document."""
        if not connection.from_browser:
            return []
        self._html = html
        return [shown_to([connection], html)] if now else []

    def show_again(self, connection: Connection) -> list[Effect]:
        """Show the notice to this browser, which has just pulled the document."""
        if not self._html or not connection.from_browser:
            return []
        html, self._html = self._html, ""
        return [shown_to([connection], html)]


def shown_to(connections: Sequence[Connection], html: str) -> Send:
    """Show this to these clients, until they pull the document again."""
    return Send(connections, codec.encode(messages.PATCH_DOC, added_notice(html)))

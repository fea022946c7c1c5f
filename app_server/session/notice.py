"""A notice in a page: about what the server did not take, or why the page's connection is about to end."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from app_server.document.pages.notice import replaced_notice
from app_server.protocol import codec, messages
from app_server.session.connection import Connection
from app_server.session.effects import Effect, Send


class Notice:
    """Shown at once; if the browser's connection ends then, once more when it has pulled the document again."""

    def __init__(self) -> None:
        self._html = ""
        self._shown: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()

    def show(self, connection: Connection, html: str, *, now: bool, again: bool = True) -> list[Effect]:
        """Show this to the browser behind the connection: `now` if it has the document, and `again` when it is back."""
        if not connection.from_browser:
            return []
        if again:
            self._html = html
        return [self._shows(connection, html)] if now else []

    def show_again(self, connection: Connection) -> list[Effect]:
        """Show the notice to this browser, which has just pulled the document."""
        self._shown.pop(connection, None)  # what it was shown is not in the document
        if not self._html or not connection.from_browser:
            return []
        html, self._html = self._html, ""
        return [self._shows(connection, html)]

    def _shows(self, connection: Connection, html: str) -> Send:
        content, ident = replaced_notice(html, self._shown.get(connection))
        self._shown[connection] = ident
        return Send([connection], codec.encode(messages.PATCH_DOC, content))


def shown_to(connections: Sequence[Connection], html: str) -> Send:
    """Show this to these clients, until they pull the document again."""
    return Send(connections, codec.encode(messages.PATCH_DOC, replaced_notice(html)[0]))

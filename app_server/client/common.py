"""What sessions have in common, for programs that wait in a thread or in an event loop."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from app_server.client.address import Arguments, parse_address
from app_server.client.agenda import Agenda
from app_server.client.errors import ClientError, ConnectionLost
from app_server.client.exchange import Exchange
from app_server.client.opening import (
    MAX_MESSAGE_BYTES,
    TIMEOUT_S,
    Opening,
    Verify,
    identify,
    request_headers,
    signer_of,
)
from app_server.document import remote
from app_server.document.callbacks import SessionCallback
from app_server.document.remote import Mirror, MirroredDocument
from app_server.protocol.codec import Buffer, Frame


def opening_for(
    session_id: str | None,
    url: str,
    *,
    arguments: Arguments | None,
    headers: Mapping[str, str] | None,
    cookies: Mapping[str, str] | None,
    token: str | None,
    max_message_size: int,
    verify: Verify,
    unix_socket: str | None,
    timeout_s: float | None,
) -> Opening:
    """The opening for what a caller gave; "default" is where bokeh looks for a server."""
    address = parse_address(remote.default_server_url() if url == "default" else url, arguments)
    return Opening(
        address=address,
        identity=identify(session_id, token, signer_of(os.environ)),
        headers=request_headers(address, headers, cookies),
        max_message_bytes=max_message_size,
        verify=verify,
        unix_socket=unix_socket,
        timeout_s=timeout_s,
    )


class Options(TypedDict, total=False):
    """What can be stated of a session besides its id and address."""

    arguments: Arguments | None
    headers: Mapping[str, str] | None
    cookies: Mapping[str, str] | None
    token: str | None
    max_message_size: int
    verify: Verify
    unix_socket: str | None
    timeout_s: float | None


class SessionBase(ABC):
    """The parts that both kinds of session share: names, and what is sent when the document changes."""

    def __init__(
        self,
        session_id: str | None = None,
        url: str = "default",
        *,
        arguments: Arguments | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        token: str | None = None,
        max_message_size: int = MAX_MESSAGE_BYTES,
        verify: Verify = True,
        unix_socket: str | None = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> None:
        self._opening = opening_for(
            session_id,
            url,
            arguments=arguments,
            headers=headers,
            cookies=cookies,
            token=token,
            max_message_size=max_message_size,
            verify=verify,
            unix_socket=unix_socket,
            timeout_s=timeout_s,
        )
        self._timeout_s = timeout_s
        self._exchange = Exchange(self.url, self._send)
        self._agenda = Agenda()
        self._mirror: Mirror | None = None
        self._lost: ClientError | None = None
        remote.number_models_apart()

    def __repr__(self) -> str:
        state = "connected" if self.connected else "not connected"
        return f"<{type(self).__name__} {self.id[:8]}… at {self.url}, {state}>"

    @property
    def document(self) -> MirroredDocument:
        """The copy of the session's document; ClientError before the first pull or push."""
        return self._own_mirror().document

    @property
    def id(self) -> str:
        """The session's id, for `bokeh.embed.server_session` and the like."""
        return self._opening.identity.session_id

    @property
    def token(self) -> str:
        """A token that opens this session; a new one each time, unless the session was given one."""
        return self._opening.identity.token(time.time())

    @property
    def url(self) -> str:
        """The address of the application's page."""
        return self._opening.address.page_url

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the session can be used now: opened, not closed, and not lost."""

    def show(self, obj: Any = None, browser: str | None = None, new: str = "tab") -> None:
        """Open the session's page in a browser, with `obj` added to the document if it is not there yet."""
        if obj is not None and obj not in self.document.roots:
            self.document.add_root(obj)
        remote.open_in_browser(self._opening.address.session_page(self.id), browser, new)

    def send_message(self, msg_type: str, msg_data: Any) -> None:
        """Send a message of your own to the document's `on_message` callbacks on the server.

        The type "bokeh_event" and an event such as `ButtonClick(button)` act as a visitor would.
        """
        self._exchange.change(*self._own_mirror().message(msg_type, msg_data))

    def _own_mirror(self) -> Mirror:
        if self._mirror is None:
            raise ClientError("the session has no document yet", where=self.url, hint="Call pull() or push() first.")
        return self._mirror

    def _mirror_for(self, document: MirroredDocument | None) -> Mirror:
        if self._mirror is None:
            made = remote.empty_document() if document is None else document
            return Mirror(made, self, self._opening.max_unpacked_bytes)
        if document is not None and document is not self._mirror.document:
            raise ClientError(
                "the session has another document already", where=self.url, hint="Push it by a session of its own."
            )
        return self._mirror

    def changed(self, content: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a change of the program's copy (called by the document)."""
        self._exchange.change(content, buffers)

    def callback_added(self, callback: SessionCallback) -> None:
        """Add a callback (called by the document, from any thread)."""
        self._agenda.add(callback, time.monotonic())
        self._agenda_changed()

    def callback_removed(self, ident: str) -> None:
        """Remove a callback (called by the document, from any thread)."""
        self._agenda.remove(ident)

    @abstractmethod
    def _agenda_changed(self) -> None:
        """Callbacks were added or removed: check when the next is due."""

    @abstractmethod
    def _send(self, frames: list[Frame]) -> None:
        """Send one message."""

    def _closed_error(self) -> ConnectionLost:
        return ConnectionLost("the session is closed", where=self.url, hint="Open another one.")

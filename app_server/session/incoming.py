"""What each kind of message from a client does to a session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeAlias

from app_server.document.callbacks import DocumentEvent
from app_server.document.encoding import patch
from app_server.document.pages import embedding
from app_server.document.served import ServedDocument
from app_server.errors import PeerError
from app_server.protocol import codec, messages
from app_server.protocol.messages import Message
from app_server.session.connection import Connection
from app_server.session.effects import Effect, Role, Send
from app_server.session.limits import FAULTS, MessageLimits
from app_server.session.naming import LogName
from app_server.version import __version__

log = logging.getLogger(__name__)


class Receiving(Protocol):
    """The session, as the messages need it."""

    @property
    def document(self) -> ServedDocument: ...

    @property
    def limits(self) -> MessageLimits: ...

    @property
    def name(self) -> LogName: ...

    def apply(self, change: Callable[[], str | None]) -> str | None: ...

    def pull(self, connection: Connection, msgid: str) -> list[Effect]: ...

    def flush(self) -> list[Effect]: ...

    def subscribe(self, connection: Connection) -> None: ...

    def unsubscribe(self, connection: Connection) -> None: ...

    def log_failure(self, name: str) -> None: ...


Handler: TypeAlias = Callable[[Receiving, Connection, Message], list[Effect]]


def _pull(session: Receiving, connection: Connection, message: Message) -> list[Effect]:
    return session.pull(connection, message.msgid)


def _patch(session: Receiving, connection: Connection, message: Message) -> list[Effect]:
    if message.discarded:
        return [Send([connection], codec.ok(message.msgid))]
    limit = session.limits.max_message_bytes
    events = patch.read_events(
        session.document, message.content, message.buffers, setter=connection, max_bytes=limit
    )  # fmt: skip
    failure = session.apply(partial(_apply_all, session, events, connection))
    answer = codec.ok(message.msgid) if failure is None else codec.error(message.msgid, failure)
    return [*session.flush(), Send([connection], answer)]


def _apply_all(session: Receiving, events: Iterable[DocumentEvent], connection: Connection) -> str | None:
    """Apply each event; the first failure in words. An event that fails does not keep the next from being applied."""
    failure = None
    for event in events:
        try:
            patch.apply(session.document, event)
        except PeerError as error:
            log.warning("%s: refused a change from %s: %s", session.name, connection.remote or "a client", error)
            failure = failure or str(error)
        except FAULTS as error:
            session.log_failure("a change from the browser")
            failure = failure or session.limits.describe(error)
    return failure


def _push(session: Receiving, connection: Connection, message: Message) -> list[Effect]:
    effects = session.flush()
    session.unsubscribe(connection)  # it has what it has pushed
    limit = session.limits.max_message_bytes
    replace = partial(patch.replace_document, session.document, message.content, message.buffers, max_bytes=limit)
    try:
        session.apply(replace)
        effects += session.flush()
    finally:
        session.subscribe(connection)
    return [*effects, Send([connection], codec.ok(message.msgid), Role.STATE)]


def _server_info(session: Receiving, connection: Connection, message: Message) -> list[Effect]:
    content = codec.dumps({"version_info": {**embedding.versions(), "server": __version__}})
    return [Send([connection], codec.encode(messages.SERVER_INFO_REPLY, content, reqid=message.msgid))]


def _acknowledge(session: Receiving, connection: Connection, message: Message) -> list[Effect]:
    return []


HANDLERS: dict[str, Handler] = {
    messages.PULL_DOC_REQ: _pull,
    messages.PATCH_DOC: _patch,
    messages.PUSH_DOC: _push,
    messages.SERVER_INFO_REQ: _server_info,
    messages.OK: _acknowledge,
    messages.ERROR: _acknowledge,
}
"""What a client may send, by the message's type."""

"""A session: one document, its connections, and what each message and callback does to them.

Every public method is one turn. A turn runs the application's code, notes each change as it happens, and returns the
effects: who is sent what. All changes of a turn become one PATCH-DOC, which is encoded once for all connections but
those that set one of the changes themselves.

The document may also be changed between turns: after an `await`, from another session's code, in a thread.
Such changes are noted likewise, and `wake` is called to have the runtime soon ask for them with `flush`. Turns are
taken in one thread; changes come from any, one at a time under the document's lock (`document.changing`).
"""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from app_server.document.encoding import encoder, patch
from app_server.document.pages import embedding
from app_server.document.pages.notice import added_notice
from app_server.document.served import DocumentEvent, ServedDocument, SessionCallback
from app_server.errors import PeerError, from_keyboard
from app_server.protocol import codec, messages
from app_server.protocol.messages import Message
from app_server.session.connection import Connection
from app_server.session.context import SessionContext
from app_server.session.effects import Await, Close, Effect, Role, Send
from app_server.session.naming import LogName
from app_server.version import __version__

log = logging.getLogger(__name__)

FAULTS = BaseException
"""What an application's code may raise without ending more than itself: neither sys.exit() nor a future of its own that
was cancelled may end the server, or leave a client without its answer. Only Ctrl-C passes, in `log_failure`."""


_UNKNOWN_BUFFERS = 32
"""For how many missing buffers a page is helped at first, whose last message was sent by a process that is no more."""

_MOST_MISSING_BUFFERS = 4096


class SessionState(Enum):
    """A session is built before it is made, lives, and ends once."""

    LIVING = "living"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What a session allows; `show_tracebacks` is for development alone."""

    max_message_bytes: int
    show_tracebacks: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a page and the first pull are answered with as long as the document has not changed.

    `page` is the page in pieces, between which the token belongs, if it is the same for all. With `inline` arrays are
    encoded as for a page that returns: it may have come before to a process that is no more.
    """

    page: tuple[bytes, ...]
    content: bytes
    buffers: list[codec.Buffer]
    inline: bool


Handler: TypeAlias = "Callable[[Session, Connection, Message], list[Effect]]"


def _nothing() -> None:
    """Stands in for the runtime's wake-up call until there is a runtime."""


class Session:
    """A living document and the clients that look at it."""

    def __init__(
        self,
        session_id: str,
        document: ServedDocument,
        context: SessionContext,
        limits: MessageLimits,
        *,
        application: str = "",
        now_s: float = 0.0,
    ) -> None:
        self.id = session_id
        self.document = document
        self.context = context
        self.application = application
        self.connections: list[Connection] = []
        self.unused_since_s = now_s
        self.expiration_requested = False
        self._expiration_blocks = 0
        self.wake: Callable[[], None] = _nothing
        self.send_now: Callable[[], None] = _nothing
        self.failed: Callable[[], None] = _nothing
        """Called while an exception of the application's code is at hand."""
        self._limits = limits
        self._state = SessionState.LIVING
        self._subscribed: list[Connection] = []
        self.prepared: Prepared | None = None
        self._first_pull_is_over = False
        self._cut_off = False
        self._most_buffers = 0
        self._notice = ""
        self._patch: encoder.PatchEncoder | None = None
        self._in_turn = False

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended, or is ending while its hooks run."""
        return self._state is not SessionState.LIVING

    @property
    def viewers(self) -> Sequence[Connection]:
        """The clients that have the document, and are sent what changes."""
        return self._subscribed

    @property
    def connection_count(self) -> int:
        """How many clients the session has."""
        return len(self.connections)

    @property
    def is_new(self) -> bool:
        """Whether no client has had the document yet."""
        return not self._first_pull_is_over

    def request_expiration(self) -> None:
        """Let the session end at the next check, whether or not its lifetime without clients is over."""
        self.expiration_requested = True

    def block_expiration(self) -> None:
        """Keep the session alive without clients, until as many `unblock_expiration` have come."""
        self._expiration_blocks += 1

    def unblock_expiration(self) -> None:
        """Take one `block_expiration` back."""
        self._expiration_blocks = max(0, self._expiration_blocks - 1)

    @property
    def expiration_blocked(self) -> bool:
        """Whether the application wants the session to live on without clients."""
        return self._expiration_blocks > 0

    def is_root(self, ident: str) -> bool:
        """Whether this is the id of one of the document's roots."""
        return not self.destroyed and patch.is_root(self.document, ident)

    def join(self, connection: Connection) -> list[Effect]:
        """A client has come: it is greeted with an ACK."""
        self.connections.append(connection)
        return [Send([connection], codec.ack())]

    def realign(self, connection: Connection, round_number: int = 0) -> list[Effect]:
        """A client that came back does not ask for its document: it may have been cut off in the middle of a message.

        Each round, counted from 0, allows for twice as many buffers as the one before.
        """
        stuck = self._cut_off and connection.from_browser and not connection.asked and connection in self.connections
        if not stuck:
            return []
        connection.realigned = True
        buffers = min((self._most_buffers + 1 << round_number) - 1, _MOST_MISSING_BUFFERS)
        return [Send([connection], codec.realignment(round_number, buffers))]

    def leave(self, connection: Connection, now_s: float) -> list[Effect]:
        """A client has gone; the application's ConnectionLost callbacks run."""
        if connection not in self.connections:
            return []
        self.connections.remove(connection)
        self._unsubscribe(connection)
        self.unused_since_s = now_s
        self._cut_off = self._cut_off or connection.maybe_cut_off
        if self.destroyed:
            return []
        return self.turn(lambda: self.document.notify_connection_lost(), "ConnectionLost")

    def receive(self, connection: Connection, message: Message) -> list[Effect]:
        """A message has come from this client."""
        connection.asked = connection.asked or message.msgtype == messages.PULL_DOC_REQ
        if self.destroyed:
            return [Close(connection, 1001, "the session has ended")]
        handle = _handlers.get(message.msgtype)
        if handle is None:
            return [Close(connection, 1002, f"a client may not send {message.msgtype}")]
        effects = self._handled(handle, connection, message)
        if self._cut_off and message.msgtype == messages.PATCH_DOC and not connection.realigned:
            # A browser that understands the ACK asks for the document before anything else: this one did not.
            effects += self.realign(connection)
        return effects

    def _handled(self, handle: Handler, connection: Connection, message: Message) -> list[Effect]:
        try:
            return handle(self, connection, message)
        except PeerError as error:
            log.warning("%s: refused a message from %s: %s", self.name, connection.remote or "a client", error)
            return [*self.flush(), Send([connection], codec.error(message.msgid, str(error)))]
        except FAULTS as error:
            # Most likely a value of the application's that cannot be written as JSON: the client must not wait for it.
            self.log_failure(f"answering a {message.msgtype}")
            return [*self.flush(), Send([connection], codec.error(message.msgid, self._describe(error)))]

    @property
    def name(self) -> LogName:
        """The session for the log: its application and the first characters of its id."""
        words = f"{self.application} session {self.id[:8]}…"
        return LogName(words, application=self.application, session=self.id)

    def run(self, callback: SessionCallback) -> list[Effect]:
        """A session callback is due."""
        if self.destroyed:
            return []
        return self.turn(callback.function, f"a {callback.timing.value} callback", locked=callback.locked)

    def turn(self, function: Callable[[], Any], name: str, *, locked: bool = True) -> list[Effect]:
        """Call `function`; its changes, and what it returned if that is to be awaited. What it raises is logged."""
        pending: list[Effect] = []
        self._in_turn = True
        try:
            with self.document.at_work():
                result = function()
            if inspect.isawaitable(result):
                pending.append(Await(result, locked, name))
        except FAULTS:
            self.log_failure(name)
        finally:
            self._in_turn = False
        return [*self.flush(), *pending]

    def log_failure(self, name: str) -> None:
        """Log the exception at hand, which the application's code raised in `name`; Ctrl-C is raised again."""
        error = sys.exc_info()[1]
        if error is not None and from_keyboard(error):
            raise error
        log.exception("%s: %s raised an exception; the session goes on", self.name, name)
        self.failed()

    def flush(self) -> list[Effect]:
        """The changes since the last turn, for whoever did not set them."""
        with self.document.changing:
            noted, self._patch = self._patch, None
            if noted is None:
                return []
            noted.close()
        effects: list[Effect] = []
        subscribed = self._subscribed
        setters = noted.setters()
        others = [connection for connection in subscribed if id(connection) not in setters]
        for receivers, without in [(others, None), *(([c], c) for c in subscribed if id(c) in setters)]:
            content = noted.content(without=without) if receivers else None
            if content is not None:
                self._most_buffers = max(self._most_buffers, len(content[1]))
                frames = codec.encode(messages.PATCH_DOC, content[0], buffers=content[1])
                effects.append(Send(receivers, frames, Role.CHANGES))
        return effects

    def show_notice(self, connection: Connection, html: str) -> list[Effect]:
        """Show something to the browser behind this connection, which is about to end, and again when it is back."""
        if not connection.from_browser:
            return []
        self._notice = html
        return [self._noticing(connection, html)] if connection in self._subscribed else []

    def _noticing(self, connection: Connection, html: str) -> Send:
        return Send([connection], codec.encode(messages.PATCH_DOC, added_notice(html)))

    def begin_end(self) -> None:
        """The session ends: no turn is taken any more, but its hooks may still read its document."""
        self._state = SessionState.ENDING

    def end(self) -> list[Effect]:
        """The session ends: its clients are told, its document is taken apart. The hooks have run already."""
        self._state = SessionState.ENDED
        effects: list[Effect] = [Close(connection, 1001, "the session has ended") for connection in self.connections]
        self.connections = []
        self._subscribed = []
        self._patch = None
        self.document.destroy()
        return effects

    def patched(self, event: DocumentEvent) -> None:
        """The document has changed (called by the document, in any thread)."""
        with self.document.changing:
            if not self._subscribed:
                self.prepared = None
                return
            if self._patch is None:
                self._patch = encoder.PatchEncoder(self.document)
                if not self._in_turn:
                    self.wake()
            self._patch.add(event)

    def _subscribe(self, connection: Connection) -> None:
        """Send this client every change from now on: it has a document to patch."""
        if connection in self.connections and connection not in self._subscribed:
            self._subscribed.append(connection)

    def _unsubscribe(self, connection: Connection) -> None:
        if connection in self._subscribed:
            self._subscribed.remove(connection)

    def expect_returning_page(self) -> None:
        """Take the next client for one that has pulled before, at an instance or a process that is no more.

        What that one sent last, and whether it arrived whole, is not known.
        """
        self._first_pull_is_over = True
        self._cut_off = True
        self._most_buffers = _UNKNOWN_BUFFERS

    def _pull(self, connection: Connection, message: Message) -> list[Effect]:
        # No thread may change the document between what goes to the others, the reply, and the first change after it.
        with self.document.changing:
            effects = self.flush()
            content, buffers = self._whole_document()
            self._subscribe(connection)
        self._most_buffers = max(self._most_buffers, len(buffers))
        reply = codec.encode(messages.PULL_DOC_REPLY, content, buffers=buffers, reqid=message.msgid)
        effects.append(Send([connection], reply, Role.STATE))
        if self._notice and connection.from_browser:
            effects.append(self._noticing(connection, self._notice))
            self._notice = ""
        return effects

    def _whole_document(self) -> tuple[bytes, list[codec.Buffer]]:
        # BokehJS 3.9 ignores the buffers of a document that it pulls again, so a returning client gets arrays inline.
        inline, self._first_pull_is_over = self._first_pull_is_over, True
        prepared, self.prepared = self.prepared, None
        if prepared is None or (inline and not prepared.inline):
            return encoder.encode_built(self.document, inline=inline)
        return prepared.content, prepared.buffers

    def _push(self, connection: Connection, message: Message) -> list[Effect]:
        effects = self.flush()
        self._unsubscribe(connection)  # it is not told of what it has pushed
        try:
            self._guarded(lambda: self._replace(message))
            effects += self.flush()
        finally:
            self._subscribe(connection)
        return [*effects, Send([connection], codec.ok(message.msgid), Role.STATE)]

    def _replace(self, message: Message) -> None:
        limit = self._limits.max_message_bytes
        patch.replace_document(self.document, message.content, message.buffers, max_bytes=limit)

    def _patch_document(self, connection: Connection, message: Message) -> list[Effect]:
        if message.discarded:
            return [Send([connection], codec.ok(message.msgid))]
        events = patch.read_events(
            self.document,
            message.content,
            message.buffers,
            setter=connection,
            max_bytes=self._limits.max_message_bytes,
        )
        failure = self._guarded(lambda: self._apply(events, connection))
        return [*self.flush(), Send([connection], self._answer(message, failure))]

    def _apply(self, events: Any, connection: Connection) -> str | None:
        """Apply each event; one that fails does not keep the next from being applied."""
        failure = None
        for event in events:
            try:
                patch.apply(self.document, event)
            except PeerError as error:
                log.warning("%s: refused a change from %s: %s", self.name, connection.remote or "a client", error)
                failure = failure or str(error)
            except FAULTS as error:
                self.log_failure("a change from the browser")
                failure = failure or self._describe(error)
        return failure

    def _guarded(self, function: Callable[[], Any]) -> str | None:
        """Run `function` as a turn of its own; a description of what went wrong, if anything."""
        self._in_turn = True
        try:
            with self.document.at_work():
                result: str | None = function()
                return result
        finally:
            self._in_turn = False

    def _describe(self, error: BaseException) -> str:
        if self._limits.show_tracebacks:
            return "".join(traceback.format_exception(error))
        return "the application raised an exception; see the server's log"

    def _answer(self, message: Message, failure: str | None) -> list[codec.Frame]:
        return codec.ok(message.msgid) if failure is None else codec.error(message.msgid, failure)

    def _server_info(self, connection: Connection, message: Message) -> list[Effect]:
        content = codec.dumps({"version_info": {**embedding.versions(), "server": __version__}})
        return [Send([connection], codec.encode(messages.SERVER_INFO_REPLY, content, reqid=message.msgid))]

    def _acknowledge(self, connection: Connection, message: Message) -> list[Effect]:
        return []


_handlers: dict[str, Handler] = {
    messages.PULL_DOC_REQ: Session._pull,
    messages.PATCH_DOC: Session._patch_document,
    messages.PUSH_DOC: Session._push,
    messages.SERVER_INFO_REQ: Session._server_info,
    messages.OK: Session._acknowledge,
    messages.ERROR: Session._acknowledge,
}

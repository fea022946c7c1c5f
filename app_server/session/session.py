"""A session: one document, its connections, and what each message and callback does to them.

Every public method is one turn. A turn runs the application's code, notes each change as it happens, and returns the
effects: who is sent what. All changes of a turn become one PATCH-DOC, which is encoded once for all connections but
those that set one of the changes themselves.

The document may also be changed between turns: after an `await`, from another session's code, in a thread.
Such changes are noted likewise, and the session's host is asked to `flush` it soon. Turns are taken in one thread;
changes come from any, one at a time under the document's lock (`document.changing`).
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from app_server.document.callbacks import DocumentEvent, SessionCallback
from app_server.document.encoding import patch
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument
from app_server.errors import PeerError, from_keyboard
from app_server.protocol import codec, messages
from app_server.protocol.messages import Message
from app_server.session.connection import Connection
from app_server.session.context import SessionContext
from app_server.session.effects import Await, Close, Effect, Role, Send, SessionHost
from app_server.session.expiration import Expiring, SessionState
from app_server.session.incoming import HANDLERS
from app_server.session.limits import FAULTS, MessageLimits
from app_server.session.naming import LogName
from app_server.session.notice import Notice
from app_server.session.realignment import Realignment
from app_server.session.whole_document import Prepared, WholeDocument

log = logging.getLogger(__name__)


class Session(Expiring):
    """A living document and the clients that look at it; it listens to its document."""

    def __init__(
        self,
        session_id: str,
        document: ServedDocument,
        context: SessionContext,
        limits: MessageLimits,
        host: SessionHost,
        *,
        application: str = "",
        now_s: float = 0.0,
        prepared: Prepared | None = None,
        recording: Recording | None = None,
    ) -> None:
        super().__init__(now_s)
        self.id = session_id
        self.document = document
        self.context = context
        self.application = application
        self.name = LogName(f"{application} session {session_id[:8]}…", application=application, session=session_id)
        self.connections: list[Connection] = []
        self._host = host
        self.limits = limits
        self._state = SessionState.LIVING
        self._subscribed: list[Connection] = []
        self._whole = WholeDocument(document, prepared)
        self._realignment = Realignment()
        self._notice = Notice()
        self._recording = recording
        self._patch: PatchEncoder | None = None
        self._in_turn = False
        document.listen(self)

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
        return not self._whole.was_pulled

    def is_root(self, ident: str) -> bool:
        """Whether this is the id of one of the document's roots."""
        return not self.destroyed and patch.is_root(self.document, ident)

    @property
    def prepared(self) -> Prepared | None:
        """The answer to the first pull, as long as it holds."""
        return self._whole.prepared

    def prepare(self) -> None:
        """Encode the document for the first pull; ApplicationError if no client could get it."""
        self._whole.prepare()

    def expect_returning_page(self) -> None:
        """Take the next client for one that has pulled before, from an instance or a process that has ended."""
        self._whole.expect_returning_page()
        self._realignment.expect_returning_page()

    # Clients come, go, and send messages.

    def join(self, connection: Connection) -> list[Effect]:
        """A client has come: it is sent an ACK."""
        self.connections.append(connection)
        return [Send([connection], codec.ack())]

    def realign(self, connection: Connection, round_number: int = 0) -> list[Effect]:
        """A client that came back does not ask for its document: it may have been cut off in the middle of a message.

        Each round, counted from 0, allows for twice as many buffers as the one before.
        """
        frames = self._realignment.frames(connection, round_number) if connection in self.connections else []
        if not frames:
            return []
        connection.note_realigned()
        return [Send([connection], frames)]

    def leave(self, connection: Connection, now_s: float) -> list[Effect]:
        """A client has gone; the application's ConnectionLost callbacks run."""
        if connection not in self.connections:
            return []
        self.connections.remove(connection)
        self.unsubscribe(connection)
        self.unused_since_s = now_s
        self._realignment.left(connection)
        if self.destroyed:
            return []
        return self.turn(self.document.notify_connection_lost, "ConnectionLost")

    def receive(self, connection: Connection, message: Message) -> list[Effect]:
        """A message has come from this client."""
        msgtype = message.msgtype
        if msgtype == messages.PULL_DOC_REQ:
            connection.note_asked()
        if self._state is not SessionState.LIVING:
            return [Close(connection, 1001, "the session has ended")]
        handle = HANDLERS.get(msgtype)
        if handle is None:
            return [Close(connection, 1002, f"a client may not send {msgtype}")]
        try:
            effects = handle(self, connection, message)
        except PeerError as error:
            log.warning("%s: refused a message from %s: %s", self.name, connection.remote or "a client", error)
            effects = [*self.flush(), Send([connection], codec.error(message.msgid, str(error)))]
        except FAULTS as error:
            # Most likely a value of the application's that cannot be written as JSON: the client must not wait for it.
            self.log_failure(f"answering a {msgtype}")
            effects = [*self.flush(), Send([connection], codec.error(message.msgid, self.limits.describe(error)))]
        if self._realignment.cut_off and msgtype == messages.PATCH_DOC and not connection.realigned:
            # A browser that understands the ACK asks for the document before anything else: this one did not.
            effects += self.realign(connection)
        return effects

    def show_notice(self, connection: Connection, html: str, *, again: bool = True) -> list[Effect]:
        """Show something to the browser behind this connection; `again` when it is back, if the connection ends."""
        return self._notice.show(connection, html, now=connection in self._subscribed, again=again)

    # The application's code runs.

    def run(self, callback: SessionCallback) -> list[Effect]:
        """A session callback is due."""
        if self._state is not SessionState.LIVING:
            return []
        return self.turn(callback.function, callback.timing.says, locked=callback.locked)

    def turn(self, function: Callable[[], Any], name: str, *, locked: bool = True) -> list[Effect]:
        """Call `function`; its changes, and what it returned if that is to be awaited. What it raises is logged."""
        pending: list[Effect] = []
        self._in_turn = True
        try:
            with self.document.at_work():
                result = function()
            if result is not None and inspect.isawaitable(result):
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
        log.exception("%s: %s raised an exception; the session continues", self.name, name)
        self._host.failed()

    # The document changes; it calls these three, from any thread.

    def patched(self, event: DocumentEvent) -> None:
        """Note a change, for the clients that have the document; the caller holds the document's lock."""
        if self._subscribed:
            if self._patch is None:
                self._patch = PatchEncoder(self.document)
                if not self._in_turn:
                    self._host.wake()
            self._patch.add(event)
        else:
            self._whole.changed()
        if self._recording is not None:
            self._recording.changed(event, sent=bool(self._subscribed))

    def callback_added(self, callback: SessionCallback) -> None:
        """The application has asked for a callback."""
        self._host.callback_added(callback)

    def callback_removed(self, ident: str) -> None:
        """The application has taken a callback back."""
        self._host.callback_removed(ident)

    def send_now(self) -> None:
        """Send what has changed so far in the middle of a callback, such as one that shows its progress."""
        self._host.send_now()

    def flush(self) -> list[Effect]:
        """The changes since the last turn, for all clients but those that set them."""
        with self.document.changing:
            noted, self._patch = self._patch, None
            if noted is None:
                return []
            noted.close()
            if self._recording is not None:
                self._recording.sent(noted)
        effects: list[Effect] = []
        subscribed, setters = self._subscribed, noted.setters
        others = [connection for connection in subscribed if id(connection) not in setters]
        own = [([connection], connection) for connection in subscribed if id(connection) in setters]
        for receivers, without in [(others, None), *own]:
            for content, buffers in noted.contents(without=without) if receivers else ():
                if buffers:
                    self._realignment.sent(len(buffers))
                frames = codec.encode(messages.PATCH_DOC, content, buffers=buffers)
                effects.append(Send(receivers, frames, Role.CHANGES))
        return effects

    # The session ends.

    def begin_end(self) -> None:
        """Take no more turns; the hooks of the session's end may still read its document."""
        self._state = SessionState.ENDING

    def end(self) -> list[Effect]:
        """Close all connections and take the document apart. The hooks have run already."""
        self._state = SessionState.ENDED
        effects: list[Effect] = [Close(connection, 1001, "the session has ended") for connection in self.connections]
        self.connections, self._subscribed, self._patch = [], [], None
        self.document.destroy()
        return effects

    # What a message may do, beside its turn.

    def apply(self, change: Callable[[], str | None]) -> str | None:
        """What `change` returns; it may run the application's code, and changes of the document are the turn's."""
        self._in_turn = True
        try:
            with self.document.at_work():
                return change()
        finally:
            self._in_turn = False

    def subscribe(self, connection: Connection) -> None:
        """Send this client every change from now on: it has a document to patch."""
        if connection in self.connections and connection not in self._subscribed:
            self._subscribed.append(connection)
            if self._recording is not None:
                self._recording.viewed()

    def unsubscribe(self, connection: Connection) -> None:
        """Send this client no changes for now."""
        if connection in self._subscribed:
            self._subscribed.remove(connection)

    def pull(self, connection: Connection, msgid: str) -> list[Effect]:
        """Send this client the whole document, in answer to this message, and every change from now on."""
        # No thread may change the document between what goes to the others, the reply, and the first change after it.
        with self.document.changing:
            effects = self.flush()
            content, buffers = self._whole.pull()
            self.subscribe(connection)
        self._realignment.sent(len(buffers))
        reply = codec.encode(messages.PULL_DOC_REPLY, content, buffers=buffers, reqid=msgid)
        return [*effects, Send([connection], reply, Role.STATE), *self._notice.show_again(connection)]

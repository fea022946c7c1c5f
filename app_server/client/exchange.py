"""What messages mean to a session: which answer belongs to which request, and how the document changes.

It uses no sockets, threads or clocks: both kinds of session are shells around it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app_server.client.errors import ClientError, ProtocolViolation, RequestFailed
from app_server.document.remote import Mirror
from app_server.errors import PeerError
from app_server.protocol import codec, messages
from app_server.protocol.codec import Buffer, Frame
from app_server.protocol.messages import Message

log = logging.getLogger(__name__)

Answer = Message | ClientError


class Exchange:
    """The messages of one connection; `where` is the application's address for errors."""

    def __init__(self, where: str, send: Callable[[list[Frame]], None]) -> None:
        self._where = where
        self._send = send
        self._mirror: Mirror | None = None
        # Whether both ends have had the same document; if so, the server's changes apply to the mirror.
        self._loaded = self._loaded_before = False
        self._asked: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}
        self._changes: set[str] = set()
        self._failures: list[RequestFailed] = []

    def pull(self, mirror: Mirror) -> str:
        """Ask for the document, for this mirror; the request's id."""
        self._take(mirror)
        return self.ask(messages.PULL_DOC_REQ)

    def push(self, mirror: Mirror) -> str:
        """Send the document of this mirror; the request's id. Later changes are sent after it."""
        self._take(mirror)
        content, buffers = mirror.whole()
        mirror.listen()
        # Patches before the answer are for the document that this one replaces.
        self._loaded_before, self._loaded = self._loaded, False
        return self.ask(messages.PUSH_DOC, content, buffers)

    def _take(self, mirror: Mirror) -> None:
        if mirror is not self._mirror:
            self._mirror, self._loaded = mirror, False

    def ask(self, msgtype: str, content: bytes = codec.EMPTY_OBJECT, buffers: Sequence[Buffer] = ()) -> str:
        """Send a request; the id by which `answer` finds its answer."""
        ident = self._sent(msgtype, content, buffers)
        self._asked[ident] = msgtype
        return ident

    def change(self, content: bytes, buffers: Sequence[Buffer]) -> None:
        """Send a PATCH-DOC. Its answer is not awaited; an ERROR is kept for `check`."""
        self._changes.add(self._sent(messages.PATCH_DOC, content, buffers))

    def _sent(self, msgtype: str, content: bytes, buffers: Sequence[Buffer]) -> str:
        frames = codec.encode(msgtype, content, buffers=buffers)
        ident: str = codec.loads(frames[0][1])["msgid"]
        self._send(frames)
        return ident

    def answered(self, ident: str) -> bool:
        """Whether the answer to this request has come."""
        return ident in self._answers

    def answer(self, ident: str) -> Message:
        """The answer to this request, once; RequestFailed if it was an ERROR."""
        answer = self._answers.pop(ident)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    def abandon(self, ident: str) -> None:
        """Forget this request: its answer is no longer awaited."""
        self._asked.pop(ident, None)
        self._answers.pop(ident, None)

    def check(self) -> None:
        """Raise the first RequestFailed of a change that was sent before; the others are in the log."""
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def receive(self, message: Message) -> None:
        """Handle a message. Exceptions of the program's callbacks are raised, and so is ProtocolViolation."""
        if message.msgtype == messages.PATCH_DOC:
            self._patch(message)
        elif message.reqid in self._changes:
            self._changes.discard(message.reqid)
            if message.msgtype == messages.ERROR:
                self._note_failure(message)
        elif message.reqid in self._asked:
            self._answers[message.reqid] = self._read(self._asked.pop(message.reqid), message)
        else:
            log.debug("%s: ignoring an unexpected message %s", self._where, message.msgtype)

    def finish(self, message: Message) -> None:
        """Handle a message that came while the session was closed: only a failure still matters, for the log."""
        if message.reqid in self._changes and message.msgtype == messages.ERROR:
            self._note_failure(message)

    def _patch(self, message: Message) -> None:
        # Before the document is pulled, ignore its patches: the pulled document includes them.
        if self._mirror is None or not self._loaded:
            return
        try:
            self._mirror.apply(message.content, message.buffers)
        except PeerError as error:
            raise self._violation(error) from error

    def _note_failure(self, message: Message) -> None:
        failure = self._failed("a change of the document was not carried out", message.content)
        log.error("%s", failure)
        self._failures.append(failure)

    def _read(self, asked: str, message: Message) -> Answer:
        failed = message.msgtype == messages.ERROR
        mirror = self._mirror
        # At once, not when the program reads the answer: the next message may be a patch of this document.
        if mirror is not None and asked == messages.PUSH_DOC:
            self._loaded = self._loaded_before or not failed
        if failed:
            return self._failed(f"{asked} was not carried out", message.content)
        if mirror is not None and message.msgtype == messages.PULL_DOC_REPLY:
            try:
                mirror.replace(message.content, message.buffers)
            except PeerError as error:
                return self._violation(error)
            self._loaded = True
            mirror.listen()
        return message

    def _failed(self, what: str, content: Mapping[str, Any]) -> RequestFailed:
        text, traceback = content.get("text"), content.get("traceback")
        return RequestFailed(
            f"{what}: {text}", traceback=traceback if isinstance(traceback, str) else None, where=self._where
        )

    def _violation(self, error: PeerError) -> ProtocolViolation:
        return ProtocolViolation(error.what, where=self._where, hint=error.hint)

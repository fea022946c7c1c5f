"""What a session makes of messages: which answer belongs to which request, and what becomes of the document.

It knows no socket, no thread and no clock: both kinds of session are shells around it.
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
        """Send the document of this mirror; the request's id. What is changed from now on is sent after it."""
        self._take(mirror)
        content, buffers = mirror.whole()
        mirror.listen()
        # What comes before the answer is about the document that this one takes the place of.
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
        """Send a PATCH-DOC. Nobody waits for its answer; an ERROR is kept for `check`."""
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
        """The answer to this request, once; RequestFailed where it was an ERROR."""
        answer = self._answers.pop(ident)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    def abandon(self, ident: str) -> None:
        """Nobody waits for the answer to this request any more."""
        self._asked.pop(ident, None)
        self._answers.pop(ident, None)

    def check(self) -> None:
        """Raise the first RequestFailed of a change that was sent before; the others are in the log."""
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def receive(self, message: Message) -> None:
        """Take note of a message. What callbacks of the program's raise comes through; so does ProtocolViolation."""
        if message.msgtype == messages.PATCH_DOC:
            self._patch(message)
        elif message.reqid in self._changes:
            self._changes.discard(message.reqid)
            if message.msgtype == messages.ERROR:
                self._note_failure(message)
        elif message.reqid in self._asked:
            self._answers[message.reqid] = self._read(self._asked.pop(message.reqid), message)
        else:
            log.debug("%s: nobody waits for a message %s", self._where, message.msgtype)

    def finish(self, message: Message) -> None:
        """Take note of a message that came while the session was closed: only a failure still matters, for the log."""
        if message.reqid in self._changes and message.msgtype == messages.ERROR:
            self._note_failure(message)

    def _patch(self, message: Message) -> None:
        # Before the document is pulled, its patches belong to nothing: it will come with them.
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
        # At once, and not when somebody looks at the answer: the next message may be a patch of this document.
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

"""A client whose page is recorded for `app-server load --play`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from app_server.engine.runtime import ApplicationRuntime
from app_server.load.recording.recorder import Recorder
from app_server.load.recording.writing import write
from app_server.protocol.messages import PATCH_DOC, Message
from app_server.protocol.websocket import Payload
from app_server.requests.socket_client import REALIGN_AFTER_S, Client
from app_server.requests.state.server_state import ServerState
from app_server.session.session import Session
from app_server.websocket.owner import ClientSocket
from app_server.websocket.wire import Wire

log = logging.getLogger(__name__)


class RecordedWire(Wire):
    """A wire that also shows what is sent to someone else."""

    def __init__(self, show: Callable[[Sequence[Payload]], None], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._show = show

    def write(self, chunks: Sequence[Payload]) -> None:
        """Send these bytes after those that are queued."""
        self._show(chunks)
        super().write(chunks)


class RecordedClient(Client):
    """One connected client, whose messages are written to a file when it leaves."""

    def __init__(self, runtime: ApplicationRuntime, remote: str, from_browser: bool) -> None:
        super().__init__(runtime, remote, from_browser)
        self._recorder: Recorder | None = Recorder(runtime.url, time.monotonic)
        self._where = ""

    def open(
        self,
        opened: ClientSocket,
        session: Session,
        state: ServerState,
        realign_after_s: float = REALIGN_AFTER_S,
    ) -> None:
        """Take the opened socket, and record from now on."""
        self._where = state.settings.record or ""
        super().open(opened, session, state, realign_after_s)

    def new_wire(self, *args: Any, **kwargs: Any) -> Wire:
        """A wire that shows the recorder what is sent."""
        return RecordedWire(self._sent, *args, **kwargs)

    def _sent(self, chunks: Sequence[Payload]) -> None:
        recorder = self._recorder
        if recorder is not None:
            self._carefully(lambda: recorder.sent(chunks))

    def _pass_on(self, message: Message) -> None:
        recorder = self._recorder
        if recorder is not None and message.msgtype == PATCH_DOC and not message.discarded:
            events = message.content.get("events", ())
            self._carefully(lambda: recorder.received(events, has_buffers=bool(message.buffers)))
        super()._pass_on(message)

    def _carefully(self, note: Callable[[], None]) -> None:
        """Note something; whatever goes wrong with that, the client is served, and its recording is given up."""
        try:
            note()
        except Exception:
            log.exception("%s: this page is not recorded any further", self.session.name)
            self._recorder = None

    def wire_closed(self, code: int, reason: str) -> None:
        """The connection is over: write what was recorded."""
        recording = None if self._recorder is None else self._recorder.finish()
        if recording is not None:
            write(recording, self._where)
        super().wire_closed(code, reason)

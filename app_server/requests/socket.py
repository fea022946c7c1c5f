"""The WebSocket at `<application>/ws`: from the handshake to a client of a session."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import HTTPError

from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import PeerError, TooLargeError
from app_server.observe import logs
from app_server.protocol import websocket
from app_server.protocol.deflate import Deflate, negotiate_deflate
from app_server.protocol.handshake import VERSION, Fault, fault_of
from app_server.protocol.messages import Message
from app_server.protocol.receiver import Receiver
from app_server.requests.application_handler import ApplicationHandler, Wanted
from app_server.requests.ended_page import too_large
from app_server.security.admission import Full
from app_server.session.connection import Connection
from app_server.session.session import Session
from app_server.websocket.take_over import take_over
from app_server.websocket.wire import Wire

log = logging.getLogger(__name__)

_REALIGN_AFTER_S = 1.0
"""When a returning client that has not asked for its document may be stuck. BokehJS asks at once. A page that is only
busy is not harmed: what it is sent leaves it as it is."""

_REALIGN_ROUNDS = 8
"""Each one waits twice as long as the one before: the last comes after two minutes."""

_CUT_OFF_WITHIN_S = 60.0
"""What was sent longer ago than this had come whole, or the connection would have been given up before."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a valid opening request asks for (RFC 6455, section 4.2.1, and the protocol's two subprotocols)."""

    key: str
    token: str


class SocketHandler(ApplicationHandler):
    """Opens a connection to a session, which is built if it is not there."""

    opens_sessions = True

    def named_session(self) -> str | None:
        """The session of the token among the subprotocols."""
        return self._session_id_hint(self._offered())

    def wanted_session(self) -> Wanted | None:
        """The session of the token; None where the handshake is refused."""
        handshake = self._check_handshake()
        if handshake is None:
            return None
        try:
            return self._wanted_by(handshake.token)
        except PeerError:
            return None

    @property
    def belongs_elsewhere(self) -> bool:
        """Whether another process may have to answer: what opens no WebSocket is refused by the first one."""
        return super().belongs_elsewhere and self._fault() is None

    def _fault(self) -> Fault | None:
        return fault_of(self.request.method or "", self.request.version, self.request.headers)

    def _offered(self) -> list[str]:
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        return [part.strip() for part in offered if part.strip()]

    async def get(self, *captured: str) -> None:
        """Answer the opening handshake and hand the socket to its session."""
        handshake = self._check_handshake()
        if handshake is None:
            return
        deflate = self._upgrade(handshake)
        stream = self.detach()
        try:
            await self._serve(stream, handshake, deflate)
        except (StreamClosedError, OSError):
            log.debug("%s: a client went away during the handshake", self.runtime.name)

    def _check_handshake(self) -> Handshake | None:
        headers = self.request.headers
        offered = self._offered()
        fault = self._fault()
        if fault is Fault.OTHER_VERSION:
            self.set_header("Sec-WebSocket-Version", VERSION)
            self.refuse(426, fault.value)
        elif fault is not None:
            self.refuse(400, fault.value, "Open the application's page instead.")
        elif not self.state.policy.origins.allows(headers.get("Origin")):
            self.state.process.report_refused_origin(headers.get("Origin"))
            self.refusal = "origin"
            self.refuse(403, "This page's origin may not open a session here")
        elif self.state.process.draining and not self._lives(self._session_id_hint(offered) or ""):
            self.refuse(503, "The server is going away")
        elif len(offered) != 2 or offered[0] != "bokeh":
            self.refusal = "malformed"
            self.refuse(403, "The subprotocols must be bokeh and a token")
        elif not self._may_join(offered[1]):
            self.log_refusal("%s: refused %s the session of another user", self.runtime.name, self.request.remote_ip)
            self.refusal = "owner"
            self.refuse(403, "This session belongs to somebody else")
        elif (full := self._fullness(self._session_id_hint(offered))) is not None:
            self.refuse_full(full)
        else:
            return Handshake(headers["Sec-WebSocket-Key"], offered[1])
        return None

    def _lives(self, session_id: str) -> bool:
        session_processes = self.state.process.session_processes
        if (
            session_processes is not None
            and self.runtime.isolated
            and session_processes.socket_path(self.runtime.url, session_id).exists()
        ):
            return True
        return self.runtime.registry.get(session_id) is not None

    def _fullness(self, session_id: str | None) -> Full | None:
        """Why this session, which is not there, cannot be built now."""
        try:
            self.runtime.check_admission(session_id or "", self.address)
        except Full as full:
            return full
        return None

    def _may_join(self, text: str) -> bool:
        """Whether the token's session is that of whoever asks, or yet to be built."""
        if self.state.policy.auth.open:
            return True
        try:
            token = self.state.policy.read_token(text)
        except PeerError:
            return True  # which is answered in the protocol's own terms
        living = self.runtime.registry.get(token.session_id)
        return self.may_use(token) and (living is None or self.owns(living))

    def _session_id_hint(self, offered: list[str]) -> str | None:
        return self.session_of(offered[1]) if len(offered) == 2 else None

    def _upgrade(self, handshake: Handshake) -> Deflate | None:
        settings = self.state.settings
        deflate = None
        if settings.websocket_compression_level is not None:
            offer = negotiate_deflate(self.request.headers.get("Sec-WebSocket-Extensions", ""))
            if offer is not None:
                deflate = Deflate(settings.websocket_compression_level, settings.websocket_compression_mem_level or 8)
                self.set_header("Sec-WebSocket-Extensions", offer.answer)
        self.set_status(101)
        self.clear_header("Content-Type")
        self.set_header("Upgrade", "websocket")
        self.set_header("Connection", "Upgrade")
        self.set_header("Sec-WebSocket-Accept", websocket.accept_key(handshake.key))
        self.set_header("Sec-WebSocket-Protocol", "bokeh")
        self.finish()
        return deflate

    async def _serve(self, stream: IOStream, handshake: Handshake, deflate: Deflate | None) -> None:
        client = Client(self.runtime, self.request.remote_ip or "", "Origin" in self.request.headers)
        try:
            token = self.state.policy.read_token(handshake.token)
            if self.runtime.registry.get(token.session_id) is None and not self.state.process.may_build(token):
                raise PeerError("the token has expired; load the page again", close_code=1008)
            was_there = self.runtime.registry.get(token.session_id) is not None
            session = await self.session_for(token)
            if not was_there:
                # Its page was not made here: it has come from an instance that died, or from before a restart.
                session.expect_returning_page()
        except PeerError as error:
            log.warning("%s: refused a token from %s: %s", self.runtime.name, client.connection.remote, error)
            self.runtime.gauges.refused["token"] += 1
            refusal = error.close_code, error.what
        except HTTPError as error:
            self.runtime.gauges.refused["owner"] += 1
            refusal = 1008, error.reason or ""
        except Full as full:  # others came between the handshake and now
            self.log_full(full)
            self.runtime.gauges.refused[full.reason] += 1
            refusal = 1013, full.what
        except Exception:
            log.exception("%s: the session could not be built", self.runtime.name)
            self.runtime.gauges.refused["failed"] += 1
            refusal = 1011, "the application failed to start; see the server's log"
        else:
            if not stream.closed():
                logs.request_id.set("")  # what comes from now on is not that request's any more
                client.open(stream, session, deflate, self)
            return
        await stream.write(b"".join(websocket.serialize([(websocket.CLOSE, websocket.close_payload(*refusal))])))
        stream.close()


def _told(error: PeerError) -> str:
    """What a client did wrong; where it sent too much, how that is allowed."""
    if error.close_code != 1009:
        return f"it broke the protocol: {error}"
    what = error.what
    if isinstance(error, TooLargeError):
        what = f"a message of {error.size} is larger than {error.limit:,} bytes"
    return f"{what}. To accept larger messages, such as uploads, raise --websocket-max-message-size"


class Client:
    """One connected client: its wire on one side, its session on the other."""

    def __init__(self, runtime: ApplicationRuntime, remote: str, from_browser: bool) -> None:
        self.runtime = runtime
        self.connection = Connection(runtime.next_connection_number(), remote, from_browser)

    def open(self, stream: IOStream, session: Session, deflate: Deflate | None, handler: ApplicationHandler) -> None:
        """Take the socket over from Tornado, greet the client and begin to read."""
        limits = handler.state.policy.wire_limits
        self.session = session
        self._max_message_bytes = limits.max_message_bytes
        self._receiver = Receiver(limits.max_message_bytes, session.is_root)
        sock, left_over = take_over(stream)
        self.wire = Wire(sock, self, limits, deflate=deflate, traffic=self.runtime.gauges)
        self._wires = handler.state.process.wires
        self._wires.add(self.wire)
        self.runtime.connect(session, self.connection, self.wire)
        self.wire.start(left_over)
        if self.connection.from_browser:
            IOLoop.current().call_later(_REALIGN_AFTER_S, self._realign, 0)

    def _realign(self, round_number: int) -> None:
        """Help a receiver that may be stuck, one round after the other, until the client asks for its document."""
        if self.connection.asked or self.wire.closed or round_number == _REALIGN_ROUNDS:
            return
        self.runtime.realign(self.session, self.connection, round_number)
        IOLoop.current().call_later(_REALIGN_AFTER_S * 2**round_number, self._realign, round_number + 1)

    def frame_received(self, opcode: int, payload: bytes) -> None:
        """A frame has come; PeerError where it does not fit."""
        message = self._receiver.feed(opcode, payload)
        if message is not None:
            self._pass_on(message)

    def _pass_on(self, message: Message) -> None:
        try:
            self.runtime.receive(self.session, self.connection, message, self.wire.last_heard_s)
        except Exception:
            log.exception("%s: a message could not be handled; this is a fault of the server", self.session.name)
            self.wire.close(1011, "a fault of the server; see its log")

    def frame_discarded(self) -> None:
        """A frame that was too large, and that nobody needs, has gone by."""
        message = self._receiver.discard()
        if message is not None:
            self._pass_on(message)

    def may_discard(self, opcode: int, prefix: bytes) -> bool:
        """Whether a frame that is too large may go by rather than end the connection."""
        return self._receiver.may_discard(opcode, prefix)

    def refused(self, error: PeerError) -> None:
        """The client has sent what ends its connection."""
        log.warning("%s: closing the connection from %s: %s", self.session.name, self.connection.remote, _told(error))
        if error.close_code == 1009:
            self.runtime.show_notice(self.session, self.connection, too_large(self._max_message_bytes))

    def wire_caught_up(self) -> None:
        """The client has read what it was sent."""
        self.runtime.caught_up(self.session, self.connection)

    def wire_closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        self._wires.discard(self.wire)
        self.connection.note_lost(maybe_cut_off=time.monotonic() - self.wire.last_sent_s < _CUT_OFF_WITHIN_S)
        log.debug("%s: a connection closed: %d %s", self.session.name, code, reason)
        self.runtime.disconnect(self.session, self.connection)

"""The WebSocket at `<application>/ws`: from the handshake to a client of a session."""

from __future__ import annotations

import logging

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from app_server.errors import PeerError
from app_server.observe import logs
from app_server.protocol import websocket
from app_server.protocol.deflate import Deflate, negotiate_deflate
from app_server.protocol.handshake import BOKEH, VERSION, WITH_DOCUMENT, Fault, fault_of
from app_server.requests.application_handler import NOT_YOURS, ApplicationHandler
from app_server.requests.dispatch.opening import Opening, read_token_opening
from app_server.requests.recorded_client import RecordedClient
from app_server.requests.socket_client import REALIGN_AFTER_S, Client, realign_after_s
from app_server.security.admission import Full
from app_server.security.tokens import Token
from app_server.session.session import Session
from app_server.websocket.owner import ClientSocket

log = logging.getLogger(__name__)


class SocketHandler(ApplicationHandler):
    """Opens a connection to a session, which is built if it is not there."""

    opens_sessions = True
    renews_login = False
    fault: Fault | None = None
    """Why the request is not a WebSocket handshake."""
    answers_as_bokeh = False
    """Whether the client has asked for the subprotocol of bokeh, with a token."""
    answers_with_document = False
    """Whether it is sent the document at once, as the script of a page asks before BokehJS is there."""

    def read_opening(self) -> Opening | None:
        """The session of the token among the subprotocols; None for what is not a handshake, which is refused here."""
        headers = self.request.headers
        self.fault = fault_of(self.request.method or "", self.request.version, headers)
        if self.fault is not None:
            return None
        offered = [part.strip() for part in headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()]
        self.answers_with_document = offered[2:] == [WITH_DOCUMENT]
        if self.answers_with_document:
            offered.pop()
        self.answers_as_bokeh = len(offered) == 2 and offered[0] == BOKEH
        if len(offered) != 2:
            return Opening(refusal="The subprotocols must be bokeh and a token")
        return read_token_opening(self.state, offered[1])

    def may_have_session(self) -> bool:
        """Whether the handshake is right and its token verified; what the handshake lacks is refused at once."""
        return self._accepts(self._living()) and self.opening is not None and self.opening.token is not None

    async def get(self, *captured: str) -> None:
        """Answer the opening handshake and hand the socket to its session."""
        living = self._living()
        if not self._accepts(living):
            return
        deflate = self._upgrade()
        opened = self.state.transport.new_socket(self.detach(), deflate)
        try:
            await self._serve(opened, living)
        except (StreamClosedError, OSError):
            log.debug("%s: a client went away during the handshake", self.runtime.name)

    def _living(self) -> Session | None:
        """The session that the handshake is for, if it is here."""
        opening = self.opening
        return None if opening is None else self.runtime.registry.get(opening.session_id or "")

    def _accepts(self, living: Session | None) -> bool:
        """Whether the handshake is accepted, for this session if that is here; otherwise it was refused."""
        if self._finished:
            return False
        origin, opening = self.request.headers.get("Origin"), self.opening
        if self.fault is Fault.OTHER_VERSION:
            self.set_header("Sec-WebSocket-Version", VERSION)
            self.refuse(426, self.fault.value)
        elif self.fault is not None or opening is None:
            self.refuse(400, (self.fault or Fault.NOT_A_HANDSHAKE).value, "Open the application's page instead.")
        elif not self.state.policy.origins.allows(origin, self.request.host):
            self.state.process.report_refused_origin(origin)
            self._refuse_because("origin", "This page's origin may not open a session here")
        elif self.state.process.draining and living is None and not self._has_a_process(opening):
            self.refuse(503, "The server is going away")
        elif not self.answers_as_bokeh:
            self._refuse_because("malformed", "The subprotocols must be bokeh and a token")
        elif not self._may_join(opening.token, living):
            self.log_refusal("%s: refused %s the session of another user", self.runtime.name, self.request.remote_ip)
            self._refuse_because("owner", NOT_YOURS)
        elif living is None:
            try:
                self.runtime.check_admission(opening.session_id or "", self.address, self.owner)
            except Full as full:
                self.refuse_full(full)
        return not self._finished

    def _refuse_because(self, refusal: str, headline: str) -> None:
        self.refusal = refusal
        self.refuse(403, headline)

    def _has_a_process(self, opening: Opening) -> bool:
        """Whether the session lives in a process of its own."""
        processes = self.session_processes
        return processes is not None and processes.socket_path(self.runtime.url, opening.session_id or "").exists()

    def _may_join(self, token: Token | None, living: Session | None) -> bool:
        """Whether the token's session is that of this request's user, or yet to be built."""
        if token is None or self.state.policy.auth.open:
            return True  # a token that is not ours is answered in the protocol's own terms
        return self.may_use(token) and (living is None or self.owns(living))

    def _upgrade(self) -> Deflate | None:
        settings, headers = self.state.policy.settings, self.request.headers
        deflate = None
        if settings.websocket_compression_level is not None:
            offer = negotiate_deflate(headers.get("Sec-WebSocket-Extensions", ""))
            if offer is not None:
                deflate = Deflate(settings.websocket_compression_level, settings.websocket_compression_mem_level or 8)
                self.set_header("Sec-WebSocket-Extensions", offer.answer)
        self.set_status(101)
        self.clear_header("Content-Type")
        self.set_header("Upgrade", "websocket")
        self.set_header("Connection", "Upgrade")
        self.set_header("Sec-WebSocket-Accept", websocket.accept_key(headers["Sec-WebSocket-Key"]))
        self.set_header("Sec-WebSocket-Protocol", WITH_DOCUMENT if self.answers_with_document else BOKEH)
        self.finish()
        return deflate

    async def _serve(self, opened: ClientSocket, living: Session | None) -> None:
        """Let the client join its session, which is built if it is not here; a refusal is a Close frame now."""
        new_client = Client if self.state.policy.settings.record is None else RecordedClient
        client = new_client(self.runtime, self.address, "Origin" in self.request.headers)
        refused = self.runtime.gauges.refused
        try:
            session = living if living is not None else await self._built_session()
        except PeerError as error:
            log.warning("%s: refused a token from %s: %s", self.runtime.name, client.connection.remote, error)
            refused["token"] += 1
            refusal = error.close_code, error.what
        except HTTPError as error:
            refused["owner"] += 1
            refusal = 1008, error.reason or ""
        except Full as full:  # others came between the handshake and now
            self.log_full(full)
            refused[full.reason] += 1
            refusal = 1013, full.what
        except Exception:
            log.exception("%s: the session could not be built", self.runtime.name)
            refused["failed"] += 1
            refusal = 1011, "the application failed to start; see the server's log"
        else:
            logs.request_id.set("")  # what comes from now on is not part of that request
            client.open(opened, session, self.state, REALIGN_AFTER_S if living is not None else self._realign_after_s())
            if self.answers_with_document:
                client.ask_for_document()
            return
        await opened.refuse(*refusal)

    def _realign_after_s(self) -> float:
        """When a client may be stuck that has not asked for its document, and whose session was not here."""
        token = None if self.opening is None else self.opening.token
        if token is None:
            return REALIGN_AFTER_S
        return realign_after_s(self.state.policy.token_expiry_s() - token.expires_at)

    async def _built_session(self) -> Session:
        """The session of the token, which was not here when the handshake came."""
        opening = self.opening
        assert opening is not None
        if opening.token is None:
            raise opening.error or PeerError(opening.refusal, close_code=1008)
        session, was_there = await self.session_of(opening.token, may_build=opening.may_build)
        if not was_there:
            # Its page was not made here: it has come from an instance that died, or from before a restart.
            session.expect_returning_page()
        return session

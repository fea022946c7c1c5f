"""The page of an application."""

from __future__ import annotations

from app_server.errors import ApplicationError
from app_server.load import permission
from app_server.page import busy_page
from app_server.processes.session_processes import SessionProcesses
from app_server.requests.application_handler import ApplicationHandler
from app_server.security.admission import Full
from app_server.session.session import Session
from app_server.settings import EXTERNAL_IDS


class PageHandler(ApplicationHandler):
    """An application's page: each visit has a session of its own."""

    shows_pages = True
    opens_sessions = True

    async def answer_for_all(self, session_processes: SessionProcesses) -> bool:
        """Whether the request was answered with the page of every new session, which begins when its socket comes."""
        if self.runtime.application.placeholder is not None:
            return False
        page = session_processes.page(self.runtime.url)
        external = self.state.settings.session_ids in EXTERNAL_IDS
        if page is None or self.state.process.draining or external or self.names_a_session:
            return False
        try:
            self.state.process.check_maintenance()
            await self.runtime.admission.check_everywhere(self.address, self.owner)
        except Full as full:
            self.refuse_full(full)
            return True
        policy = self.state.policy
        payload = self.visible_request().payload()
        session_id = self.state.mint_session_id()
        token = policy.mint_token(session_id, policy.token_expiry_s(), payload, self.current_user)
        self._page_headers()
        self.finish(token.encode("ascii").join(page))
        return True

    async def head(self, *captured: str) -> None:
        """Say that the page is there, without a session."""
        self._page_headers()
        self.finish()

    async def get(self, *captured: str) -> None:
        """The page of a new session, or of the one that is asked for."""
        if self.state.process.draining:
            self._come_again(2)
            return
        try:
            session, token = await self.open_session()
            placeholder = self.runtime.application.placeholder
            if placeholder is not None and not self.names_a_session:
                session.document.template = placeholder  # type: ignore[assignment]  # a text is as good
            html = self._render(session, token)
        except ApplicationError as error:
            self.refuse_application(error)
            return
        except Full as full:
            self.refuse_full(full)
            return
        self._page_headers()
        self.finish(html)

    def refuse_full(self, full: Full) -> None:
        """Answer with a page that asks again by itself."""
        self.log_full(full)
        detail = f"{full.sentence}. This page tries again by itself."
        self._come_again(full.retry_after_s, full.headline, detail)

    def _come_again(self, retry_after_s: int, *words: str) -> None:
        """Answer with a page that asks again by itself; a balancer may try another instance at once."""
        self.set_status(503)
        self.set_header("Retry-After", str(retry_after_s))
        self._page_headers()
        headline, detail = words or ("One moment, please", "")
        self.finish(busy_page(retry_after_s, headline=headline, detail=detail))

    def _render(self, session: Session, token: str) -> str | bytes:
        state, placeholder, prepared = self.state, self.runtime.application.placeholder, session.prepared
        if prepared is not None and prepared.page and placeholder is None:
            return token.encode("ascii").join(prepared.page)
        with self.blamed(), session.document.at_work():
            page = self.runtime.guest.render_page(
                session.document,
                token,
                state.pages.bundles,
                state.pages.root_url,
                app_path=state.policy.socket_path(self.url),
                head=state.pages.head,
                encoded=None if prepared is None else prepared.content,
            )
        self.rendered(session)
        return page

    def _page_headers(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.forbid_caching()  # the page carries a token, which is as good as the session itself
        self.set_header("Referrer-Policy", "same-origin")
        if self.state.settings.allow_load_tests:
            self.set_header(permission.HEADER, permission.ALLOWED)

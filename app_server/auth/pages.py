"""What the pages for logging in and out share, and the page for logging out."""

from __future__ import annotations

from app_server.auth.cookie import CookieBackend
from app_server.page import logged_out_page, login_security_policy
from app_server.requests.handler import Handler
from app_server.requests.logging_out import end_sessions
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.next_page import safe_next


class LoginPages(Handler):
    """What the login and logout pages share."""

    auth: CookieBackend
    max_body_bytes = 64 * 1024
    """In bytes: a name, a password, and the page to go on to."""

    def initialize(self, state: ServerState, auth: CookieBackend) -> None:  # type: ignore[override]
        """Called by Tornado with what the route carries."""
        super().initialize(state)
        self.auth = auth

    def check_xsrf_cookie(self) -> None:
        """These pages check a token of their own, whether or not --enable-xsrf-cookies is given."""

    def next_page(self) -> str:
        """The page to go on to; never one of another site."""
        return safe_next(self.get_argument("next", None), self.auth.prefix)

    def show(self, html: str, status: int = 200) -> None:
        """Answer with one of our pages, which is not cached."""
        self.set_status(status)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Content-Security-Policy", login_security_policy())
        self.finish_html(html)

    @property
    def icon(self) -> str:
        """The address of the server's icon."""
        return f"{self.auth.prefix}/favicon.ico"

    @property
    def from_another_site(self) -> bool:
        """Whether the browser says that another site has made it ask (Fetch Metadata)."""
        return self.request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


class LogoutHandler(LoginPages):
    """Logs a user out."""

    renews_login = False

    async def get(self, *captured: str) -> None:
        """Have the browser forget its user."""
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            self.log_refusal("Another site tried to log out the user at %s", self.request.remote_ip)
            self.refuse(403, "Another site asked to log you out", "Open this address yourself to do so.")
            return
        user = await self.auth.user(self)
        if self._finished:
            return
        self.auth.forget(self)
        end_sessions(self.state, user)
        await self.gone()

    async def post(self, *captured: str) -> None:
        """As by GET."""
        await self.get(*captured)

    async def gone(self) -> None:
        """Answer that the user is logged out."""
        self.show(logged_out_page(login_url=self.auth.login_url(self), icon=self.icon))

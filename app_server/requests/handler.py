"""A request to the server: named for the log, and its user found out if that matters."""

from __future__ import annotations

from app_server.http.base_handler import BaseHandler
from app_server.page import NO_ACCESS, no_access_page, whom_to_ask
from app_server.requests.dispatch.arriving import user_of_message
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.users import name_shown


class Handler(BaseHandler):
    """A request to the server; the authentication backend says who sends it, if that matters."""

    state: ServerState

    guarded = False
    """Whether only users who are logged in get an answer."""

    def initialize(self, state: ServerState) -> None:
        """Called by Tornado with the arguments of the route."""
        self.state = state
        state.process.under_way.add(self)

    @property
    def awaited(self) -> bool:
        """Whether a client waits for an answer that will come."""
        return not self._finished

    def passed_on(self) -> None:
        """Note that another process answers."""
        self._finished = True

    async def prepare(self) -> None:
        """Find out who sends the request, before anything else, if that matters."""
        self.name_request()
        if not self.guarded or self.request.method == "OPTIONS":
            return
        # Another process of ours has authenticated the user already, by what this one may not know.
        user = user_of_message(self.request) or await self.state.policy.auth.user(self)
        if self._finished:
            return
        if user:
            self.current_user = user
            if self.state.policy.restricted:
                await self.admit()
        else:
            self.state.policy.auth.deny(self)

    async def admit(self) -> None:
        """Refuse a user who is logged in, but may not have this."""

    def refuse_access(self, headline: str = NO_ACCESS) -> None:
        """Answer that the user may not have this, and whom to ask."""
        settings, auth = self.state.settings, self.state.policy.auth
        if not self.shows_pages:
            self.refuse(403, headline, whom_to_ask(settings.access_contact))
            return
        self.refused_because = headline
        self.set_status(403)
        html = no_access_page(
            user=name_shown(self.current_user),
            contact=settings.access_contact,
            logout_url=auth.logout_url,
            home=f"{settings.prefix}/" if self.state.pages.has_index and headline == NO_ACCESS else None,
            icon=f"{settings.prefix}/favicon.ico",
            headline=headline,
        )
        self.finish_html(html)

    def way_home(self, status: int) -> tuple[str, str] | None:
        """The index, or the only application, from a page that does not exist."""
        pages = self.state.pages
        if status != 404 or not pages.has_root:
            return None
        return f"{self.state.settings.prefix}/", "All applications" if pages.has_index else "To the application"

    def get_login_url(self) -> str:
        """The address at which the user can log in."""
        return self.state.policy.auth.login_url(self) or ""

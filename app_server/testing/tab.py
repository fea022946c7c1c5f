"""One tab of a page of an application that is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from app_server.errors import ApplicationError, OperatorError
from app_server.session.session import Session
from app_server.testing.acting import Acting
from app_server.testing.errors import TestingError, hidden
from app_server.testing.page import Page
from app_server.testing.site import Site
from app_server.testing.visit import Arguments, Visit, arguments_of

__tracebackhide__ = hidden

T = TypeVar("T")


class OpenApp(Acting):
    """A page of an application, as one tab of a browser would show it. `open_app` makes the first one.

    Close it, or use it as a context manager; that of the first page also stops the application.
    """

    def __init__(self, site: Site, visit: Visit, session: Session | None = None, *, first: bool = False) -> None:
        super().__init__(site)
        self._visit = visit
        self._first = first
        self.html = ""
        """The HTML of the page as it was loaded; empty for another tab of a session."""
        if session is None:
            self._load()
        else:
            self._page = Page(site, session)
        self._page.check()

    def __repr__(self) -> str:
        return f"<OpenApp {self.session.application}, session {self.session.id[:8]}…>"

    def _load(self) -> None:
        try:
            session, self.html = self._site.open(self._visit)
        except (ApplicationError, OperatorError) as error:  # show() outside of a notebook, for example
            raise self._site.failure([error]) from error.__cause__
        self._page = Page(self._site, session)

    # Time.

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass on the application's clock, at once: each timer runs at its time."""
        self._site.advance(seconds)
        self._page.check()

    def wait_for(self, condition: Callable[[], T], timeout_s: float | None = None) -> T:
        """What the condition returns as soon as that is true; for threads and connections of the application.

        What `find` does not find may come yet. Time passes meanwhile as it does outside. AppTimeout after `timeout_s`,
        by default that of `open_app`.
        """
        return self._site.wait_for(condition, timeout_s)

    # Pages.

    @property
    def connected(self) -> bool:
        """Whether the page has its connection; it loses it when the session ends, or with `disconnect`."""
        return self._page.connected

    def new_tab(self) -> OpenApp:
        """Another tab that shows the same session."""
        return OpenApp(self._site, self._visit, self.session)

    def visit(
        self,
        user: Any = None,
        *,
        arguments: Arguments | None = None,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OpenApp:
        """The page of another visitor: a session of their own, beside this one."""
        visit = Visit(user=user, arguments=arguments or {}, cookies=cookies or {}, headers=headers or {})
        return OpenApp(self._site, visit)

    def follow(self, address: str, user: Any = None) -> OpenApp:
        """The page at an address of this application, such as a link that `session_context.bookmark` has made."""
        return OpenApp(self._site, Visit(user=user, arguments=arguments_of(address)))

    def disconnect(self) -> None:
        """Lose the connection, as in a tunnel; the session goes on, and ends if that lasts too long."""
        self._page.leave()
        self._site.check()

    def reconnect(self) -> None:
        """Come back after a connection that was lost, and is closed now if it is there; models are to be found again.

        The session is the same if it still lives or was saved. Otherwise the application builds it again.
        """
        self.disconnect()
        session = self._site.again(self._visit, self.session.id)
        self._page = Page(self._site, session, "client_reconnected")
        self._page.check()

    def reload(self, **arguments: str) -> None:
        """Load the page again, with further arguments in its address: a new session of the same visitor."""
        self.disconnect()
        self._visit = replace(self._visit, arguments={**self._visit.arguments, **arguments})
        self._load()
        self._page.check()

    def restart(self) -> None:
        """Restart the server, load the application again, and let this page reconnect.

        With `store=FOLDER` in `open_app`, sessions are saved before and restored. Other tabs call `reconnect`.
        """
        self._site.restart()
        self._site.check()
        self.reconnect()

    def close(self) -> None:
        """Close the tab; with the first one the application stops, and its hooks run. AppFailure if one fails.

        A tab that is closed may be closed again.
        """
        if self._first:
            self._site.close()
        elif self._page.connected:
            self._page.leave()
        self._site.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except TestingError:
            if error is None:
                raise

"""`open_app`: an application, opened as a visitor does."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from app_server.apps import Application
from app_server.embedded.keywords import in_keywords, settings_from_keywords
from app_server.embedded.sources import by_route
from app_server.settings import with_signing_key
from app_server.testing.errors import hidden
from app_server.testing.site import Site
from app_server.testing.tab import OpenApp
from app_server.testing.visit import Arguments, Visit

__tracebackhide__ = hidden


def open_app(
    source: Any,
    *,
    user: Any = None,
    arguments: Arguments | None = None,
    cookies: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    allow_errors: bool = False,
    executors: bool = True,
    timeout_s: float = 10.0,
    **settings: Any,
) -> OpenApp:
    """The page of an application, in this process: `with open_app("app.py") as app:`.

    `source` is the path of a script, notebook or folder, a function that takes a document and fills it, or an object
    of Panel's. `user` becomes `session_context.user`: a text, a dictionary, or a `User`, as built-in logins give.
    `arguments`, `cookies` and `headers` are those of the page's request. Exceptions that the application raises or
    logs fail the test with AppFailure, unless `allow_errors`; then `errors` of the page has them. Actions wait for what
    the application gives to executors, unless `executors` is False, as for workers that never return; one that takes
    longer than `timeout_s` fails with AppTimeout. Further keywords are settings by the names of `app_server.Server`,
    such as `store`, `args` and `prefix`. The environment is not read.
    """
    read = with_signing_key(settings_from_keywords(settings, {}), token_urlsafe)
    source = getattr(source, "server_doc", source)

    def load() -> Application:
        (application,) = by_route(source, read, prepare=False).values()
        return application

    visit = Visit(user=user, arguments=arguments or {}, cookies=cookies or {}, headers=headers or {})
    with in_keywords():
        site = Site(load, read, timeout_s, allow_errors=allow_errors, executors=executors)
    try:
        return OpenApp(site, visit, first=True)
    except BaseException:
        site.abandon()
        raise

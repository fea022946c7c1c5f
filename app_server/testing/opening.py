"""`open_app`: an application, opened as a visitor does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from app_server.apps import Application
from app_server.apps.hooks import takes_arguments
from app_server.embedded.keywords import in_keywords, settings_from_keywords
from app_server.embedded.sources import by_route
from app_server.errors import OperatorError
from app_server.settings import with_signing_key
from app_server.testing.errors import hidden
from app_server.testing.outline import is_model
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

    `source` is the path of a script, notebook or folder, a function that takes a document and fills it, an object
    of Panel's, or a function without arguments that returns one. `user` becomes `session_context.user`: a text, a
    dictionary, or a `User`, as built-in logins give. `arguments`, `cookies` and `headers` are those of the page's
    request.

    Exceptions that the application raises or logs fail the test with AppFailure; with `allow_errors`, the page's
    `errors` has them instead. Actions wait for what the application gives to executors. Set `executors` to False if its
    workers never return. An action that takes longer than `timeout_s` fails with AppTimeout.

    Further keywords are settings by the names of `app_server.Server`, such as `store`, `args` and `prefix`. The
    environment is not read.
    """
    read = with_signing_key(settings_from_keywords(settings, {}), token_urlsafe)
    source = _filling(source)

    def load() -> Application:
        found = by_route(source, read, prepare=False)
        if len(found) != 1:
            hint = "Call it once for each: they can be open at the same time."
            raise OperatorError(f"opens one application, not {len(found)}", where="open_app", hint=hint)
        return next(iter(found.values()))

    visit = Visit(user=user, arguments=arguments or {}, cookies=cookies or {}, headers=headers or {})
    with in_keywords():
        site = Site(load, read, timeout_s, allow_errors=allow_errors, executors=executors)
    try:
        return OpenApp(site, visit, first=True)
    except BaseException:
        site.abandon()
        raise


def _filling(source: Any) -> Any:
    """The source, or in its place a function that fills a document with what Panel's users serve.

    That is an object of Panel's, or a function without arguments, which returns an object of Panel's or a model, or
    has put it into the document.
    """
    shows_itself = hasattr(source, "servable")
    if shows_itself and not isinstance(source, type):
        return getattr(source, "server_doc", None) or _as_filling(source.servable, lambda document: source.servable())
    if shows_itself or (callable(source) and takes_arguments(source, 0) and not takes_arguments(source)):
        return _as_filling(source, lambda document: _show(source(), document))
    return source


def _as_filling(source: Any, fill: Any) -> Any:
    """The function, which has the place of the source in its file, and its modules."""
    functools.update_wrapper(fill, source, updated=())
    document = inspect.Parameter("document", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    fill.__signature__ = inspect.Signature([document])
    return fill


def _show(shown: Any, document: Any) -> None:
    if hasattr(shown, "server_doc"):
        shown.server_doc(document)
    elif hasattr(shown, "servable"):  # a Viewer
        shown.servable()
    elif is_model(shown):
        document.add_root(shown)
    elif shown is not None:
        raise TypeError(f"the function has returned {shown!r}, which is neither a model nor an object of Panel's")

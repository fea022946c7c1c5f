"""The console as an application of this server."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from bokeh.core.templates import FILE
from bokeh.document import Document
from bokeh.events import DocumentReady
from jinja2 import Template

from app_server.apps import Application, application_from_function
from app_server.console.feed import Feed
from app_server.console.view import View

TITLE = "app-server console"


def console_application(feed: Feed) -> Application:
    """The application that shows what this feed knows, to each operator who opens it."""
    return application_from_function(partial(fill, feed), "/")


def fill(feed: Feed, document: Document) -> None:
    """Fill one operator's document."""
    context = document.session_context
    user = getattr(context, "user", None)
    document.title = TITLE
    document.template = _template()
    view = View(document, feed, str(user) if user else "an operator", getattr(context, "logout_url", None) or "")
    document.js_on_event(DocumentReady, view.fit)


@cache
def _template() -> Template:
    source = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return FILE.environment.from_string(source, {"base": FILE})

"""Panel as a guest: what `panel serve` does around an application, done around ours, with Panel's own means.

Panel finds its server by reaching into it: it asks for private attributes of sessions and connections and writes to
their sockets itself. Here those few functions of Panel that reach out are replaced by ones that ask this server; all
else in Panel stays as it is. No class of the stock server is needed for it.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import panel
import panel.io.document
import panel.io.location
import panel.io.resources
import panel.io.server
import panel.io.state
import panel.reactive
import panel.util
import panel.viewable
from bokeh.core.validation import silence
from bokeh.core.validation.warnings import EMPTY_LAYOUT
from panel.config import config
from panel.io.resources import BASE_TEMPLATE, LOCAL_DIST, bundle_resources, patch_model_css
from panel.io.state import set_curdoc, state

from app_server.document import classes
from app_server.document.callbacks import DocumentEvent
from app_server.document.pages import embedding, extensions
from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError, AppServerError, OperatorError
from app_server.guests.guest import Guest, LivingSession
from app_server.protocol.paths import above

log = logging.getLogger(__name__)

KNOWN_VERSIONS = ("1.9.",)
"""What was tried. Others may work; the functions that are replaced are looked for all the same."""

_REPLACED = (
    (panel.io.document, "write_events"),
    (panel.io.location.Location, "from_request"),
    (panel.viewable.Renderable, "_server_destroy"),
    (type(state), "user"),
    (type(state), "_is_launching"),
    (type(state), "block_expiration"),
    (type(state), "unblock_expiration"),
)

_FILES_OF_COMPONENTS = frozenset({"__css__", "__javascript__", "__javascript_modules__"})

_PAGE_SUFFIXES = ("/ws", "/autoload.js")


class PanelGuest(Guest):
    """Serves applications that are made with Panel. There is one in a process, for Panel's state is the process's."""

    changes_pages = True  # the addresses of its style sheets

    def __init__(self) -> None:
        if not panel.__version__.startswith(KNOWN_VERSIONS):
            log.warning("Panel %s is not tested with this server; %s* is", panel.__version__, KNOWN_VERSIONS[-1])
        _teach_panel()
        panel.io.resources.bundle_models = extensions.bundle_models
        panel.io.resources._descendents = _shared_or_own
        # Panel's layouts are empty until they are filled; its own server says so too.
        silence(EMPTY_LAYOUT, True)

    @staticmethod
    def find_component(path: str) -> Path | None:
        """The file that a component names as one of its own, by `module/class/attribute/path`."""
        module, _, _ = path.partition("/")
        # Panel would import what the address names: a visitor must not choose what is run here.
        if module not in sys.modules:
            return None
        try:
            # Panel's own rule for what a component may have served; it needs the class's list, and no request.
            handler = panel.io.server.ComponentResourceHandler
            found = handler.parse_url_path(handler, path)
        except Exception as error:
            log.debug("components/%s is not served: %s", path[:200], error)
            return None
        return Path(found)

    @contextmanager
    def building(self, document: ServedDocument) -> Iterator[None]:
        """Let Panel know of the document, run the block, and finish what `.servable()` has begun."""
        _keep_time()
        context = document.session_context
        state._thread_id_[document] = threading.get_ident()
        try:
            with set_curdoc(document):
                self._announce(context)
                state.base_url, state.rel_path = place_of(context)
                state._launching.add(document)
                yield
                self._finish(document)
        except BaseException:
            for callback in document.ending_callbacks():
                _attempt(callback, context)
            self.ended(document)
            raise
        finally:
            state._launching.discard(document)
        document.on_event("document_ready", partial(state._schedule_on_load, document))

    def _announce(self, context: Any) -> None:
        for callback in [*state._on_session_created_internal, *state._on_session_created]:
            _attempt(callback, context)

    def _finish(self, document: ServedDocument) -> None:
        try:
            template = state._templates.get(document)
            # The template that pn.extension(template=…) asked for, and on which servable() was not called.
            if template is not None and document not in template._documents:
                template.server_doc(title=template.title, location=True, doc=document)
        except AppServerError:
            raise
        except Exception as error:
            raise ApplicationError(f"Panel could not make the page: {type(error).__name__}: {error}") from error
        document.config.update(
            reconnect_session=config.reconnect is True, notifications=None, notify_connection_status=False
        )

    def opened(self, session: LivingSession) -> None:
        """Give Panel what it looks for before it calls `write_events`, which does not need it."""
        vars(session)["_subscribed_connections"] = ()

    def ended(self, document: ServedDocument) -> None:
        """Let Panel forget the document: what it keeps by document refers back to it, which would keep it."""
        for periodic in list(state._periodic.get(document, ())):
            _attempt(periodic.stop)
        for ref, view in list(state._views.items()):
            if view[2] is document:
                state._views.pop(ref, None)
        for holder in (type(state), panel.io.document, type(config)):
            for kept in list(vars(holder).values()):
                if isinstance(kept, weakref.WeakKeyDictionary):
                    kept.pop(document, None)
        _forget_files(document.modules.names())

    def render_page(
        self,
        document: ServedDocument,
        token: str,
        bundles: embedding.Bundles,
        root_url: str,
        *,
        app_path: str | None,
        head: str,
    ) -> str:
        """Panel's page: its base template, and of its files those that this session asks for."""
        with set_curdoc(document):
            dist_url = f"{state.rel_path}/{LOCAL_DIST}" if state.rel_path else LOCAL_DIST
            variables = document.template_variables
            variables["theme_name"] = config.theme
            variables["dist_url"] = dist_url
            variables.setdefault("app_favicon", f"{state.rel_path or '.'}/favicon.ico")
            for root in document.roots:
                patch_model_css(root, dist_url=dist_url)
            bundle = _bundle(document, bundles, root_url)
            extensions.check(document)
            return embedding.render_page(document, token, bundle, app_path=app_path, head=head, base=BASE_TEMPLATE)

    def render_autoload(
        self,
        document: ServedDocument,
        token: str,
        element_id: str,
        bundles: embedding.Bundles,
        root_url: str,
        *,
        resources: bool,
        app_path: str,
        absolute_url: str | None,
    ) -> str:
        """The script for a page of another site, with the addresses of Panel's files in full."""
        with set_curdoc(document):
            for root in document.roots:
                # Else they would come from Panel's own host.
                patch_model_css(root, dist_url=f"{root_url}{LOCAL_DIST}")
            bundle = (
                _bundle(document, bundles, root_url, absolute=True)
                if resources
                else bundles.get(root_url, resources=False)
            )
            extensions.check(document)
        return embedding.render_autoload(token, element_id, bundle, app_path=app_path, absolute_url=absolute_url)


def _forget_files(modules: frozenset[str]) -> None:
    """Let pages of others name no files of the components of these modules, which end, and their files with them.

    Panel looks for them in every class that Python still knows, which is until its garbage was collected.
    """
    if not modules:
        return
    for kind in panel.util._descendents(panel.reactive.ReactiveCustomBase):
        if kind.__module__ in modules:
            for name in _FILES_OF_COMPONENTS & vars(kind).keys():
                setattr(kind, name, None)


def _shared_or_own(kind: type, concrete: bool = False) -> list[type]:
    """The classes below `kind` whose files the current document's page names: none of another session's, which may end
    before the page has asked for them."""
    document = state.curdoc
    modules = document.modules.names() if isinstance(document, ServedDocument) else frozenset()
    return [each for each in panel.util._descendents(kind, concrete=concrete) if not classes.is_others(each, modules)]


def place_of(context: Any) -> tuple[str, str]:
    """Where the server is, for `pn.state.base_url`, and how to get there from the page, for `pn.state.rel_path`.

    A page in the frame of another site needs the full address of the server; its own page a relative one, which
    holds for any prefix that a proxy has put in front of it.
    """
    request = context.request
    if request is None:
        return "/", ""
    route = context.server_context.application_context.url
    path = request.path
    for suffix in _PAGE_SUFFIXES:
        path = path.removesuffix(suffix)
    found = above(path, route)
    prefix = path.rstrip("/") if found is None else found
    rel_path = "/".join([".."] * path.removeprefix(prefix).lstrip("/").count("/"))
    embedded_at = parse_qs(request.query).get("bokeh-absolute-url")
    if embedded_at:
        address = embedded_at[0].rstrip("/")
        found = above(address, route)
        rel_path = address if found is None else found
    return f"{prefix}/", rel_path


def location_of(request: Any) -> dict[str, str]:
    """The page's address in the parts that `pn.state.location` has, named as in the browser."""
    parts = urlsplit(f"{request.protocol}://{request.host}{request.uri}")
    path = parts.path
    for suffix in _PAGE_SUFFIXES:
        path = path.removesuffix(suffix)
    search = f"?{parts.query}" if parts.query else ""
    try:
        port = str(parts.port or "")
    except ValueError:
        port = ""
    return {
        "protocol": f"{parts.scheme}:",
        "hostname": parts.hostname or "",
        "port": port,
        "pathname": path,
        "search": search,
        "href": f"{parts.scheme}://{parts.netloc}{path}{search}",
    }


def _teach_panel() -> None:
    """Replace the functions of Panel that reach into their server."""
    missing = [f"{holder.__name__}.{name}" for holder, name in _REPLACED if not hasattr(holder, name)]
    if missing:
        raise OperatorError(
            f"Panel {panel.__version__} has no {missing[0]}, which this server replaces",
            hint="Install the Panel that this server was made for: panel>=1.9,<1.10",
        )
    panel.io.document.write_events = _write_events
    panel.io.location.Location.from_request = classmethod(_location_from_request)
    panel.viewable.Renderable._server_destroy = _leave_document
    panel_user = type(state).user
    type(state).user = property(lambda self: _user() or panel_user.fget(self))
    # Panel asks whether the application has sessions: not in the first one only may a component bring its files along.
    type(state)._is_launching = property(lambda self: self.curdoc in self._launching)
    panel_block, panel_unblock = type(state).block_expiration, type(state).unblock_expiration
    type(state).block_expiration = lambda self: _unless_alone(partial(panel_block, self), _block_expiration)
    type(state).unblock_expiration = lambda self: _unless_alone(partial(panel_unblock, self), _unblock_expiration)


def _write_events(document: ServedDocument, connections: Sequence[Any], events: Sequence[DocumentEvent]) -> None:
    """Send these changes at once, in the middle of a callback: a user who waits for a long one sees its progress."""
    context: Any = document.session_context
    session = None if context is None else context.session
    if session is None:
        return
    for event in events:
        session.patched(event)
    session.send_now()


def _leave_document(view: Any, session_context: Any) -> None:
    """Clean up after the view's part of the document that ends.

    Panel's own way relies on the document having been taken apart before its hooks run. Here it is whole until they
    have, and they may still read it.
    """
    document = session_context._document
    root = view._documents.pop(document, None)
    if root is not None:
        ref = root.ref["id"]
        view._cleanup(root)
        state._views.pop(ref, None)


def _location_from_request(cls: Any, request: Any) -> Any:
    location = cls()
    if request is not None:
        with panel.util.edit_readonly(location):
            location.param.update(location_of(request))
    return location


def _user() -> str | None:
    """Who has logged in to this server, as a text, for that is what Panel's applications compare."""
    document = state.curdoc
    context = None if document is None else document.session_context
    user = getattr(context, "user", None)
    return None if user is None else str(user)


def _unless_alone(of_all: Callable[[], Any], of_one: Callable[[], Any]) -> Any:
    """What Panel does with all sessions of the application, or with one that has a process of its own."""
    try:
        return of_all()
    except ApplicationError:
        return of_one()


def _unblock_expiration() -> None:
    _to_session(lambda session: session.unblock_expiration())


def _block_expiration() -> AbstractContextManager[None]:
    """Keep the current session alive; it may end again after the block, if this is used as one."""
    document = state.curdoc
    _to_session(lambda session: session.block_expiration(), document)

    @contextmanager
    def blocked() -> Iterator[None]:
        try:
            yield
        finally:
            _to_session(lambda session: session.unblock_expiration(), document)

    return blocked()


def _to_session(act: Callable[[Any], None], document: Any = None) -> None:
    """Do this to the document's session, or to the current one's; as soon as there is one, if it is being built."""
    document = document or state.curdoc
    context: Any = getattr(document, "session_context", None)
    if context is None:
        return
    if context.session is not None:
        act(context.session)
    else:
        document.add_next_tick_callback(lambda: act(context.session))


def _bundle(
    document: ServedDocument, bundles: embedding.Bundles, root_url: str, *, absolute: bool = False
) -> embedding.PageBundle:
    stock = bundles.resources(root_url)
    bundle = bundle_resources(document.roots, panel.io.resources.Resources.from_bokeh(stock, absolute=absolute))
    js_html, css_html = bundle
    return embedding.PageBundle(js_html, css_html, bundle)


def _keep_time() -> None:
    """Start what Panel would start in the first callback, which would keep that callback's session for ever."""
    contextvars.Context().run(state._schedule_busy_cleanup)


def _attempt(callback: Callable[..., Any], *arguments: Any) -> None:
    try:
        callback(*arguments)
    except Exception:
        log.exception("A callback of Panel's raised an exception")

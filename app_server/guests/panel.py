"""Panel as a guest: what `panel serve` does around an application, done around ours, with Panel's own means.

No class of the stock server is needed for it; the functions of Panel that reach into its server are replaced in
`guests.replaced`.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import panel
import panel.io.document
import panel.io.resources
import panel.io.server
import panel.io.state
import panel.reactive
import panel.theme.base
import panel.util
import param
from bokeh.core.validation import silence
from bokeh.core.validation.warnings import EMPTY_LAYOUT
from panel.config import config, panel_extension
from panel.io.resources import BASE_TEMPLATE, LOCAL_DIST, bundle_resources, patch_model_css
from panel.io.state import set_curdoc, state

from app_server import tested
from app_server.document.pages import embedding, extensions
from app_server.document.pages.parts import MATHS, TABLES, WIDGETS
from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError, AppServerError
from app_server.guests.addresses import place_of
from app_server.guests.component_files import find_component, forget_files, share_files, shared_or_own
from app_server.guests.components import PanelComponents
from app_server.guests.guest import LivingSession
from app_server.guests.jupyter import forget_widgets, leave_out_widgets
from app_server.guests.replaced import teach
from app_server.guests.threads import use_threads

log = logging.getLogger(__name__)

_PARTS_OF_PANEL = frozenset({WIDGETS, TABLES} if panel.__version__.startswith("1.9.") else {WIDGETS})
"""The parts of BokehJS whose classes Panel's own JavaScript extends; its templates' scripts use none."""

_design_variables: Callable[[], dict[str, Any]] = getattr(panel.theme.base, "design_template_variables", dict)
"""What Panel's design has its templates know; from 1.10 on."""



class PanelGuest(PanelComponents):
    """Serves applications that are made with Panel. There is one in a process, for Panel's state is the process's."""

    changes_pages = True  # the addresses of its style sheets

    def __init__(self) -> None:
        if not tested.is_tested("panel", panel.__version__):
            log.warning("Panel %s is not tested with this server; %s are", panel.__version__, tested.names("panel"))
        teach()
        panel.io.resources.bundle_models = extensions.bundle_models
        panel.io.resources._descendents = shared_or_own
        # Panel's layouts are empty until they are filled; its own server says so too.
        silence(EMPTY_LAYOUT, True)

    def use_threads(self, count: int) -> None:
        """Run callbacks in so many of Panel's threads, which begin when they are needed."""
        use_threads(count)

    find_component = staticmethod(find_component)

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
        # A page that was open already when its session was restored tells that it is back, and nothing else.
        for ready in ("document_ready", "client_reconnected"):
            document.on_event(ready, partial(state._schedule_on_load, document))

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

    def saves(self, document: ServedDocument) -> None:
        """Let the page come back by itself, unless the application has said that it is not to."""
        if "reconnect" not in type(config)._session_config.get(document, {}):
            document.config.update(reconnect_session=True)
        leave_out_widgets(document)

    def restoring(self, document: ServedDocument) -> None:
        """Have the files loaded from where a page would; it may be open already, and none be made here."""
        with set_curdoc(document):
            _name_files(document)

    def settle(self, document: ServedDocument) -> None:
        """Let the parameters follow the models, and what is bound to them; Panel would begin with that 50 ms later."""
        with set_curdoc(document):
            while waiting := state._change_callbacks.pop(document, None):
                for change in waiting.values():
                    _attempt(change.func.__self__._change_event, document)

    def restored(self, document: ServedDocument) -> None:
        """Let downloads and terminals count on from what the page knows, which acts when the count has changed.

        One click has stood for all that were saved, so the next count might be the one that the page has.
        """
        for ref, (view, _, shown, _) in list(state._views.items()):
            if shown is document and isinstance(view, panel.viewable.Viewable):
                for kind, count in _COUNTS:
                    for widget in view.select(kind):
                        _count_on(widget, count, ref)

    def opened(self, session: LivingSession) -> None:
        """Give Panel what it looks for before it calls `write_events`, which does not need it."""
        # Panel 1.10 lets a thread write what it changes only if nothing lists what waits to be sent.
        vars(session).update(_subscribed_connections=(), _pending_writes=())

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
        forget_files(document.modules.names())
        forget_widgets(document)

    def render_page(
        self,
        document: ServedDocument,
        token: str,
        bundles: embedding.Bundles,
        root_url: str,
        *,
        app_path: str | None,
        head: str,
        encoded: bytes | None = None,
    ) -> str:
        """Panel's page: its base template, and of its files those that this session asks for."""
        with set_curdoc(document):
            _name_files(document)
            variables = document.template_variables
            variables["theme_name"] = config.theme
            variables.update({**_design_variables(), **variables})
            variables.setdefault("app_favicon", f"{state.rel_path or '.'}/favicon.ico")
            bundle = _bundle(document, bundles, root_url)
            extensions.check(document)
            first = _PARTS_OF_PANEL | ({MATHS} if "mathjax" in panel_extension._loaded_extensions else frozenset())
            return embedding.render_page(
                document, token, bundle, app_path=app_path, head=head, base=BASE_TEMPLATE, encoded=encoded, first=first
            )

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


_COUNTS: Final = ((panel.widgets.FileDownload, "_transfers"), (panel.widgets.Terminal, "_clears"))
"""The widgets that count up to have their page do something, and what they count."""


def _count_on(widget: panel.widgets.Widget, count: str, ref: str) -> None:
    """Give the widget's parameter the count of its model, without an event."""
    if ref in widget._models:
        with param.parameterized.discard_events(widget):
            setattr(widget, count, getattr(widget._models[ref][0], count))


def _name_files(document: ServedDocument) -> None:
    """Have Panel's style sheets loaded from this server, those of now and those that callbacks add."""
    dist_url = f"{state.rel_path}/{LOCAL_DIST}" if state.rel_path else LOCAL_DIST
    document.template_variables["dist_url"] = dist_url
    for root in document.roots:
        patch_model_css(root, dist_url=dist_url)


def _bundle(
    document: ServedDocument, bundles: embedding.Bundles, root_url: str, *, absolute: bool = False
) -> embedding.PageBundle:
    share_files()
    stock = bundles.resources(root_url)
    needed_only = bundles.needed_only and not absolute
    bundle = bundle_resources(
        # Panel 1.10 leaves the tables out if these roots have none; without roots, it does not.
        None if needed_only else document.roots,
        panel.io.resources.Resources.from_bokeh(stock, absolute=absolute),
        enable_mathjax=needed_only or "auto",  # the page leaves out what is not needed, and must know where to get it
    )
    js_html, css_html = bundle
    return embedding.PageBundle(js_html, css_html, bundle, needed_only)


def _keep_time() -> None:
    """Start what Panel would start in the first callback, which would keep that callback's session for ever."""
    contextvars.Context().run(state._schedule_busy_cleanup)


def _attempt(callback: Callable[..., Any], *arguments: Any) -> None:
    try:
        callback(*arguments)
    except Exception:
        log.exception("A callback of Panel's raised an exception")

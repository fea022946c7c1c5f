"""What a test reads of a page."""

from __future__ import annotations

import re
from typing import Any

from app_server.document.remote import MirroredDocument
from app_server.session.session import Session
from app_server.testing import finding
from app_server.testing.errors import CannotDo, NotFound, hidden
from app_server.testing.outline import is_a, is_model, says, shown, walk
from app_server.testing.page import Page
from app_server.testing.site import Site

__tracebackhide__ = hidden


class Reading:
    """A page's models. They are copies, as a browser has them: what was not sent to the page is not there."""

    _page: Page

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def document(self) -> MirroredDocument:
        """The page's copy of the document, an ordinary document of bokeh's."""
        self._site.settle()
        return self._page.document

    @property
    def title(self) -> str:
        """The title of the page."""
        return str(self.document.title)

    @property
    def session(self) -> Session:
        """The session in the server: `session.document` is the application's own, `session.context` its context."""
        return self._page.session

    @property
    def state(self) -> dict[str, Any]:
        """What the application keeps in `session_context.state`."""
        return self.session.context.state

    @property
    def errors(self) -> list[BaseException]:
        """With `allow_errors`, the exceptions that the application has raised or logged so far."""
        return self._site.errors

    def find(self, kind: Any = None, *, text: str | re.Pattern[str] | None = None, **properties: Any) -> Any:
        """The one model of the page that fits. NotFound, which says what is there, if none does or several do.

        `kind` is a class of models, or its name; `text` is what a person reads on it (title, label, HTML without
        tags), whole or in part; everything else are properties, such as `name="amplitude"`. A text may be a compiled
        regular expression. With a class of Panel's, it is the component itself, as the application has it.
        """
        return finding.find(self._candidates(kind), kind, text, properties)

    def find_all(self, kind: Any = None, *, text: str | re.Pattern[str] | None = None, **properties: Any) -> list[Any]:
        """All models of the page that fit, in its order; see `find`."""
        return finding.find_all(self._candidates(kind), kind, text, properties)

    def is_shown(self, model: Any) -> bool:
        """Whether a person can see it: it is visible, and so is all that it lies in, and its tab is open."""
        own = self._resolved(model)
        return own is not None and own.id in shown(self._page.document)

    def _candidates(self, kind: Any) -> list[Any]:
        self._site.settle()
        components = self._site.runtime.guest.components(self.session.document, kind)
        return list(walk(self._page.document)) if components is None else components

    def _resolved(self, thing: Any) -> Any:
        """The page's model for a model of the page or of the server, or for a component; None if it has none."""
        self._site.settle()
        ident: Any = self._site.runtime.guest.model_id(self.session.document, thing)
        if ident is None:
            if not is_model(thing):
                raise NotFound(f"{thing!r} is not a model; find() finds the models of the page")
            ident = thing.id
        model = self._page.document.get_model_by_id(ident)
        if is_a(model, "DataModel"):  # the values of a component with JavaScript of its own
            return next((each for each in walk(self._page.document) if getattr(each, "data", None) is model), model)
        return model

    def _own(self, thing: Any) -> Any:
        """The page's model for this; CannotDo if the page does not have it any more."""
        model = self._resolved(thing)
        if model is None:
            raise CannotDo(f"{says(thing)} is not in the page (any more); find it again")
        return model

    def _usable(self, thing: Any) -> Any:
        """The page's model for this; CannotDo if a person cannot use it."""
        model = self._own(thing)
        if model.id not in shown(self._page.document):
            raise CannotDo(f"{says(model)} is not shown: {self._hidden_by(model)}")
        if getattr(model, "disabled", False) or getattr(getattr(model, "data", None), "disabled", False):
            raise CannotDo(f"{says(model)} is disabled")
        return model

    def _hidden_by(self, model: Any) -> str:
        """Why a model of the page is not shown."""
        for each in walk(self._page.document):
            inside = each is model or any(other is model for other in each.references())
            if inside and getattr(each, "visible", True) is False:
                return "it is not visible" if each is model else f"it lies in {says(each)}, which is not visible"
            if inside and each is not model and getattr(each, "collapsed", False) is True:
                return f"it lies in {says(each)}, which is collapsed"
            for nth, tab in enumerate(each.tabs if is_a(each, "Tabs") else ()):
                if nth != each.active and any(other is model for other in tab.references()):
                    return f"it lies in the tab {tab.title!r}, which is not open"
        return "nothing that is shown has it"

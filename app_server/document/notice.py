"""A document that says something in the places of another one's roots."""

from __future__ import annotations

from collections.abc import Sequence

from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models.widgets import Div


def fill_notice(document: Document, root_ids: Sequence[str], html: str) -> None:
    """Give the document roots of these ids, so that a page finds its elements for them; the first one says it."""
    for number, ident in enumerate(root_ids):
        place = Div.__new__(Div, id=ID(ident))  # as bokeh itself makes a model that has its id from elsewhere
        Div.__init__(place, text=html if number == 0 else "")
        document.add_root(place)

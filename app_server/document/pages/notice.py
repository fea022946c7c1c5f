"""Words of the server's own in a page: in the places of a document's roots, or beside them."""

from __future__ import annotations

from collections.abc import Sequence

from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.models.widgets import Div
from bokeh.util.serialization import make_globally_unique_id

from app_server.protocol.codec import dumps


def fill_notice(document: Document, root_ids: Sequence[str], html: str) -> None:
    """Give the document roots of these ids, for which a page has elements; the first one shows the notice."""
    for number, ident in enumerate(root_ids):
        place = Div.__new__(Div, id=ID(ident))  # as bokeh itself makes a model that has its id from elsewhere
        Div.__init__(place, text=html if number == 0 else "")
        document.add_root(place)


def replaced_notice(html: str, shown: str | None = None) -> tuple[bytes, str]:
    """The content of a PATCH-DOC that shows this beside what a page has, until that pulls its document again.

    It takes the place of the notice `shown` before. The second value is the new one's id.
    """
    ident = make_globally_unique_id()
    model = {"type": "object", "name": "Div", "id": ident, "attributes": {"text": html}}
    removed = [] if shown is None else [{"kind": "RootRemoved", "model": {"id": shown}}]
    return dumps({"events": [*removed, {"kind": "RootAdded", "model": model}]}), ident

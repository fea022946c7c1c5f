"""Components of Panel's in a document, and the models of bokeh's that show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from panel.io.state import set_curdoc, state
from panel.viewable import Viewable

from app_server.document.served import ServedDocument
from app_server.guests.acts import composites
from app_server.guests.acts.edits import edits
from app_server.guests.guest import Events, Guest, Step


class PanelComponents(Guest):
    """Answers what tests ask about components."""

    def follows_later(self, document: ServedDocument) -> bool:
        """Whether a change waits for the others that come within 50 ms, such as those of a slider that is dragged."""
        return bool(state._change_callbacks.get(document))

    def components(self, document: ServedDocument, kind: Any) -> list[Any] | None:
        """All components that the document's page shows, each once; None if this is not a class of components."""
        if not (isinstance(kind, type) and issubclass(kind, Viewable)):
            return None
        found: dict[int, Any] = {}
        for view, _, shown_in, _ in list(state._views.values()):
            if shown_in is document and isinstance(view, Viewable):
                found.update((id(each), each) for each in view.select())
        return list(found.values())

    def model_id(self, document: ServedDocument, thing: Any) -> str | None:
        """The id of the model that shows a component in this document; None if it is not shown there."""
        for ref, (model, _) in thing._models.items() if isinstance(thing, Viewable) else ():
            view = state._views.get(ref)
            if view is not None and view[2] is document:
                return str(model.id)
        return None

    def as_properties(self, document: ServedDocument, thing: Any, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The properties that show these values of a component's parameters: their names, and labels for values."""
        if not isinstance(thing, Viewable):
            return None
        with set_curdoc(document):
            return dict(thing._process_param_change(dict(values)))

    def steps(self, thing: Any, values: Mapping[str, Any]) -> Iterator[Step] | None:
        """What is done with the parts of a component that has these values then; None if it is not made of parts."""
        return composites.steps(thing, values)

    def edits(self, column: str, row: int, value: Any, old: Any) -> tuple[Events, Events]:
        """The events of a table before and after a cell's new value is in its data."""
        return edits(column, row, value, old)

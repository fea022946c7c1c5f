"""The data models that a page has to know before it gets a document: those of its own application."""

from __future__ import annotations

from bokeh.core.has_props import HasProps, is_DataModel
from bokeh.model import Model

from app_server.document import classes
from app_server.document.served import ServedDocument

_last: tuple[object, tuple[type[HasProps], ...]] = (None, ())


def _known() -> tuple[type[HasProps], ...]:
    """The user-defined data models of all applications; looked for again only when a class has come or gone."""
    global _last
    now = classes.changes()
    if _last[0] != now:
        _last = now, tuple(kind for kind in Model.model_class_reverse_map.values() if is_DataModel(kind))
    return _last[1]


def data_models_of(document: ServedDocument) -> list[type[HasProps]]:
    """The data models that the document's models are of, or may come to be of, in the order of their definition."""
    own: dict[str, type[HasProps]] = {}
    for kind in document.own_classes():
        for base in reversed(kind.__mro__):
            if issubclass(base, HasProps) and is_DataModel(base):
                own[base.__qualified_model__] = base
    modules = document.modules.names()
    # A name may be another session's class by now.
    others = [known for known in _known() if not classes.is_others(known, modules)]
    return _bases_first([*(own.pop(known.__qualified_model__, known) for known in others), *own.values()])


def _bases_first(kinds: list[type[HasProps]]) -> list[type[HasProps]]:
    """These classes in their order, but each after its bases: a page makes them one after the other."""
    found: dict[type[HasProps], None] = {}
    for kind in kinds:
        for base in reversed(kind.__mro__):
            if base in kinds:
                found[base] = None
    return list(found)

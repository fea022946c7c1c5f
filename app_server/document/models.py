"""The models of a document: which ones there are, and which of them the clients have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bokeh.core.has_props import HasProps
from bokeh.core.types import ID
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model
from bokeh.util.dataclasses import entries, is_dataclass
from bokeh.util.datatypes import MultiValuedDict

from app_server.document import classes


class Models(DocumentModelManager):
    """Says for each model whether the clients have it, without a set of all models for each patch."""

    looked_at = 0
    """How many models were looked at so far to find out which ones there are."""

    def clients_have(self, model: Model) -> bool:
        return model not in self._new_models and self._models.get(model.id) is model

    def clients_got(self, has_ref: Callable[[Model], bool]) -> None:
        if self._new_models:
            self.flush_synced(lambda model: not has_ref(model))

    def recompute(self) -> None:
        document = self._document()
        if document is None:
            return
        old, new = self._models, reachable(document.roots)
        self.looked_at += len(new)
        for model in new.values():
            if model.document is not None and model.document is not document:
                raise RuntimeError(f"{model!r} belongs to another document already: make one for each document")
        self._models = new
        self._models_by_name = MultiValuedDict()
        for model in new.values():
            if model.name is not None:
                self._models_by_name.add_value(model.name, model)
        for ident, model in old.items():
            if new.get(ident) is not model:
                self._seen_model_ids.add(ident)
                self._new_models.discard(model)
                model._detach_document()
        for ident, model in new.items():
            if old.get(ident) is not model:
                model._attach_document(document)
                self._new_models.add(model)

    def destroy(self) -> None:
        for model in self._models.values():
            model.destroy()
            vars(model).pop("_callbacks", None)
            vars(model).pop("_event_callbacks", None)
        self._models = {}
        self._new_models.clear()
        super().destroy()
        self._models = {}


_properties_with_refs: dict[type[HasProps], tuple[str, ...]] = classes.table()


def reachable(roots: Iterable[Model]) -> dict[ID, Model]:
    """The models that these refer to, directly or not, and themselves, by id.

    Only values that were set or made are looked at: a default that was never asked for refers to no model.
    """
    found: dict[ID, Model] = {}
    waiting: list[Any] = list(roots)
    seen: dict[int, Any] = {}  # lists and dictionaries, for one may hold itself
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | dict):
            if id(value) in seen:
                continue
            seen[id(value)] = value
        if isinstance(value, HasProps):
            if isinstance(value, Model):
                if value.id in found:
                    continue
                found[value.id] = value
            waiting.extend(_values_with_refs(value))
        elif isinstance(value, list | tuple):
            waiting.extend(item for item in value if type(item) not in _NEVER_REFS)
        elif isinstance(value, dict):
            waiting.extend(item for item in value.keys() if type(item) not in _NEVER_REFS)
            waiting.extend(item for item in value.values() if type(item) not in _NEVER_REFS)
        elif is_dataclass(value):
            waiting.extend(item for _, item in entries(value))
    return found


_NEVER_REFS = frozenset({str, int, float, bool, type(None)})


def _values_with_refs(model: HasProps) -> Iterator[Any]:
    kind = type(model)
    names = _properties_with_refs.get(kind)
    if names is None:
        names = _properties_with_refs[kind] = tuple(kind.properties_with_refs())
    values, made = model._property_values, model._unstable_default_values
    themed = model.themed_values()
    for name in names:
        if name in values:
            value = values[name]
        elif themed is not None and name in themed:
            value = getattr(model, name)
        else:
            value = made.get(name)
        if type(value) not in _NEVER_REFS:
            yield value

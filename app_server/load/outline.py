"""What a page has in it: its models by id, which of them can be reached, and what is known of its widgets.

It follows the document as a browser does, from the whole document and the server's patches, but keeps only what a
person sees: of data it keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_SCALARS: Final = 1000
"""A longer list that begins with a number or a text is data: there are no models in it."""


@dataclass(slots=True)
class Model:
    """A model: its class, its properties as JSON where they are kept, and the models that each property refers to."""

    id: str
    kind: str
    properties: dict[str, Any]
    refs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that the application gave it, or ""."""
        name = self.properties.get("name")
        return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Which model is meant in any session of the application: the nth of its class and name, in the page's order."""

    kind: str
    name: str
    nth: int


class Outline:
    """The models of a document. `kept` says of which classes all properties are kept; of others only the name is."""

    def __init__(self, document: Mapping[str, Any], kept: frozenset[str] = frozenset()) -> None:
        self._kept = kept
        self._models: dict[str, Model] = {}
        self._places: dict[str, Place] | None = None
        self._roots: list[str] = list(self._define(document.get("roots", ())))

    def reachable(self) -> list[Model]:
        """The models that are in the page now, in its order: a widget that was taken out of it cannot be used."""
        return list(self._walk(self._roots, set()))

    def get(self, ident: str) -> Model | None:
        """The model of this id, None if the document never had it."""
        return self._models.get(ident)

    def places(self) -> Mapping[str, Place]:
        """The place of each model that is in the page now, by its id."""
        if self._places is None:
            self._places = self._placed()
        return self._places

    def _placed(self) -> dict[str, Place]:
        seen: dict[tuple[str, str], int] = {}
        found: dict[str, Place] = {}
        for model in self.reachable():
            key = (model.kind, model.name)
            seen[key] = seen.get(key, -1) + 1
            found[model.id] = Place(*key, seen[key])
        return found

    def apply(self, events: Iterable[Any]) -> None:
        """Take in the events of a patch; those that are not understood are passed over."""
        for event in events:
            if isinstance(event, Mapping):
                self._apply(event)

    def _apply(self, event: Mapping[str, Any]) -> None:
        kind = event.get("kind")
        if kind == "ModelChanged":
            model = self._models.get(_id(event.get("model")))
            if model is not None:
                self._set(model, str(event.get("attr")), event.get("new"))
        elif kind == "RootAdded":
            self._places = None
            self._roots += [ident for ident in self._define(event.get("model")) if ident not in self._roots]
        elif kind == "RootRemoved":
            self._places = None
            gone = _id(event.get("model"))
            self._roots = [ident for ident in self._roots if ident != gone]

    def _define(self, value: Any) -> tuple[str, ...]:
        """The ids of the models that this value refers to directly; those that it defines are known from now on."""
        if isinstance(value, list):
            if len(value) > MAX_SCALARS and not isinstance(value[0], dict | list):
                return ()
            return tuple(ident for item in value for ident in self._define(item))
        if not isinstance(value, dict):
            return ()
        if "id" not in value or value.get("type", "object") != "object":
            return tuple(ident for item in value.values() for ident in self._define(item))
        ident = str(value["id"])
        if "name" in value:
            model = self._models[ident] = Model(ident, str(value["name"]), {})
            for attr, new in (value.get("attributes") or {}).items():
                self._set(model, attr, new)
        return (ident,)

    def _set(self, model: Model, attr: str, new: Any) -> None:
        refs = self._define(new)
        if refs != model.refs.get(attr, ()):
            self._places = None
            model.refs[attr] = refs
        if attr == "name":
            self._places = None
        if attr == "name" or model.kind in self._kept:
            model.properties[attr] = new

    def _walk(self, idents: Iterable[str], seen: set[str]) -> Iterator[Model]:
        for ident in idents:
            model = self._models.get(ident)
            if model is None or ident in seen:
                continue
            seen.add(ident)
            yield model
            for refs in model.refs.values():
                yield from self._walk(refs, seen)


def _id(reference: Any) -> str:
    return str(reference.get("id", "")) if isinstance(reference, Mapping) else ""

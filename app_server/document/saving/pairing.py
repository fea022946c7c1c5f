"""Which models of a new document stand for saved ones that have other ids, because callbacks have made both.

The callbacks of a session that is restored make their models again, under new ids. Where one is in the same place
as a saved one of its class, it takes that one's values: the application's Python keeps it and goes on with it. Only
roots stand for themselves, because pages find them by their ids.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from bokeh.model import Model

_NUMBERED = re.compile(r"[A-Za-z_]+\d{5,}")
"""A name that Panel has given: it numbers the objects of a process."""

Saved = Mapping[str, Any]
"""A model's JSON, or a reference to it."""


def counterparts(
    roots: Sequence[Any],
    models: Mapping[str, Saved],
    new_roots: Sequence[Model],
    built: Mapping[str, Model],
    changed: Collection[tuple[str, str]] = (),
) -> dict[str, Model]:
    """The models below `new_roots` that stand for saved ones, by the saved ids.

    `roots` is the saved roots' JSON and `models` that of all saved models by id. Those that are `built` stand for
    themselves. If one of them is not saved, because a callback has put another one in its place, it may stand for that
    one if it is like it, except in what was `changed` (saved id, property): a page that was left and chosen again, say.
    """
    return _Pairing(models, built, changed).walk(roots, new_roots)


class _Pairing:
    def __init__(
        self, models: Mapping[str, Saved], built: Mapping[str, Model], changed: Collection[tuple[str, str]]
    ) -> None:
        self._models = models
        self._built = built
        self._changed = changed
        self._found: dict[str, Model] = {}
        self._taken: set[str] = set()
        self._waiting: list[tuple[Saved, Model]] = []

    def walk(self, roots: Sequence[Any], new_roots: Sequence[Model]) -> dict[str, Model]:
        for item, model in self._same(list(roots), list(new_roots)):  # pages find roots by their ids
            self._pair(item, model)
        self._look_into(roots, new_roots)
        while self._waiting:
            saved, model = self._waiting.pop(0)
            for attr, value in saved.get("attributes", {}).items():
                if isinstance(value, dict | list) and attr in type(model).properties_with_refs():
                    self._compare(value, getattr(model, attr))
        return {ident: model for ident, model in self._found.items() if ident != model.id}

    def _look_into(self, roots: Sequence[Any], new_roots: Sequence[Model]) -> None:
        """Find pairs in the roots that callbacks have made; the roots themselves keep their saved ids."""
        old = [item for item in roots if item["id"] not in self._found]
        new = [model for model in new_roots if model.id not in self._taken]
        if len(old) == len(new) and all(map(self._fit, old, new)):
            called = [(item, model) for item, model in zip(old, new, strict=True) if _calls(model)]
            self._waiting.extend((self._models[item["id"]], model) for item, model in called)

    def _compare(self, saved: Any, value: Any) -> None:
        """Find pairs in two values of one property."""
        if isinstance(saved, list) and isinstance(value, list | tuple):
            self._compare_lists(saved, value)
        elif isinstance(saved, dict) and isinstance(value, Model):
            if "id" in saved and self._fit(saved, value):
                self._pair(saved, value)
        elif isinstance(saved, dict) and isinstance(value, dict) and saved.get("type") == "map":
            for key, item in saved.get("entries", ()):
                if isinstance(key, str) and key in value:
                    self._compare(item, value[key])

    def _compare_lists(self, saved: list[Any], values: Sequence[Any]) -> None:
        old = [item for item in saved if isinstance(item, dict) and "id" in item]
        new = [value for value in values if isinstance(value, Model)]
        for item, model in [*self._same(old, new), *self._named(old, new)]:
            self._pair(item, model)
        old = [item for item in old if item["id"] not in self._found]
        new = [model for model in new if model.id not in self._taken]
        # In their order, if nothing was added or has gone: else no one knows which is which.
        if len(old) == len(new) and all(map(self._fit, old, new)):
            for item, model in zip(old, new, strict=True):
                self._pair(item, model)

    def _same(self, old: list[Any], new: list[Model]) -> Iterator[tuple[Saved, Model]]:
        by_id = {model.id: model for model in new}
        for item in old:
            model = by_id.get(item["id"])
            if model is not None and self._fit(item, model):
                yield item, model

    def _named(self, old: list[Any], new: list[Model]) -> Iterator[tuple[Saved, Model]]:
        for item in old:
            name = self._name(item)
            fitting = [model for model in new if model.name == name and self._fit(item, model)]
            if _is_given(name) and len(fitting) == 1 and sum(self._name(other) == name for other in old) == 1:
                yield item, fitting[0]

    def _fit(self, saved: Saved, model: Model) -> bool:
        """Whether one may stand for the other: of one class, and neither known by its id or by another name."""
        ident, full = saved["id"], self._models.get(saved["id"], {})
        if full.get("name") != type(model).__qualified_model__:
            return False
        if ident in self._built or (model.id in self._built and model.id in self._models):
            return bool(ident == model.id)
        name = self._name(saved)
        fits = name == model.name or not (_is_given(name) or _is_given(model.name))
        return fits and (model.id not in self._built or self._is_like(ident, full.get("attributes", {}), model))

    def _is_like(self, ident: str, values: Mapping[str, Any], model: Model) -> bool:
        """Whether the saved model was made as this one was: its plain values are the same but for what has changed."""
        kind = type(model)
        for attr in ({*values, *model._property_values} & kind.properties()) - {"name"}:
            descriptor = kind.lookup(attr)
            if not descriptor.serialized or (ident, attr) in self._changed:
                continue
            old, new = values.get(attr, descriptor.class_default(kind)), getattr(model, attr)
            if _is_plain(old) and _is_plain(new) and old != new:
                return False
        return True

    def _pair(self, saved: Saved, model: Model) -> None:
        ident = saved["id"]
        if ident not in self._found and model.id not in self._taken:
            self._found[ident] = model
            self._taken.add(model.id)
            self._waiting.append((self._models[ident], model))

    def _name(self, saved: Saved) -> Any:
        return self._models.get(saved["id"], {}).get("attributes", {}).get("name")


def _calls(root: Model) -> bool:
    return any(model._callbacks or model._event_callbacks for model in root.references())


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_given(name: Any) -> bool:
    """Whether the application has given this name."""
    return isinstance(name, str) and name != "" and _NUMBERED.fullmatch(name) is None

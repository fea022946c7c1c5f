"""The models of a page in its order, and what a person sees of them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_TAG: Final = re.compile(r"<[^>]*>")
_SPACE: Final = re.compile(r"\s+")

_WORDS: Final = ("title", "label", "text", "labels", "header", "object", "placeholder")
"""The properties whose texts a person reads."""

_FIRST: Final = frozenset({"children", "tabs"})
"""The properties whose models lie in the page, one below the other."""


def is_model(value: Any) -> bool:
    """Whether this is a model of bokeh's."""
    return hasattr(value, "properties_with_refs") and hasattr(value, "id")


def walk(document: Any) -> Iterator[Any]:
    """Each model of the document once, from the roots down, in the order of the page."""
    return _walk(list(document.roots), set(), shown_only=False)


def shown(document: Any) -> set[str]:
    """The ids of the models that are shown: visible themselves, in what is visible, and in an open tab."""
    return {model.id for model in _walk(list(document.roots), set(), shown_only=True)}


def _walk(values: list[Any], seen: set[str], *, shown_only: bool) -> Iterator[Any]:
    waiting = values[::-1]
    while waiting:
        value = waiting.pop()
        if is_model(value):
            if value.id not in seen and not (shown_only and getattr(value, "visible", True) is False):
                seen.add(value.id)
                yield value
                waiting += _inside(value, shown_only=shown_only)[::-1]
        elif isinstance(value, Mapping):
            waiting += list(value.values())[::-1]
        elif isinstance(value, list | tuple | set):
            waiting += list(value)[::-1]


def _inside(model: Any, *, shown_only: bool) -> list[Any]:
    """The values of a model's properties that may hold models."""
    if shown_only and is_a(model, "Tabs"):
        return [tab.child for tab in model.tabs[model.active : model.active + 1]]
    if shown_only and getattr(model, "collapsed", False) is True:  # a card of Panel's, of which the header is seen
        return list(model.children[:1])
    names = sorted(type(model).properties_with_refs(), key=lambda name: (name not in _FIRST, name))
    return [getattr(model, name, None) for name in names]


def is_a(model: Any, kind: str) -> bool:
    """Whether the model is of the class of this name, or one that is derived from it."""
    return any(each.__name__ == kind for each in type(model).__mro__)


def read(markup: Any) -> str:
    """The text that a person reads in this HTML."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", str(markup)))).strip()


def texts(model: Any) -> Iterator[str]:
    """What a person reads on the model itself."""
    for name in _WORDS:
        value = getattr(model, name, None)
        value = getattr(value, "text", value) if is_model(value) else value
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, str) and each:
                yield read(each)


def word_models(model: Any) -> list[Any]:
    """The models of its own that hold what a person reads on a model, such as a plot's title."""
    return [value for name in _WORDS if is_model(value := getattr(model, name, None)) and hasattr(value, "text")]


def says(model: Any) -> str:
    """The model in a few words: its class, and its name or what a person reads on it."""
    kind = type(model).__name__
    if getattr(model, "name", None):
        return f"{kind} {model.name!r}"
    words = next(texts(model), "")
    return f"{kind} that says {words[:40]!r}" if words else kind

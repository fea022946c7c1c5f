"""The parts of BokehJS, one file each: which of them a document needs at first, and which messages need the others.

The choice is only an optimisation. A part that was left out is loaded after the first drawing, or when a message comes
that needs it (`loading.js`): a wrong choice costs a wait. What a page's JavaScript does without a message is known only
if it names `Bokeh`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from bokeh.core.has_props import HasProps
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import Canvas, Plot
from bokeh.models.glyphs import MathTextGlyph
from bokeh.models.text import MathText
from bokeh.models.widgets import Widget

from app_server.document import classes

CORE, WEBGL, WIDGETS, TABLES, MATHS = "bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"

PARTS: Final = (CORE, WEBGL, WIDGETS, TABLES, MATHS)
"""All of them, in the order in which a page loads them."""

BEFORE: Final = {TABLES: (WIDGETS,)}
"""What a part needs besides the core."""

_TABLES_MODULE = "bokeh.models.widgets.tables"
_WIDGETS_MODULE = "bokeh.models.widgets"

# In the JSON of messages, where a backslash is two: one of MathJax's delimiters, and in the same text the beginning of
# the other, or a quote. Hostile text takes no longer than other text: no two attempts overlap, and no group is
# repeated, for which JavaScript keeps a stack.
_FORMULAS = (r'\$\$(?!\$)[^"$]*(?:\$|\\")', r'\\\\\([^"\\]*\\', r'\\\\\[[^"\\]*\\')
_FORMULAS_BEGIN = ("$$", r"\(", r"\[")
_WEBGL_WORD = "webgl"
# JavaScript of an application's author, which may use any class there is; but not "Bokeh Application" in a title.
_ANY_CLASS = r"Bokeh\b(?! \w)"

_formulas = tuple(
    (begin.replace("\\", "\\\\").encode(), re.compile(pattern.encode()))
    for begin, pattern in zip(_FORMULAS_BEGIN, _FORMULAS, strict=True)
)
_any_class = re.compile(_ANY_CLASS.encode())
_part_of: dict[type[HasProps], str | None] = classes.table()


def part_of(kind: type[HasProps]) -> str | None:
    """The part that has this class of models, or that its views ask for; None if that is the core."""
    if kind not in _part_of:
        _part_of[kind] = _found_part(kind)
    return _part_of[kind]


def _found_part(kind: type[HasProps]) -> str | None:
    modules = {base.__module__ for base in kind.__mro__}
    if _TABLES_MODULE in modules:
        return TABLES
    if issubclass(kind, Widget) or any(module.startswith(_WIDGETS_MODULE) for module in modules):
        return WIDGETS
    return MATHS if issubclass(kind, MathText | MathTextGlyph) else None


def needed(document: Document, encoded: bytes | None) -> frozenset[str]:
    """The parts that a page needs to draw the document; `encoded` is its JSON, if that is known."""
    models = document.models
    found = {part for kind in {type(model) for model in models} if (part := part_of(kind)) is not None}
    found |= _of_models(models) if encoded is None else _of_json(encoded)
    return with_those_before({CORE, *found})


def with_those_before(parts: Iterable[str]) -> frozenset[str]:
    """These parts and what they need."""
    chosen = set(parts)
    return frozenset(chosen.union(*(BEFORE.get(part, ()) for part in chosen)))


def _of_json(encoded: bytes) -> set[str]:
    if _any_class.search(encoded):
        return set(PARTS)
    found = {WEBGL} if _WEBGL_WORD.encode() in encoded else set()
    if any(begin in encoded and pattern.search(encoded) for begin, pattern in _formulas):
        found.add(MATHS)
    return found


def _of_models(models: Iterable[Model]) -> set[str]:
    found: set[str] = set()
    for model in models:
        if isinstance(model, Canvas | Plot) and model.output_backend == _WEBGL_WORD:
            found.add(WEBGL)
        for value in model._property_values.values():
            if isinstance(value, str) and any(begin in value for begin in _FORMULAS_BEGIN):
                found.add(MATHS)
    return found


@cache
def asked_for_by(part: str) -> str:
    """A pattern, as JavaScript has them, of the messages that need this part."""
    patterns = [_ANY_CLASS]
    names = sorted(
        name
        for name, kind in HasProps.model_class_reverse_map.items()
        if kind.__module__.startswith("bokeh.") and part_of(kind) == part
    )
    if names:
        patterns.append(f'"name":"(?:{"|".join(map(re.escape, names))})"')
    if part == WEBGL:
        patterns.append(_WEBGL_WORD)
    if part == MATHS:
        patterns += _FORMULAS
    return "|".join(patterns)

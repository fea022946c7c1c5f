"""Finds what a test names: models by class, name, text and properties, and components of Panel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from app_server.testing.errors import NotFound, hidden
from app_server.testing.outline import is_a, is_model, read, says, texts, word_models

__tracebackhide__ = hidden

_MOST_NAMED: Final = 12


def find_all(candidates: Iterable[Any], kind: Any, text: Any, properties: Mapping[str, Any]) -> list[Any]:
    """Those of the candidates that fit, in their order; by a text, a plot is found and not also its title."""
    found = [each for each in candidates if fits(each, kind, text, properties)]
    if kind is not None or text is None or len(found) < 2:
        return found
    parts = [part for each in found for part in word_models(each)]
    return [each for each in found if not any(each is part for part in parts)]


def find(candidates: Sequence[Any], kind: Any, text: Any, properties: Mapping[str, Any]) -> Any:
    """The one candidate that fits; NotFound if there is none, or several."""
    found = find_all(candidates, kind, text, properties)
    if len(found) == 1:
        return found[0]
    wanted = _wanted(kind, text, properties)
    if found:
        raise NotFound(f"{len(found)} models fit {wanted}: {_list(found)}. Say more, or use find_all()")
    raise NotFound(f"no {wanted}; {_alternatives(candidates, kind)}")


def fits(candidate: Any, kind: Any, text: Any, properties: Mapping[str, Any]) -> bool:
    """Whether it is of this class, a person reads this text on it, and it has these properties."""
    if isinstance(kind, str) and not is_a(candidate, kind):
        return False
    if kind is not None and not isinstance(kind, str) and not isinstance(candidate, kind):
        return False
    if text is not None and not any(_reads(each, text) for each in texts(candidate)):
        return False
    return all(_has(candidate, name, wanted) for name, wanted in properties.items())


def _reads(shown: str, text: str | re.Pattern[str]) -> bool:
    return text in shown if isinstance(text, str) else text.search(shown) is not None


def _has(candidate: Any, name: str, wanted: Any) -> bool:
    if not hasattr(candidate, name):
        return False
    value = getattr(candidate, name)
    if is_model(value) and not is_model(wanted):  # a title, which may be a model of its own
        value = getattr(value, "text", value)
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.search(read(value)) is not None
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_equal(value[key], wanted[key]) for key in wanted)
    if isinstance(value, np.ndarray) or isinstance(wanted, np.ndarray):
        return bool(np.array_equal(value, wanted))
    return bool(value == wanted)


def _wanted(kind: Any, text: Any, properties: Mapping[str, Any]) -> str:
    """What was looked for, in words."""
    words = _kind_name(kind)
    named = dict(properties)
    if "name" in named:
        words += f" named {_shown(named.pop('name'))}"
    if text is not None:
        words += f" that says {_shown(text)}"
    with_ = ", ".join(f"{name}={_shown(value)}" for name, value in named.items())
    return f"{words} with {with_}" if with_ else words


def _kind_name(kind: Any) -> str:
    return "model" if kind is None else kind if isinstance(kind, str) else str(getattr(kind, "__name__", kind))


def _shown(value: Any) -> str:
    return f"/{value.pattern}/" if isinstance(value, re.Pattern) else repr(value)


def _alternatives(candidates: Sequence[Any], kind: Any) -> str:
    """What there is instead: those of the class, else what a person sees."""
    same = [each for each in candidates if kind is not None and fits(each, kind, None, {})]
    if same:
        return f"there {'is' if len(same) == 1 else 'are'} {_list(same)}"
    seen = [each for each in candidates if getattr(each, "name", None) or any(texts(each))]
    return f"the page has {_list(seen)}" if seen else "the page is empty"


def _list(models: Sequence[Any]) -> str:
    words = [says(each) for each in models[:_MOST_NAMED]]
    more = len(models) - _MOST_NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")

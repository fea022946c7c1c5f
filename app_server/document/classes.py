"""The model classes that applications define, for as long as there is something of the application.

Bokeh knows every model class by its name for ever. A script defines its classes again in each session, in a module that
ends with the session; what bokeh still knows of them then is looked for in a module that is gone, and fails every page.
Here a class is forgotten with its module, and no session's document names the classes of another one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import bokeh.core.has_props as bokeh_has_props
from bokeh.core.has_props import HasProps

_FORGET_TOGETHER = 64
"""How many classes are kept before all tables are searched for them, which takes about a millisecond."""

_TABLES_OF_BOKEH = ("properties", "descriptors", "properties_with_refs", "dataspecs")

_OF_A_SESSION = re.compile(r"^bokeh_app_[0-9a-f]{32}\.")
"""The module of a script is run again under another name in each session (`bokeh.application.handlers`)."""

_resolver: Any = bokeh_has_props._default_resolver
_stock_add = type(_resolver).add

_Trait = tuple[str, str, str]
"""What of a class can make a page need other scripts: its name, its folder, its code."""

_of_documents: dict[str, list[tuple[type[HasProps], _Trait]]] = {}
"""The classes of each module that belongs to one document, in the order in which they were defined."""

_traits: dict[_Trait, int] = {}
"""How many living classes of documents have it."""

_tables: list[dict[Any, Any]] = []
_gone: set[type[HasProps]] = set()
_changes = 0
_shared_changes = 0


def table() -> dict[Any, Any]:
    """A new table by class, or by a tuple in which the class is; the classes that go are taken out of it."""
    made: dict[Any, Any] = {}
    _tables.append(made)
    return made


def changes() -> int:
    """A number that grows when a model class comes or goes."""
    return _changes


def traits() -> frozenset[object]:
    """What the scripts of pages depend on: they do for a page as long as all of this was there when they were found."""
    return frozenset((*_traits, _shared_changes))


def is_others(kind: type, modules: Iterable[str]) -> bool:
    """Whether the class belongs to a document which is not the one of these modules."""
    return kind.__module__ in _of_documents and kind.__module__ not in modules


def known(name: str, own: Callable[[], Iterable[type[HasProps]]]) -> type[HasProps] | None:
    """The class of this name: of `own` if it is there, else the one that was defined last."""
    found: type[HasProps] | None = _resolver._known_models.get(name)
    if found is None or found.__module__.partition(".")[0] != "bokeh":
        found = next((kind for kind in own() if kind.__qualified_model__ == name), found)
    return found


def stable_name(name: str) -> str:
    """The name of a model class without the name that its script's module has in one session only."""
    return _OF_A_SESSION.sub("", name)


def of_modules(modules: Iterable[str]) -> Iterator[type[HasProps]]:
    """The classes that these modules of one document define."""
    for module in modules:
        for kind, _ in _of_documents.get(module, ()):
            yield kind


def begin(module: str) -> None:
    """A module of one document begins; its classes end with it."""
    _of_documents[module] = []


def end(modules: Iterable[str]) -> None:
    """These modules are gone, and their classes with them; a name that they share is that of a living one again."""
    went = [entry for module in modules for entry in _of_documents.pop(module, ())]
    for _, trait in went:
        _traits[trait] -= 1
        if not _traits[trait]:
            del _traits[trait]
    _remove([kind for kind, _ in went])


def forget(modules: Iterable[str]) -> None:
    """Forget every class of these modules, which are to be imported again or could not be imported."""
    global _shared_changes
    names = set(modules)
    shared = [kind for kind in _resolver.known_models.values() if kind.__module__ in names - _of_documents.keys()]
    _shared_changes += len(shared)
    _remove(shared)
    end(names)


def forget_replaced(kinds: Iterable[type[HasProps]]) -> None:
    """Take those of these classes out of the tables whose name is another class's now."""
    for kind in kinds:
        if _resolver._known_models.get(kind.__qualified_model__, kind) is not kind:
            _gone.add(kind)
    _clean_tables()


def _remove(kinds: list[type[HasProps]]) -> None:
    global _changes
    if not kinds:
        return
    _changes += 1
    for kind in kinds:
        name = kind.__qualified_model__
        if _resolver._known_models.get(name) is kind:
            _resolver.remove(kind)
            others = [other for entries in _of_documents.values() for other, _ in entries]
            living = next((other for other in reversed(others) if other.__qualified_model__ == name), None)
            if living is not None:
                _resolver._known_models[name] = living
    _gone.update(kinds)
    _clean_tables()


def _clean_tables() -> None:
    if len(_gone) < _FORGET_TOGETHER:
        return
    for cache in _tables:
        for key in [key for key in cache if not _gone.isdisjoint(key if isinstance(key, tuple) else (key,))]:
            del cache[key]
    for name in _TABLES_OF_BOKEH:
        clear = getattr(getattr(vars(HasProps).get(name), "__func__", None), "cache_clear", None)
        if clear is not None:
            clear()
    _gone.clear()


def _add(kind: type[HasProps]) -> None:
    global _changes, _shared_changes
    _changes += 1
    _stock_add(_resolver, kind)
    if kind.__module__ in _of_documents:
        trait = _trait(kind)
        _of_documents[kind.__module__].append((kind, trait))
        _traits[trait] = _traits.get(trait, 0) + 1
    else:
        _shared_changes += 1


def _trait(kind: type[HasProps]) -> _Trait:
    code = [getattr(kind, name, None) for name in ("__implementation__", "__javascript__", "__css__")]
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return kind.__name__, os.path.dirname(file), repr([getattr(value, "code", value) for value in code])


def install() -> bool:
    """Note the classes that are defined from now on; say whether this version of bokeh allows it. Idempotent."""
    if not all(hasattr(_resolver, name) for name in ("_known_models", "add", "remove")):
        return False
    _resolver.add = _add
    return True

"""The files that Panel's components name as their own, which pages ask for below `components/`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import panel.io.resources
import panel.io.server
import panel.reactive
import panel.util
from panel.io.state import state

from app_server.document import classes
from app_server.document.served import ServedDocument
from app_server.guests.shared_files import SHARED

log = logging.getLogger(__name__)

_FILES_OF_COMPONENTS = frozenset({"__css__", "__javascript__", "__javascript_modules__"})

_Handler = panel.io.server.ComponentResourceHandler
"""Panel's rule for what a component may have served."""


def find_component(path: str) -> Path | None:
    """The file of this address, `module/class/attribute/path`, of this process or another; None if there is none."""
    return _own(path) or SHARED.find(path)


def _own(path: str) -> Path | None:
    module, _, _ = path.partition("/")
    # Panel would import what the address names: a visitor must not choose what is run here.
    if module not in sys.modules:
        return None
    try:
        # It needs the class's list, and no request.
        found = _Handler.parse_url_path(_Handler, path)
    except Exception as error:
        log.debug("components/%s is not served: %s", path[:200], error)
        return None
    return Path(found)


def share_files() -> None:
    """Let the server's other processes find the files of all components that the current document's page may name."""
    found: dict[str, dict[str, str]] = {}
    for kind in shared_or_own(panel.reactive.ReactiveCustomBase):
        if kind.__module__.partition(".")[0] != "panel":
            for address in _addresses(kind):
                file = _own(address)
                if file is not None:
                    found.setdefault(kind.__module__, {})[address] = str(file)
    for module, files in found.items():
        SHARED.note(module, files)


def _addresses(kind: type) -> Iterator[str]:
    for attribute in _Handler._resource_attrs:
        try:
            named = getattr(kind, attribute, None)
        except Exception as error:
            log.debug("%s.%s cannot be read: %s", kind.__name__, attribute, error)
            continue
        for place, resource in _listed(attribute, named):
            path = panel.io.resources.resolve_custom_path(kind, resource, relative=True)
            if path is not None:
                yield f"{kind.__module__}/{kind.__name__}/{place}/{path.as_posix()}"


def _listed(attribute: str, named: Any) -> Iterable[tuple[str, str]]:
    """The files that an attribute names, each with its part of the address."""
    if attribute == "_resources":
        for group, inner in named.items() if isinstance(named, dict) else ():
            yield from _listed(f"_resources/{group}", inner)
        return
    if isinstance(named, dict):
        named = list(named.values())
    for each in [named] if isinstance(named, str | os.PathLike) else named or ():
        if isinstance(each, str | os.PathLike):
            yield attribute, os.fspath(each)


def forget_files(modules: frozenset[str]) -> None:
    """Let pages of others name no files of the components of these modules, which end, and their files with them.

    Panel looks for them in every class that Python still knows, which is until its garbage was collected.
    """
    if not modules:
        return
    SHARED.forget(modules)
    for kind in panel.util._descendents(panel.reactive.ReactiveCustomBase):
        if kind.__module__ in modules:
            for name in _FILES_OF_COMPONENTS & vars(kind).keys():
                setattr(kind, name, None)


def shared_or_own(kind: type, concrete: bool = False) -> list[type]:
    """The classes below `kind` whose files the current document's page names: none of another session's, which may end
    before the page has asked for them."""
    document = state.curdoc
    modules = document.modules.names() if isinstance(document, ServedDocument) else frozenset()
    return [each for each in panel.util._descendents(kind, concrete=concrete) if not classes.is_others(each, modules)]

"""What a program gives to be served, made into applications."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from app_server.apps import Application, application_from_function, load_application
from app_server.apps.builder import DocumentBuilder, application_from_builder, is_builder
from app_server.auth.access import check_access
from app_server.document.pages.themes import Document
from app_server.errors import OperatorError
from app_server.protocol.paths import canonical_route
from app_server.server.applications import prepare as run_once
from app_server.server.once.setup import check_setup
from app_server.settings import Settings
from app_server.sources.route_patterns import check_placeholders

Source: TypeAlias = "str | os.PathLike[str] | Callable[[Document], Any] | DocumentBuilder | Application"
Sources: TypeAlias = "Source | list[Source] | tuple[Source, ...] | Mapping[str, Source]"


def by_route(sources: Sources, settings: Settings, *, prepare: bool = True) -> dict[str, Application]:
    """The applications of these sources by their routes; OperatorError where two have the same, or a rule has none.

    Without `prepare` none of their code has run.
    """
    found = _by_route(sources, settings)
    check_access(settings, found)
    if prepare:
        run_once(settings, found)
    else:
        check_setup(settings)
    return found


def _by_route(sources: Sources, settings: Settings) -> dict[str, Application]:
    if isinstance(sources, Mapping):
        pairs = [(_route(route), _made_of(source, settings)) for route, source in sources.items()]
    else:
        listed = _expanded(list(sources) if isinstance(sources, list | tuple) else [sources], settings)
        pairs = [(application.route, application) for application in (_made_of(item, settings) for item in listed)]
    found: dict[str, Application] = {}
    for route, application in pairs:
        if route in found:
            hint = "Give a dictionary from routes to applications."
            raise OperatorError("two applications would be served there", where=route, hint=hint)
        found[route] = application
    return found


def _route(given: str) -> str:
    try:
        check_placeholders(given)
    except ValueError as error:
        raise OperatorError(f"the address {error}", where=given) from None
    return canonical_route(given)


def _expanded(sources: list[Source], settings: Settings) -> list[Source]:
    """The sources with the patterns among them replaced by what matches, if the setting `glob` is on."""
    if not settings.glob:
        return sources
    found: list[Source] = []
    for source in sources:
        found += sorted(glob.glob(source, recursive=True)) if isinstance(source, str) else [source]
    return found


def _made_of(source: Any, settings: Settings) -> Application:
    if isinstance(source, Application):
        return source
    if isinstance(source, str | os.PathLike):
        return load_application(source, settings.args, dev=settings.dev)
    if is_builder(source):
        return application_from_builder(source)
    if isinstance(source, Document):
        hint = "Give a function that takes a document and fills it: each visitor has one of their own."
        raise OperatorError("a Document cannot be served to several people", where="applications", hint=hint)
    return application_from_function(source)

"""Applications that are objects which fill documents, made by classes of other programs.

`bokeh.application.Application` is the best known of them; it is recognized by what it can do: programs written for the
stock server may hand over what they have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

from app_server.apps.application import Application
from app_server.apps.faults import CodePlace
from app_server.apps.hooks import Hooks, hooks_from
from app_server.document.pages.themes import Document
from app_server.errors import ApplicationError


@runtime_checkable
class DocumentBuilder(Protocol):
    """Fills documents; may have the hooks' methods, `metadata` and `static_path` too."""

    def initialize_document(self, doc: Document) -> None: ...


class BuiltApplication(Application):
    """Has a `DocumentBuilder` fill each document, and calls its methods as hooks."""

    def __init__(self, builder: DocumentBuilder, route: str = "/") -> None:
        name = type(builder).__name__
        super().__init__(route, CodePlace(None, "", name))
        self._builder = builder
        static_path = getattr(builder, "static_path", None)
        self.static_path = Path(static_path) if static_path else None
        self.metadata = getattr(builder, "metadata", None)
        names = {attribute: getattr(builder, attribute) for attribute in Hooks.__slots__ if hasattr(builder, attribute)}
        self._hooks = hooks_from(names, self._place, name, with_requests=True)

    @property
    def hooks(self) -> Hooks:
        return self._hooks

    def _fill(self, document: Document) -> None:
        self._builder.initialize_document(document)
        for handler in getattr(self._builder, "handlers", ()):
            # The stock classes note what an application raised, and go on without it.
            if getattr(handler, "failed", False):
                raise ApplicationError(str(handler.error), where=self._place.main)


def is_builder(source: object) -> TypeGuard[DocumentBuilder]:
    """Whether this object, not a class, fills documents."""
    return isinstance(source, DocumentBuilder) and not isinstance(source, type)


def application_from_builder(builder: Any, route: str = "/") -> Application:
    """The application whose documents the builder fills."""
    return BuiltApplication(builder, route)

"""Applications that are objects of somebody else's classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.application import Application as StockApplication
from bokeh.application.handlers import FunctionHandler
from bokeh.document import Document
from bokeh.models import Div

from app_server.apps.builder import application_from_builder, is_builder
from app_server.errors import ApplicationError


class Board:
    """Fills documents, and has all that such an object may have."""

    static_path = "files"
    metadata = {"a": 1}

    def __init__(self) -> None:
        self.seen: list[object] = []

    def initialize_document(self, doc: Document) -> None:
        """Fill a document."""
        doc.add_root(Div(text="built"))

    def on_session_created(self, context: object) -> None:
        """Note a session."""
        self.seen.append(context)

    def process_request(self, request: object) -> dict[str, Any]:
        """Add to a token."""
        return {"request": request}


def test_an_object_fills_documents_and_its_methods_are_hooks() -> None:
    board = Board()
    made = application_from_builder(board, "/board")
    document = Document()
    made.build(document)
    assert document.roots[0].text == "built"  # type: ignore[attr-defined]
    assert (made.route, made.static_path, made.metadata) == ("/board", Path("files"), {"a": 1})
    made.hooks.on_session_created("context")  # type: ignore[arg-type]
    assert board.seen == ["context"] and made.process_request(1) == {"request": 1}


def test_an_object_that_only_fills_documents_is_enough() -> None:
    made = application_from_builder(SimpleNamespace(initialize_document=lambda doc: doc.add_root(Div())))
    document = Document()
    made.build(document)
    assert len(document.roots) == 1 and made.static_path is None and made.metadata is None


def test_only_objects_are_builders() -> None:
    assert is_builder(Board()) and not is_builder(Board) and not is_builder(lambda doc: None)


def test_an_exception_of_the_object_is_the_applications_error() -> None:
    class Broken(Board):
        def initialize_document(self, doc: Document) -> None:
            raise ValueError("no data")

    with pytest.raises(ApplicationError, match="no data") as caught:
        application_from_builder(Broken()).build(Document())
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_the_stock_classes_note_and_go_on_without_is_the_applications_error() -> None:
    handler = FunctionHandler(lambda doc: None)
    handler._failed, handler._error = True, "the script has failed"  # type: ignore[attr-defined]
    with pytest.raises(ApplicationError) as caught:
        application_from_builder(StockApplication(handler)).build(Document())
    assert caught.value.what == "the script has failed"


def test_a_hook_that_cannot_be_called_is_found_at_once() -> None:
    class Wrong(Board):
        on_server_loaded = "soon"

    with pytest.raises(ApplicationError, match="on_server_loaded is not a function but str"):
        application_from_builder(Wrong())

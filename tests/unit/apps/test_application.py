"""What every application does, whatever it is made of: seen by one that calls a function of the test."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.io import curdoc

from app_server.apps.application import Application
from app_server.apps.faults import ADVICE, CodePlace
from app_server.apps.hooks import Hooks
from app_server.errors import ApplicationError, AppServerError, OperatorError

PLACE = CodePlace(Path(__file__).parent, "board", __file__)


class Board(Application):
    """An application that does what the test says."""

    def __init__(self, fill: Callable[[Document], object], hooks: Hooks | None = None, **more: Any) -> None:
        super().__init__("/board", PLACE, **more)
        self.fill = fill
        self.own_hooks = hooks or Hooks()
        self.prepared = 0

    @property
    def hooks(self) -> Hooks:
        return self.own_hooks

    def prepare(self) -> None:
        self.prepared += 1

    def _fill(self, document: Document) -> None:
        self.fill(document)


def line_of(function: FunctionType, after: int = 0) -> str:
    """What errors call a line of the function, by default its first."""
    return f"board/{Path(__file__).name}:{function.__code__.co_firstlineno + after}"


def test_application_that_says_nothing_has_nothing(document: Document) -> None:
    board = Board(lambda document: None)
    assert repr(board) == "<Board /board>"
    assert (board.description, list(board.watch_paths()), board.process_request(None)) == ("", [], {})
    assert board.path is board.static_path is board.isolation is board.restore is board.metadata is None


def test_build_prepares_first_and_makes_the_document_current(document: Document) -> None:
    seen: list[object] = []
    board = Board(lambda filled: seen.extend([board.prepared, curdoc() is document, filled is document]))
    board.build(document)
    assert seen == [1, True, True]
    assert curdoc() is not document


def test_code_runs_with_its_folder_and_its_arguments(document: Document, tmp_path: Path) -> None:
    seen: list[object] = []
    before = (list(sys.path), list(sys.argv))
    board = Board(lambda _: seen.extend([sys.path[0], sys.argv]), folder=tmp_path, argv=("main.py", "--fast"))
    board.build(document)
    assert seen[0] == str(tmp_path)
    assert (sys.path, sys.argv) == before


def test_what_the_code_raises_is_its_error_with_its_line_and_cause(document: Document) -> None:
    def fill(document: Document) -> None:
        raise ValueError("no data.")

    with pytest.raises(ApplicationError) as caught:
        Board(fill).build(document)
    assert str(caught.value) == f"{line_of(fill, 1)}: ValueError: no data. {ADVICE}"
    assert isinstance(caught.value.__cause__, ValueError)
    # No frame of the server's is above the author's code.
    frames = caught.value.__cause__.__traceback__
    assert frames is not None and frames.tb_frame.f_code.co_filename == __file__


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt])
def test_nothing_that_the_code_raises_ends_the_server(document: Document, kind: type[BaseException]) -> None:
    def fill(document: Document) -> None:
        raise kind

    # As the server's commands do, which handle the signal themselves.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with pytest.raises(ApplicationError) as caught:
            Board(fill).build(document)
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(caught.value.__cause__, kind)


def test_error_that_is_reported_already_comes_through(document: Document) -> None:
    error = OperatorError("the disk is full")

    def fill(document: Document) -> None:
        raise error

    with pytest.raises(AppServerError) as caught:
        Board(fill).build(document)
    assert caught.value is error


def test_process_request_gives_what_it_returns_and_sees_the_request() -> None:
    board = Board(lambda _: None, Hooks(process_request=lambda request: {"seen": request}))
    assert board.process_request("it") == {"seen": "it"}


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), ([1], "list"), ("text", "str")])
def test_process_request_that_returns_something_else_is_named(value: object, kind: str) -> None:
    def process_request(request: object) -> Any:
        return value

    board = Board(lambda _: None, Hooks(process_request=process_request))
    with pytest.raises(ApplicationError) as caught:
        board.process_request(None)
    assert str(caught.value) == (
        f"{line_of(process_request)}: process_request returned {kind}, not a dict. "
        "Return {} if there is nothing to add"
    )


def test_process_request_that_fails_is_named() -> None:
    def process_request(request: object) -> Any:
        raise KeyError("user")

    board = Board(lambda _: None, Hooks(process_request=process_request))
    with pytest.raises(ApplicationError) as caught:
        board.process_request(None)
    assert caught.value.what == "KeyError: 'user'"
    assert caught.value.where == line_of(process_request, 1)


def test_place_of_a_function_without_code_is_the_applications() -> None:
    board = Board(lambda _: None)
    assert board.fault_place(len) == "board"
    assert board.fault_place(line_of) == line_of(line_of)


def test_error_of_a_callback_has_its_line_in_the_application() -> None:
    def callback() -> None:
        raise ValueError("late")

    try:
        callback()
    except ValueError as error:
        found = Board(lambda _: None).error_from(error)
    assert found.where == line_of(callback, 1)

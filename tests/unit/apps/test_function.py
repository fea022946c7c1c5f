from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.io import curdoc

from app_server.apps import application_from_function, as_application, empty_application, load_application
from app_server.errors import ApplicationError
from tests.unit.apps.making import MENDED, Write

HERE = Path(__file__)


def titled(document: Document) -> Document:
    assert curdoc() is document
    document.title = "called"
    return document


class Titled:
    def __call__(self, document: Document) -> None:
        document.title = "called"

    def method(self, document: Document) -> None:
        document.title = "called"


def with_title(title: str, document: Document) -> None:
    document.title = title


@pytest.mark.parametrize(
    "function",
    [
        titled,
        lambda document: titled(document),
        Titled(),
        Titled().method,
        functools.partial(with_title, "called"),
        lambda document, *, loud=False: titled(document),
    ],
)
def test_whatever_takes_a_document_is_an_application(function: Any, document: Document) -> None:
    application = application_from_function(function)
    application.build(document)
    assert document.title == "called"
    assert (application.route, application.path, application.static_path) == ("/", None, None)


def test_name_becomes_the_route() -> None:
    assert application_from_function(titled, name="sales").route == "/sales"
    assert application_from_function(titled, name="/a/b c/").route == "/a/b%20c"


def no_arguments() -> None: ...


def two_arguments(a: Any, b: Any) -> None: ...


async def asynchronous(document: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (no_arguments, "no_arguments() -> 'None' cannot be called with one argument"),
        (two_arguments, "two_arguments(a: 'Any', b: 'Any') -> 'None' cannot be called with one argument"),
        (asynchronous, "asynchronous is async, but documents are built synchronously"),
    ],
)
def test_function_of_another_shape_is_refused(function: Any, what: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        application_from_function(function)
    assert caught.value.what == what
    assert caught.value.where is not None
    assert caught.value.where.endswith(f"{HERE.name}:{function.__code__.co_firstlineno}")


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(ApplicationError) as caught:
        application_from_function(3)  # type: ignore[arg-type]
    assert str(caught.value) == "3 is not a function. Pass a function that takes the document"


def test_function_that_turns_out_to_be_async_is_an_error(document: Document) -> None:
    application = application_from_function(lambda document: asynchronous(document))
    with pytest.raises(ApplicationError) as caught:
        application.build(document)
    assert "is async, but documents are built synchronously" in caught.value.what


def failing(document: Document) -> None:
    raise ValueError("no")


def test_failing_function_names_its_line(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parents[1])
    line = failing.__code__.co_firstlineno + 1
    with pytest.raises(ApplicationError) as caught:
        application_from_function(failing).build(document)
    assert str(caught.value) == f"apps/test_function.py:{line}: ValueError: no. {MENDED}"


def test_function_that_was_typed_in_names_its_line(document: Document) -> None:
    names: dict[str, Any] = {}
    exec(compile("def typed(document):\n    1 / 0\n", "<cell>", "exec"), names)
    with pytest.raises(ApplicationError) as caught:
        application_from_function(names["typed"]).build(document)
    assert caught.value.where == "<cell>:2"


def test_builtin_that_fails_is_still_reported(document: Document) -> None:
    with pytest.raises(ApplicationError) as caught:
        application_from_function(len).build(document)
    assert caught.value.what.startswith("TypeError: object of type 'Document' has no len")


def test_empty_application_leaves_the_document_empty(document: Document) -> None:
    application = empty_application()
    application.build(document)
    assert application.route == "/"
    assert document.roots == []


def test_application_is_taken_for_what_it_is(write: Write) -> None:
    script = write({"app.py": ""}) / "app.py"
    application = load_application(script)
    assert as_application(application) is application
    assert as_application(script).path == script
    assert as_application(str(script)).route == "/app"
    assert as_application(titled).path is None


def test_source_file_of_a_function_is_watched() -> None:
    assert list(application_from_function(titled).watch_paths()) == [HERE]
    assert list(application_from_function(len).watch_paths()) == []


def test_imports_are_those_of_its_module_of_functions_around_it_and_of_its_own() -> None:
    import decimal

    def empty() -> None:
        return later

    def application(document: Document) -> None:
        import xml.dom

        document.title = f"{decimal.Decimal(1)} {xml.dom}"

        def callback() -> None:
            from fractions import Fraction

            document.title = str(Fraction(1))

        document.add_next_tick_callback(callback)

    imports = application_from_function(application).imports
    assert {"functools", "pathlib", "decimal", "xml", "fractions"} <= imports
    assert "calendar" not in imports
    assert "functools" in application_from_function(lambda document: empty()).imports
    assert "functools" in application_from_function(functools.partial(with_title, "called")).imports
    assert "functools" in application_from_function(Titled()).imports
    later = None


def test_imports_of_the_programs_other_modules_are_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seen_page.py").write_text("import seen_parts\ndef page():\n    return seen_parts.wave\n")
    (tmp_path / "seen_parts.py").write_text("import wave\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        page = importlib.import_module("seen_page").page
        assert {"seen_page", "seen_parts", "wave"} <= application_from_function(lambda document: page()).imports
    finally:
        for name in ("seen_page", "seen_parts"):
            sys.modules.pop(name, None)


class Proxy:
    """Stands for something that is not there now."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("working outside of a request")


def test_proxies_around_a_function_are_left_out() -> None:
    proxy = Proxy()
    assert "functools" in application_from_function(lambda document: proxy).imports

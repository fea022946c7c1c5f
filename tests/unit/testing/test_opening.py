"""What `open_app` takes, and what it refuses."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div
from bokeh.plotting import curdoc

from app_server.apps import application_from_function
from app_server.errors import OperatorError
from app_server.testing import AppFailure, open_app
from tests.support.server import EXAMPLES


class Builder:
    """An object that fills documents, as those of the stock server."""

    def initialize_document(self, doc: Any) -> None:
        doc.add_root(Div(text="built"))


def fill(document: Any) -> None:
    """A division."""
    document.add_root(Div(text="filled"))


@pytest.mark.parametrize(
    ("source", "text"),
    [(fill, "filled"), (Builder(), "built"), (application_from_function(fill, "named"), "filled")],
)
def test_functions_builders_and_applications_are_opened(source: Any, text: str) -> None:
    with open_app(source) as app:
        assert app.find(Div).text == text


@pytest.mark.parametrize("path", ["seed/myapp.py", "seed/myapp_dir"])
def test_scripts_and_folders_are_opened(path: str) -> None:
    with open_app(EXAMPLES / path) as app:
        assert app.document.roots
    with open_app(str(EXAMPLES / path)) as app:
        assert app.session.application == f"/{Path(path).stem}"


def test_notebooks_are_opened(tmp_path: Path) -> None:
    code = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div(text='cell'))\n"
    cell = {"cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": None}
    notebook = tmp_path / "book.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with open_app(notebook) as app:
        assert app.find(Div).text == "cell"


def test_settings_are_those_of_the_server(tmp_path: Path) -> None:
    script = tmp_path / "words.py"
    script.write_text(
        "import sys\nfrom bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "request = curdoc().session_context.request\n"
        "curdoc().add_root(Div(text=repr((sys.argv[1:], request.path, 'X-Secret' in request.headers))))\n"
    )
    headers = {"X-Secret": "1"}
    with open_app(script, args=["a", "b"], prefix="/site", exclude_headers=["X-Secret"], headers=headers) as app:
        assert app.find(Div).text == "(['a', 'b'], '/site/words', False)"


def test_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SERVER_STORE", "redis://nowhere.invalid")
    with open_app(fill) as app:
        assert not app._site.runtime.saves


def test_unknown_settings_and_missing_files_are_refused() -> None:
    with pytest.raises(OperatorError, match="stor: Server has no such keyword"):
        open_app(fill, stor="x")
    with pytest.raises(OperatorError, match="missing.py: there is no such file or folder"):
        open_app("missing.py")
    with pytest.raises(OperatorError, match="opens one application, not 2"):
        open_app({"/a": fill, "/b": fill})
    with open_app({"/a": fill}) as app:
        assert app.find(Div).text == "filled"


def test_functions_without_arguments_return_or_add_what_is_shown() -> None:
    for made in (lambda: Div(text="shown"), lambda: curdoc().add_root(Div(text="shown"))):
        with open_app(made) as app:
            assert app.find(Div).text == "shown"


def test_failure_names_the_line_of_the_function() -> None:
    def fails() -> Any:
        raise LookupError("no data")

    with pytest.raises(AppFailure, match=r"test_opening\.py:\d+: LookupError: no data"):
        open_app(fails)
    with pytest.raises(AppFailure, match="TypeError: the function has returned 'text', which is neither a model nor"):
        open_app(lambda: "text")


def test_function_of_two_arguments_is_still_refused() -> None:
    with pytest.raises(AppFailure, match="cannot be called with one argument"):
        open_app(lambda one, two: None)


def test_functions_and_classes_of_panel_are_served_as_panel_serves_them() -> None:
    pn: Any = importlib.import_module("panel")

    class Counter(pn.viewable.Viewer):  # type: ignore[misc]
        def __panel__(self) -> Any:
            self.slider = pn.widgets.IntSlider(label="n", start=0, end=5)
            return pn.Column(self.slider, pn.bind(lambda n: f"n is {n}", self.slider))

    template = pn.template.FastListTemplate(title="Page")
    template.main.append(Counter())
    for source in (lambda: pn.Row(Counter()), Counter, Counter(), lambda: Counter(), template):
        with open_app(source) as app:
            app.set(app.find("Slider", title="n"), value=4)
            assert app.find(text="n is 4")
            other = app.visit()
            assert other.find("Slider", title="n")

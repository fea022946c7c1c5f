from __future__ import annotations

import linecache

import pytest
from bokeh.document import Document

from app_server.apps import load_application
from app_server.errors import ApplicationError
from tests.unit.apps.making import MENDED, Write, notebook


def test_cells_run_in_order_in_one_module(write: Write, document: Document) -> None:
    cells = ["from bokeh.io import curdoc\nx = 1", "x += 1", "", "curdoc().title = f'{x} {__file__[-9:]}'"]
    application = load_application(write({"app.ipynb": notebook(*cells)}) / "app.ipynb")
    application.build(document)
    assert document.title == "2 app.ipynb"
    assert application.route == "/app"


def test_error_points_at_cell_and_line(write: Write, document: Document) -> None:
    path = write({"app.ipynb": notebook("%matplotlib inline\nx = 1", "!ls\n\nx / 0")}) / "app.ipynb"
    with pytest.raises(ApplicationError) as caught:
        load_application(path).build(document)
    assert str(caught.value) == f"{path}:cell 2:3: ZeroDivisionError: division by zero. {MENDED}"
    assert linecache.getline(f"{path}:cell 2", 3) == "x / 0"


def test_syntax_error_points_at_cell_and_line_when_loading(write: Write) -> None:
    path = write({"app.ipynb": notebook("x = 1", "%time\ny = = 2")}) / "app.ipynb"
    with pytest.raises(ApplicationError) as caught:
        load_application(path)
    assert str(caught.value) == f"{path}:cell 2:2: SyntaxError: invalid syntax. {MENDED}"


def test_future_import_holds_for_later_cells(write: Write, document: Document) -> None:
    cells = [
        "from __future__ import annotations\nfrom bokeh.io import curdoc",
        "def f(x: Unknown): ...\ncurdoc().title = f.__annotations__['x']",
    ]
    load_application(write({"app.ipynb": notebook(*cells)}) / "app.ipynb").build(document)
    assert document.title == "Unknown"


def test_ipython_names_do_nothing(write: Write, document: Document) -> None:
    cells = ["display('x', raw=True)", "get_ipython().run_line_magic('matplotlib', 'inline')"]
    load_application(write({"app.ipynb": notebook(*cells)}) / "app.ipynb").build(document)


def test_functions_of_showing_do_nothing(write: Write, document: Document) -> None:
    cells = ["from bokeh.io import output_notebook, push_notebook, show\noutput_notebook()", "show(1); push_notebook()"]
    load_application(write({"app.ipynb": notebook(*cells)}) / "app.ipynb").build(document)

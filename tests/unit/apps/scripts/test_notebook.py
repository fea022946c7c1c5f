from __future__ import annotations

import json
import linecache

import pytest
from bokeh.document import Document

from app_server.apps import load_application
from app_server.apps.scripts.notebook import plain_python, read_cells
from app_server.errors import ApplicationError
from tests.unit.apps.shelf import MENDED, Write, notebook


def test_cells_run_in_order_in_one_module(write: Write, document: Document) -> None:
    cells = ["from bokeh.io import curdoc\nx = 1", "x += 1", "", "curdoc().title = f'{x} {__file__[-9:]}'"]
    application = load_application(write({"app.ipynb": notebook(*cells)}) / "app.ipynb")
    application.build(document)
    assert document.title == "2 app.ipynb"
    assert application.route == "/app"


def test_old_notebook_is_read_too() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "heading"}, {"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]}]}
    assert [cell.source for cell in read_cells(json.dumps(old).encode(), "a.ipynb")] == ["x = 1\ny = 2"]


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


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("x = 5 % 3", "x = 5 % 3"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if x:\n    %debug\n    y = 1", "if x:\n    pass\n    y = 1"),
        ("!pip install \\\n    bokeh\nx = 1", "pass\n\nx = 1"),
        ("files = !ls\nx, y = %who", "files = []\nx, y = None"),
        ("figure?\n?figure\nfigure.line??\n%time?", "pass\npass\npass\npass"),
        ("# what?\n%pwd", "# what?\npass"),
        ("%time x = f()", "x = f()"),
        ("%timeit -n 10 -r3 f(x)", "f(x)"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out\nx = 1\n%pwd", "\n\nx = 1\npass"),
        ("%%bash\nls\necho hello", "\n\n"),
        ("%%html\n<b>bold</b>", "\n"),
        ("%%markdown\nHello", "\n"),
        ("%%unheard_of\nSELECT * FROM t", "\n"),
        ("%%unheard_of\nx = 1", "\nx = 1"),
        ("%%writefile helpers.py\nx = 1", "\n"),
    ],
)
def test_line_of_ipython_becomes_a_line_of_python(cell: str, python: str) -> None:
    assert plain_python(cell) == python


def test_text_that_only_looks_like_magic_is_kept() -> None:
    cell = "\n".join(
        [
            'text = """',
            "%matplotlib inline",
            '!ls \\"',
            "# it's",
            '"""',
            "x = (7",
            "     % 3)  # (",
            "y = 'it\\'s' + \\",
            "    '!ls'",
            "%pwd",
        ]
    )
    assert plain_python(cell) == cell.replace("%pwd", "pass")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"cells": [\n', "a.ipynb:3: the notebook is not JSON: Expecting value. Save it again in Jupyter"),
        (b'"\xff"', "a.ipynb: the notebook is not UTF-8. Save it again in Jupyter"),
        (b"[]", "a.ipynb: the file is JSON but not a notebook. Save it again in Jupyter"),
        (b'{"cells": [{}]}', "a.ipynb: the file is JSON but not a notebook. Save it again in Jupyter"),
        (
            b'{"metadata": {"kernelspec": {"language": "R"}}, "cells": []}',
            "a.ipynb: the notebook is written in r. Only notebooks in Python can be served",
        ),
    ],
)
def test_file_that_is_no_python_notebook_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        read_cells(content, "a.ipynb")
    assert str(caught.value) == message

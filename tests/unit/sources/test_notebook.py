"""The code of a notebook: what is Python stays, what only IPython understands does nothing."""

from __future__ import annotations

import json

import pytest

from app_server.errors import ApplicationError
from app_server.sources.notebook import plain_python, read_cells


def test_old_notebook_is_read_too() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "heading"}, {"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]}]}
    assert [cell.source for cell in read_cells(json.dumps(old).encode(), "a.ipynb")] == ["x = 1\ny = 2"]


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

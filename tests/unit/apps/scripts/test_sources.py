from __future__ import annotations

from pathlib import Path

from app_server.apps import load_application
from tests.unit.apps.making import Write, notebook


def watched(path: Path) -> list[str]:
    folder = path if path.is_dir() else path.parent
    return [str(file.relative_to(folder)) for file in load_application(path).watch_paths()]


def test_imports_are_the_modules_from_elsewhere(write: Write) -> None:
    script = """
        import os.path, numpy as np
        from panel.widgets import Button
        import helper, tools.deep.inner
        from tools import other
        def later():
            import pandas
    """
    folder = write(
        {
            "app.py": script,
            "helper.py": "import holoviews\nimport app\n",
            "tools/__init__.py": "from . import sibling\n",
            "tools/sibling.py": "import param\nfrom .. import helper\n",
            "tools/other.py": "import y = 1\n",
            "tools/deep/inner.py": "from ..sibling import x\nimport geopandas\n",
            "unrelated.py": "import flask\n",
        }
    )
    application = load_application(folder / "app.py")
    assert application.imports == {"os", "numpy", "panel", "pandas", "holoviews", "param", "geopandas"}
    assert watched(folder / "app.py") == [
        "app.py",
        "helper.py",
        "tools/__init__.py",
        "tools/deep/inner.py",
        "tools/other.py",
        "tools/sibling.py",
    ]


def test_imports_of_every_part_of_a_folder_count(write: Write) -> None:
    folder = write(
        {
            "sales/main.ipynb": notebook("%matplotlib inline\nimport numpy", "import pandas"),
            "sales/__init__.py": "import param",
            "sales/app_hooks.py": "import panel",
        }
    )
    assert load_application(folder / "sales").imports == {"numpy", "pandas", "param", "panel"}


def test_whole_folder_of_an_application_is_watched(write: Write) -> None:
    folder = write(
        dict.fromkeys(
            (
                "main.py",
                "theme.yaml",
                "data.csv",
                "static/js/special.js",
                "static/css/special.css",
                "templates/index.html",
                "notes.ipynb",
                "part/inner.py",
                "part/__pycache__/inner.py",
                ".git/hook.py",
                "venv/pyvenv.cfg",
                "venv/lib/module.py",
                "node_modules/left-pad/index.js",
            ),
            "",
        )
    )
    assert watched(folder) == [
        "main.py",
        "notes.ipynb",
        "part/inner.py",
        "static/css/special.css",
        "static/js/special.js",
        "templates/index.html",
        "theme.yaml",
    ]


def test_file_that_appears_later_is_watched(write: Write) -> None:
    application = load_application(write({"main.py": ""}))
    folder = write({"templates/index.html": ""})
    assert folder / "templates/index.html" in list(application.watch_paths())


def test_too_many_dots_of_a_relative_import_do_no_harm(write: Write) -> None:
    folder = write({"app.py": f"from {'.' * 60} import x\n"})
    assert load_application(folder / "app.py").imports == frozenset()

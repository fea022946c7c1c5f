"""The fixture `open_app`, in a pytest of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from app_server.testing import OpenApp
from tests.unit.testing.inner import open_app, run_inner

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]
APP = """
from bokeh.io import curdoc
from bokeh.models import Button, Div

shown, button = Div(name="shown", text="0"), Button(label="Go")
button.on_click(lambda: shown.update(text=str(10 // int(shown.text))))
curdoc().add_root(shown)
curdoc().add_root(button)
"""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with an application in another one than pytest runs in."""
    pytester.makefile(".py", **{"below/app": APP})
    return pytester


def run(folder: pytest.Pytester, test: str) -> pytest.RunResult:
    """The result of this test file beside the application."""
    folder.makefile(".py", **{"below/test_app": test})
    return run_inner(folder)


def test_fixture_opens_applications_beside_the_test_and_stops_them(folder: pytest.Pytester) -> None:
    done = run(
        folder,
        """
opened = []

def test_app(open_app):
    app = open_app("app.py", user="ada")
    opened.append(app)
    assert app.session.context.user == "ada"
    assert app.find("Div").text == "0"

def test_it_was_stopped():
    assert opened[0].session.destroyed
""",
    )
    done.assert_outcomes(passed=2)


def test_failure_shows_the_line_of_the_test_and_that_of_the_application(folder: pytest.Pytester) -> None:
    done = run(folder, "def test_app(open_app):\n    app = open_app('app.py')\n    app.click(app.find('Button'))\n")
    done.assert_outcomes(failed=1)
    text = done.stdout.str()
    assert ">   app.click(app.find('Button'))" in re.sub(" +", " ", text).replace("> ", ">   ")
    assert "AppFailure: below/app.py:5: ZeroDivisionError" in text
    assert "button.on_click(lambda: shown.update(text=str(10 // int(shown.text))))" in text
    assert not re.findall(r"^\S*app_server/testing/\S+:\d+: ", text, re.MULTILINE)


def test_plugin_imports_nothing_before_a_test_asks_for_it() -> None:
    code = (
        "import app_server.testing.plugin, sys; print([name for name in ('bokeh', 'tornado') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_entry_point_leads_to_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (name,) = project["entry-points"]["pytest11"].values()
    assert import_module(name).open_app is not open_app
    assert OpenApp.__module__ == "app_server.testing.tab"

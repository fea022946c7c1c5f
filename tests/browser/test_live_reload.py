"""In development an open page loads itself again when any file of its application changes, and says what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import Complaints, model_value, open_app, patience_ms, wait_for_model, wait_idle
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the directory application and of a script beside it, for tests to change."""
    copy = tmp_path_factory.mktemp("developing")
    shutil.copytree(APPS / "garden", copy / "garden")
    (copy / "note.py").write_text(NOTE.format(text="first"), encoding="utf-8")
    return copy


NOTE = """from bokeh.models import Div
from bokeh.plotting import curdoc
import note_words

curdoc().add_root(Div(text="{text} " + note_words.WORD, name="note"))
"""


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RunningServer]:
    """Both applications in development."""
    (folder / "note_words.py").write_text("WORD = 'words'\n", encoding="utf-8")
    with running_server(folder / "garden", folder / "note.py", "--dev") as started:
        yield started


def change(path: Path, old: str, new: str) -> None:
    """Save the file with `new` in the place of `old`, as an editor does: at once."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.with_suffix(".saving").write_text(text.replace(old, new), encoding="utf-8")
    path.with_suffix(".saving").replace(path)


def mark(page: Page) -> None:
    """Leave something in the page that a reload takes away."""
    page.evaluate("window.same_page = true")


def wait_until_reloaded(page: Page) -> None:
    """Return when the marked page has loaded itself again."""
    page.wait_for_function("window.same_page === undefined", timeout=patience_ms(10))


def test_every_file_of_a_folder_reloads_the_open_page(server: RunningServer, folder: Path, page: Page) -> None:
    garden = folder / "garden"
    open_app(page, f"{server.url}/garden")
    changes = [
        ("main.py", "A garden", "A changed garden"),
        ("plants.py", "fern", "changed fern"),
        ("templates/index.html", "Greetings", "Changed greetings"),
        ("static/css/garden.css", "rgb(1, 2, 3)", "rgb(30, 20, 10)"),
        ("theme.yaml", "#fafafa", "#0f0f0f"),
    ]
    shown = {
        "main.py": lambda: expect(page).to_have_title("A changed garden"),
        "plants.py": lambda: wait_for_model(page, "plant", "model.text === 'changed fern'"),
        "templates/index.html": lambda: expect(page.locator("h1")).to_have_text("Changed greetings"),
        "static/css/garden.css": lambda: expect(page.locator("h1")).to_have_css("color", "rgb(30, 20, 10)"),
        "theme.yaml": lambda: wait_for_model(page, "plot", "model.background_fill_color === '#0f0f0f'"),
    }
    for name, old, new in changes:
        mark(page)
        change(garden / name, old, new)
        wait_until_reloaded(page)
        wait_idle(page)
        shown[name]()
    # What was changed first is still so.
    for look in shown.values():
        look()


def test_helper_beside_a_script_reloads_its_page(server: RunningServer, folder: Path, page: Page) -> None:
    open_app(page, f"{server.url}/note")
    mark(page)
    change(folder / "note_words.py", "'words'", "'other words'")
    wait_until_reloaded(page)
    wait_for_model(page, "note", "model.text === 'first other words'")


@pytest.mark.parametrize(
    ("name", "old", "broken", "complaint"),
    [
        ("note.py", "curdoc().add_root(", "curdoc().add_root((", "note.py:5"),
        ("note_words.py", "WORD = ", "WORD == ", "note_words.py:1"),
    ],
)
def test_mistake_is_shown_with_file_and_line_until_it_is_mended(
    server: RunningServer,
    folder: Path,
    page: Page,
    complaints: Complaints,
    name: str,
    old: str,
    broken: str,
    complaint: str,
) -> None:
    open_app(page, f"{server.url}/note")
    shown = model_value(page, "note", "model.text")
    mark(page)
    change(folder / name, old, broken)
    wait_until_reloaded(page)
    expect(page.locator("body")).to_contain_text(complaint)
    mark(page)
    change(folder / name, broken, old)
    wait_until_reloaded(page)
    wait_for_model(page, "note", f"model.text === {shown!r}")
    assert complaints.messages and all("500" in message for message in complaints.messages)
    complaints.clear()


@pytest.mark.parametrize("name", ["templates/index.html", "theme.yaml"])
def test_mistake_in_template_or_theme_is_shown_until_it_is_mended(
    server: RunningServer, folder: Path, page: Page, complaints: Complaints, name: str
) -> None:
    path = folder / "garden" / name
    text = path.read_text(encoding="utf-8")
    open_app(page, f"{server.url}/garden")
    mark(page)
    path.write_text("{% block\n" if name.endswith("html") else "attrs: [1\n", encoding="utf-8")
    wait_until_reloaded(page)
    expect(page.locator("body")).to_contain_text(f"garden/{name}:")
    mark(page)
    path.write_text(text, encoding="utf-8")
    wait_until_reloaded(page)
    wait_idle(page)
    complaints.clear()


def test_application_that_is_broken_from_the_start_comes_up_when_it_is_mended(
    tmp_path: Path, processes: ExitStack, page: Page, complaints: Complaints
) -> None:
    script = tmp_path / "late.py"
    script.write_text("this is no Python\n", encoding="utf-8")
    server = processes.enter_context(running_server(script, "--dev"))
    page.goto(f"{server.url}/late")
    expect(page.locator("body")).to_contain_text("late.py:1")
    mark(page)
    script.write_text("from bokeh.io import curdoc\ncurdoc().title = 'Up at last'\n", encoding="utf-8")
    wait_until_reloaded(page)
    expect(page).to_have_title("Up at last")
    complaints.clear()

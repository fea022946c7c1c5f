"""What a path means as an application, and what is said of a path that means none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bokeh.document import Document

from app_server.apps import Application, application_from_function, as_application, load_application
from app_server.apps.load import find_main
from app_server.errors import ApplicationError, OperatorError
from tests.unit.apps.making import Write, notebook

NAMED = "Name a .py script, an .ipynb notebook, an .md file, or a folder with a main.py or main.ipynb"


def fault(path: Path | str) -> str:
    """What is said of a path that cannot be served."""
    with pytest.raises((OperatorError, ApplicationError)) as caught:
        load_application(path)
    return str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("dash", "Did you mean dash.py?"),
        ("notes", "Did you mean notes.ipynb?"),
        ("dahs.py", "Did you mean dash.py?"),
        ("./sales-bord", "Did you mean ./sales-board?"),
        ("nowhere/dash.py", NAMED),
        ("xyzzy", NAMED),
        ("_private.py", NAMED),
        (".hidden.py", NAMED),
    ],
)
def test_missing_path_is_met_with_what_lies_beside_it(write: Write, here: Path, given: str, hint: str) -> None:
    write({"dash.py": "", "notes.ipynb": notebook(), "sales-board/main.py": "", "_privat.py": "", ".hiddn.py": ""})
    assert fault(given) == f"{given}: there is no such file or folder. {hint}"


def test_address_without_a_slash_is_met_with_one_that_has_it(write: Write, here: Path) -> None:
    write({"dash.py": ""})
    assert fault("board=dash.py") == (
        "board=dash.py: there is no such file or folder. An address begins with a slash: /board=dash.py"
    )
    assert fault("board=dahs.py") == f"board=dahs.py: there is no such file or folder. {NAMED}"


@pytest.mark.parametrize("name", ["data.csv", "script.PY", "Makefile"])
def test_file_of_another_kind(write: Write, here: Path, name: str) -> None:
    write({name: ""})
    assert fault(name) == f"{name}: is neither a script nor a notebook. {NAMED}"


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ([], NAMED),
        (["one.py", "two.py"], NAMED),
        (["one.py"], "Rename its one.py to main.py, or name board/one.py"),
        (["one.ipynb", "app_hooks.py", "_tool.py", "__init__.py"],
         "Rename its one.ipynb to main.ipynb, or name board/one.ipynb"),
        (["server_lifecycle.py", "Main.txt"], NAMED),
    ],
)  # fmt: skip
def test_folder_without_a_main_file(write: Write, here: Path, names: list[str], hint: str) -> None:
    (here / "board").mkdir()
    write({f"board/{name}": "" for name in names})
    assert fault("board") == f"board: the folder has neither main.py nor main.ipynb. {hint}"


def test_folders_named_like_files_are_not_counted(here: Path) -> None:
    for name in ("main.py", "one.py"):
        (here / "board" / name).mkdir(parents=True)
    assert fault("board") == f"board: the folder has neither main.py nor main.ipynb. {NAMED}"


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (("main.py", "main.ipynb"), "main.py and main.ipynb"),
        (("main.py", "app_hooks.py", "server_lifecycle.py"), "app_hooks.py and server_lifecycle.py"),
    ],
)
def test_folder_that_leaves_a_choice(write: Write, here: Path, names: tuple[str, ...], both: str) -> None:
    write({f"board/{name}": "" for name in names})
    assert fault("board") == f"board: the folder has both {both}. Keep one of them"


def test_main_of_a_folder_is_its_script_or_its_notebook(write: Write) -> None:
    root = write({"one/main.py": "", "two/main.ipynb": notebook()})
    assert find_main(root / "one", "one") == root / "one" / "main.py"
    assert find_main(root / "two", "two") == root / "two" / "main.ipynb"


@pytest.mark.parametrize("beside", ["app_hooks.py", "server_lifecycle.py", "theme.yaml", "templates/index.html"])
@pytest.mark.parametrize("main", ["main.py", "main.ipynb"])
def test_main_file_that_is_named_itself_is_warned_of_what_it_goes_without(
    write: Write, here: Path, caplog: pytest.LogCaptureFixture, main: str, beside: str
) -> None:
    write({f"board/{main}": notebook() if main.endswith("b") else "", f"board/{beside}": ""})
    load_application(f"board/{main}")
    assert caplog.messages == [
        f"board/{main}: serving only this file."
        " To use the theme, the template and the hooks beside it, serve its folder"
    ]


def test_other_scripts_and_lone_main_files_are_not_warned_of(
    write: Write, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write({"board/dash.py": "", "board/theme.yaml": "", "alone/main.py": ""})
    load_application("board/dash.py")
    load_application("alone/main.py")
    assert caplog.messages == []


def test_link_is_served_as_what_it_leads_to(write: Write, here: Path) -> None:
    write({"real/main.py": ""})
    os.symlink("real", "link")
    os.symlink("nowhere", "broken.py")
    assert load_application("link").route == "/link"
    assert fault("broken.py") == f"broken.py: there is no such file or folder. {NAMED}"


def test_application_is_made_of_whatever_it_is(write: Write, document: Document) -> None:
    folder = write({"dash.py": ""})
    whole = application_from_function(lambda document: None, "whole")
    assert as_application(whole) is whole
    assert as_application(folder / "dash.py").route == as_application(str(folder / "dash.py")).route == "/dash"
    made = as_application(lambda document: setattr(document, "title", "made"))
    assert isinstance(made, Application)
    made.build(document)
    assert document.title == "made"

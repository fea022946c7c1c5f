"""What an error of an application is called, which line it is put to, and what is advised."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from app_server.apps.faults import ADVICE, CodePlace, application_error, describe
from app_server.errors import ApplicationError

PLACE = CodePlace(Path("/srv/apps/board"), "board", "/srv/apps/board/main.py")
STDLIB = sysconfig.get_path("stdlib")


def raised(*steps: tuple[str, str], place: CodePlace = PLACE) -> ApplicationError:
    """The error of code in these files: each line calls the next file's, the last one raises."""
    call: Callable[[], object] = lambda: None  # noqa: E731
    for filename, line in reversed(steps):
        names = {"inner": call}
        exec(compile(f"def outer():\n    {line}\n", filename, "exec"), names)
        call = names["outer"]
    try:
        call()
    except BaseException as error:
        return application_error(error, place)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("/srv/apps/board/main.py", "board/main.py"),
        ("/srv/apps/board/deep/part.py", "board/deep/part.py"),
        ("/srv/apps/boards/main.py", "/srv/apps/boards/main.py"),
        ("/srv/apps/board", "/srv/apps/board"),
        ("<stdin>", "<stdin>"),
    ],
)
def test_files_are_named_as_they_were_given(filename: str, shown: str) -> None:
    assert PLACE.name(filename) == shown
    assert (PLACE.line(filename, 3), PLACE.line(filename, None)) == (f"{shown}:3", shown)


@pytest.mark.parametrize(("given", "shown"), [("", "main.py"), (".", "main.py"), ("../x", "../x/main.py")])
def test_shown_folder_is_written_without_idle_dots(given: str, shown: str) -> None:
    assert CodePlace(Path("/a"), given, "/a/main.py").name("/a/main.py") == shown


def test_library_inside_the_folder_is_not_the_applications_own() -> None:
    assert PLACE.owns("/srv/apps/board/part.py")
    assert not PLACE.owns("/srv/apps/board/venv/lib/python3.11/site-packages/numpy/core.py")
    assert not PLACE.owns("/srv/apps/other.py")
    # The folder may itself lie in one of an installed package's.
    inside = CodePlace(Path("/x/site-packages/app"), "app", "/x/site-packages/app/main.py")
    assert inside.owns("/x/site-packages/app/part.py")


def test_function_that_was_typed_in_owns_only_its_file() -> None:
    place = CodePlace(None, "", "<stdin>")
    assert place.owns("<stdin>") and not place.owns("/srv/a.py")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("no such value."), "ValueError: no such value"),
        (ValueError(" one \n two"), "ValueError: one"),
        (ValueError(), "ValueError"),
        (ValueError("..."), "ValueError"),
        (KeyError("a"), "KeyError: 'a'"),
        (SyntaxError("bad", ("f.py", 3, 1, "x")), "SyntaxError: bad"),
        (SystemExit(), "the application called sys.exit()"),
        (SystemExit(0), "the application called sys.exit(0)"),
        (SystemExit("bye"), "the application called sys.exit('bye')"),
    ],
)
def test_error_in_one_sentence(error: BaseException, sentence: str) -> None:
    assert describe(error) == sentence


def test_error_of_a_class_within_a_class_that_cannot_be_printed() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(Mute("x")) == Mute.__qualname__


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("1 / 0", ADVICE),
        ("import nosuch.part", "Install nosuch where the server runs, or put it beside the application"),
        ("open('no/such')", "A relative path starts at the server's working directory; "
                            "build it from Path(__file__).parent"),
        ("open('/no/such')", ADVICE),
        ("raise FileNotFoundError", ADVICE),
        ("raise ModuleNotFoundError", ADVICE),
        ("raise SystemExit", "A server must outlive its sessions: return, or raise an error that says what is wrong"),
    ],
)  # fmt: skip
def test_advice(line: str, hint: str) -> None:
    found = raised((PLACE.main, line))
    assert (found.where, found.hint) == ("board/main.py:2", hint)


LIBRARY = "/venv/lib/python3.11/site-packages/lib.py"


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ([PLACE.main], "board/main.py:2"),
        ([PLACE.main, "/srv/apps/board/part.py"], "board/part.py:2"),
        ([PLACE.main, LIBRARY], "board/main.py:2"),
        ([LIBRARY, PLACE.main, LIBRARY, f"{STDLIB}/json/decoder.py"], "board/main.py:2"),
        ([LIBRARY, "/home/ann/tool.py", LIBRARY], "/home/ann/tool.py:2"),
    ],
)
def test_error_is_put_to_the_innermost_line_that_its_author_can_mend(files: list[str], where: str) -> None:
    steps = [(file, "inner()") for file in files[:-1]]
    assert raised(*steps, (files[-1], "1 / 0")).where == where


def test_error_without_a_line_of_the_application_is_put_to_whoever_called_the_library() -> None:
    where = raised((LIBRARY, "inner()"), (LIBRARY, "1 / 0")).where
    assert where is not None and where.startswith(f"{__file__}:")


def test_error_that_has_no_line_at_all_is_put_to_the_file() -> None:
    assert application_error(ValueError("x"), PLACE).where == "board/main.py"

"""What docs/testing.md shows runs, but for its test in a browser, which tests/browser has."""

from __future__ import annotations

import re

import pytest

from app_server.testing import AppFailure, CannotDo, NotFound
from tests.unit.docs.test_manual import ROOT, blocks
from tests.unit.testing.inner import open_app, run_inner

pytest_plugins = ["pytester"]

PAGE = ROOT / "docs" / "testing.md"


def write_files(folder: pytest.Pytester) -> list[str]:
    """Write the files that the page shows, each block after the others of its file; their names."""
    files: dict[str, str] = {}
    for block in blocks(PAGE):
        if block.language == "python":
            named = re.match(r"# (\w+\.py)\n", block.text)
            assert named, f"{block}: a block begins with the name of its file"
            files[named[1]] = files.get(named[1], "") + block.text
    for name, text in files.items():
        (folder.path / name).write_text(text, encoding="utf-8")
    return list(files)


def test_files_of_the_page_pass(pytester: pytest.Pytester) -> None:
    names = write_files(pytester)
    assert names == [
        "wave.py", "test_wave.py", "test_plain.py", "test_thread.py", "test_visitors.py", "test_panel.py",
        "test_in_browser.py",
    ]  # fmt: skip
    # Panel stays in a process once it is imported, and its tests have a place of their own.
    tests = [name for name in names if name.startswith("test_") and name not in ("test_in_browser.py", "test_panel.py")]
    done = run_inner(pytester, *tests)
    done.assert_outcomes(passed=7)


def test_errors_are_those_that_the_page_shows(pytester: pytest.Pytester) -> None:
    write_files(pytester)
    path = pytester.path / "wave.py"
    path.write_text(path.read_text(encoding="utf-8").replace('f"Amplitude {new}"', 'f"{1 / 0}"'), encoding="utf-8")
    shown = re.findall(r"^```text\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = []
    with open_app("wave.py") as app:
        slider = app.find("Slider")
        for act in (
            lambda: app.find("Slider", name="amp"),
            lambda: app.set(slider, value=7),
            lambda: app.set(slider, value=2),
        ):
            with pytest.raises((NotFound, CannotDo, AppFailure)) as raised:
                act()
            found.append(f"{type(raised.value).__name__}: {raised.value}")
    assert found == shown


def test_tests_of_the_example_pass(pytester: pytest.Pytester) -> None:
    done = run_inner(pytester, "-c", str(pytester.makeini("[pytest]")), str(ROOT / "examples" / "daylight"))
    done.assert_outcomes(passed=4)

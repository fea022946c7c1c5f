"""`app-server info`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.general.info import NOT_INSTALLED, bokehjs, with_test


def test_info_names_versions_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"], {}) == EXIT_OK
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(rows) == ["app-server", "Python", "bokeh", "panel", "tornado", "orjson", "brotli", "BokehJS", "system"]
    assert rows["bokeh"] == f"{version('bokeh')} (tested)"
    assert rows["panel"] == f"{version('panel')} (tested)"
    assert rows["Python"].startswith(f"{python_version()} (tested) in ")
    assert rows["BokehJS"].startswith("bokeh, bokeh-api, bokeh-gl, bokeh-mathjax, bokeh-tables, bokeh-widgets in ")


def test_versions_that_were_not_tested_are_said() -> None:
    assert with_test("bokeh", "3.10.99") == (
        "3.10.99 (not tested with this version of app-server; tested: 3.9.0 to 3.9.2 and 3.10.0 to 3.10.2)"
    )
    assert with_test("panel", NOT_INSTALLED) == "not installed"


def test_static_path_holds_bokehjs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--static"], {}) == EXIT_OK
    assert (Path(capsys.readouterr().out.strip()) / "js" / "bokeh.min.js").is_file()


def test_missing_bokehjs_is_said(tmp_path: Path) -> None:
    assert bokehjs(tmp_path) == f"no files in {tmp_path}"

"""`app-server info`."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.cli.general.info import NOT_INSTALLED, about, bokehjs, with_test


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


def test_info_as_json_has_what_the_report_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"], {}) == EXIT_OK
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["app_server", "python", "bokeh", "panel", "tornado", "orjson", "brotli", "bokehjs", "system"]
    assert found["bokeh"] == {"version": version("bokeh"), "tested": True}
    assert found["tornado"] == {"version": version("tornado")}
    assert found["bokehjs"]["parts"][:2] == ["bokeh", "bokeh-api"] and Path(found["bokehjs"]["path"]).is_dir()
    assert about("panel", NOT_INSTALLED) == {"version": None}


def test_only_one_form_of_the_report_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", "--static"], {}) == EXIT_USAGE
    assert capsys.readouterr().err == "app-server: --json: cannot be used with --static. Leave one of them out.\n"

"""`app-server info`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.general.info import bokehjs


def test_info_names_versions_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"], {}) == EXIT_OK
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(rows) == ["app-server", "Python", "bokeh", "tornado", "orjson", "brotli", "BokehJS", "system"]
    assert rows["bokeh"].startswith("3.9.")
    assert rows["BokehJS"].startswith("bokeh, bokeh-api, bokeh-gl, bokeh-mathjax, bokeh-tables, bokeh-widgets in ")


def test_static_path_holds_bokehjs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--static"], {}) == EXIT_OK
    assert (Path(capsys.readouterr().out.strip()) / "js" / "bokeh.min.js").is_file()


def test_missing_bokehjs_is_said(tmp_path: Path) -> None:
    assert bokehjs(tmp_path) == f"no files in {tmp_path}"

"""What the whole suite says of lines that no test has run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.measuring import unmeasured
from tests.support.tools import tool

floors = tool("coverage_floors")
FILES = {
    "app_server/errors.py": (10, (3, 4)),
    "app_server/protocol/codec.py": (30, ()),
    "app_server/protocol/paths.py": (10, (7,)),
}


def test_report_is_read_by_file() -> None:
    report = {"files": {"app_server/errors.py": {"summary": {"num_statements": 10}, "missing_lines": [3, 4]}}}
    assert floors.measured(report) == {"app_server/errors.py": (10, (3, 4))}


def test_share_is_that_of_all_lines_and_of_a_room() -> None:
    assert floors.rooms(FILES) == ["app_server", "app_server/protocol"]
    assert floors.share(FILES, "app_server") == pytest.approx(94.0)
    assert floors.share(FILES, "app_server/protocol") == pytest.approx(97.5)
    assert floors.share(FILES, "app_server/proto") == 100.0


def test_room_below_its_floor_fails_and_its_lines_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert floors.judge(FILES, {"app_server": 94, "app_server/protocol": 97.5}) == 0
    assert "not run" not in capsys.readouterr().out
    assert floors.judge(FILES, {"app_server": 90, "app_server/protocol": 100}) == 2
    said = capsys.readouterr().out
    assert said.endswith(
        "\napp_server/protocol is below 100 %. These lines have not run:\n  app_server/protocol/paths.py: 7\n"
    )


def test_floors_of_the_project_name_rooms_that_are_there() -> None:
    tools = floors.tomllib.loads((floors.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert all(Path(floors.ROOT, room).is_dir() for room in tools["app-server"]["coverage-floors"])


def test_data_of_processes_that_were_killed_while_they_wrote_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in os.environ.keys() - unmeasured(os.environ).keys():
        monkeypatch.delenv(name)
    (tmp_path / "script.py").write_text("ran = True\n", encoding="utf-8")
    (tmp_path / ".coveragerc").write_text("[run]\nparallel = true\ndata_file = data\n", encoding="utf-8")
    subprocess.check_call([*floors.COVERAGE, "run", "script.py"], cwd=tmp_path)
    (tmp_path / "data.killed.1").touch()
    with closing(sqlite3.connect(tmp_path / "data.killed.2")) as begun:
        begun.execute("create table coverage_schema (version integer)")
    floors.combine(tmp_path)
    assert capfd.readouterr() == ("", "")
    report = subprocess.check_output([*floors.COVERAGE, "report", "--format=total"], cwd=tmp_path, text=True)
    assert report == "100\n"

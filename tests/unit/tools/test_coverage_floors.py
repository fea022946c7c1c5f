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


def test_share_is_that_of_all_lines_and_of_a_package() -> None:
    assert floors.packages(FILES) == ["app_server", "app_server/protocol"]
    assert floors.share(FILES, "app_server") == pytest.approx(94.0)
    assert floors.share(FILES, "app_server/protocol") == pytest.approx(97.5)
    assert floors.share(FILES, "app_server/proto") == 100.0


def test_package_below_its_floor_fails_and_its_lines_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert floors.judge(FILES, {"app_server": 94, "app_server/protocol": 97.5}) == 0
    assert "not run" not in capsys.readouterr().out
    assert floors.judge(FILES, {"app_server": 90, "app_server/protocol": 100}) == 2
    said = capsys.readouterr().out
    assert said.endswith(
        "\napp_server/protocol is below 100 %. These lines have not run:\n  app_server/protocol/paths.py: 7\n"
    )


def test_floors_of_the_project_name_packages_that_are_there() -> None:
    tools = floors.tomllib.loads((floors.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert all(Path(floors.ROOT, package).is_dir() for package in tools["app-server"]["coverage-floors"])


def test_data_of_processes_that_were_killed_while_they_wrote_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path, monkeypatch)
    (tmp_path / "data.vm.pid1.Xa").touch()
    (tmp_path / "data.vm.pid2.Xb").write_bytes(next(tmp_path.glob("data.*h")).read_bytes()[:4096])
    with closing(sqlite3.connect(tmp_path / "data.vm.pid3.Xc")) as begun:
        begun.execute("create table coverage_schema (version integer)")
    floors.combine(data)
    # The report would join them, too.
    assert report(data) == "100\n"
    assert capfd.readouterr() == ("", "")


def test_data_that_was_damaged_after_it_was_written_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path, monkeypatch)
    damaged = tmp_path / "data.vm.pid1.Xa.H0123456789h"
    damaged.touch()
    floors.combine(data)
    assert f"Data file '{damaged}' isn't a coverage data file" in capfd.readouterr().err
    assert report(data) == "100\n"


def written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The common name of the data files of a process that was measured as the suite's are."""
    for name in os.environ.keys() - unmeasured(os.environ).keys():
        monkeypatch.delenv(name)
    data, script = folder / "data", folder / "script.py"
    script.write_text("ran = True\n", encoding="utf-8")
    words = ["run", "--parallel-mode", f"--data-file={data}", f"--include={script}", script]
    subprocess.check_call([*floors.COVERAGE, *words], cwd=folder)
    return data


def report(data: Path) -> str:
    """The percentage of lines that have run, as coverage prints it."""
    words = ["report", "--format=total", f"--data-file={data}", f"--include={data.parent}/*"]
    return subprocess.check_output([*floors.COVERAGE, *words], cwd=data.parent, text=True)

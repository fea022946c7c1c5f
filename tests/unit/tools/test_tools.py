"""The helpers behind make: the documentation of settings, the locks, the demo, and what tests need."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from app_server import __version__
from app_server.settings import all_settings
from app_server.tested import is_tested
from tests.support.tools import ROOT, tool


def test_page_of_settings_is_up_to_date() -> None:
    assert tool("settings_docs").main(["--check"]) == 0, "run: make docs"


def test_page_of_settings_tells_each_flag_variable_and_key() -> None:
    page = tool("settings_docs").render(all_settings())
    for setting in all_settings():
        section = page.partition(f"### `{setting.name}`\n")[2].partition("\n##")[0]
        for word in (setting.flag or "", *setting.environment, *setting.keys, *setting.choices):
            assert word in section, (setting.name, word)
        assert setting.reason in section


def test_locks_name_every_dependency_with_hashes_and_no_index() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = about["project"], about["dependency-groups"]
    extras = {name: needed for name, needed in project["optional-dependencies"].items() if name != "all"}
    grouped = [each for group in groups.values() for each in group if isinstance(each, str)]  # not: include-group
    wanted = {"run": project["dependencies"], "test": [*sum(extras.values(), []), *grouped]}
    for name, requirements in wanted.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert not re.search(r"://|--index|--find-links", text)
        pins = re.split(r"\n(?=[a-z])", text)[1:]
        assert all("--hash=sha256:" in pin for pin in pins)
        names = {re.split(r"[=\[ ]", pin)[0] for pin in pins}
        assert {re.split(r"[<>=\[ ]", requirement)[0].lower() for requirement in requirements} <= names


def test_extra_all_has_every_other_extra_and_no_extra_is_for_our_own_work() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (everything,) = extras.pop("all")
    assert everything == f"app-server[{','.join(sorted(extras))}]"
    ours = {"pytest", "mypy", "ruff", "playwright", "coverage"}
    assert not ours & {re.split(r"[<>=\[ ]", requirement)[0] for requirement in sum(extras.values(), [])}


def test_tests_run_on_the_versions_that_users_get() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return set(re.findall(r"^[a-z][^ ]*==[^ ]+", text, re.MULTILINE))

    assert pins("run") <= pins("test")


@pytest.mark.parametrize("name", ["run", "image", "test"])
def test_locks_have_names_of_bokeh_for_old_and_new_pythons(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^(bokeh|panel)==([^ ]+) ; python_full_version (<|>=) '3\.12'", text, re.MULTILINE)
    assert {(package, way) for package, _, way in pins} >= {("bokeh", "<"), ("bokeh", ">=")}
    assert all(is_tested(package, version) for package, version, _ in pins)


def test_changelog_tells_of_this_version() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_manual_and_images_name_this_version() -> None:
    named = {
        version
        for page in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
        for version in re.findall(r"app_server-([0-9][^-]*)-py3", page.read_text(encoding="utf-8"))
    }
    assert named == {__version__}
    for file in ROOT.glob("docker/*/Dockerfile"):
        assert set(re.findall(r"^ARG VERSION=(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)) <= {__version__}


def test_demo_serves_applications_at_the_top_of_examples(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    for path in "b.py a.ipynb README.md _helper.py .hidden.py dir/main.py nb/main.ipynb seed/x.py".split():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    assert tool("demo").examples(folder) == ["examples/a.ipynb", "examples/b.py", "examples/dir", "examples/nb"]


def test_demo_takes_another_port_where_one_is_taken() -> None:
    demo = tool("demo")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.free_port(port) not in (0, port)
    assert demo.free_port(port) == port


def test_demo_does_not_wait_for_a_server_that_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        assert tool("demo").wait_until_ready("http://127.0.0.1:9/readyz", ended) is False


@pytest.fixture
def without_chromium(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    run_tests = tool("run_tests")
    need = run_tests.Need("Chromium", lambda: None, "chromium", "tests/browser", "APP_SERVER_TEST_CHROMIUM")
    monkeypatch.setattr(run_tests, "NEEDS", (need,))
    monkeypatch.setattr(run_tests, "may_install", lambda: False)
    return run_tests


MISSING = "Chromium is missing, so tests/browser cannot run. Install it (on Debian: apt-get install chromium).\n"


def test_ci_fails_where_a_test_would_be_skipped(
    without_chromium: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert without_chromium.main([]) == 1
    assert capsys.readouterr().err == MISSING + "With CI=true no test may be skipped.\n"


def test_elsewhere_the_tests_that_cannot_run_are_named_and_left_out(
    without_chromium: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    called: list[list[str]] = []

    def call(command: list[str], cwd: Path) -> int:
        called.append(command)
        return 0

    monkeypatch.setattr(without_chromium.subprocess, "call", call)
    assert without_chromium.main(["-x"]) == 0
    assert [command[:3] for command in called] == [[sys.executable, "-m", "pytest"]]
    assert called[0][-2:] == ["--ignore=tests/browser", "-x"]
    assert capsys.readouterr().err == MISSING


def test_whole_suite_is_measured_and_fails_with_its_tests_or_below_a_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_tests = tool("run_tests")
    called: list[list[str]] = []
    statuses: dict[str, int] = {}

    def call(command: list[str], cwd: Path) -> int:
        called.append(command[1:])
        return next((status for word, status in statuses.items() if word in command), 0)

    monkeypatch.setattr(run_tests.subprocess, "call", call)
    assert run_tests.run([], measured=True) == 0
    assert [words[:3] for words in called] == [
        ["-m", "coverage", "erase"],
        ["-m", "coverage", "run"],
        [str(run_tests.FLOORS)],
    ]
    statuses["run"] = 1
    assert run_tests.run([], measured=True) == 1
    statuses.clear()
    statuses[str(run_tests.FLOORS)] = 2
    assert run_tests.run([], measured=True) == 2


def test_tests_have_some_workers_on_each_core_and_not_more_than_there_are_long_groups() -> None:
    run_tests = tool("run_tests")
    assert [run_tests.workers(cores, []) for cores in (1, 2, 4, 32)] == [2, 4, 8, 12]
    # No browsers and hosts are kept busy by these.
    quick = ["--ignore=tests/browser", "tests/protocol", "tests/unit/store", "-k", "folder"]
    assert [run_tests.workers(cores, quick) for cores in (1, 2, 4, 32)] == [3, 6, 12, 12]
    assert run_tests.workers(2, ["tests/unit", "tests/proxy"]) == 4


def test_root_on_debian_installs_what_is_missing(without_chromium: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[list[str]] = []
    monkeypatch.setattr(without_chromium, "may_install", lambda: True)
    monkeypatch.setattr(without_chromium, "install", installed.append)
    monkeypatch.setenv("CI", "true")
    assert without_chromium.main([]) == 1
    assert installed == [["chromium"]]


def test_what_is_installed_is_found_afterwards(without_chromium: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    need = replace(without_chromium.NEEDS[0], find=lambda: "/usr/bin/chromium" if installed else None)
    monkeypatch.setattr(without_chromium, "NEEDS", (need,))
    monkeypatch.setattr(without_chromium, "may_install", lambda: True)
    monkeypatch.setattr(without_chromium, "install", installed.extend)
    monkeypatch.setattr(without_chromium, "run", lambda words, measured: (words, measured))
    monkeypatch.setenv("APP_SERVER_TEST_CHROMIUM", "")  # what it is now will be put back
    monkeypatch.delenv("APP_SERVER_TEST_CHROMIUM")
    assert without_chromium.main([]) == ([], True)
    assert os.environ["APP_SERVER_TEST_CHROMIUM"] == "/usr/bin/chromium"


def test_installed_services_are_not_started(
    without_chromium: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(without_chromium, "POLICY", policy)
    with without_chromium.services_left_alone():
        assert subprocess.call([policy, "nginx", "start"]) == 101
    assert not policy.exists()
    policy.write_text("the machine's own", encoding="utf-8")
    with without_chromium.services_left_alone():
        pass
    assert policy.read_text(encoding="utf-8") == "the machine's own"

"""How tests are spread over workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.spread import (
    LONGEST,
    ON_THE_SAME_HOSTS,
    WHOLE_FOLDERS,
    folder_of,
    group_of,
    last_groups,
    next_group,
    rank_of,
    times_by_folder,
)

TESTS = Path(__file__).resolve().parents[2]


def test_file_is_a_group_and_so_is_a_folder_whose_tests_share_what_is_slow() -> None:
    assert group_of("tests/unit/test_settings.py::test_a[x/y::z]") == "tests/unit/test_settings.py"
    assert group_of("tests/browser/test_sync.py::test_a") == group_of("tests/browser/test_login.py::test_b")
    # Other hosts than those of the first two.
    assert group_of("tests/ansible/test_site.py::test_a") == group_of("tests/ansible/test_releases.py::test_b")
    assert group_of("tests/ansible/test_site.py::test_a") != group_of("tests/ansible/test_variants.py::test_b")
    assert group_of("tests/container/test_stack.py::test_a") == group_of("tests/container/test_image.py::test_b")
    assert group_of("tests/manual/test_pages.py::test_a") != group_of("tests/container/test_image.py::test_b")


def test_folders_and_files_that_are_groups_are_there() -> None:
    assert all((TESTS.parent / folder).is_dir() for folder in {*WHOLE_FOLDERS, *LONGEST})
    assert all((TESTS.parent / file).is_file() for file in ON_THE_SAME_HOSTS)


def test_longest_come_first_and_what_would_disturb_comes_last() -> None:
    inside = [f"{folder}/test_x.py::test_y" for folder in LONGEST]
    same_hosts = [f"{file}::test_y" for file in ON_THE_SAME_HOSTS]
    order = [*same_hosts, *inside, "tests/protocol/test_x.py::test_y", "tests/unit/guests/test_x.py::test_y"]
    backwards = order[::-1]
    assert sorted(backwards, key=rank_of) == order


def test_groups_that_start_containers_have_half_of_the_workers() -> None:
    hosts, more_hosts, plain = "tests/ansible/test_a.py", "tests/ansible/test_b.py", "tests/proxy/test_a.py"
    unit = "tests/unit/test_a.py"
    waiting = [more_hosts, plain]
    assert next_group(waiting, [hosts], workers=4) == more_hosts
    assert next_group(waiting, [hosts, "containers"], workers=4) == plain
    assert next_group(waiting, ["containers", "browser"], workers=2) == plain
    assert next_group(waiting, ["containers", "browser"], workers=3) == more_hosts
    assert next_group([more_hosts], [hosts, "containers"], workers=4) == more_hosts, "there is nothing else to do"
    assert next_group([more_hosts, unit], [hosts, "containers"], workers=4) == more_hosts, "unit tests are soon done"
    assert next_group([unit, "containers"], [hosts, "browser"], workers=4) == unit, "groups come in their order"
    assert next_group([more_hosts, "manual"], [hosts, "containers"], workers=4) == "manual", "it would end last"


def test_unit_tests_come_between_those_of_the_protocol_which_wait() -> None:
    one, two, unit, last = (
        "tests/protocol/test_a.py", "tests/protocol/test_b.py", "tests/unit/test_a.py", "tests/unit/guests/test_a.py"
    )  # fmt: skip
    waiting = [two, unit, last]
    assert next_group(waiting, [], workers=2) == two
    assert next_group(waiting, [one], workers=2) == unit
    assert next_group(waiting, [one, unit], workers=3) == two
    assert next_group(waiting, [one, "browser"], workers=3) == two, "the whole suite has enough to do"
    assert next_group([two, last], [one], workers=2) == two, "what would disturb comes last"


def test_times_are_added_by_folder() -> None:
    reports = [
        SimpleNamespace(nodeid="tests/unit/test_a.py::test_b", duration=1.0),
        SimpleNamespace(nodeid="tests/unit/test_a.py::test_b", duration=0.5),
        SimpleNamespace(nodeid="tests/proxy/test_c.py::test_d", duration=4.0),
        SimpleNamespace(nodeid="tests/unit/cli/test_e.py::test_f", duration=1.0),
    ]
    assert list(times_by_folder(reports).items()) == [("tests/proxy", (1, 4.0)), ("tests/unit", (2, 2.5))]


def test_groups_that_ended_last_are_told_with_their_times() -> None:
    phases = [("unit/test_a", 100.0, 101.0), ("browser/test_b", 102.0, 109.5), ("browser/test_c", 101.0, 102.0)]
    reports = [
        SimpleNamespace(nodeid=f"tests/{name}.py::test_x", start=start, stop=stop, duration=stop - start)
        for name, start, stop in phases
    ]
    assert last_groups(reports, most=5) == [("browser", 1.0, 9.5), ("tests/unit/test_a.py", 0.0, 1.0)]
    assert last_groups(reports, most=1) == [("browser", 1.0, 9.5)]
    assert last_groups([], most=5) == []


@pytest.mark.parametrize(("marker", "folder"), [("shells", "tests/shells"), ("not shells", "tests/unit")])
def test_tests_are_selected_by_the_folder_that_they_are_marked_with(marker: str, folder: str) -> None:
    words = [
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        marker,
        "tests/shells",
        "tests/unit/test_version.py",
    ]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=TESTS.parent, capture_output=True, text=True, check=False
    ).stdout
    nodeids = [line for line in found.splitlines() if "::" in line]
    assert nodeids and {folder_of(nodeid) for nodeid in nodeids} == {folder}, found

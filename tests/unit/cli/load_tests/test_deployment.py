"""What a load test puts into deploy.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli.load_tests.deployment import check, put
from app_server.errors import OperatorError
from app_server.load.report.sizing import Size

SIZE = Size(300, 6, 50, 512, 0.5)


def deployment(folder: Path, text: str) -> Path:
    (folder / "a.py").touch()
    file = folder / "deploy.yaml"
    file.write_text(text)
    return file


def test_change_is_shown_and_comments_stay(tmp_path: Path) -> None:
    file = deployment(tmp_path, "apps: {a: a.py} # one\n\npublic: localhost\ncontainers:\n  memory_mb: 2048 # much\n")
    shown = put(str(file), SIZE)
    assert "+instances:\n+  count: 6" in shown and "-  memory_mb: 2048 # much\n+  memory_mb: 512 # much" in shown
    assert file.read_text() == (
        "apps: {a: a.py} # one\n\npublic: localhost\ncontainers:\n  memory_mb: 512 # much\n\ninstances:\n  count: 6\n"
    )
    assert put(str(file), SIZE) == f"{file} has that already."


def test_memory_of_services_is_changed_only_where_it_is_limited(tmp_path: Path) -> None:
    file = deployment(tmp_path, "apps: {a: a.py}\npublic: localhost\nservice:\n  memory_mb: 100\ninstances: 1\n")
    put(str(file), SIZE)
    assert "service:\n  memory_mb: 512\ninstances: 6\n" in file.read_text()
    put(str(file), Size(300, 7, 50, None, None))
    assert "instances: 7\n" in file.read_text()


def test_instances_are_divided_among_hosts(tmp_path: Path) -> None:
    hosts = (
        "instances:\n  count: 1\n  hosts:\n    - {name: one, address: 10.0.0.1}\n    - {name: two, address: 10.0.0.2}\n"
    )
    file = deployment(tmp_path, f"apps: {{a: a.py}}\npublic: tools.example.org\nsessions: {{store: off}}\n{hosts}")
    put(str(file), Size(300, 5, 50, None, None))
    assert "  count: 3\n" in file.read_text()


def test_file_stays_as_it_was_if_the_result_were_not_valid(tmp_path: Path) -> None:
    text = "apps: {a: a.py}\npublic: localhost\nproxy: none\n"
    file = deployment(tmp_path, text)
    check(str(file))
    with pytest.raises(OperatorError, match="instances"):
        put(str(file), SIZE)
    assert file.read_text() == text


def test_file_that_is_no_deployment_is_found_before_the_test(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is not a known key"):
        check(str(deployment(tmp_path, "apps: {a: a.py}\nnonsense: 1\n")))

"""How an extra is installed, said for where the program runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app_server.version import how_to_install, install_command
from tests.support.in_image import as_in_an_image

COMMIT = "4f2a" * 10


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'app-server[deploy]'"),
        ("not json", "pip install 'app-server[deploy]'"),
        ({"url": "file:///home/ann/app-server", "dir_info": {}}, "pip install '/home/ann/app-server[deploy]'"),
        ({"url": "file:///home/ann/my%20clone", "dir_info": {"editable": True}},
         "pip install --editable '/home/ann/my clone[deploy]'"),
        ({"url": "file:///tmp/app_server-0.1.0-py3-none-any.whl", "archive_info": {}},
         "pip install '/tmp/app_server-0.1.0-py3-none-any.whl[deploy]'"),
        ({"url": "https://example.org/x.whl", "archive_info": {}},
         "pip install 'app-server[deploy] @ https://example.org/x.whl'"),
        ({"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
         f"pip install 'app-server[deploy] @ git+https://example.org/x.git@{COMMIT}'"),
    ],
)  # fmt: skip
def test_command_installs_what_is_installed_with_the_extra(origin: object, command: str) -> None:
    text = origin if origin is None or isinstance(origin, str) else json.dumps(origin)
    assert install_command("deploy", text) == command


def test_clone_is_named_where_it_was_installed_from() -> None:
    assert how_to_install("deploy").startswith("Install it with: pip install ")


def test_an_image_has_no_pip_but_applications_bring_what_serving_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_in_an_image(monkeypatch, tmp_path)
    assert how_to_install("deploy").startswith("The image has no pip: ")
    assert how_to_install("encrypt", served_with="cryptography") == (
        "Add cryptography to the applications' requirements.txt, and build their image again."
    )

"""What this program brings along is found in a clone, and in the package that a wheel has installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment import own_files
from app_server.deployment.own_files import brought, own_clone, place
from app_server.errors import OperatorError

ROOT = Path(__file__).resolve().parents[3]


def test_clone_has_everything_where_it_belongs() -> None:
    assert own_clone() == ROOT
    assert (place("ansible"), place("deploy/nginx"), place("")) == (ROOT / "ansible", ROOT / "deploy/nginx", ROOT)
    assert brought("requirements/image.txt") == ROOT / "requirements/image.txt"


def test_wheel_has_it_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_files, "PACKAGE", tmp_path / "app_server")
    package = tmp_path / "app_server/deployment"
    assert own_clone() is None
    assert (place("ansible"), place("deploy/nginx")) == (package / "playbooks", package / "templates/nginx")
    assert place("requirements/image.txt") == package / "sources/requirements/image.txt"
    with pytest.raises(OperatorError) as caught:
        brought("requirements/image.txt")
    assert str(caught.value) == (
        f"{package}/sources/requirements/image.txt: is missing. "
        "Run this where app-server is installed from its wheel: its image has no such files."
    )

"""The wheel of what runs here: built from a clone, or packed again; tests/unit/tools/test_wheel.py compares the two."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import pytest

from app_server.deployment.releases import own_wheel
from app_server.deployment.releases.own_wheel import write_own_wheel
from app_server.errors import OperatorError
from app_server.version import __version__

ABOUT = f"app_server-{__version__}"


def test_clone_that_cannot_be_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_wheel, "own_clone", lambda: tmp_path)
    monkeypatch.setattr(own_wheel, "pip", lambda: ["false"])
    with pytest.raises(OperatorError, match="its wheel cannot be built"):
        write_own_wheel(tmp_path)


class Installed:
    """What importlib.metadata knows of an installation in a folder."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        self._folder, self.version = folder, __version__
        self.files = [PurePosixPath(path) for path in paths]

    def locate_file(self, path: PurePosixPath) -> Path:
        """Where it is."""
        return self._folder / path


def test_file_that_was_removed_from_the_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_wheel, "own_clone", lambda: None)
    monkeypatch.setattr(own_wheel, "_installed", lambda: Installed(tmp_path, ["app_server/cli/main.py"]))
    with pytest.raises(OperatorError) as refused:
        write_own_wheel(tmp_path)
    assert str(refused.value) == (
        "app_server/cli/main.py: cannot be read: No such file or directory. Install app-server again."
    )


def test_what_an_installer_has_made_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [
        "app_server/__init__.py", "app_server/__pycache__/__init__.cpython-313.pyc", f"{ABOUT}.dist-info/METADATA",
        f"{ABOUT}.dist-info/INSTALLER", f"{ABOUT}.dist-info/RECORD", "../../../bin/app-server",
        "../../../share/man/man1/app-server.1",
    ]  # fmt: skip
    site = tmp_path / "lib/python3.13/site-packages"
    for path in paths:
        place = Path(f"{site}/{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(path, encoding="utf-8")
    monkeypatch.setattr(own_wheel, "own_clone", lambda: None)
    monkeypatch.setattr(own_wheel, "_installed", lambda: Installed(site, paths))
    with zipfile.ZipFile(write_own_wheel(tmp_path)) as wheel:
        assert sorted(wheel.namelist()) == [
            f"{ABOUT}.data/data/share/man/man1/app-server.1", f"{ABOUT}.dist-info/METADATA",
            f"{ABOUT}.dist-info/RECORD", "app_server/__init__.py",
        ]  # fmt: skip

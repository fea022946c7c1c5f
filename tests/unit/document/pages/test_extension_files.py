"""The folders of extensions are known before, and without, the extension being imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app_server.document.pages.extension_files import ExtensionFolders


def extension(folder: Path, name: str, package: str | None = None) -> Path:
    """An extension in this folder, which fails if it is imported."""
    place = folder / name
    (place / "dist").mkdir(parents=True)
    (place / "bokeh.ext.json").write_text("{}")
    (place / "__init__.py").write_text("raise SystemExit\n")
    if package is not None:
        (place / "package.json").write_text(package)
    return place


def test_extension_beside_an_application_is_found(tmp_path: Path) -> None:
    place = extension(tmp_path, "beside_models")
    folders = ExtensionFolders([tmp_path])
    assert "beside_models" in folders and folders["beside_models"] == place / "dist"
    assert "beside_models" not in ExtensionFolders([])


def test_installed_extension_is_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = extension(tmp_path, "installed_models")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ExtensionFolders()["installed_models"] == place / "dist"
    assert "installed_models" not in sys.modules


@pytest.mark.parametrize(
    ("number", "package", "folder"),
    [
        (1, '{"main": "lib/index.js"}', "lib"),
        (2, '{"main": "x.js", "module": "dist/lib/x.js"}', "dist/lib"),
        (3, "{}", "dist"),
        (4, "not JSON", "dist"),
        (5, "[]", "dist"),
        (6, '{"main": "../../etc/passwd"}', "dist"),
        (7, '{"main": "/etc/passwd"}', "dist"),
        (8, '{"main": "index.js"}', "dist"),
    ],
)
def test_folder_is_that_of_the_packages_script(tmp_path: Path, number: int, package: str, folder: str) -> None:
    name = f"models_{number}"
    place = extension(tmp_path, name, package)
    assert ExtensionFolders([tmp_path])[name] == place / folder


@pytest.mark.parametrize("name", ["json", "no_such_package", "", "..", "a.b", "a/b", "x" * 200, "__main__"])
def test_nothing_else_is_an_extension(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    folders = ExtensionFolders([tmp_path])
    assert name not in folders and "plain" not in folders


def test_those_of_pages_are_listed() -> None:
    folders = ExtensionFolders()
    assert len(folders) == len(list(folders))

"""What images are built of: a clone, or what a wheel brings along."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from app_server.deployment import own_files
from app_server.deployment.images.sources import export, sources
from app_server.deployment.own_files import brought
from app_server.errors import OperatorError
from app_server.version import __version__

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package as pyproject.toml has a wheel made."""
    place = tmp_path / "site-packages/app_server"
    for path in (
        "cli/main.py", "cli/__pycache__/main.pyc", "deployment/load.py", "deployment/templates/nginx/site.conf",
        "deployment/playbooks/site.yml", "deployment/sources/docker/app-server/Dockerfile",
        "deployment/sources/requirements/image.txt", "deployment/sources/pyproject.toml",
    ):  # fmt: skip
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(path, encoding="utf-8")
    monkeypatch.setattr(own_files, "PACKAGE", place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return place


def test_clone_that_runs_this_is_taken_as_it_is() -> None:
    assert sources() == ROOT


def test_wheel_is_put_together_as_a_clone(package: Path, tmp_path: Path) -> None:
    for _ in range(2):  # the second time takes the place of the first
        folder = sources()
        assert folder == tmp_path / "cache/app-server" / f"sources-{__version__}"
        assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
            "ansible/site.yml", "app_server/cli/main.py", "app_server/deployment/load.py", "deploy/nginx/site.conf",
            "docker/app-server/Dockerfile", "pyproject.toml", "requirements/image.txt",
        ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_home_need_not_be_set(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = sources()
    assert folder is not None and folder.is_relative_to(tmp_path) and (folder / "pyproject.toml").is_file()


def test_folder_of_another_user_is_not_built_from(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # Someone who is not the owner of what this process makes.
    someone = os.getuid() + 1
    (tmp_path / f"app-server-{someone}").mkdir()
    monkeypatch.setattr("os.geteuid", lambda: someone)
    with pytest.raises(OperatorError) as refused:
        sources()
    assert str(refused.value) == (
        f"{tmp_path}/app-server-{someone}: belongs to another user. Set XDG_CACHE_HOME to a folder of your own."
    )


def test_package_without_them_has_none(package: Path) -> None:
    (package / "deployment/sources/docker/app-server/Dockerfile").unlink()
    assert sources() is None


def test_wheel_brings_all_that_the_dockerfiles_copy() -> None:
    import tomllib

    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    brought = about["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    copied = set()
    for file in ROOT.glob("docker/*/Dockerfile"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("COPY ") and "--from=" not in line:
                copied.update(word for word in line.split()[1:-1] if not word.startswith("--"))
    there = {"app_server", "wheel[s]/", *brought}
    # And of all that, nothing is missing where the image builds the wheel again.
    assert [path for path in brought if not is_below(path, copied)] == []
    assert [path for path in copied if not is_below(path, there)] == []


def is_below(path: str, folders: set[str]) -> bool:
    """Whether the path is one of these, or in one of them."""
    return any(path == each or path.startswith(f"{each}/") for each in folders)


def test_playbooks_and_dockerfiles_are_written_into_a_new_folder(package: Path, tmp_path: Path) -> None:
    for name in (
        ".dockerignore", "LICENSE", "README.md", "hatch_build.py", "requirements/build.txt", "examples/one.py",
    ):  # fmt: skip
        place = package / "deployment/sources" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(name, encoding="utf-8")
    export("ansible", tmp_path / "plays")
    assert [path.name for path in (tmp_path / "plays").iterdir()] == ["site.yml"]
    export("images", tmp_path / "build")
    assert (tmp_path / "build/docker/app-server/Dockerfile").is_file()
    assert (tmp_path / "build/app_server/cli/main.py").is_file()
    export("examples", tmp_path / "examples")
    assert [path.name for path in (tmp_path / "examples").iterdir()] == ["one.py"]
    with pytest.raises(OperatorError) as refused:
        export("images", tmp_path / "build")
    assert str(refused.value) == f"{tmp_path}/build: exists already. Name a new folder."


def test_clone_writes_only_what_images_are_made_of(tmp_path: Path) -> None:
    export("images", tmp_path / "build")
    assert sorted(path.name for path in (tmp_path / "build").iterdir()) == [
        ".dockerignore", "LICENSE", "README.md", "ansible", "app_server", "deploy", "docker", "examples",
        "hatch_build.py", "pyproject.toml", "requirements",
    ]  # fmt: skip


def test_scenes_come_with_the_file_that_has_every_key(tmp_path: Path) -> None:
    export("scenes", tmp_path / "scenes")
    names = {path.name for path in (tmp_path / "scenes").iterdir()}
    assert {"nginx", "ssh-gateway", "deploy.example.yaml"} < names
    assert (tmp_path / "scenes/nginx/deploy.yaml").is_file()


@pytest.mark.parametrize("part", ["ansible", "examples", "scenes"])
def test_links_of_pages_lead_somewhere(tmp_path: Path, part: str) -> None:
    """The manual did not come along: its pages are named."""
    export(part, tmp_path / "new")
    for page in (tmp_path / "new").rglob("*.md"):
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
    if part == "examples":
        text = (tmp_path / "new/README.md").read_text(encoding="utf-8")
        assert "Its tests (docs/testing.md) are beside it." in text
        assert "; see docs/frameworks.md." in text


def test_image_has_nothing_to_write(package: Path, tmp_path: Path) -> None:
    (package / "deployment/sources/docker/app-server/Dockerfile").unlink()
    (package / "deployment/sources/requirements/image.txt").unlink()
    hint = "Run this where app-server is installed from its wheel: its image has no such files."
    with pytest.raises(OperatorError) as refused:
        export("images", tmp_path / "build")
    assert str(refused.value) == f"{package}/deployment/sources: is missing. {hint}"
    with pytest.raises(OperatorError) as refused:
        brought("requirements/image.txt")
    assert str(refused.value) == f"{package}/deployment/sources/requirements/image.txt: is missing. {hint}"

"""The wheel: what its metadata asks for, what it installs, and that an installed one gives the same wheel again."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from app_server import __version__
from tests.support.tools import ROOT

NAME = f"app_server-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed, by itself: what it needs is found in this environment."""
    prefix = tmp_path_factory.mktemp("prefix")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--ignore-installed", "--prefix", str(prefix), str(wheel)], check=True, timeout=120)
    return prefix


def app_server(prefix: Path, *words: str) -> str:
    """What the installed command prints."""
    (packages,) = prefix.glob("lib/python3*/site-packages")
    environ = {**os.environ, "PYTHONPATH": str(packages), "XDG_CACHE_HOME": str(prefix / "cache")}
    command = [sys.executable, "-m", "app_server", *words]
    return subprocess.run(
        command, cwd=prefix, env=environ, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_metadata_asks_for_nothing_that_only_our_own_work_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"app_server-{__version__}.dist-info/METADATA").decode()
    about = Parser().parsestr(text, headersonly=True)
    extras = set(about.get_all("Provides-Extra", []))
    assert not {"test", "dev", "docs"} & extras and "all" in extras
    assert not any("pytest" in needed for needed in about.get_all("Requires-Dist", []))
    assert "Programming Language :: Python :: 3.14" in about.get_all("Classifier", [])


def test_manual_pages_and_completions_are_installed(prefix: Path) -> None:
    assert (prefix / "share/man/man1/app-server-serve.1").read_text(encoding="utf-8").startswith(".TH")
    for path in (
        "bash-completion/completions/app-server", "zsh/site-functions/_app-server",
        "fish/vendor_completions.d/app-server.fish",
    ):  # fmt: skip
        assert (prefix / "share" / path).is_file()


def test_installed_wheel_is_packed_again_as_it_was(wheel: Path, prefix: Path) -> None:
    assert app_server(prefix, "wheelhouse", "again", "--own") == "1 wheel in again\n"
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(prefix / "again" / NAME) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())
        for name in first.namelist():
            if not name.endswith("/RECORD"):
                assert first.read(name) == second.read(name), name
    again = (prefix / "again" / NAME).read_bytes()
    app_server(prefix, "wheelhouse", "again", "--own")
    assert (prefix / "again" / NAME).read_bytes() == again
    assert (prefix / "again/requirements.txt").read_bytes() == (ROOT / "requirements/image.txt").read_bytes()


def test_installed_wheel_writes_what_images_are_built_of(prefix: Path) -> None:
    app_server(prefix, "export", "images", "build")
    app_server(prefix, "export", "scenes", "scenes")
    scene = "nginx-tls/deploy.yaml"
    assert (prefix / "scenes" / scene).read_bytes() == (ROOT / "deploy/scenes" / scene).read_bytes()
    for path in (
        "docker/app-server/Dockerfile", "examples/explorer.py", "hatch_build.py", "ansible/site.yml",
        "app_server/__init__.py",
    ):  # fmt: skip
        assert (prefix / "build" / path).read_bytes() == (ROOT / path).read_bytes()

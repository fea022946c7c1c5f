"""The layers: what pyproject.toml forbids is found where it happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = (
    "A layer imports only from layers below it",
    "The stock server is imported nowhere",
    "Only document/ and guests/ import bokeh",
    "Only guests/ imports Panel and what it is made with",
    "Tornado, asyncio, sockets and subprocesses live at the rim",
)


def broken(folder: Path) -> set[str]:
    """The contracts that the copy of the package in a folder breaks."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    lines = {line.strip() for line in done.stdout.splitlines()}
    assert "Contracts" in lines, done.stdout + done.stderr
    found = {name for name in CONTRACTS if any(line.startswith(f"{name} BROKEN") for line in lines)}
    assert bool(found) == bool(done.returncode), done.stdout
    return found


def packages() -> list[str]:
    """The packages and modules of all layers, from the top to the bottom."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [layers] = (each["layers"] for each in tools["importlinter"]["contracts"] if each["id"] == "layers")
    names = re.findall(r"\w+", " ".join(layers))
    exist = {path.stem for path in (ROOT / "app_server").iterdir()}
    return [name for name in names if name in exist]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with everything that the layers name and no import in it, under the project's contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "app_server").mkdir()
    for name in packages():
        if (ROOT / "app_server" / name).is_dir():
            (tmp_path / "app_server" / name).mkdir()
            (tmp_path / "app_server" / name / "__init__.py").touch()
        else:
            (tmp_path / "app_server" / f"{name}.py").touch()
    (tmp_path / "app_server" / "__init__.py").touch()
    return tmp_path


def write(package: Path, module: str, text: str) -> None:
    """Put code into a module of the copy."""
    (package / "app_server" / f"{module}.py").write_text(text, encoding="utf-8")


def test_code_that_keeps_to_its_layers_breaks_nothing(package: Path) -> None:
    write(package, "document/plot", "import bokeh.plotting\nfrom bokeh.models import Slider\n")
    write(package, "requests/handlers", "import asyncio\nimport tornado.web\nimport app_server.document.plot\n")
    write(package, "cli/serve", "import subprocess\nimport app_server.requests.page_handler\n")
    assert broken(package) == set()


def test_notebook_may_hold_a_server_and_no_server_a_notebook(package: Path) -> None:
    write(package, "notebook/live", "import app_server.embedded.server\n")
    assert broken(package) == set()
    write(package, "embedded/server", "import app_server.notebook.live\n")
    assert broken(package) == {"A layer imports only from layers below it"}


def test_import_upwards_is_found(package: Path) -> None:
    write(package, "session/engine", "import app_server.server\n")
    assert broken(package) == {"A layer imports only from layers below it"}


def test_import_of_a_neighbour_is_found(package: Path) -> None:
    write(package, "apps/script", "import app_server.page\n")
    assert broken(package) == {"A layer imports only from layers below it"}


def test_package_that_is_in_no_layer_is_found(package: Path) -> None:
    write(package, "attic", "")
    assert broken(package) == {"A layer imports only from layers below it"}


def test_guest_may_bring_panel_and_what_it_needs_of_bokeh(package: Path) -> None:
    write(package, "guests/panel", "import panel.io.state\nfrom bokeh.resources import Resources\n")
    assert broken(package) == set()


@pytest.mark.parametrize("module", ["panel", "param", "holoviews", "hvplot.pandas"])
def test_panel_outside_guests_is_found(module: str, package: Path) -> None:
    write(package, "requests/handlers", f"import {module}\n")
    assert broken(package) == {"Only guests/ imports Panel and what it is made with"}


def test_bokeh_outside_its_door_is_found(package: Path) -> None:
    write(package, "session/engine", "def later():\n    from bokeh.document import Document\n")
    assert broken(package) == {"Only document/ and guests/ import bokeh"}


@pytest.mark.parametrize("part", ["server.server", "application", "protocol", "client", "command", "embed.server"])
def test_stock_server_is_found_behind_the_door_too(part: str, package: Path) -> None:
    write(package, "document/plot", f"import bokeh.{part}\n")
    assert broken(package) == {"The stock server is imported nowhere"}


@pytest.mark.parametrize("module", ["tornado.web", "asyncio", "socket", "subprocess"])
def test_io_below_the_rim_is_found(module: str, package: Path) -> None:
    write(package, "protocol/codec", f"import {module}\n")
    assert broken(package) == {"Tornado, asyncio, sockets and subprocesses live at the rim"}

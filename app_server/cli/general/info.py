"""`app-server info`: versions and paths, as a report of a fault should name them."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from app_server.cli.command import Command, switch
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.tested import is_tested, names
from app_server.version import __version__

PACKAGES = ("tornado", "orjson", "brotli")
NOT_INSTALLED = "not installed"


COMMAND = Command(
    forms=("[--static]",),
    text="Print versions and paths. Include them when you report a fault.",
    examples=("app-server info",),
    flags=(switch("--static", "print only the path of BokehJS"),),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the report, or with --static the path of BokehJS only."""
    return partial(run, static_only="static" in namespace)


def run(*, static_only: bool) -> int:
    """Print what is installed where."""
    if static_only:
        say(str(static_path()))
        return 0
    rows = {
        "app-server": f"{__version__} in {Path(__file__).resolve().parents[2]}",
        "Python": f"{with_test('python', platform.python_version())} in {sys.executable}",
        "bokeh": with_test("bokeh", installed("bokeh")),
        "panel": with_test("panel", installed("panel")),
        **{package: installed(package) for package in PACKAGES},
        "BokehJS": bokehjs(static_path()),
        "system": platform.platform(),
    }
    say("\n".join(f"{name:<12}{value}" for name, value in rows.items()))
    return 0


def installed(package: str) -> str:
    """The version of a package, or that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def with_test(package: str, found: str) -> str:
    """A version, and whether this server was tested with it."""
    if found == NOT_INSTALLED:
        return found
    if is_tested(package, found):
        return f"{found} (tested)"
    return f"{found} (not tested with this version of app-server; tested: {names(package)})"


def static_path() -> Path:
    """The folder of BokehJS, found without importing bokeh."""
    spec = find_spec("bokeh")
    if spec is None or spec.origin is None:
        raise OperatorError("bokeh is not installed", hint="Install it with: pip install bokeh")
    return Path(spec.origin).parent / "server" / "static"


def bokehjs(folder: Path) -> str:
    """Which parts of BokehJS are there, and where."""
    parts = sorted(path.name.removesuffix(".min.js") for path in (folder / "js").glob("*.min.js"))
    return f"{', '.join(parts) or 'no files'} in {folder}"

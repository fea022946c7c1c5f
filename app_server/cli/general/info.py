"""`app-server info`: versions and paths, as a report of a fault should name them."""

from __future__ import annotations

import argparse
import json
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
    forms=("[--settings] [--json]", "--static"),
    text="Print versions and paths. Include them when you report a fault.",
    examples=("app-server info", "app-server info --settings"),
    flags=(
        switch("--settings", "print the settings of `serve` that are given here, and where each value comes from"),
        switch("--static", "print only the path of BokehJS"),
        switch("--json", "print the report as JSON"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the report, or with --static the path of BokehJS only."""
    for other in ("json", "settings"):
        if "static" in namespace and other in namespace:
            raise OperatorError("cannot be used with --static", where=f"--{other}", hint="Leave one of them out.")
    if "static" in namespace:
        return partial(run, lambda: str(static_path()))
    if "settings" in namespace:
        from app_server.cli.general.settings_report import settings_json, settings_text

        if "json" in namespace:
            return partial(run, lambda: json.dumps(settings_json(environ), indent=2))
        return partial(run, partial(settings_text, environ))
    return partial(run, as_json if "json" in namespace else as_text)


def run(report: Callable[[], str]) -> int:
    """Print what is installed where."""
    say(report())
    return 0


def as_text() -> str:
    """The report for people."""
    rows = {
        "app-server": f"{__version__} in {Path(__file__).resolve().parents[2]}",
        "Python": f"{with_test('python', platform.python_version())} in {sys.executable}",
        "bokeh": with_test("bokeh", installed("bokeh")),
        "panel": with_test("panel", installed("panel")),
        **{package: installed(package) for package in PACKAGES},
        "BokehJS": bokehjs(static_path()),
        "system": platform.platform(),
    }
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def as_json() -> str:
    """The report for programs: versions, null for a package that is not installed, and what was tested."""
    found = {"python": platform.python_version(), **{name: installed(name) for name in ("bokeh", "panel", *PACKAGES)}}
    return json.dumps({
        "app_server": {"version": __version__, "path": str(Path(__file__).resolve().parents[2])},
        "python": {"executable": sys.executable, **about("python", found.pop("python"))},
        **{name: about(name, number) for name, number in found.items()},
        "bokehjs": {"path": str(static_path()), "parts": parts_of(static_path())},
        "system": platform.platform(),
    }, indent=2)  # fmt: skip


def about(package: str, found: str) -> dict[str, object]:
    """A package's version, and whether this server was tested with it, where that is known."""
    known = {"tested": is_tested(package, found)} if package in ("python", "bokeh", "panel") else {}
    return {"version": None if found == NOT_INSTALLED else found, **(known if found != NOT_INSTALLED else {})}


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
    return f"{', '.join(parts_of(folder)) or 'no files'} in {folder}"


def parts_of(folder: Path) -> list[str]:
    """The parts of BokehJS in a folder."""
    return sorted(path.name.removesuffix(".min.js") for path in (folder / "js").glob("*.min.js"))

"""Collect what hosts install: the requirements, the wheels of all packages in them, and app-server's own wheel.

Needs only pip and the standard library: a host's bare Python can collect what fits it (tools/wheelhouse.py).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.deployment.own_files import brought, own_clone
from app_server.deployment.releases.own_wheel import pip, write_own_wheel
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from packaging.markers import Marker

LIST = "requirements.txt"
"""The name of the list in the folder."""
REQUIREMENTS = "requirements/image.txt"
"""What app-server's image contains: the server, gunicorn, /metrics, jobs in processes, and Redis."""


def collect(
    folder: Path,
    requirements: Sequence[Path] = (),
    *,
    python: str | None = None,
    platform: str | None = None,
    download: bool = True,
) -> int:
    """Fill the folder, and return how many wheels it has; without `download` only app-server's own is new.

    Wheels are for this Python and this platform unless others are named. OperatorError if something is missing.
    """
    listed = brought(REQUIREMENTS)
    for file in requirements:
        if not file.is_file():
            raise OperatorError("does not exist", where=str(file))
    if download or own_clone() is not None:
        _require_pip()
    try:
        _refuse_others_list(folder, listed, requirements)
        folder.mkdir(parents=True, exist_ok=True)
        if download:
            _download(listed, folder, requirements, python, platform)
        write_own_wheel(folder)
        shutil.copyfile(listed, folder / LIST)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return len(list(folder.glob("*.whl")))


def _refuse_others_list(folder: Path, listed: Path, requirements: Sequence[Path]) -> None:
    """OperatorError for a folder whose list is an application's: it would be lost."""
    place = folder / LIST
    if not os.path.lexists(place):
        return
    is_own = place.is_file() and place.read_bytes() == listed.read_bytes()
    is_given = any(os.path.realpath(file) == os.path.realpath(place) for file in requirements)
    if is_given or not (is_own or any(folder.glob("app_server-*.whl"))):
        hint = "Name a folder of its own for the wheels."
        raise OperatorError("is not a list of app-server, and would be replaced", where=str(place), hint=hint)


def _require_pip() -> None:
    """OperatorError for an environment without pip, such as uv makes them."""
    if importlib.util.find_spec("pip") is None:
        hint = "Install it beside app-server: `uvx --with pip ...`, `uv pip install pip` or `python -m ensurepip`."
        raise OperatorError("pip, which collects wheels, is not installed", hint=hint)


def _download(
    listed: Path, folder: Path, requirements: Sequence[Path], python: str | None, platform: str | None
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        own, limits = Path(scratch) / "requirements.txt", Path(scratch) / "constraints"
        own.write_text(applying(listed.read_text(encoding="utf-8"), python), encoding="utf-8")
        limits.write_text(versions(own.read_text(encoding="utf-8")), encoding="utf-8")
        for words in commands(folder.absolute(), requirements, limits, python, platform, own):
            file = Path(words[words.index("--requirement") + 1])
            # Paths in a requirements file are relative to its folder.
            if subprocess.call(words, cwd=file.parent) != 0:
                where = listed if file == own else file
                raise OperatorError("its wheels cannot be collected", where=str(where), hint="pip says why, above.")


def commands(
    folder: Path,
    requirements: Sequence[Path],
    limits: Path,
    python: str | None,
    platform: str | None,
    own: Path,
) -> Iterator[list[str]]:
    """The calls of pip: for the server's wheels with hashes, and for the applications' wheels.

    `own` is the server's file of requirements, as it is for that Python.
    """
    download = [*pip(), "download", "--only-binary", ":all:", "--dest", str(folder)]
    if python is not None:
        download += ["--python-version", python]
    if platform is not None:
        download += [word for name in compatible(platform) for word in ("--platform", name)]
    yield [*download, "--require-hashes", "--requirement", str(own)]
    for file in requirements:
        words = [*download, "--find-links", str(folder), "--requirement", str(file.absolute())]
        # A file with hashes must name all versions itself.
        hashed = "--hash=" in file.read_text(encoding="utf-8", errors="replace")
        yield words if hashed else [*words, "--constraint", str(limits)]


def applying(requirements: str, python: str | None) -> str:
    """The lines of a requirements file for a Python such as `3.11` (None: this one), without their conditions.

    pip compares conditions with the Python that runs it, even if it downloads for another one.
    """
    marker = _marker()
    of_target = None if python is None else {"python_version": python, "python_full_version": full(python)}

    def kept(found: re.Match[str]) -> str:
        return found[1] + found[3] if marker(found[2]).evaluate(of_target) else ""

    return re.sub(r"^([^\s#;]+) *; *([^\\\n]+?)( *(?:\\\n[^\\\n]*)*(?:\n|\Z))", kept, requirements, flags=re.MULTILINE)


def _marker() -> type[Marker]:
    """What evaluates conditions; a Python that has only pip contains a copy."""
    try:
        from packaging.markers import Marker
    except ImportError:
        from pip._vendor.packaging.markers import Marker  # type: ignore[assignment]
    return Marker


def full(python: str) -> str:
    """A version of Python with all three numbers."""
    return python if python.count(".") >= 2 else f"{python}.0"


def versions(requirements: str) -> str:
    """The pinned versions in a file with hashes, without the hashes."""
    return "".join(f"{line}\n" for line in re.findall(r"^([A-Za-z0-9._-]+==[^ ;\\\n]+)", requirements, re.MULTILINE))


def compatible(platform: str) -> list[str]:
    """A platform and all others whose wheels run on it: those for older C libraries (PEP 600)."""
    found = re.fullmatch(r"manylinux_2_(\d+)_(\w+)", platform)
    if found is None:
        return [platform]
    older = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    names: list[str] = []
    for minor in range(int(found[1]), 4, -1):
        names.append(f"manylinux_2_{minor}_{found[2]}")
        if minor in older:
            names.append(f"{older[minor]}_{found[2]}")
    return [*names, f"linux_{found[2]}"]

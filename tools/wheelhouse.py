"""Collect what hosts install: the requirements, the wheels of all packages in them, and app-server's wheel.

    python tools/wheelhouse.py DIR [REQUIREMENTS ...] [--python 3.13] [--platform manylinux_2_28_x86_64]

Wheels are chosen for the Python and the platform that run this; if the hosts have others, name them with --python and
--platform. REQUIREMENTS are the applications' requirements files, whose wheels are collected too. `app-server release
--packages DIR` packs the folder, so hosts need no index.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    from packaging.markers import Marker
except ImportError:  # a Python that has only pip, which contains a copy
    from pip._vendor.packaging.markers import Marker  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[1]
# What app-server's image contains: the server, gunicorn, and /metrics.
REQUIREMENTS = ROOT / "requirements" / "image.txt"


def main(argv: Sequence[str]) -> int:
    """The exit status of the command."""
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("requirements", type=Path, nargs="*")
    parser.add_argument("--python")
    parser.add_argument("--platform")
    given = parser.parse_args(argv)
    folder: Path = given.folder
    for file in given.requirements:
        if not file.is_file():
            print(f"wheelhouse: {file}: there is no such file", file=sys.stderr)
            return 1
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("app_server-*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        own, limits = Path(scratch) / "requirements.txt", Path(scratch) / "constraints"
        own.write_text(applying(REQUIREMENTS.read_text(encoding="utf-8"), given.python), encoding="utf-8")
        limits.write_text(versions(own.read_text(encoding="utf-8")), encoding="utf-8")
        for words in commands(
            folder.absolute(), given.requirements, limits, given.python, given.platform, own
        ):  # fmt: skip
            # Paths in a requirements file are relative to its folder.
            place = Path(words[words.index("--requirement") + 1]).parent if "--requirement" in words else None
            if (status := subprocess.call(words, cwd=place)) != 0:
                return status
    shutil.copyfile(REQUIREMENTS, folder / "requirements.txt")
    print(f"{len(list(folder.glob('*.whl')))} wheels in {folder}")
    return 0


def commands(
    folder: Path,
    requirements: Sequence[Path],
    limits: Path,
    python: str | None,
    platform: str | None,
    own: Path = REQUIREMENTS,
) -> Iterator[list[str]]:
    """The calls of pip: for the server's wheels with hashes, for the applications' wheels, and for app-server's own.

    `own` is the server's file of requirements, as it is for that Python.
    """
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    download = [*pip, "download", "--only-binary", ":all:", "--dest", str(folder)]
    if python is not None:
        download += ["--python-version", python]
    if platform is not None:
        download += [word for name in compatible(platform) for word in ("--platform", name)]
    yield [*download, "--require-hashes", "--requirement", str(own)]
    for file in requirements:
        words = [*download, "--find-links", str(folder), "--requirement", str(file.absolute())]
        # A file with hashes must name all versions itself.
        hashed = "--hash=" in file.read_text(encoding="utf-8")
        yield words if hashed else [*words, "--constraint", str(limits)]
    yield [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]


def applying(requirements: str, python: str | None) -> str:
    """The lines of a requirements file for a Python such as `3.11` (None: this one), without their conditions.

    pip compares conditions with the Python that runs it, even if it downloads for another one.
    """
    of_target = None if python is None else {"python_version": python, "python_full_version": full(python)}

    def kept(found: re.Match[str]) -> str:
        return found[1] + found[3] if Marker(found[2]).evaluate(of_target) else ""

    return re.sub(r"^([^\s#;]+) *; *([^\\\n]+?)( *(?:\\\n[^\\\n]*)*(?:\n|\Z))", kept, requirements, flags=re.MULTILINE)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

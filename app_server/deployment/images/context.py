"""What an image of applications is built of, as a folder: apps/, and requirements/ with a list of what is installed.

    python -m app_server.deployment.images.context SOURCE TARGET JSON

does so while `docker compose build` builds an image (docker/app-server/Dockerfile), by the rule that `app-server image`
and every roll-out follow. JSON has `apps`, their paths, and what else `contents.planned` takes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from app_server.deployment.images.contents import Contents, planned
from app_server.errors import OperatorError
from app_server.sources.routes import MAIN_NAMES

LIST = "install"
"""The file in requirements/ that names those which pip installs, one a line."""


def context_of(contents: Contents, target: Path) -> None:
    """Copy what an image holds into a folder. OperatorError for what cannot be read."""
    _copy(contents.folder, contents.files, target / "apps")
    place = target / "requirements"
    place.mkdir(parents=True, exist_ok=True)
    needs = contents.requirements
    if needs is not None:
        _copy(needs.folder, needs.everything, place)
    lines = [] if needs is None else [path.as_posix() for path in needs.files]
    (place / LIST).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _copy(folder: Path, files: tuple[Path, ...], target: Path) -> None:
    """Copy files, readable for all: in the container they are another user's."""
    target.mkdir(parents=True, exist_ok=True)
    for path in files:
        if not str(path).isprintable():
            raise OperatorError(f"{str(path)!r}: control characters cannot be in a file's name", where=str(folder))
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(folder / path, place)
            executable = (folder / path).stat().st_mode & 0o100
        except OSError as error:
            raise OperatorError(f"cannot be read: {error.strerror}", where=str(folder / path)) from None
        place.chmod(0o755 if executable else 0o644)
    for place in (target, *target.rglob("*")):
        if place.is_dir():
            place.chmod(0o755)


def main(argv: Sequence[str]) -> int:
    """The exit status of the program."""
    source, target, about = Path(argv[0]), Path(argv[1]), json.loads(argv[2])
    apps = about.get("apps") or [
        entry.name for entry in os.scandir(source) if any((Path(entry) / name).is_file() for name in MAIN_NAMES)
    ]
    requirements = [str(source / path) for path in about.get("requirements", ())]
    try:
        found = planned(
            source, [(path, path, path) for path in apps], whole=bool(about.get("whole", True)),
            include=about.get("include", ()), requirements=requirements, name="", never=about.get("never", ()),
        )  # fmt: skip
        context_of(found, target)
    except OperatorError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

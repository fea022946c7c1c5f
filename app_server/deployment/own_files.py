"""Files that this program brings along: where a clone has them, or where its wheel has put them into the package."""

from __future__ import annotations

from pathlib import Path

from app_server.errors import OperatorError

DOCKERFILE = "docker/app-server/Dockerfile"
PACKAGE = Path(__file__).resolve().parents[1]
PLACES = {"deploy": "deployment/templates", "ansible": "deployment/playbooks", "": "deployment/sources"}
"""In a wheel: what is beside the package in a clone, and where that is in the package."""


def own_clone() -> Path | None:
    """The clone that this program runs from; None if it was installed from a wheel."""
    clone = PACKAGE.parent
    return clone if (clone / DOCKERFILE).is_file() else None


def place(path: str) -> Path:
    """Where a path of a clone, such as ansible or requirements/image.txt, is here; it may be missing."""
    clone = own_clone()
    if clone is not None:
        return clone / path
    first, _, rest = path.partition("/")
    return PACKAGE / PLACES[first] / rest if first in PLACES else PACKAGE / PLACES[""] / path


def brought(path: str) -> Path:
    """A file of a clone where it is here. OperatorError if it is missing."""
    found = place(path)
    if not found.is_file():
        hint = "Run this where app-server is installed from its wheel: its image has no such files."
        raise OperatorError("is missing", where=str(found), hint=hint)
    return found

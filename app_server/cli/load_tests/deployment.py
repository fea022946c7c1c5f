"""Puts what a load test has found into deploy.yaml: `app-server load --write`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.deployments.loading import need_deployment_packages
from app_server.errors import OperatorError, in_one_line
from app_server.files import write_atomically
from app_server.load.report.sizing import Size

if TYPE_CHECKING:
    from app_server.deployment.load import LoadedSpec

Values = Sequence[tuple[tuple[str, ...], int]]
"""Paths of keys, and what belongs there."""


def check(file: str) -> None:
    """Raise OperatorError unless this is a deployment that can be changed; to be known before the test."""
    need_deployment_packages()
    from app_server.cli.deploying.init import judge
    from app_server.deployment.load import load

    judge(load(file))


def put(file: str, size: Size) -> str:
    """Write the size into the file, and return what was changed as `diff -u` shows it.

    OperatorError if the result were no valid deployment; then the file is as it was.
    """
    from app_server.cli.deploying.init import judge
    from app_server.deployment.load import load, loaded_from
    from app_server.deployment.yaml_edit import with_value

    loaded = load(file)
    before = after = _text(file)
    for path, value in values_for(size, loaded):
        after = with_value(after, path, value, file)
    if after == before:
        return f"{file} has that already."
    judge(loaded_from(after, file))
    try:
        write_atomically(Path(file), after)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=file) from None
    return "\n".join(_difference(file, before, after))


def values_for(size: Size, loaded: LoadedSpec) -> Values:
    """What deploy.yaml should have for this size: instances, by host if there are several, and their memory."""
    spec, items = loaded.spec, loaded.entry.items or {}
    short = "instances" in items and items["instances"].text is not None
    count = math.ceil(size.instances / max(1, len(spec.instances.hosts)))
    found = [(("instances",) if short else ("instances", "count"), count)]
    if size.memory_mb is not None:
        found.append((("containers", "memory_mb"), size.memory_mb))
        if spec.service.memory_mb is not None:
            found.append((("service", "memory_mb"), size.memory_mb))
    return found


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise OperatorError("cannot be read", where=file) from None


def _difference(file: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{file} (before)", file, lineterm="", n=2)
    return (in_one_line(line) for line in lines)

"""A digest of what an application is made of, which tells a release from a restart."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

_LARGEST_BYTES = 1024 * 1024
"""Of larger files, which are data, only the size is looked at."""


def digest_of(paths: Iterable[Path], below: Path | None) -> str:
    """A digest of these files' names below a folder and their contents; one that cannot be read is left out."""
    digest = sha256()
    for path in paths:
        name = path.relative_to(below) if below is not None and path.is_relative_to(below) else path.name
        try:
            size = path.stat().st_size
            content = path.read_bytes() if size <= _LARGEST_BYTES else b""
        except OSError:
            continue
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
        digest.update(content)
    return digest.hexdigest()[:32]

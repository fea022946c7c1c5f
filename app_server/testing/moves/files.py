"""Files that a person chooses, or drops."""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, TypeAlias

from app_server.testing.errors import hidden
from app_server.testing.moves.step import Changes, listed, refuse
from app_server.testing.outline import is_a

__tracebackhide__ = hidden

Files: TypeAlias = Sequence[str | os.PathLike[str] | bytes]

_PIECE_BYTES: Final = 10 * 1024 * 1024


def uploaded(model: Any, files: Files, filename: str, mime_type: str) -> Changes:
    """What a file input sends."""
    if not is_a(model, "FileInput"):
        raise refuse(model, "takes no files")
    several = model.multiple or getattr(model, "directory", False)
    if len(files) != 1 and not several:
        raise refuse(model, f"takes one file, not {len(files)}")
    read = [_read(file, filename, mime_type) for file in files]
    sent = [(base64.b64encode(content).decode("ascii"), name, kind) for content, name, kind in read]
    columns = [list(column) for column in zip(*sent, strict=True)] if several else sent[0]
    return (dict(zip(("value", "filename", "mime_type"), columns or ([], [], []), strict=True)),)


def dropped(model: Any, files: Files, filename: str, mime_type: str) -> Iterator[dict[str, Any]]:
    """What a FileDropper of Panel's tells of files that are dropped on it, piece by piece."""
    most = model.max_files if model.multiple else 1
    if most is not None and len(files) > most:
        raise refuse(model, f"takes {most} {'file' if most == 1 else 'files'}, not {len(files)}")
    read = [_read(file, filename, mime_type) for file in files]
    for _, name, kind in read:
        if model.accepted_filetypes and not any(_fits(name, kind, each) for each in model.accepted_filetypes):
            raise refuse(model, f"does not accept {name!r}, only {listed(model.accepted_filetypes)}")
    size = model.chunk_size
    for content, name, kind in read:
        total = len(content) // size + 1
        for piece in range(total):
            data = content[piece * size : (piece + 1) * size]
            yield {"chunk": piece + 1, "data": data, "name": name, "total_chunks": total, "type": kind}


def sent(model: Any, files: Files, filename: str, mime_type: str) -> Iterator[dict[str, Any]]:
    """The messages of a file input of panel-material-ui, which has its values in a model."""
    several = model.data.multiple or getattr(model.data, "directory", False)
    if len(files) != 1 and not several:
        raise refuse(model, f"takes one file, not {len(files)}")
    for content, name, kind in [_read(file, filename, mime_type) for file in files]:
        status = {"type": "status", "status": "upload_event", "name": name, "mime_type": kind}
        pieces = range(0, len(content), _PIECE_BYTES)
        for number, start in enumerate(pieces, 1):
            data = content[start : start + _PIECE_BYTES]
            yield {**status, "chunk": number, "total_chunks": len(pieces), "data": data}
    yield {"type": "status", "status": "finished"}


def _fits(name: str, kind: str, accepted: str) -> bool:
    """Whether a file is one of those that are accepted: an extension, or a MIME type."""
    return fnmatch(kind, accepted) if "/" in accepted else name.lower().endswith(accepted.lower())


def _read(file: str | os.PathLike[str] | bytes, filename: str, mime_type: str) -> tuple[bytes, str, str]:
    """The content of a file, its name and its type."""
    if not isinstance(file, bytes):
        path = Path(file)
        file, filename = path.read_bytes(), path.name
    return file, filename, mime_type or mimetypes.guess_type(filename)[0] or ""

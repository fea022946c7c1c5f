"""Where recordings are written: whole files, or none."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final

from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.load.recording.format import MOST_FILES, Recording

log = logging.getLogger(__name__)

_ATTEMPTS: Final = 100
"""How many pages may be closed in one second."""


def check(where: str) -> None:
    """Raise OperatorError if no recording can be written there."""
    path = Path(where)
    folder = path if is_folder(where) else path.parent
    if not folder.is_dir():
        raise OperatorError(f"the folder {folder} does not exist", where=f"--record {where}", hint="Create it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OperatorError("the folder is not writable", where=f"--record {where}")


def is_folder(where: str) -> bool:
    """Whether each page gets a file of its own."""
    return where.endswith("/") or Path(where).is_dir()


def write(recording: Recording, where: str) -> None:
    """Write the recording to this file, or into this folder; what prevents it is logged."""
    try:
        path = _new_file(recording, Path(where)) if is_folder(where) else _replaced(recording, Path(where))
    except OSError as error:
        log.warning("a recording could not be written to %s: %s", where, error.strerror)
        return
    if path is None:
        log.warning("%s has %d recordings, no more are written", where, MOST_FILES)
        return
    log.info("recorded %d messages of %s in %s", len(recording.messages), recording.application, path)


def _replaced(recording: Recording, path: Path) -> Path:
    write_atomically(path, recording.dump(), mode=0o600, durable=False)
    return path


def _new_file(recording: Recording, folder: Path) -> Path | None:
    """The new file in the folder; None if that has enough of them."""
    if sum(1 for entry in os.scandir(folder) if entry.name.endswith(".json")) >= MOST_FILES:
        return None
    application = recording.application.strip("/").replace("/", "-")[:60] or "app"
    stem = f"{application}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}"
    for number in range(_ATTEMPTS):
        path = folder / (f"{stem}.json" if not number else f"{stem}-{number}.json")
        try:
            write_atomically(path, recording.dump(), mode=0o600, durable=False, overwrite=False)
        except FileExistsError:
            continue
        return path
    return None

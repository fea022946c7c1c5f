"""What of the process an application sees while its code runs, and how it is put back."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def process_state(folder: Path | None = None, argv: Sequence[str] | None = None) -> Iterator[None]:
    """Let code find modules in `folder` and `argv` as `sys.argv`; put `sys.path`, `sys.argv` and the cwd back after.

    The working directory is the server's own, as with the stock server: a relative path means the same
    in the script and, later, in its callbacks. This state is the process's: the block must neither await nor overlap
    with another thread's.
    """
    cwd = _working_directory()
    path_list, path_items = sys.path, list(sys.path)
    argv_list, argv_items = sys.argv, list(sys.argv)
    if folder is not None:
        sys.path.insert(0, str(folder))
    if argv is not None:
        sys.argv = list(argv)
    try:
        yield
    finally:
        # Other code may hold the lists themselves, so they get their items back.
        path_list[:], sys.path = path_items, path_list
        argv_list[:], sys.argv = argv_items, argv_list
        if cwd is not None and _working_directory() != cwd:
            with contextlib.suppress(OSError):
                os.chdir(cwd)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        # Someone deleted it under the server.
        return None

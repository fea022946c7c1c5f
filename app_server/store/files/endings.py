"""Which sessions are to end: a file that processes append to, and read on from where they have been."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Final

from app_server.store.base import Ending
from app_server.store.errors import Unavailable
from app_server.store.files.opened import Draft, lock, open_locked, open_to_read, retried, stat_of, write_all

_NAME: Final = "endings"
_RECORD: Final = struct.Struct(">32sd")
_KEPT: Final = 4096
"""How many records are kept when there are twice as many: all that a process needs has been added since it looked."""

_TRY_FOR_S: Final = 2.0
"""Longer than for a session: its owner keeps that one, but every process lets go of this file at once."""


def note_ending(folder: int, ending: Ending) -> None:
    """Add this to the file. Raises OSError as the system says it, Unavailable if the file stays locked."""
    number = _locked(folder)
    try:
        size = os.fstat(number).st_size // _RECORD.size * _RECORD.size
        os.ftruncate(number, size)  # half a record, where the disk was full
        if size >= 2 * _KEPT * _RECORD.size:
            number = _shortened(folder, number, size)
        write_all(number, _RECORD.pack(bytes.fromhex(ending.name), ending.at_s))
    finally:
        os.close(number)


def _locked(folder: int) -> int:
    try:
        number = retried(lambda: open_locked(folder, _NAME, create=True), _TRY_FOR_S, lambda error: True)
    except BlockingIOError:
        what = "another process does not let go of the file that says which sessions are to end"
        raise Unavailable(what, where=_NAME) from None
    assert number is not None
    return number


def _shortened(folder: int, number: int, size: int) -> int:
    """A descriptor of a file with the last records only, which takes the place of this one and is locked."""
    last = os.pread(number, _KEPT * _RECORD.size, size - _KEPT * _RECORD.size)
    with Draft(folder, _NAME) as draft:
        lock(draft.number)
        write_all(draft.number, last)
        draft.take_name()
    os.close(number)
    return draft.number


class EndingsReader:
    """What one process has read of the file."""

    def __init__(self) -> None:
        self._file: tuple[int, int] | None = None
        self._at = 0

    def read(self, folder: int) -> Sequence[Ending]:
        """What was added since the last call; all that the file has if it is another one."""
        found = stat_of(folder, _NAME)
        if found is None or ((found.st_dev, found.st_ino), found.st_size) == (self._file, self._at):
            return ()
        number = open_to_read(folder, _NAME)
        if number is None:
            return ()
        try:
            found = os.fstat(number)
            if self._file != (found.st_dev, found.st_ino) or found.st_size < self._at:
                self._file, self._at = (found.st_dev, found.st_ino), 0
            data = os.pread(number, found.st_size - self._at, self._at)
        finally:
            os.close(number)
        whole = len(data) // _RECORD.size * _RECORD.size
        self._at += whole
        return [Ending(digest.hex(), at_s) for digest, at_s in _RECORD.iter_unpack(data[:whole])]

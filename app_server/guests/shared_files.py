"""Where the files of components are, for the server's other processes: a page and its files may come from two.

A process that makes a page writes down which files its components name, in a folder of all processes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from app_server.files import write_atomically

_MOST_BYTES = 1 << 20


class SharedFiles:
    """The files of components by their addresses, `module/class/attribute/path`; nothing before a folder is there."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._noted: dict[str, Mapping[str, str]] = {}

    def begin(self, folder: Path) -> None:
        """Share what is noted from now on with the processes that have this folder too."""
        self._folder = folder
        self._noted.clear()

    def note(self, module: str, files: Mapping[str, str]) -> None:
        """Let the others find these files of a module's components."""
        if self._folder is not None and files and self._noted.get(module) != files:
            with suppress(OSError):  # the folder is gone, or full: this process still has the files
                write_atomically(_place(self._folder, module), json.dumps(dict(files)))
                self._noted[module] = files

    def forget(self, modules: Collection[str]) -> None:
        """Leave nothing behind of these modules, which end."""
        for module in self._noted.keys() & set(modules):
            del self._noted[module]
            if self._folder is not None:
                with suppress(OSError):
                    _place(self._folder, module).unlink()

    def find(self, address: str) -> Path | None:
        """The file that another process has noted for this address."""
        if self._folder is None:
            return None
        try:
            with _place(self._folder, address.partition("/")[0]).open("rb") as file:
                found = json.loads(file.read(_MOST_BYTES)).get(address)
        except (OSError, ValueError):
            return None
        return None if found is None else Path(found)


def _place(folder: Path, module: str) -> Path:
    digest = hashlib.blake2b(module.encode("utf-8", "replace"), digest_size=10).hexdigest()
    return folder / f"components-{digest}"


SHARED = SharedFiles()
"""Those of this process."""

"""Compiled templates, kept beside them under the same conditions as Python's compiled modules.

Compiling the templates of one small deployment takes longer than everything else that renders it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

from jinja2 import BytecodeCache, compiler
from jinja2.bccache import Bucket

from app_server.files import write_atomically
from app_server.version import __version__


class CompiledTemplates(BytecodeCache):
    """Compiled templates in the folders `__pycache__` beside them, or where PYTHONPYCACHEPREFIX says.

    Who can write there can change the modules of this package too. A file is used only for the text, the `options` of
    the environment, and the versions of Jinja, Python and app-server that it was made from. If it cannot be read or
    written, the template is compiled; with PYTHONDONTWRITEBYTECODE nothing is written.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        # Its file instead of its version, which takes a millisecond to find out.
        made_by = os.stat(compiler.__file__)
        self._made_with = f"{__version__} {made_by.st_size} {made_by.st_mtime_ns} {sorted(options.items())}\n"

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The path of the compiled template; the template is a file."""
        return cache_from_source(f"{filename}.py", optimization="jinja")

    def get_source_checksum(self, source: str) -> str:
        """What the compiled template has to be made from."""
        return super().get_source_checksum(self._made_with + source)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept, if it can be read and fits."""
        try:
            bucket.bytecode_from_string(Path(bucket.key).read_bytes())
        except Exception:
            # Not only OSError: pickle raises whatever it likes for a damaged file.
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the compiled template, if that is possible."""
        if sys.dont_write_bytecode:
            return
        path = Path(bucket.key)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, bucket.bytecode_to_string(), durable=False)

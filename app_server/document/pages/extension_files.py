"""Where the files of extensions are: also of those that only another process has imported.

Bokeh notes an extension's folder when it makes a page with it. A page may come from another process than its files: if
there are several workers, or if sessions are isolated. So a package is looked for, too, without importing it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import bokeh.embed.bundle as bokeh_bundle

_MARK = "bokeh.ext.json"
"""What a package has that is an extension."""


class ExtensionFolders(Mapping[str, Path]):
    """The folders of extensions' files by package: of installed ones, and of those in the folders `beside`."""

    def __init__(self, beside: Iterable[Path] = ()) -> None:
        self._beside = tuple(beside)

    def __getitem__(self, name: str) -> Path:
        known = bokeh_bundle.extension_dirs.get(name) or _found(name, self._beside)
        if known is None:
            raise KeyError(name)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(bokeh_bundle.extension_dirs)

    def __len__(self) -> int:
        return len(bokeh_bundle.extension_dirs)


@lru_cache(maxsize=256)
def _found(name: str, beside: tuple[Path, ...]) -> Path | None:
    """The folder with the files of this package, if it is an extension."""
    if not name.isidentifier() or len(name) > 100:
        return None
    for package in (*(folder / name for folder in beside), *_installed(name)):
        if (package / _MARK).is_file():
            return _artifacts(package)
    return None


def _artifacts(package: Path) -> Path:
    """The folder of an extension's script: that of its package.json, or dist/."""
    try:
        about = json.loads((package / "package.json").read_bytes())
        script = package / str(about.get("module") or about.get("main") or "dist/index.js")
    except (OSError, ValueError, AttributeError):
        return package / "dist"
    folder = Path(os.path.normpath(script.parent))
    # An extension that says something else is not served from there: it could be any folder of the machine.
    return folder if folder.is_relative_to(package) and folder != package else package / "dist"


def _installed(name: str) -> list[Path]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return []
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]

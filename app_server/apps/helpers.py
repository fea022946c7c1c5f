"""Two applications may each have a `helpers.py`: each imports its own.

Helper modules are imported by their bare names, and `sys.modules` has one place for a name. So whose helpers lie there
is written down, and before an application runs, those of another one make room for its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

# For each helper's top-level name, the folder of the application whose module of that name is importable now.
_present: dict[str, Path] = {}
# The modules of a folder that had to make room.
_set_aside: dict[Path, dict[str, ModuleType]] = {}


def make_importable(names: Iterable[str], folder: Path) -> None:
    """Let `import name` mean the folder's helper for each of the names; modules from elsewhere stay untouched."""
    for name in names:
        owner = _present.get(name)
        if owner == folder:
            continue
        if owner is not None:
            _set_aside.setdefault(owner, {}).update(_taken(name, owner))
        kept = _set_aside.get(folder, {})
        for full_name in [key for key in kept if _is_part(key, name)]:
            sys.modules[full_name] = kept.pop(full_name)
        _present[name] = folder


def _taken(name: str, folder: Path) -> dict[str, ModuleType]:
    """The modules of that name and below it that lie in the folder, taken out of `sys.modules`."""
    found = [key for key, module in sys.modules.items() if _is_part(key, name) and _lies_in(module, folder)]
    return {key: sys.modules.pop(key) for key in found}


def _is_part(full_name: str, name: str) -> bool:
    return full_name == name or full_name.startswith(f"{name}.")


def _lies_in(module: ModuleType, folder: Path) -> bool:
    # A name such as `json` may be a helper's here and the standard library's in the rest of the process.
    file = getattr(module, "__file__", None)
    # A package without an __init__.py has folders but no file.
    places = [file] if isinstance(file, str) else list(getattr(module, "__path__", ()))
    return any(Path(place).is_relative_to(folder) for place in places)

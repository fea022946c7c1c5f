"""Test modules that the workers of a run compile together, each its share, instead of each all of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest


def modules_below(root: Path, named: Iterable[str]) -> Iterator[str]:
    """The names of the modules in and below the paths that a run names, below `root`, as pytest imports them."""
    for path in (root / name for name in named):
        for file in sorted(path.rglob("test_*.py")) if path.is_dir() else ():
            if (file.parent / "__init__.py").exists():
                yield ".".join(file.relative_to(root).with_suffix("").parts)


def import_share(modules: Sequence[str], worker: int, workers: int) -> None:
    """Import what falls to this worker, before pytest imports all of them and finds what the others have compiled.

    That is a tenth of a second of each module with many assertions, on a checkout whose tests have not run yet. What
    cannot be imported is reported when pytest tries to.
    """
    for name in modules[worker::workers]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)

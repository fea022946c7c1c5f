"""Where a deployment's releases are kept, and which target it was rolled out to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Flag

if TYPE_CHECKING:
    from app_server.deployment.rollout.store import Store

DEFAULT_STORE = "deployed"
STORE = Flag(names=("--store",), metavar="DIR", help="where releases are kept", default="deployed/NAME, next to FILE")


def store_of(namespace: argparse.Namespace, folder: Path, name: str) -> Store:
    """The store of a deployment in `folder`: next to its file, or where earlier releases were stored."""
    from app_server.deployment.rollout.store import Store

    return Store(_folder(namespace, folder, name), name)


def _folder(namespace: argparse.Namespace, folder: Path, name: str) -> Path:
    if "store" in namespace:
        return Path(namespace.store[0])
    begun = Path(DEFAULT_STORE) / name
    return begun if (begun / "log").exists() else folder / DEFAULT_STORE / name

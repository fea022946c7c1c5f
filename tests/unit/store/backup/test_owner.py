"""Root acts as the owner of a store's folder, and as itself again afterwards; others act as themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.store.backup.owner import as_owner_of

SERVICE = 65534


def ids() -> tuple[int, int]:
    """Who this process is for the kernel."""
    return os.geteuid(), os.getegid()


def test_root_is_the_owner_for_a_while(tmp_path: Path) -> None:
    before = ids()
    if before[0] == 0:
        os.chown(tmp_path, SERVICE, SERVICE)
    with as_owner_of(str(tmp_path)):
        assert ids() == ((SERVICE, SERVICE) if before[0] == 0 else before)
    assert ids() == before
    with pytest.raises(ZeroDivisionError), as_owner_of(str(tmp_path)):
        _ = 1 / 0
    assert ids() == before


def test_own_folder_and_a_missing_one_change_nothing(tmp_path: Path) -> None:
    before = ids()
    for folder in (tmp_path, tmp_path / "missing"):
        with as_owner_of(str(folder)):
            assert ids() == before

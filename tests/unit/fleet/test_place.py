"""The folder of a running server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.fleet.forks import fork
from app_server.fleet.place import VARIABLE, Place


def test_only_the_process_that_made_the_folder_removes_it(tmp_path: Path) -> None:
    place = Place.make({VARIABLE: str(tmp_path)})
    (place.folder / "box").touch()

    def work() -> int:
        place.remove()
        return 0

    os.waitpid(fork(work), 0)
    Place(place.folder).remove()
    Place.join(tmp_path, os.getpid()).remove()
    assert (place.folder / "box").exists()
    place.remove()
    assert not place.folder.exists()


def test_directory_of_all_users_is_refused_and_stays_open(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(OperatorError) as caught:
        Place.make({VARIABLE: str(shared)})
    assert str(caught.value) == (
        f"APP_SERVER_RUNTIME_DIR: {shared} is a directory of all users."
        f" Name a directory of this user's own, such as {shared}/app-server."
    )
    assert shared.stat().st_mode & 0o7777 == 0o1777

"""The folder of a running server."""

from __future__ import annotations

import os
from pathlib import Path

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

"""A session that was saved, backed up while its server runs, and resumed from there on what is another machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.protocol.saving.conftest import Place, go_on, kill, work_on
from tests.support.ports import free_port
from tests.support.server import run_command
from tests.support.waiting import until


def app_server(*words: str | Path) -> str:
    """What a command says that succeeds."""
    done = run_command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("while_it_runs", [True, False], ids=["running", "stopped"])
def test_session_goes_on_where_it_was_restored(place: Place, tmp_path: Path, while_it_runs: bool) -> None:
    served = place.start()
    token = served.site.token("/kept")
    archive = tmp_path / "x.backup"
    with served.site.client("/kept", token) as client:
        work_on(client, 17)
        place.wait_until_saved("done add 1")
        assert app_server("backup", archive, "--store", place.folder) == f"{archive}: 1 session, 0 bookmarks\n"
        # What comes later is not in it.
        client.set("slider", "value", 3)
        until(lambda: place.has("factor 3"), "the later value is saved")
    kill(served)
    elsewhere = replace(place, folder=tmp_path / "elsewhere", port=free_port())
    elsewhere.folder.mkdir(mode=0o700)
    served = elsewhere.start() if while_it_runs else None
    assert app_server("restore", archive, "--store", elsewhere.folder) == "restored 1 session, 0 bookmarks\n"
    served = served or elsewhere.start()
    with served.site.client("/kept", token) as client:
        go_on(client, 17)

"""Sessions that are ended from elsewhere, whichever process has them: by their user, or by an operator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocol.conftest import SECRET
from tests.protocol.saving.conftest import MODES, Place, guarded_by, work_on
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import REPOSITORY
from tests.support.waiting import until


def ended(place: Place, *words: str) -> str:
    """What the command that ends sessions prints."""
    command = [sys.executable, "-m", "app_server", "sessions", "end", "--store", str(place.folder), *words]
    environment = {"BOKEH_SECRET_KEY": SECRET}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_session_that_an_operator_ends_is_deleted_and_its_page_says_so(place: Place, flags: tuple[str, ...]) -> None:
    served = place.start(*flags)
    token = served.site.token("/kept")
    with served.site.client("/kept", token) as client:
        work_on(client, 51)
        place.wait_until_saved("done add 1")
        key = place.sessions[0].removesuffix(".session")
        assert ended(place, key[:12]) == f"{key[:12]} has ended, and is deleted\n"
        assert client.close_code() == 1001
    assert place.sessions == []
    with served.site.client("/kept", token) as client:
        assert "An operator of this site has ended it." in repr(client.pull().content)
    with served.site.client("/kept") as client:
        work_on(client, 52)


@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_logging_out_ends_the_sessions_in_other_processes_too(
    place: Place, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    guarded = guarded_by(tmp_path)
    served, other = place.start(*guarded, *flags), place.start(*guarded, *flags, port=free_port())
    visitors = [Visitor(other.process.url), Visitor(other.process.url), Visitor(served.process.url)]
    for visitor, name in zip(visitors, ("ann", "bob", "ann"), strict=True):
        visitor.log_in(name, f"{name}'s")
    ann, bob, elsewhere = visitors
    with ann.client("/kept") as hers, bob.client("/kept") as his:
        work_on(hers, 53)
        work_on(his, 54)
        until(lambda: len(place.sessions) == 2)
        elsewhere.ask("/logout")
        assert hers.close_code() == 1001
        until(lambda: len(place.sessions) == 1)
        his.set("slider", "value", 55)
        his.wait_value("note", "text", "factor 55")
    assert "taken the session over" not in other.process.log_text()

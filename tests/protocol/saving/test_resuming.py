"""A saved session is its user's, is built once, and goes on after the token of its page has expired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.protocol.conftest import Served
from tests.protocol.saving.conftest import Place, expire, go_on, guarded_by, kill, seen, work_on
from tests.support.clients.raw import session_of
from tests.support.clients.visitor import Visitor


def worked_on(served: Served, place: Place, value: int) -> str:
    """The token of a session on which something was worked out, which is saved."""
    token = served.site.token("/kept")
    with served.site.client("/kept", token) as client:
        work_on(client, value)
        place.wait_until_saved("done add 1")
    return token


def test_session_of_a_killed_server_goes_on_although_its_token_has_expired(place: Place) -> None:
    served = place.start("--session-token-expiration", "1")
    token = worked_on(served, place, 17)
    kill(served)
    expire(token)
    served = place.start("--session-token-expiration", "1")
    with served.site.client("/kept", token) as client:
        go_on(client, 17)
    assert "Traceback" not in served.process.log_text()


def test_expired_token_of_a_session_that_was_not_saved_is_refused(place: Place) -> None:
    served = place.start("--session-token-expiration", "1")
    token = worked_on(served, place, 17)
    kill(served)
    expire(token)
    for path in place.folder.iterdir():
        path.unlink()
    served = place.start("--session-token-expiration", "1")
    with served.site.socket("/kept", token) as client:
        assert client.close_code() == 1008


def test_page_of_a_saved_session_shows_what_was_saved(place: Place) -> None:
    served = place.start("--session-ids", "external-signed")
    with pytest.raises(AssertionError, match="No bokeh-session-id"):
        served.site.token("/kept")
    kill(served)
    served = place.start()
    token = worked_on(served, place, 18)
    kill(served)
    served = place.start()
    page = served.site.get("/kept", **{"bokeh-session-id": session_of(token)})
    assert page.status == 200
    with served.site.client("/kept", page.token) as client:
        go_on(client, 18)


@pytest.mark.parametrize(
    "flags", [(), ("--num-procs", "2"), ("--isolation", "process"), ("--isolation", "snapshot")], ids=" ".join
)
def test_sockets_that_come_together_wake_a_session_once(place: Place, flags: tuple[str, ...]) -> None:
    served = place.start(*flags)
    token = worked_on(served, place, 19)
    kill(served)
    served = place.start(*flags)

    def visit(number: int) -> dict[str, object]:
        with served.site.client("/kept", token) as client:
            return seen(client)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(visit, range(6)))
    assert all(each == {"slider": 19, "rows": [0, 19], "note": "done add 1, 1 added, 1 runs"} for each in found)
    with served.site.client("/kept", token) as client:
        go_on(client, 19)  # which says that there were two runs


def test_saved_session_of_another_user_is_refused_and_stays_its_user_s(place: Place, tmp_path: Path) -> None:
    guarded = guarded_by(tmp_path)
    served = place.start(*guarded)
    ann, bob = Visitor(served.process.url), Visitor(served.process.url)
    ann.log_in("ann", "ann's")
    bob.log_in("bob", "bob's")
    token = ann.ask("/kept").token
    with ann.client("/kept", token) as client:
        work_on(client, 20)
        place.wait_until_saved("done add 1")
    kill(served)
    expire(token)
    served = place.start(*guarded)
    with pytest.raises(InvalidStatus) as caught, bob.client("/kept", token):
        pass
    assert caught.value.response.status_code == 403
    assert bob.ask(f"/kept?bokeh-session-id={session_of(token)}").status == 403
    with ann.client("/kept", token) as client:
        assert client.value("user", "text") == "ann"
        go_on(client, 20)

"""A link to a session as it was opens a copy: for whom, for how long, and with every kind of process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.conftest import Served
from tests.protocol.saving.conftest import MODES, Place, do, go_on, guarded_by, kill, seen, work_on
from tests.support.client import Client
from tests.support.clients.visitor import Visitor
from tests.support.waiting import until


def link_of(client: Client, words: str) -> str:
    """The link that the application makes at these words, without the address of the server."""
    do(client, words)
    address = str(client.value("link", "text"))
    assert address.count("/kept?") == 1, address
    return "/kept?" + address.partition("/kept?")[2]


def opened(served: Served, link: str) -> bool:
    """Whether the link opens a copy; otherwise it leads nowhere."""
    status = served.site.get(link).status
    assert status in (200, 404)
    return status == 200


@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_link_opens_a_copy_that_goes_its_own_way(place: Place, flags: tuple[str, ...]) -> None:
    served = place.start(*flags)
    with served.site.client("/kept") as client:
        work_on(client, 31)
        link = link_of(client, "link 1")
        do(client, "add 2")
        with served.site.client("/kept", served.site.token(link)) as copy:
            assert seen(copy) == {"slider": 31, "rows": [0, 31], "note": "done add 1, 1 added, 1 runs"}
            do(copy, "add 3")
            assert seen(copy)["rows"] == [0, 31, 62]
        do(client, "add 4")
        assert seen(client)["rows"] == [0, 31, 62, 93]


def test_link_outlives_the_server_and_its_session(place: Place) -> None:
    served = place.start()
    with served.site.client("/kept") as client:
        work_on(client, 32)
        link = link_of(client, "link 1")
        until(lambda: list(place.folder.glob("*.view")), "the link is saved")
    kill(served)
    for path in place.folder.glob("*.session"):
        path.unlink()
    served = place.start()
    for _ in range(2):
        with served.site.client("/kept", served.site.token(link)) as copy:
            go_on(copy, 32)


def test_copy_is_a_session_that_is_saved(place: Place) -> None:
    served = place.start()
    with served.site.client("/kept") as client:
        work_on(client, 33)
        link = link_of(client, "link 1")
    token = served.site.token(link)
    with served.site.client("/kept", token) as copy:
        do(copy, "add 7")
        place.wait_until_saved("done add 7")
    kill(served)
    served = place.start()
    with served.site.client("/kept", token) as copy:
        assert seen(copy)["rows"] == [0, 33, 66]


def test_link_that_has_expired_was_revoked_or_is_not_ours_leads_nowhere(place: Place) -> None:
    served = place.start()
    with served.site.client("/kept") as client:
        work_on(client, 34)
        brief = link_of(client, "link brief 1")
        lasting = link_of(client, "link 2")
        assert opened(served, lasting)
        until(lambda: not opened(served, brief), "the link expires")
        do(client, "revoke 1")
        until(lambda: not opened(served, lasting), "the link is revoked")
        other = link_of(client, "link 3")
        assert opened(served, other)
        assert not opened(served, other[:-1] + ("0" if other[-1] != "0" else "1"))
        assert not opened(served, other.partition("=")[0] + "=../../etc/passwd")
    assert "Traceback" not in served.process.log_text()


def test_link_is_for_its_user_unless_the_application_says_anyone(place: Place, tmp_path: Path) -> None:
    served = place.start(*guarded_by(tmp_path))
    ann, bob = Visitor(served.process.url), Visitor(served.process.url)
    ann.log_in("ann", "ann's")
    bob.log_in("bob", "bob's")
    with ann.client("/kept") as client:
        work_on(client, 35)
        own, common = link_of(client, "link 1"), link_of(client, "link anyone 2")
    assert ann.ask(own).status == 200
    assert bob.ask(own).status == 403
    with bob.client("/kept", bob.ask(common).token) as copy:
        assert seen(copy)["rows"] == [0, 35]
        assert copy.value("user", "text") == "ann"  # as everything that was on the screen
        do(copy, "who 1")
        assert copy.value("user", "text") == "bob"
    assert Visitor(served.process.url).ask(common).status == 302  # to the login


@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_application_is_told_when_the_store_has_as_many_links_as_it_may(place: Place, flags: tuple[str, ...]) -> None:
    served = place.start("--store-max-bookmarks", "1", *flags)
    with served.site.client("/kept") as client:
        link = link_of(client, "link 1")
        assert opened(served, link)
    with served.site.client("/kept") as other:
        do(other, "add 1")
        place.wait_until_saved("done add 1")  # by the thread that has counted the links before
        other.set("field", "value", "link 2")
        served.process.wait_for_log("the store has as many bookmarks as --store-max-bookmarks allows: 1")
    assert len(list(place.folder.glob("*.view"))) == 1

"""Who may use a console without a login."""

from __future__ import annotations

import pytest

from app_server.server.console.local_auth import _is_loopback, _is_of_machine


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.5"])
def test_names_that_no_other_site_can_have_are_accepted(host: str) -> None:
    assert _is_of_machine(host)


@pytest.mark.parametrize("host", ["rebound.example.org", "localhost.example.org", "", "127.0.0.1.nip.io"])
def test_names_that_another_site_may_have_are_not(host: str) -> None:
    assert not _is_of_machine(host)


@pytest.mark.parametrize(("peer", "local"), [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
                                             ("10.0.0.5", False), ("", False), ("unix", False)])  # fmt: skip
def test_peers_on_this_machine_are_known(peer: str, local: bool) -> None:
    assert _is_loopback(peer) is local

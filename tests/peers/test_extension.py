"""A model with JavaScript of its own, which Node.js compiles."""

from __future__ import annotations

from tests.peers.conftest import Peers
from tests.peers.test_applications import assert_same
from tests.peers.visits import Visit


def extended(visit: Visit) -> None:
    visit.set("counter", "count", 8)
    visit.press("go")
    visit.note("class Counter extends" in visit.page.text)


def test_extension_does_the_same_under_both_servers(peers: Peers) -> None:
    assert_same(peers, "/extended", extended)

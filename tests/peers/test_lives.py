"""Sessions that begin and end, and what their hooks and callbacks write down."""

from __future__ import annotations

from tests.peers.conftest import Peers
from tests.peers.visits import Visit, visiting
from tests.support.client import Site
from tests.support.waiting import until


def life(site: Site) -> dict[str, list[str]]:
    """What was written down by the time that the second visitor looks, by whose line it is."""
    with visiting(site, "/living?who=first") as visit:
        visit.press("end")
    with visiting(site, "/living?who=second") as visit:
        until(lambda: "first ended" in _looked(visit))
        lines = [line.split(maxsplit=1) for line in _looked(visit).split(", ")]
    return {who: [text for name, text in lines if name == who] for who, _ in lines}


def _looked(visit: Visit) -> str:
    visit.press("look")
    return str(visit.client.value("said", "text"))


def test_hooks_and_callbacks_of_a_sessions_end_run_in_the_same_order(peers: Peers) -> None:
    stock, ours = (life(site) for site in peers.both())
    assert stock == ours
    first = ["created False", "destroyed True", "ended"]
    assert ours == {"server": ["loaded"], "first": first, "second": ["created False"]}

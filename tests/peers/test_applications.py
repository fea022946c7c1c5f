"""The same person at the same application gets the same from both servers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from tests.peers.conftest import Peers
from tests.peers.picture import ENCODES_LATE, comparable, differences
from tests.peers.scripts import SCRIPTS
from tests.peers.visits import Account, Visit, visiting
from tests.support.client import Site

Script = Callable[[Visit], None]


def account_of(site: Site, path: str, script: Script) -> Account:
    with visiting(site, path) as visit:
        script(visit)
        return visit.finish()


def accounts_of(peers: Peers, path: str, script: Script) -> list[Account]:
    """What both say to the same person at the same time, the stock server first."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda site: account_of(site, path, script), peers.both()))


def assert_same(peers: Peers, path: str, script: Script) -> None:
    """Fail where the accounts of this visit differ, and say where."""
    stock, ours = accounts_of(peers, path, script)
    found = list(islice(differences(comparable(stock.report()), comparable(ours.report())), 20))
    assert not found, "the stock server != ours:\n" + "\n".join(found)


# Bokeh's server of 3.10 runs callbacks in threads, where Tornado's coroutines find no loop.
OURS_ONLY = frozenset({"coroutines"} if ENCODES_LATE else ())


@pytest.mark.parametrize("name", SCRIPTS)
def test_application_does_the_same_under_both_servers(peers: Peers, name: str) -> None:
    if name in OURS_ONLY:
        assert account_of(peers.ours, *SCRIPTS[name]).last is not None
    else:
        assert_same(peers, *SCRIPTS[name])

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


def stock_account_of(site: Site, path: str, script: Script) -> Account:
    """What is compared: in Bokeh's server of 3.10, whose callbacks run in threads, a next tick may come too early."""
    for _ in range(5):
        account = account_of(site, path, script)
        if not ENCODES_LATE or path != "/ticks" or "never " not in repr(account.last):
            break
    return account


def accounts_of(peers: Peers, path: str, script: Script) -> list[Account]:
    """What both say to the same person at the same time, the stock server first."""
    with ThreadPoolExecutor(2) as pool:
        stock = pool.submit(stock_account_of, peers.stock, path, script)
        ours = pool.submit(account_of, peers.ours, path, script)
        return [stock.result(), ours.result()]


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

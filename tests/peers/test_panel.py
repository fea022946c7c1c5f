"""Applications made with Panel, under `panel serve` and under this server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice

import pytest

from tests.peers.conftest import FLAGS, Peers
from tests.peers.picture import Json, differences, shape
from tests.peers.test_applications import accounts_of
from tests.peers.trying import try_everything
from tests.support.client import Site
from tests.support.server import EXAMPLES, running_server

NAMES = ("dashboard", "library", "postcard", "pulse", "waves")


@pytest.fixture(scope="module")
def panel_peers() -> Iterator[Peers]:
    """Servers of their own: once imported, Panel adds to every page of a process."""
    paths = [EXAMPLES / "panel" / f"{name}.py" for name in NAMES]
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        starts = [running_server(*paths, *FLAGS, server=name) for name in ("panel", "ours")]
        servers = list(pool.map(stack.enter_context, starts))
        yield Peers(Site(servers[0].url), Site(servers[1].url), (servers[0], servers[1]))


def addresses(value: Json) -> set[str]:
    """Where the document has files from."""
    if isinstance(value, dict):
        own = {value["url"]} if isinstance(value.get("url"), str) else set()
        return own.union(*map(addresses, value.values()))
    return set().union(*map(addresses, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", NAMES)
def test_panels_application_shows_the_same_models_with_files_of_the_same_place(panel_peers: Peers, name: str) -> None:
    stock, ours = accounts_of(panel_peers, f"/{name}", try_everything)
    assert list(islice(differences(shape(stock.first), shape(ours.first)), 10)) == []
    assert stock.answers == ours.answers
    assert addresses(stock.first) == addresses(ours.first)

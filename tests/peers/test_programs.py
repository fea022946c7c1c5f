"""Operations in any order: both servers end with the same document, and so does a client that followed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, settings

from tests.peers.conftest import Peers
from tests.peers.mirror import mirrored
from tests.peers.picture import Json, comparable, differences
from tests.peers.visits import visiting
from tests.support.client import Site

DIVS = [f"div {number}" for number in range(4)]
POOL = [*DIVS, "slider 0", "slider 1", "row", "column", "plot"]
divs, models = st.sampled_from(DIVS), st.sampled_from(POOL)
boxes = st.sampled_from(["row", "column"])
leaves = st.sampled_from([*DIVS, "slider 0", "plot"])
sources = st.sampled_from(["source", "arrays"])
numbers = st.lists(st.integers(0, 9), max_size=3)
words = st.sampled_from(["", "a", "b", "ü"])

operations = st.one_of(
    st.tuples(st.just("text"), divs, words),
    st.tuples(st.just("value"), st.sampled_from(["slider 0", "slider 1"]), st.integers(0, 9)),
    st.tuples(st.just("put"), boxes, st.lists(leaves, max_size=3, unique=True)),
    st.tuples(st.just("append"), boxes, leaves),
    st.tuples(st.just("pop"), boxes),
    st.tuples(st.just("add root"), models),
    st.tuples(st.just("remove root"), models),
    st.tuples(st.just("title"), words),
    st.tuples(st.just("stream"), sources, numbers, st.sampled_from([None, 2, 3])),
    st.tuples(st.just("patch"), sources, st.integers(0, 2), st.integers(0, 9)),
    st.tuples(st.just("data"), sources, numbers),
    st.tuples(st.just("column"), sources, numbers),
    st.tuples(st.just("tags"), models, st.lists(models, max_size=2)),
    st.tuples(st.just("style"), divs, st.sampled_from(["color", "top"]), words),
    st.tuples(st.just("renew"), divs),
    st.tuples(st.just("tip"), models),
    st.tuples(st.just("hold"), st.sampled_from(["combine", "collect"])),
    st.tuples(st.just("unhold")),
    st.tuples(st.just("select"), sources, numbers),
    st.tuples(st.just("batch"), divs, words),
)
programs = st.lists(st.lists(operations, min_size=1, max_size=6), min_size=1, max_size=3)


def outcome(site: Site, program: list[Any]) -> tuple[Json, Json, Json]:
    """What a page saw, the document that it has at the end, and the one of a page that comes then."""
    with visiting(site, "/robot") as visit:
        for number, orders in enumerate(program):
            visit.set("orders", "value", json.dumps({"number": number, "do": orders}))
        account = visit.finish().report()
        return account, mirrored(visit.pulled, visit.client.pushed), mirrored(visit.pulled_last, [])


# Nothing is made simpler after a failure: each attempt would take as long as the first.
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(program=programs)
def test_any_operations_do_the_same_under_both_servers(peers: Peers, program: list[Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        (stock, _, _), (ours, followed, late) = pool.map(lambda site: outcome(site, program), peers.both())
    assert list(islice(differences(comparable(stock), comparable(ours)), 10)) == []
    for document in (followed, late):
        document["roots"][0]["attributes"].pop("value", None)  # which the page has set itself
    assert list(islice(differences(followed["roots"], late["roots"]), 10)) == []

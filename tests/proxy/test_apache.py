"""The generated Apache in front of real instances: affinity, failover, headers, logs, maintenance."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support.client import Answer, Client, Site, fetch
from tests.support.deployed import Deployment, running_deployment

THREE = """
apps: {sliders: sliders.py, props: props.py}
instances: 3
proxy: apache
"""


@pytest.fixture(scope="module")
def three() -> Iterator[Deployment]:
    """Three instances of two applications behind Apache."""
    with running_deployment(THREE) as deployment:
        yield deployment


def route_of(page: Answer) -> str:
    """The id of the instance that made this page."""
    found = re.search(r"/_i/([a-z0-9]+)/sliders", page.text)
    assert found is not None, page.text[:500]
    return found[1]


def opened(deployment: Deployment, path: str = "/sliders") -> tuple[str, Client, ExitStack]:
    """A page and its socket, as a browser opens them: the page's instance and the client."""
    page = fetch(deployment.url + path)
    assert page.status == 200, page.text
    route = route_of(page)
    stack = ExitStack()
    client = stack.enter_context(
        Site(deployment.url).client(f"/_i/{route}{path}", page.token, origin=deployment.origin)
    )
    return route, client, stack


def test_page_and_socket_meet_the_same_instance_in_300_of_300_opens(three: Deployment) -> None:
    def open_once(_: int) -> str:
        route, client, stack = opened(three)
        with stack:
            assert client.roots
        return route

    with ThreadPoolExecutor(8) as pool:
        routes = Counter(pool.map(open_once, range(300)))
    assert sum(routes.values()) == 300
    assert set(routes) == {f"a{number}" for number in range(1, 4)}
    # Each page asks for its session's socket where the page was made: nobody has built a session for a second time.
    lines = [json.loads(line) for line in three.log_lines()]
    met = [(line["uri"].split("/")[2], line["instance"]) for line in lines if line["uri"].endswith("/ws")]
    assert len(met) >= 300
    assert [pair for pair in met if pair[0] != pair[1]] == []

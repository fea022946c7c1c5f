"""An instance behind a proxy that is stopped: its sessions go on at the others with their values, and no page fails."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event

import pytest
from websockets.exceptions import ConnectionClosed

from tests.protocol.saving.conftest import go_on, work_on
from tests.support.client import Client, Site, fetch
from tests.support.deployments.deployed import Deployment, running_deployment
from tests.support.server import REPOSITORY
from tests.support.waiting import PATIENCE_S, patience, until

APPS = REPOSITORY / "tests" / "protocol" / "apps"
THREE = """
apps: {kept: kept.py}
instances: 3
proxy: KIND
"""
SESSIONS = 20


@dataclass(frozen=True)
class Visit:
    """A page that is in use: the id of the instance that made it, the token of its session, and its socket."""

    route: str
    token: str
    client: Client


@pytest.fixture(params=["nginx", "apache"])
def three(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Three instances behind a proxy, which save their sessions and do not wait for them."""
    with running_deployment(THREE.replace("KIND", str(request.param)), apps=APPS) as deployment:
        yield deployment


def joined(deployment: Deployment, route: str, token: str) -> AbstractContextManager[Client]:
    """A client of the session of this token, by the address that its page knows."""
    return Site(deployment.url).client(f"/_i/{route}/kept", token, origin=deployment.origin)


def visit(deployment: Deployment, stack: ExitStack, value: int) -> Visit:
    """Open a page, and work something out on it."""
    page = fetch(f"{deployment.url}/kept")
    assert page.status == 200
    found = re.search(r"/_i/([a-z0-9]+)/kept", page.text)
    assert found is not None
    client = stack.enter_context(joined(deployment, found[1], page.token))
    work_on(client, value)
    return Visit(found[1], page.token, client)


def come_back(deployment: Deployment, visit: Visit, value: int) -> float:
    """Wait until the page is sent away, and open its socket again, as BokehJS does at once; when it was there."""
    assert visit.client.close_code() == 1012
    with let_in(deployment, visit) as client:
        back_s = time.monotonic()
        go_on(client, value)
    return back_s


@contextmanager
def let_in(deployment: Deployment, visit: Visit) -> Iterator[Client]:
    """A client of the session; BokehJS tries again, too, if the instance cannot have it yet (1013)."""
    with ExitStack() as stack:
        found: list[Client] = []

        def is_in() -> bool:
            try:
                found.append(stack.enter_context(joined(deployment, visit.route, visit.token)))
            except ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code == 1013
            return bool(found)

        until(is_in, "an instance has the session")
        yield found[0]


@contextmanager
def explained_by_logs(deployment: Deployment) -> Iterator[None]:
    """If what is tested here fails, the servers' logs are shown with it."""
    try:
        yield
    except BaseException:
        for instance, server in zip(deployment.plan.instances, deployment.servers, strict=True):
            print(f"--- the log of {instance.route}\n{server.log_text()}")
        raise


def test_sessions_of_a_stopped_instance_go_on_at_the_others_and_no_page_fails(three: Deployment) -> None:
    with explained_by_logs(three), ThreadPoolExecutor(SESSIONS + 1) as pool, ExitStack() as stack:
        visits = [visit(three, stack, 100 + number) for number in range(SESSIONS)]
        stopped = visits[0].route
        servers = zip(three.plan.instances, three.servers, strict=True)
        [server] = [server for instance, server in servers if instance.route == stopped]
        moving = [(each, 100 + number) for number, each in enumerate(visits) if each.route == stopped]
        assert len(moving) > 2
        over = Event()
        stack.callback(over.set)  # also if the test fails: the pool waits for what it has begun
        pages = pool.submit(fetch_until, three, over)
        begun_s = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        back = list(pool.map(lambda each: come_back(three, *each) - begun_s, moving))
        assert max(back) < patience(5)
        for number, each in enumerate(visits):
            if each.route != stopped:
                go_on(each.client, 100 + number, runs=1)
        over.set()
        assert set(pages.result()) == {200}
    assert server.process.wait(patience(PATIENCE_S)) == 0
    for each in three.servers:
        assert "Traceback" not in each.log_text()


def fetch_until(deployment: Deployment, over: Event) -> list[int]:
    """The statuses of pages that are opened one after another, until then."""
    found: list[int] = []
    while not over.is_set():
        found.append(fetch(f"{deployment.url}/kept").status)
    return found


@pytest.mark.parametrize("proxy", ["nginx", "apache"])
def test_socket_that_a_stopping_instance_refuses_reaches_the_one_with_its_session(proxy: str) -> None:
    draining = THREE.replace("KIND", proxy) + "service: {drain_s: 60}\n"
    with running_deployment(draining, apps=APPS) as deployment, ExitStack() as stack:
        visits = {each.route: each for each in (visit(deployment, stack, 100 + number) for number in range(9))}
        first, second = sorted(visits)[:2]
        [server] = [
            server
            for instance, server in zip(deployment.plan.instances, deployment.servers, strict=True)
            if instance.route == first
        ]
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "Stopping" in server.log_text(), "the instance drains")
        # By the address of the one that drains, which has a session and goes on for it, but not this one.
        token = visits[second].token
        with joined(deployment, first, token) as client:
            assert client.roots

"""A generated proxy in front of real instances: affinity, failover, headers, logs, maintenance.

Every test runs with nginx and with Apache; what one of them does its own way is in a module of its own.
"""

from __future__ import annotations

import html
import http.client
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.client import Answer, Client, Site, fetch
from tests.support.deployments.deployed import Deployment, running_deployment
from tests.support.server import REPOSITORY, RunningServer
from tests.support.waiting import patience, until

APPS = REPOSITORY / "tests" / "protocol" / "apps"
MESSAGE = "Back at 5; costs $2 'each' and 3 %"
THREE = f"""
apps: {{asking: asking.py, board: board.py}}
instances: 3
proxy: {{kind: KIND, static: yes}}
service: {{drain_s: 60}}
logs: {{level: debug}}
maintenance: {{message: "{MESSAGE}"}}
"""
OPENS = 300
PATIENCE_S = 60.0
OPENED: dict[Path, list[str]] = {}
"""The sockets that tests have opened at the deployment in this folder: the ids of their pages' instances."""

LOGGED = {
    "time", "client", "host", "method", "uri", "protocol", "status", "bytes", "instance", "agent", "id",
}  # fmt: skip


@pytest.fixture(scope="module", params=["nginx", "apache"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which proxy it is."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(kind: str) -> Iterator[Deployment]:
    """Three instances of two applications behind a proxy, for all tests that leave them as they are."""
    with running_deployment(THREE.replace("KIND", kind), apps=APPS) as deployment:
        yield deployment


@pytest.fixture
def three(shared: Deployment) -> Iterator[Deployment]:
    """The shared deployment without an open socket, also by the proxy's own count."""
    OPENED.setdefault(shared.folder, [])
    yield shared
    # A proxy writes a socket's line when it has ended, after it has let its instance go.
    until(lambda: len(sockets_of(shared)) == len(OPENED[shared.folder]))


@pytest.fixture
def breakable(kind: str) -> Iterator[Deployment]:
    """Such a deployment of the test's own, which takes instances away."""
    with running_deployment(THREE.replace("KIND", kind), apps=APPS) as deployment:
        OPENED[deployment.folder] = []
        yield deployment


def kind_of(deployment: Deployment) -> str:
    """Which proxy it is."""
    return deployment.plan.spec.proxy.kind


def logged(deployment: Deployment) -> list[dict[str, str]]:
    """What the proxy has written about requests so far."""
    return [json.loads(line) for line in deployment.log_lines()]


def sockets_of(deployment: Deployment) -> list[dict[str, str]]:
    """What the proxy has written about sockets that were open."""
    return [line for line in logged(deployment) if line["uri"].endswith("/ws") and line["status"] == 101]


def server_of(deployment: Deployment, route: str) -> RunningServer:
    """The process of the instance with this id."""
    [found] = [
        server
        for instance, server in zip(deployment.plan.instances, deployment.servers, strict=True)
        if instance.route == route
    ]
    return found


def route_of(page: Answer) -> str:
    """The id of the instance that made this page."""
    found = re.search(r"/_i/([a-z0-9]+)/asking", page.text)
    assert found is not None, page.text[:500]
    return found[1]


def opened(deployment: Deployment) -> tuple[str, Client, ExitStack]:
    """A page and its socket, as a browser opens them: the page's instance, the client, and what closes it."""
    page = fetch(deployment.url + "/asking", timeout_s=patience(PATIENCE_S))
    assert page.status == 200, page.text
    route, stack = route_of(page), ExitStack()
    client = stack.enter_context(joined(deployment, route, page.token))
    return route, client, stack


@contextmanager
def joined(deployment: Deployment, route: str, token: str) -> Iterator[Client]:
    """A client of the session of this token, by the address that its page knows."""
    with client_of(deployment, route, token) as client:
        OPENED[deployment.folder].append(route)
        yield client


def client_of(deployment: Deployment, route: str, token: str) -> AbstractContextManager[Client]:
    return Site(deployment.url).client(f"/_i/{route}/asking", token, origin=deployment.origin, open_timeout=PATIENCE_S)


def statuses(deployment: Deployment, count: int, path: str = "/asking") -> Counter[int]:
    """How many of so many pages had which status."""
    return Counter(fetch(deployment.url + path, timeout_s=patience(PATIENCE_S)).status for _ in range(count))


def test_page_and_socket_meet_the_same_instance_in_every_open(three: Deployment) -> None:
    def open_once(_: int) -> str:
        route, client, stack = opened(three)
        with stack:
            assert client.roots
        return route

    before = len(sockets_of(three))
    with ThreadPoolExecutor(8) as pool:
        routes = Counter(pool.map(open_once, range(OPENS)))
    assert sum(routes.values()) == OPENS
    assert set(routes) == {"a1", "a2", "a3"} and min(routes.values()) > OPENS / 6
    # Apache names an instance by its id, nginx by its address.
    by_id = kind_of(three) == "apache"
    known = {str(each.route): each.route if by_id else each.server for each in three.plan.instances}

    until(lambda: len(sockets_of(three)) >= before + OPENS)  # a line is written when its socket has ended
    met = [(known[line["uri"].split("/")[2]], line["instance"]) for line in sockets_of(three)[before:]]
    assert len(met) == OPENS
    assert [pair for pair in met if pair[0] != pair[1]] == []


def test_pages_go_to_the_instance_with_the_fewest_sockets(three: Deployment) -> None:
    with ExitStack() as stack:
        routes: Counter[str] = Counter()
        for _ in range(12):
            route, _client, closing = opened(three)
            stack.enter_context(closing)
            routes[route] += 1
        # nginx counts what it sends to the pool, and sockets go past it.
        assert set(routes) == {"a1", "a2", "a3"}
        assert kind_of(three) == "nginx" or set(routes.values()) == {4}


def test_what_a_browser_says_of_itself_is_not_believed(three: Deployment) -> None:
    spoofed = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Scheme": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.9;proto=https",
    }
    page = fetch(three.url + "/asking?x=%C3%A4%2F&y=1%202", headers=spoofed)
    with joined(three, route_of(page), page.token) as client:
        seen = json.loads(client.value("seen", "text"))
    assert seen["remote_ip"] == "127.0.0.1"
    assert seen["protocol"] == "http"
    assert seen["arguments"] == {"x": ["ä/"], "y": ["1 2"]}
    assert seen["headers"]["host"] == three.plan.site.authority
    assert not {"forwarded", "x-scheme"} & set(seen["headers"])
    assert "evil" not in json.dumps(seen["headers"]) and "203.0.113.9" not in json.dumps(seen)


def test_long_token_passes_and_foreign_names_and_origins_do_not(three: Deployment) -> None:
    long = fetch(three.url + "/asking", headers={"X-Long": "x" * 20_000})
    assert long.status == 200
    if kind_of(three) == "apache":
        assert fetch(three.url + "/asking", headers={"Host": "evil.example"}).status == 421
    else:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            fetch(three.url + "/asking", headers={"Host": "evil.example"})
    assert fetch(three.url + "/metrics").status == 404
    assert fetch(three.url + "/_app-server/again").status == 404
    with (
        pytest.raises(Exception, match="403"),
        Site(three.url).socket("/asking", long.token, origin="http://evil.example"),
    ):
        pass


def test_headers_of_security_stand_on_pages_once(three: Deployment) -> None:
    page = fetch(three.url + "/asking")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert page.headers["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in page.headers


def test_log_is_json_without_queries_whatever_browsers_send(three: Deployment) -> None:
    before = len(three.log_lines())
    fetch(three.url + "/asking?bokeh-token=secret", headers={"User-Agent": 'a "quoted\\" agent'})
    fetch(three.url + "/asking", headers={"User-Agent": "an agent\x01"})
    fetch(three.url + "/caf%C3%A9?secret", headers={"User-Agent": "caf\xe9", "Referer": "http://x/?secret"})
    for part in ("quoted", "caf%C3%A9"):
        until(lambda part=part: any(part in line for line in three.log_lines()[before:]), f"{part} is logged")
    assert "secret" not in "\n".join(three.log_lines())
    lines = logged(three)[before:]
    [last] = [line for line in lines if line["uri"] == "/caf%C3%A9"]
    assert last["status"] == 404
    assert set(last) == LOGGED | {"microseconds" if kind_of(three) == "apache" else "seconds"}
    assert any(line["agent"] == 'a "quoted\\" agent' for line in lines)


def test_maintenance_shows_its_page_and_leaves_open_sessions_alone(three: Deployment) -> None:
    route, client, closing = opened(three)
    file = three.folder / "maintenance"
    with closing:
        file.touch()
        try:
            page = fetch(three.url + "/asking")
            assert (page.status, page.headers["retry-after"]) == (503, "120")
            assert MESSAGE in html.unescape(page.text)
            assert page.headers["content-type"].startswith("text/html") and "refresh" not in page.headers
            # Monitors see the instances, and open pages get their files.
            for path in ("/healthz", "/readyz", "/asking/static/js/bokeh.min.js"):
                assert fetch(three.url + path).status == 200, path
            assert client.pull().msgtype == "PULL-DOC-REPLY"
            assert fetch(f"{three.url}/_i/{route}/static/js/bokeh.min.js").status == 200
        finally:
            file.unlink()
    assert fetch(three.url + "/asking").status == 200


def test_hung_instance_soon_gets_no_requests(breakable: Deployment) -> None:
    hung = server_of(breakable, "a3")
    hung.process.send_signal(signal.SIGSTOP)
    waiting = ThreadPoolExecutor(20)
    pages: list[Future[Answer]] = []

    def come(visitors: int, served: int) -> None:
        timeout_s = patience(PATIENCE_S)
        for _ in range(visitors):
            pages.append(waiting.submit(fetch, breakable.url + "/asking", timeout_s=timeout_s))
            # One after another: instances that are late have connections, too, and would be taken for busy.
            with suppress(TimeoutError):
                pages[-1].result(patience(0.5))
        until(lambda: sum(page.done() for page in pages) >= served)

    try:
        # Those that meet it wait; each of them counts, so the others get the next ones.
        come(8, served=5)
        come(10, served=14)
    finally:
        hung.process.send_signal(signal.SIGCONT)
        assert {page.result().status for page in pages} == {200}
        waiting.shutdown()


def test_drained_instance_keeps_its_sessions_and_gets_no_new_ones(breakable: Deployment) -> None:
    with ExitStack() as closings:
        page = fetch(breakable.url + "/asking")
        route = route_of(page)
        client = closings.enter_context(joined(breakable, route, page.token))
        server_of(breakable, route).process.send_signal(signal.SIGTERM)
        until(lambda: fetch(f"http://127.0.0.1:{server_of(breakable, route).port}/readyz").status == 503)
        found = [fetch(breakable.url + "/asking") for _ in range(30)]
        assert {each.status for each in found} == {200}
        assert route not in {route_of(each) for each in found}
        # Its session goes on, and a page that reloads its socket finds it again.
        assert client.pull().msgtype == "PULL-DOC-REPLY"
        with joined(breakable, route, page.token) as again:
            assert json.loads(again.value("seen", "text"))["id"] == json.loads(client.value("seen", "text"))["id"]
    server_of(breakable, route).process.kill()
    server_of(breakable, route).process.wait()


def test_killed_instance_costs_no_page_and_its_sessions_come_back_elsewhere(breakable: Deployment) -> None:
    page = fetch(breakable.url + "/asking")
    route = route_of(page)
    with ExitStack() as stack:
        client = stack.enter_context(joined(breakable, route, page.token))
        server_of(breakable, route).process.kill()
        client.close_code()
        # On a busy machine it still listens for a moment after it has closed its connections.
        server_of(breakable, route).process.wait()
        began = time.monotonic()
        again = stack.enter_context(joined(breakable, route, page.token))
        assert again.roots
        assert time.monotonic() - began < patience(5)
    assert statuses(breakable, 30) == {200: 30}


def test_page_that_tries_again_is_shown_when_no_instance_runs(breakable: Deployment) -> None:
    for server in breakable.servers:
        server.process.kill()
        server.process.wait()
    page = fetch(breakable.url + "/asking")
    if kind_of(breakable) == "apache":
        assert (page.status, page.headers["refresh"]) == (503, "5")
    else:
        assert page.status == 502
        assert 'http-equiv="refresh" content="5"' in page.text
    assert page.headers["cache-control"] == "no-store"

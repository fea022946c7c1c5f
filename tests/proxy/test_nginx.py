"""The generated nginx in front of real instances: affinity, failover, headers, logs, maintenance, access."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.proxy.test_apache import joined, opened, route_of, server_of, statuses, wait_until
from tests.support.client import Site, fetch
from tests.support.deployed import Deployment, running_deployment
from tests.support.ports import free_port
from tests.support.proxies import proxy_folder
from tests.support.server import REPOSITORY

APPS = REPOSITORY / "tests" / "protocol" / "apps"
THREE = """
apps: {asking: asking.py, board: board.py}
instances: 3
proxy: {kind: nginx, static: yes}
service: {drain_s: 60}
maintenance: {message: "Back at 5; costs $2 'each'"}
"""
OPENS = 300


@pytest.fixture(scope="module")
def three() -> Iterator[Deployment]:
    """Three instances of two applications behind nginx; the tests below take one after another of them away."""
    with running_deployment(THREE, apps=APPS) as deployment:
        yield deployment


def addresses(deployment: Deployment) -> dict[str, str]:
    """The address of each instance, by its id."""
    return {str(instance.route): instance.server for instance in deployment.plan.instances}


def test_page_and_socket_meet_the_same_instance_in_every_open(three: Deployment) -> None:
    def open_once(_: int) -> str:
        route, client, stack = opened(three)
        with stack:
            assert client.roots
        return route

    with ThreadPoolExecutor(8) as pool:
        routes = Counter(pool.map(open_once, range(OPENS)))
    assert sum(routes.values()) == OPENS
    assert set(routes) == {"a1", "a2", "a3"} and min(routes.values()) > OPENS / 6
    lines = [json.loads(line) for line in three.log_lines()]
    met = [(addresses(three)[line["uri"].split("/")[2]], line["instance"]) for line in lines if "/ws" in line["uri"]]
    assert len(met) == OPENS
    assert [pair for pair in met if pair[0] != pair[1]] == []


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
    assert (seen["remote_ip"], seen["protocol"]) == ("127.0.0.1", "http")
    assert seen["arguments"] == {"x": ["ä/"], "y": ["1 2"]}
    assert seen["headers"]["host"] == three.plan.site.authority
    assert not {"forwarded", "x-scheme"} & set(seen["headers"])
    assert "evil" not in json.dumps(seen["headers"]) and "203.0.113.9" not in json.dumps(seen)


def test_long_token_passes_and_foreign_names_and_origins_do_not(three: Deployment) -> None:
    long = fetch(three.url + "/asking", headers={"X-Long": "x" * 20_000})
    assert long.status == 200
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        fetch(three.url + "/asking", headers={"Host": "evil.example"})
    assert fetch(three.url + "/metrics").status == 404
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
    fetch(three.url + "/asking?bokeh-token=secret", headers={"User-Agent": 'a "quoted\\" agent'})
    fetch(three.url + "/nowhere?secret", headers={"Referer": "http://x/?secret"})
    wait_until(lambda: any("nowhere" in line for line in three.log_lines()))
    lines = [json.loads(line) for line in three.log_lines()]
    assert "secret" not in "\n".join(three.log_lines())
    assert lines[-1]["uri"] == "/nowhere" and lines[-1]["status"] == 404
    assert any(line["agent"] == 'a "quoted\\" agent' for line in lines)


def test_maintenance_shows_its_page_and_leaves_open_sessions_alone(three: Deployment) -> None:
    route, client, closing = opened(three)
    file = three.folder / "maintenance"
    with closing:
        file.touch()
        try:
            page = fetch(three.url + "/asking")
            assert (page.status, page.headers["retry-after"]) == (503, "120")
            assert "Back at 5; costs &#36;2 &#x27;each&#x27;" in page.text
            assert page.headers["content-type"].startswith("text/html")
            assert client.pull().msgtype == "PULL-DOC-REPLY"
            assert fetch(f"{three.url}/_i/{route}/static/js/bokeh.min.js").status == 200
        finally:
            file.unlink()
    assert fetch(three.url + "/asking").status == 200


def test_hung_instance_is_soon_left_alone(three: Deployment) -> None:
    hung = server_of(three, "a3")
    hung.process.send_signal(signal.SIGSTOP)
    waiting = ThreadPoolExecutor(8)
    try:
        # Those that meet it wait; each of them counts, so that the others get the next ones.
        pages = [waiting.submit(fetch, three.url + "/asking", timeout_s=60) for _ in range(8)]
        wait_until(lambda: sum(page.done() for page in pages) >= 5)
        assert statuses(three, 10) == {200: 10}
    finally:
        hung.process.send_signal(signal.SIGCONT)
        assert {page.result().status for page in pages} == {200}
        waiting.shutdown()


def test_drained_instance_keeps_its_sessions_and_gets_no_new_ones(three: Deployment) -> None:
    with ExitStack() as closings:
        page = fetch(three.url + "/asking")
        route = route_of(page)
        client = closings.enter_context(joined(three, route, page.token))
        server_of(three, route).process.send_signal(signal.SIGTERM)
        wait_until(lambda: fetch(f"http://127.0.0.1:{server_of(three, route).port}/readyz").status == 503)
        found = [fetch(three.url + "/asking") for _ in range(30)]
        assert {each.status for each in found} == {200}
        assert route not in {route_of(each) for each in found}
        assert client.pull().msgtype == "PULL-DOC-REPLY"
        with joined(three, route, page.token) as again:
            assert json.loads(again.value("seen", "text"))["id"] == json.loads(client.value("seen", "text"))["id"]
    server_of(three, route).process.kill()
    server_of(three, route).process.wait()


def test_killed_instance_costs_no_page_and_its_sessions_come_back_elsewhere(three: Deployment) -> None:
    page = fetch(three.url + "/asking")
    route = route_of(page)
    with ExitStack() as stack:
        client = stack.enter_context(joined(three, route, page.token))
        server_of(three, route).process.kill()
        client.close_code()
        began = time.monotonic()
        again = stack.enter_context(joined(three, route, page.token))
        assert again.roots
        assert time.monotonic() - began < 5
    assert statuses(three, 30) == {200: 30}


def test_page_that_tries_again_is_shown_when_nobody_is_there(three: Deployment) -> None:
    for server in three.servers:
        server.process.kill()
        server.process.wait()
    page = fetch(three.url + "/asking")
    assert page.status == 502
    assert 'http-equiv="refresh" content="5"' in page.text
    assert page.headers["cache-control"] == "no-store"


class _Gatekeeper(BaseHTTPRequestHandler):
    """An authenticator: lets in whoever has the right cookie, and says who it is."""

    def do_GET(self) -> None:
        known = "gate=open" in (self.headers["Cookie"] or "")
        self.send_response(202 if known else 401)
        if known:
            self.send_header("X-Auth-Request-User", "ann")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def gatekeeper() -> Iterator[int]:
    """The port of an authenticator."""
    port = free_port()
    server = ThreadingHTTPServer(("127.0.0.1", port), _Gatekeeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield port
    server.shutdown()
    server.server_close()


def test_another_service_decides_who_comes_in_and_names_the_user() -> None:
    with gatekeeper() as port, running_deployment(
        f"apps: {{asking: asking.py}}\n"
        f"access: {{external: {{url: 'http://127.0.0.1:{port}/auth', sign_in: 'https://login.example.org/'}}}}\n",
        apps=APPS,
    ) as site:  # fmt: skip
        refused = fetch(site.url + "/asking?x=1", headers={"X-Auth-Request-User": "mallory"})
        assert refused.status == 302
        assert refused.headers["location"] == f"https://login.example.org/?rd={site.origin}/asking?x=1"
        page = fetch(site.url + "/asking", headers={"Cookie": "gate=open", "X-Auth-Request-User": "mallory"})
        assert page.status == 200
        with Site(site.url).client(
            "/asking", page.token, origin=site.origin, additional_headers={"Cookie": "gate=open"}
        ) as client:
            assert json.loads(client.value("seen", "text"))["headers"]["x-auth-request-user"] == "ann"


def test_passwords_limits_and_own_applications_below_a_prefix() -> None:
    """One site with all the rest: basic authentication, rate limits, a pool of its own, a prefix."""
    with ExitStack() as stack:
        users = stack.enter_context(proxy_folder()) / "users"
        # What `openssl passwd -apr1` makes of "sesame"; nginx's workers are other users.
        users.write_text("ann:$apr1$abcdefgh$GQVaHFsauSKl0cgw4bVFJ/\n", encoding="utf-8")
        users.parent.chmod(0o755)
        text = (
            f"apps: {{asking: asking.py, board: {{path: board.py, instances: 2, args: [x]}}}}\n"
            f"public: {{prefix: /tools}}\naccess: {{basic: {users}}}\nrate_limits: {{pages_per_s: 0.1, burst: 6}}\n"
        )
        site = stack.enter_context(running_deployment(text, apps=APPS))
        assert fetch(site.url + "/asking").status == 401
        known = {"Authorization": "Basic " + base64.b64encode(b"ann:sesame").decode()}
        assert fetch(site.url, headers=known).headers["location"] == "/tools/"
        assert fetch(site.url.removesuffix("/tools") + "/asking", headers=known).status == 404
        board = fetch(site.url + "/board", headers=known)
        assert (board.status, "/_i/board-a" in board.text) == (200, True)
        asking = fetch(site.url + "/asking", headers=known)
        assert (asking.status, "/_i/" in asking.text) == (200, False)
        found = Counter(fetch(site.url + "/asking", headers=known).status for _ in range(12))
        assert found[429] >= 4 and set(found) == {200, 429}

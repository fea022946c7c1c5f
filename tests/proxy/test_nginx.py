"""What nginx alone does: rate limits, passwords, and asking another service who comes in."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app_server.security.auth.htpasswd import sha_crypt
from tests.support.client import Site, fetch
from tests.support.deployments.deployed import running_deployment
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import free_port
from tests.support.server import REPOSITORY

APPS = REPOSITORY / "tests" / "protocol" / "apps"


class _Gatekeeper(BaseHTTPRequestHandler):
    """An authenticator: lets in anyone who has the right cookie, and says who it is."""

    def do_GET(self) -> None:
        known = "gate=open" in (self.headers["Cookie"] or "")
        self.send_response(202 if known else 401)
        if known:
            self.send_header("X-Auth-Request-User", "ann")
            self.send_header("X-Auth-Request-Groups", "staff,analysts")
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


def test_rules_see_the_groups_that_the_service_names_and_no_others() -> None:
    with gatekeeper() as port, running_deployment(
        "apps:\n  asking: {path: asking.py, access: {groups: [analysts]}}\n"
        "  board: {path: board.py, access: {groups: [admins]}}\n"
        f"access: {{external: {{url: 'http://127.0.0.1:{port}/auth', groups_header: X-Auth-Request-Groups}},"
        " contact: help@example.org}\n",
        apps=APPS,
    ) as site:  # fmt: skip
        forged = {"Cookie": "gate=open", "X-Auth-Request-Groups": "admins"}
        assert fetch(site.url + "/asking", headers=forged).status == 200
        refused = fetch(site.url + "/board", headers=forged)
        assert refused.status == 403 and "help@example.org" in refused.text
        index = fetch(site.url + "/", headers=forged).text
        assert 'href="/asking"' in index and 'href="/board"' not in index


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_one_file_of_htpasswd_serves_the_proxy_and_the_server(kind: str) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(proxy_folder())
        users = folder / "users"
        hashed = sha_crypt("sesame", os.urandom)
        users.write_text(f"ann:{hashed}:staff\nbob:$apr1$abcdefgh$GQVaHFsauSKl0cgw4bVFJ/\n", encoding="utf-8")
        folder.chmod(0o755)
        site = stack.enter_context(
            running_deployment(
                "apps:\n  asking: asking.py\n  board: {path: board.py, access: {groups: [staff]}}\n"
                f"proxy: {kind}\naccess: {{basic: {users}}}\nserver: {{basic_auth: {users}}}\n"
                "secrets: {cookie_secret: {environment: BOKEH_COOKIE_SECRET}}\n",
                apps=APPS,
                env={"BOKEH_COOKIE_SECRET": "a secret of forty-four letters, or even more."},
            )
        )
        assert fetch(site.url + "/asking").status == 401
        for name, status in (("ann", 200), ("bob", 403)):
            known = {"Authorization": "Basic " + base64.b64encode(f"{name}:sesame".encode()).decode()}
            assert fetch(site.url + "/asking", headers=known).status == 200
            assert fetch(site.url + "/board", headers=known).status == status


_LOGIN = """
from tornado.web import RequestHandler

login_url = "/login"


def get_user(handler):
    parts = [handler.get_cookie(name, "") for name in ("login", "tokens_0", "tokens_1")]
    return "ann" if [len(part) for part in parts] == [3800] * 3 else None


class LoginHandler(RequestHandler):
    def get(self):
        for name in ("login", "tokens_0", "tokens_1"):
            self.set_cookie(name, "x" * 3800, httponly=True)
        self.redirect("/asking")
"""


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_login_with_as_many_cookies_as_access_tokens_need_passes_the_proxy(kind: str) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(proxy_folder())
        (folder / "auth.py").write_text(_LOGIN, encoding="utf-8")
        text = f"apps: {{asking: asking.py}}\nproxy: {kind}\nserver: {{auth_module: {folder / 'auth.py'}}}\n"
        site = stack.enter_context(running_deployment(text, apps=APPS))
        answer = fetch(site.url + "/login")
        assert (answer.status, answer.headers["location"]) == (302, "/asking")
        cookies = {"Cookie": "; ".join(f"{name}={'x' * 3800}" for name in ("login", "tokens_0", "tokens_1"))}
        page = fetch(site.url + "/asking", headers=cookies)
        assert page.status == 200
        with Site(site.url).client(
            "/asking", page.token, origin=site.origin, additional_headers=cookies
        ) as client:
            assert client.value("seen", "text")


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


def test_pages_of_an_instance_that_leaves_go_to_one_that_is_new_already() -> None:
    # Replaced in their order: what comes later is old, and would leave soon too.
    text = "apps: {board: board.py}\ninstances: 4\nproxy: nginx\n"
    with running_deployment(text, apps=APPS) as deployment:
        second = deployment.servers[1]
        second.process.terminate()
        second.process.wait(30)
        met = Counter()
        for _ in range(12):
            page = fetch(f"{deployment.url}/board")
            with Site(deployment.url).client("/_i/a2/board", page.token, origin=deployment.origin) as client:
                assert client.roots
        for line in deployment.log_lines():
            entry = json.loads(line)
            if "/_i/a2/" in entry["uri"]:
                met[entry["instance"].split(", ")[-1]] += 1
        assert met == {deployment.plan.instances[0].server: 12}

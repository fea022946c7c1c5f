"""Logging in, by each way there is: who gets in, who is sent where, what applications know, what the log says."""

from __future__ import annotations

import base64
import http.client
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id, get_token_payload
from websockets.exceptions import InvalidStatus

from app_server.security.auth.passwords import Cost, hash_password
from tests.protocol.conftest import SECRET, Served, apps, serving
from tests.support.client import Client, open_socket
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.servers.oidc_provider import CLIENT_ID, CLIENT_SECRET
from tests.support.waiting import until

COOKIE_SECRET = "another secret of forty-four letters, or so."
QUICK = Cost(2, 1, 1)

HOOKS = """
from tornado.web import RequestHandler

def get_user(handler):
    return handler.get_signed_cookie("who", min_version=2)

login_url = "/enter"
logout_url = "/leave"

class LoginHandler(RequestHandler):
    def get(self):
        self.write("who are you")
    def post(self):
        self.set_signed_cookie("who", self.get_argument("name"))
        self.redirect(self.get_argument("next", "/"))

class LogoutHandler(RequestHandler):
    def get(self):
        self.clear_cookie("who")
        self.redirect("/enter")
"""

ASYNC_HOOKS = """
import asyncio
from dataclasses import dataclass

@dataclass
class Account:
    name: str

async def get_user_async(handler):
    await asyncio.sleep(0)
    if handler.request.headers.get("X-Anybody"):
        return object()
    if handler.request.headers.get("X-Fail"):
        raise RuntimeError("the database is away, its password is hunter2")
    name = handler.get_cookie("who")
    return Account(name) if name else None

def get_login_url(handler):
    if handler.get_argument("nowhere", None):
        raise RuntimeError("no such place")
    return "https://id.example.org/in"
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def password_file(**users: str) -> str:
    return "".join(f"{name}:{hash_password(password, cost=QUICK)}\n" for name, password in users.items())


def refused(visitor: Visitor, app: str, token: str) -> int:
    """The status that refuses the socket's handshake."""
    with pytest.raises(InvalidStatus) as caught:
        with visitor.client(app, token):
            pass
    return caught.value.response.status_code


def where(visitor: Visitor, path: str) -> str:
    """Where the answer for this path redirects to."""
    answer = visitor.ask(path)
    assert answer.status in (302, 303), (answer.status, answer.text)
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[Callable[[], list[str]]]:
    """The lines of the log that this test causes."""
    served: Served = request.getfixturevalue(request.node.get_closest_marker("server").args[0])
    # A line is written after its answer: the one of the last request before is there when a later one's is.
    mark = f"/static/js/none-{served.log_size()}.js"
    served.site.get(mark)
    served.process.wait_for_log(mark)
    until(lambda: served.log_since(0).endswith("\n"))
    start = served.log_size()
    yield lambda: [line for line in served.log_since(start).splitlines() if " sessions with " not in line]


# The hooks of --auth-module


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a module that has everything, behind a prefix."""
    module = write(tmp_path_factory.mktemp("hooks") / "auth.py", HOOKS)
    flags = ["--auth-module", module, "--cookie-secret", COOKIE_SECRET, "--prefix", "/tools"]
    with serving(*apps("knowing.py", "asking.py"), *flags, env={"BOKEH_SECRET_KEY": SECRET}) as served:
        yield served


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose users log in on another site, found out about asynchronously."""
    module = write(tmp_path_factory.mktemp("hooks") / "auth.py", ASYNC_HOOKS)
    with serving(*apps("knowing.py"), "--auth-module", module) as served:
        yield served


def enter(served: Served, name: str) -> Visitor:
    visitor = Visitor(served.process.url)
    assert visitor.post("/tools/enter", name=name, next="/tools/knowing").headers["location"] == "/tools/knowing"
    return visitor


def test_pages_lead_to_the_login_and_everything_else_is_refused(hooked: Served) -> None:
    visitor = Visitor(hooked.process.url)
    assert where(visitor, "/tools/knowing?a=1&b=2") == "/tools/enter?next=%2Ftools%2Fknowing%3Fa%3D1%26b%3D2"
    assert where(visitor, "/tools/") == "/tools/enter?next=%2Ftools%2F"
    assert where(visitor, "/_i/west/tools/knowing") == "/tools/enter?next=%2F_i%2Fwest%2Ftools%2Fknowing"
    for path in ("metadata", "autoload.js?bokeh-autoload-element=x", "ws"):
        assert visitor.ask(f"/tools/knowing/{path}").status == 403, path
    assert visitor.ask("/tools/knowing", method="HEAD").status == 302
    assert refused(visitor, "/tools/knowing", "x") == 403


def test_static_files_and_health_are_open(hooked: Served) -> None:
    visitor = Visitor(hooked.process.url)
    for path in ("/tools/static/js/bokeh.min.js", "/tools/knowing/static/js/bokeh.min.js", "/healthz", "/readyz"):
        assert visitor.ask(path).status == 200, path


def test_browser_may_ask_whether_it_may_ask(hooked: Served) -> None:
    answer = Visitor(hooked.process.url).ask(
        "/tools/knowing/autoload.js", method="OPTIONS", headers={"Origin": hooked.process.url}
    )
    assert answer.status == 204


def test_application_knows_what_get_user_returned(hooked: Served) -> None:
    seen = enter(hooked, "ann").seen("/tools/knowing")
    assert (seen["user"], seen["kind"], seen["logout_url"]) == ("b'ann'", "bytes", "/tools/leave")


def test_logged_in_user_gets_everything(hooked: Served) -> None:
    ann = enter(hooked, "ann")
    assert ann.ask("/tools/").status == 200
    assert ann.ask("/tools/knowing/metadata").status == 200
    assert ann.ask("/tools/knowing/autoload.js?bokeh-autoload-element=x").status == 200
    assert ann.ask("/tools/leave").status == 302
    assert ann.ask("/tools/knowing").status == 302


def test_users_session_is_no_one_elses(hooked: Served) -> None:
    ann, bob = enter(hooked, "ann"), enter(hooked, "bob")
    with ann.client("/tools/knowing") as client:
        token = ann.ask("/tools/knowing").token
        start = hooked.log_size()
        assert refused(bob, "/tools/knowing", token) == 403
        for query in (f"bokeh-token={token}", f"bokeh-session-id={session_of(token)}"):
            answer = bob.ask(f"/tools/knowing?{query}")
            assert answer.status == 403, query
            assert "This session belongs to another user" in answer.text
        lines = hooked.log_since(start).splitlines()
        assert len(lines) == 3 and all("refused 127.0.0.1 the" in line for line in lines), lines
        assert token not in hooked.process.log_text()
        assert ann.ask(f"/tools/knowing?bokeh-token={token}").status == 200
        assert client.pull().msgtype == "PULL-DOC-REPLY"


def session_of(token: str) -> str:
    return str(get_session_id(token))


def test_session_that_two_users_ask_for_at_once_goes_to_one_of_them(hooked: Served) -> None:
    visitors = [enter(hooked, f"user{number}") for number in range(6)]
    answers: list[int] = []
    wanted = f"/tools/knowing?bokeh-session-id={generate_session_id(SECRET.encode(), signed=True)}"
    threads = [threading.Thread(target=lambda v=visitor: answers.append(v.ask(wanted).status)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, *[403] * 5]


def test_login_may_be_on_another_site(isolated: Served) -> None:
    visitor = Visitor(isolated.process.url)
    port = isolated.process.port
    expected = f"https://id.example.org/in?next=http%3A%2F%2Flocalhost%3A{port}%2Fknowing%3Fa%3D1"
    assert where(visitor, "/knowing?a=1") == expected


def test_asynchronous_hook_names_the_user_and_the_socket_asks_it_again(isolated: Served) -> None:
    ann = Visitor(isolated.process.url, cookies={"who": "ann"})
    assert ann.seen("/knowing")["user"] == "Account(name='ann')"
    token = ann.ask("/knowing").token
    assert refused(Visitor(isolated.process.url), "/knowing", token) == 403
    assert refused(Visitor(isolated.process.url, cookies={"who": "bob"}), "/knowing", token) == 403


def test_hook_that_raises_is_reported_only_in_the_log(isolated: Served) -> None:
    start = isolated.log_size()
    answer = Visitor(isolated.process.url).ask("/knowing?bokeh-token=hush", headers={"X-Fail": "1"})
    assert answer.status == 500
    assert "hunter2" not in answer.text and "details are in the server log" in answer.text
    assert "RuntimeError: the database is away" in isolated.log_since(start)
    assert "hush" not in isolated.log_since(start)


def test_user_who_could_be_anybody_is_not_let_in(isolated: Served) -> None:
    start = isolated.log_size()
    assert Visitor(isolated.process.url).ask("/knowing", headers={"X-Anybody": "1"}).status == 500
    expected = "--auth-module: get_user returned something of type object, which could be any user"
    assert expected in isolated.log_since(start)


def test_login_url_that_raises_leads_nowhere(isolated: Served) -> None:
    start = isolated.log_size()
    assert Visitor(isolated.process.url).ask("/knowing?nowhere=1&bokeh-token=hush").status == 500
    assert "RuntimeError: no such place" in isolated.log_since(start)
    assert "hush" not in isolated.log_since(start)


def test_broken_module_keeps_the_server_from_starting(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.py", "x = 1\nraise RuntimeError('no such database')\n")
    with pytest.raises(AssertionError) as caught:
        with serving(*apps("knowing.py"), "--auth-module", path):
            pass
    assert str(caught.value).strip().splitlines()[-1] == (
        f"app-server: {path}:2: the authentication module failed: RuntimeError: no such database"
    )


# Passwords


@pytest.fixture(scope="module")
def users_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("users") / "users", password_file(ann="correct horse", bob="battery staple"))


@pytest.fixture(scope="module")
def guarded_by_password(users_file: Path) -> Iterator[Served]:
    flags = ["--basic-auth", users_file, "--include-headers", "Cookie", "Authorization", "Host"]
    with serving(*apps("knowing.py", "asking.py"), *flags, env={"BOKEH_COOKIE_SECRET": COOKIE_SECRET}) as served:
        yield served


@pytest.fixture
def site(guarded_by_password: Served) -> str:
    return guarded_by_password.process.url


def from_address(number: int, url: str) -> Visitor:
    """A visitor whose failures do not slow down other tests."""
    return Visitor(url, source=f"127.0.1.{number}")


def test_form_lets_a_user_in_and_leads_to_the_page(site: str) -> None:
    ann = Visitor(site)
    login = where(ann, "/knowing?a=1")
    answer = ann.log_in("ann", "correct horse", login)
    assert (answer.status, answer.headers["location"]) == (303, "/knowing?a=1")
    line = next(line for line in ann.set_cookies if line.startswith("app_server_login="))
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/" in line and "Secure" not in line
    seen = ann.seen("/knowing")
    assert (seen["user"], seen["kind"], seen["logout_url"]) == ("ann", "User", "/logout")


def test_what_proves_the_user_is_hidden_from_applications(site: str) -> None:
    ann = Visitor(site, headers={"Authorization": f"Basic {base64.b64encode(b'ann:correct horse').decode()}"})
    ann.cookies["flavour"] = "sweet"
    ann.log_in("ann", "correct horse")
    seen = ann.seen("/knowing")
    assert seen["cookies"] == ["flavour"]
    assert "authorization" not in seen["headers"]
    assert seen["cookie_header"] == "flavour=sweet"


def test_basic_authentication_lets_programs_in(site: str) -> None:
    program = Visitor(site, headers={"Authorization": f"Basic {base64.b64encode(b'bob:battery staple').decode()}"})
    assert program.ask("/knowing/metadata").status == 200
    assert program.seen("/knowing")["user"] == "bob"


@pytest.mark.server("guarded_by_password")
def test_wrong_password_is_refused_alike_for_everybody(site: str, log: Callable[[], list[str]]) -> None:
    visitor = from_address(1, site)
    answers = [visitor.log_in(name, "a wrong password") for name in ("ann", "nobody", "a\0b", "")]
    assert [answer.status for answer in answers] == [403] * 4
    for answer in answers:
        assert "The user or the password is wrong." in answer.text
        assert "a wrong password" not in answer.text
    assert "app_server_login" not in visitor.cookies
    lines = log()
    assert "WARNING Failed login of 'ann' from 127.0.1.1" in lines[0]
    assert all("WARNING Failed login of an unknown user from 127.0.1.1" in line for line in lines[1:])
    assert len(lines) == 4
    assert "a wrong password" not in "".join(lines)


@pytest.mark.server("guarded_by_password")
def test_wrong_basic_credentials_are_answered_with_401(site: str, log: Callable[[], list[str]]) -> None:
    for credentials in (b"bob:wrong", b"no colon", b"\xff\xfe:x", b":"):
        program = from_address(2, site)
        program.headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
        answer = program.ask("/knowing")
        assert answer.status == 401, credentials
        assert answer.headers["www-authenticate"] == 'Basic realm="applications", charset="UTF-8"'
    assert len(log()) == 4
    assert "wrong" not in "".join(log())


def test_failed_logins_slow_down(site: str) -> None:
    visitor = from_address(3, site)
    statuses = [visitor.log_in("cyd", "guess").status for _ in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    answer = visitor.log_in("cyd", "guess")
    assert answer.headers["retry-after"] == "1"
    assert "Please wait 1 second and try again." in answer.text
    assert from_address(4, site).log_in("ann", "correct horse").status == 303


def test_many_guesses_at_once_are_slowed_down_too(site: str) -> None:
    statuses: list[int] = []
    visitors = [from_address(5, site) for _ in range(12)]
    threads = [
        threading.Thread(target=lambda v=visitor: statuses.append(v.log_in("dot", "guess").status))
        for visitor in visitors
    ]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A second after the fifth, one more may be tried.
    assert statuses.count(403) <= 5 + (time.monotonic() - begun_s) and len(statuses) == 12
    assert set(statuses) == {403, 429}


@pytest.mark.server("guarded_by_password")
def test_form_of_another_site_is_not_taken(site: str, log: Callable[[], list[str]]) -> None:
    visitor = from_address(6, site)
    good = {"user": "ann", "password": "correct horse"}
    assert visitor.post("/login", **good).status == 403  # no token at all
    assert visitor.log_in("ann", "correct horse", form_token="forged").status == 403
    visitor.cookies["app_server_form"] = "chosen by a stranger"
    assert visitor.post("/login", **good, form_token="x").status == 403
    page = visitor.ask("/login")
    token = page.text.split('name="form_token" value="')[1].partition('"')[0]
    answer = visitor.post("/login", {"Sec-Fetch-Site": "cross-site"}, **good, form_token=token)
    assert answer.status == 403 and "This form has expired. Please try again." in answer.text
    assert "app_server_login" not in visitor.cookies
    assert len(log()) == 4
    assert visitor.post("/login", {"Sec-Fetch-Site": "same-origin"}, **good, form_token=token).status == 303


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/\t/evil.example"])
def test_login_leads_to_no_other_site(site: str, target: str) -> None:
    assert Visitor(site).log_in("ann", "correct horse", next=target).headers["location"] == "/"


def test_page_of_a_crooked_address_leads_to_no_other_site(site: str) -> None:
    ann = Visitor(site)
    login = ann.ask("/login?next=//evil.example/%22%3E%3Cscript%3E")
    assert "evil.example" not in login.text and "<script" not in login.text


def test_login_page_may_do_nothing_but_send_its_form(site: str) -> None:
    headers = Visitor(site).ask("/login").headers
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "form-action 'self'" in headers["content-security-policy"]


def test_logged_in_user_is_not_asked_again(site: str) -> None:
    ann = Visitor(site)
    ann.log_in("ann", "correct horse")
    assert ann.ask("/login?next=/knowing").headers["location"] == "/knowing"


def test_logout_forgets_the_user(site: str) -> None:
    ann = Visitor(site)
    ann.log_in("ann", "correct horse")
    token = ann.ask("/knowing").token
    assert ann.ask("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert ann.ask("/knowing").status == 200
    answer = ann.ask("/logout")
    assert answer.status == 200 and "You are logged out" in answer.text
    assert ann.ask("/knowing").status == 302
    assert refused(ann, "/knowing", token) == 403


def test_forged_cookie_is_not_a_login(site: str) -> None:
    ann, forger = Visitor(site), Visitor(site)
    ann.log_in("ann", "correct horse")
    body, _, tag = ann.cookies["app_server_login"].partition(".")
    for value in ("", "x", "a.b", f"{body}.", f"{body}.{tag[:-2]}AA", f".{tag}"):
        forger.cookies = {"app_server_login": value}
        assert forger.ask("/knowing").status == 302, value


def test_deleted_user_and_changed_password_count_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "users", password_file(ann="correct horse", bob="battery staple"))
    with serving(*apps("knowing.py"), "--basic-auth", path, env={"BOKEH_COOKIE_SECRET": COOKIE_SECRET}) as served:
        ann, bob = Visitor(served.process.url), Visitor(served.process.url)
        ann.log_in("ann", "correct horse")
        bob.log_in("bob", "battery staple")
        bobs = path.read_text(encoding="utf-8").splitlines()[1]
        write(path, f"{bobs}\nann:{hash_password('another horse', cost=QUICK)}\n")
        assert (ann.ask("/knowing").status, bob.ask("/knowing").status) == (302, 200)
        assert ann.log_in("ann", "correct horse").status == 403
        assert ann.log_in("ann", "another horse").status == 303
        write(path, f"{bobs}\n")
        assert (ann.ask("/knowing").status, bob.ask("/knowing").status) == (302, 200)
        write(path, f"{bobs}\nhunter2\n")
        assert bob.ask("/knowing").status == 302
        assert f"ERROR No user can log in. {path}:2: the line does not begin" in served.process.log_text()
        assert "hunter2" not in served.process.log_text()
        write(path, f"{bobs}\n")
        assert bob.ask("/knowing").status == 200


def test_verification_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    slow = hash_password("correct horse", cost=Cost(15, 8, 3))
    path = write(tmp_path / "users", f"ann:{slow}\n")
    with serving(*apps("knowing.py"), "--basic-auth", path, env={"BOKEH_COOKIE_SECRET": COOKIE_SECRET}) as served:
        verifying = [
            threading.Thread(target=lambda n=number: from_address(n, served.process.url).log_in(f"u{n}", "guess"))
            for number in range(10, 14)
        ]
        for thread in verifying:
            thread.start()
        first_s, longest_s = time.monotonic(), 0.0
        while any(thread.is_alive() for thread in verifying):
            begun_s = time.monotonic()
            assert Visitor(served.process.url).ask("/healthz").status == 200
            longest_s = max(longest_s, time.monotonic() - begun_s)
        for thread in verifying:
            thread.join()
        # Four verifications take a second and more, and longer on a busy machine: not one of them is waited for.
        assert longest_s < max(0.5, (time.monotonic() - first_s) / 5)


def test_file_of_something_else_keeps_the_server_from_starting(tmp_path: Path) -> None:
    path = write(tmp_path / "users", "ann:hunter2\n")
    with pytest.raises(AssertionError) as caught:
        with serving(*apps("knowing.py"), "--basic-auth", path, env={"BOKEH_COOKIE_SECRET": COOKIE_SECRET}):
            pass
    assert str(caught.value).strip().splitlines()[-1] == (
        f"app-server: {path}:1: what follows ann: is not a password hash. "
        "`app-server passwd FILE USER` writes such lines."
    )


def test_login_below_a_prefix_keeps_to_it(users_file: Path) -> None:
    flags = ["--basic-auth", users_file, "--prefix", "/tools", "--enable-xsrf-cookies", "--use-xheaders"]
    with serving(*apps("knowing.py"), *flags, env={"BOKEH_COOKIE_SECRET": COOKIE_SECRET}) as served:
        ann = Visitor(served.process.url, headers={"X-Forwarded-Proto": "https"})
        login = where(ann, "/tools/knowing")
        assert login == "/tools/login?next=%2Ftools%2Fknowing"
        assert ann.log_in("ann", "correct horse", login).headers["location"] == "/tools/knowing"
        line = next(line for line in ann.set_cookies if line.startswith("app_server_login_"))
        assert "Path=/tools" in line and "Secure" in line
        assert ann.seen("/tools/knowing")["logout_url"] == "/tools/logout"
        again = Visitor(served.process.url).log_in("ann", "correct horse", login, next="/other")
        assert again.headers["location"] == "/tools/"


# A header from a trusted proxy


@pytest.fixture(scope="module")
def behind_proxy() -> Iterator[Served]:
    flags = ["--auth-header", "X-Forwarded-User", "--auth-header-from", "127.0.0.2,10.0.0.0/8", "--use-xheaders"]
    with serving(*apps("knowing.py"), *flags) as served:
        yield served


def test_trusted_proxy_names_the_user(behind_proxy: Served) -> None:
    ann = Visitor(behind_proxy.process.url, source="127.0.0.2", headers={"X-Forwarded-User": "ann"})
    seen = ann.seen("/knowing")
    assert (seen["user"], seen["kind"], seen["logout_url"]) == ("ann", "User", None)
    token = ann.ask("/knowing").token
    bob = Visitor(behind_proxy.process.url, source="127.0.0.2", headers={"X-Forwarded-User": "bob"})
    assert refused(bob, "/knowing", token) == 403


@pytest.mark.server("behind_proxy")
def test_header_from_anybody_else_is_ignored_and_logged(behind_proxy: Served, log: Callable[[], list[str]]) -> None:
    forged = {"X-Forwarded-User": "ann", "X-Forwarded-For": "127.0.0.2", "X-Real-Ip": "10.0.0.1"}
    stranger = Visitor(behind_proxy.process.url, headers=forged)
    for path in ("/knowing", "/knowing", "/knowing/metadata"):
        answer = stranger.ask(path)
        assert answer.status == 403
        assert "You are not logged in" in answer.text and "at its public address" in answer.text
    ignored = [line for line in log() if "The header" in line]
    assert len(ignored) == 1
    expected = "The header X-Forwarded-User from 127.0.0.1 is not in --auth-header-from, so it was ignored"
    assert ignored[0].endswith(expected)


@pytest.mark.parametrize("lines", [[], [""], ["ann", "bob"], ["a:b"]])
def test_proxy_that_names_no_user_lets_no_one_in(behind_proxy: Served, lines: list[str]) -> None:
    port = behind_proxy.process.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=("127.0.0.2", 0))
    connection.putrequest("GET", "/knowing")
    for line in lines:
        connection.putheader("X-Forwarded-User", line)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 403
    assert b"has named no user" in answer.read()
    connection.close()


# OpenID Connect


@pytest.fixture(scope="module")
def by_oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server, and the address of its provider, which runs in a process of its own."""
    port, provider_port = free_port(), free_port()
    issuer = f"http://localhost:{provider_port}"
    secret = write(tmp_path_factory.mktemp("secrets") / "secret", CLIENT_SECRET + "\n")
    flags = ["--port", str(port), "--oidc-issuer", issuer, "--oidc-client-id", CLIENT_ID]
    flags += ["--oidc-allow", "groups=staff", "--oidc-allow", "name=Crowd"]
    environment = {"BOKEH_COOKIE_SECRET": COOKIE_SECRET, "APP_SERVER_OIDC_CLIENT_SECRET_FILE": str(secret)}
    command = [sys.executable, "-m", "tests.support.servers.oidc_provider", str(provider_port)]
    with ExitStack() as stack:
        stack.enter_context(running_process([*command, f"http://localhost:{port}/login/callback"], issuer))
        yield stack.enter_context(serving(*apps("knowing.py"), *flags, env=environment)), issuer


def through_provider(visitor: Visitor, user: str, path: str = "/knowing?a=1") -> str:
    """Where the provider sends the visitor back to, who has said to be this user."""
    authorize = where(visitor, where(visitor, path))
    provider = Visitor(authorize)
    assert provider.ask(authorize).status == 200
    return provider.post(authorize, user=user).headers["location"]


def test_provider_lets_a_user_in(by_oidc: tuple[Served, str]) -> None:
    served, issuer = by_oidc
    ann = Visitor(served.process.url)
    callback = through_provider(ann, "ann")
    assert callback.startswith(f"{served.process.url}/login/callback?")
    assert where(ann, callback) == "/knowing?a=1"
    seen = ann.seen("/knowing")
    assert (seen["user"], seen["kind"], seen["logout_url"]) == ("ann@example.org", "User", "/logout")
    assert seen["claims"] == {
        "iss": issuer, "sub": "1001", "name": "Ann", "email": "ann@example.org", "email_verified": True,
        "groups": ["staff"],
    }  # fmt: skip
    assert seen["cookies"] == []
    assert list(ann.cookies) == ["app_server_login"]
    log = served.process.log_text()
    assert CLIENT_SECRET not in log and "code=" not in log


def test_code_is_worth_something_once_and_to_one_browser(by_oidc: tuple[Served, str]) -> None:
    served, _ = by_oidc
    ann, thief = Visitor(served.process.url), Visitor(served.process.url)
    callback = through_provider(ann, "ann")
    answer = thief.ask(callback)
    assert answer.status == 403 and "This login has expired, or did not begin here" in answer.text
    through_provider(thief, "bob")  # who has a login of his own under way
    assert thief.ask(callback).status == 403
    cookies = dict(ann.cookies)
    assert ann.ask(callback).status == 303
    again = Visitor(served.process.url, cookies=cookies)
    answer = again.ask(callback)
    assert answer.status == 403 and "You may not log in here" in answer.text
    assert "app_server_login" not in again.cookies


def test_two_tabs_may_log_in_at_once(by_oidc: tuple[Served, str]) -> None:
    served, _ = by_oidc
    ann = Visitor(served.process.url)
    one = through_provider(ann, "ann", "/knowing?tab=1")
    two = through_provider(ann, "ann", "/knowing?tab=2")
    assert (where(ann, one), where(ann, two)) == ("/knowing?tab=1", "/knowing?tab=2")


def test_logins_that_are_never_finished_do_not_pile_up(by_oidc: tuple[Served, str]) -> None:
    served, _ = by_oidc
    visitor = Visitor(served.process.url)
    for _ in range(30):
        where(visitor, "/login")
    assert len(visitor.cookies) <= 9


@pytest.mark.parametrize("user", ["bob", "nobody"])
def test_user_who_is_not_allowed_sees_why(by_oidc: tuple[Served, str], user: str) -> None:
    served, _ = by_oidc
    visitor, start = Visitor(served.process.url), served.log_size()
    answer = visitor.ask(through_provider(visitor, user))
    assert answer.status == 403 and "You may not log in here" in answer.text
    assert "app_server_login" not in visitor.cookies
    (line,) = [line for line in served.log_since(start).splitlines() if " sessions with " not in line]
    reason = {"bob": "none of --oidc-allow fits this user", "nobody": "the provider said 'access_denied' ''"}
    assert f"Refused a login from 127.0.0.1: {reason[user]}" in line


@pytest.mark.parametrize("kind", ["nonce", "audience", "issuer", "expired", "stranger"])
def test_bad_token_of_the_provider_lets_no_one_in(by_oidc: tuple[Served, str], kind: str) -> None:
    served, issuer = by_oidc
    visitor = Visitor(served.process.url)
    callback = through_provider(visitor, "ann")
    assert Visitor(issuer).post("/fault", kind=kind).status == 200
    start = served.log_size()
    answer = visitor.ask(callback)
    assert answer.status == 502
    assert "The login service is not working" in answer.text
    assert "app_server_login" not in visitor.cookies
    assert "the OpenID Connect provider is at fault" in served.log_since(start)


def test_cookie_holds_what_it_can_of_a_user_with_many_groups(by_oidc: tuple[Served, str]) -> None:
    served, issuer = by_oidc
    crowd = Visitor(served.process.url)
    assert where(crowd, through_provider(crowd, "crowd")) == "/knowing?a=1"
    assert len(crowd.cookies["app_server_login"]) < 4000
    assert crowd.seen("/knowing")["claims"] == {"iss": issuer, "sub": "1003", "name": "Crowd"}
    assert "groups and such are left out" in served.process.log_text()


def test_logout_leads_by_the_provider(by_oidc: tuple[Served, str]) -> None:
    served, issuer = by_oidc
    ann = Visitor(served.process.url)
    ann.ask(through_provider(ann, "ann"))
    away = where(ann, "/logout")
    assert away.startswith(f"{issuer}/logout?client_id=plots&")
    back = Visitor(issuer).ask(away).headers["location"]
    answer = ann.ask(back, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 200 and "You are logged out" in answer.text
    assert ann.ask("/knowing").status == 302


def test_provider_that_is_down_is_a_502_and_one_line(users_file: Path) -> None:
    issuer = f"http://localhost:{free_port()}"
    flags = ["--oidc-issuer", issuer, "--oidc-client-id", CLIENT_ID]
    environment = {"BOKEH_COOKIE_SECRET": COOKIE_SECRET, "APP_SERVER_OIDC_CLIENT_SECRET": "hush"}
    with serving(*apps("knowing.py"), *flags, env=environment) as served:
        visitor, start = Visitor(served.process.url), served.log_size()
        _, answer = visitor.follow("/knowing")
        assert answer.status == 502
        assert "The login service is not working" in answer.text
        assert issuer not in answer.text
        (line,) = served.log_since(start).splitlines()
        assert f"{issuer}/.well-known/openid-configuration: it cannot be reached" in line
        assert "hush" not in served.process.log_text()
        assert visitor.ask("/logout").status == 200


# Small tokens


@pytest.fixture(scope="module")
def short_lived() -> Iterator[Served]:
    flags = "--unused-session-lifetime 300 --check-unused-sessions 50 --session-ids signed"
    with serving(*apps("knowing.py", "hooked"), *flags.split(), env={"BOKEH_SECRET_KEY": SECRET}) as served:
        yield served


def test_token_is_small_whatever_the_request_carries(short_lived: Served) -> None:
    visitor = Visitor(short_lived.process.url, cookies={"large": "x" * 20_000})
    token = visitor.ask("/knowing?a=1").token
    assert len(token) < 400
    seen = visitor.seen("/knowing", token, query="?a=1")
    assert seen["cookies"] == ["large"]


def test_token_of_a_user_is_small_too(site: str) -> None:
    ann = Visitor(site)
    ann.log_in("ann", "correct horse")
    assert len(ann.ask("/knowing").token) < 400


def test_small_token_joins_its_living_session_again(short_lived: Served) -> None:
    visitor = Visitor(short_lived.process.url, cookies={"flavour": "sweet"})
    token = visitor.ask("/knowing?a=1").token
    stranger = Visitor(short_lived.process.url)
    with visitor.client("/knowing", token) as client:
        client.cut()
    seen = stranger.seen("/knowing", token)  # whatever this handshake carries, it is the session of the page
    assert (seen["cookies"], seen["arguments"]) == (["flavour"], ["a"])
    assert seen["payload"] == ["arguments", "cookies", "headers", "session_expiry"]


def test_session_that_died_is_built_from_the_request_of_its_socket(short_lived: Served) -> None:
    visitor = Visitor(short_lived.process.url, cookies={"flavour": "sweet"})
    token = visitor.ask("/knowing?a=1").token
    short_lived.process.wait_for_log(f"knowing {session_of(token)} ended")
    seen = visitor.seen("/knowing", token, query="?a=1&c=2")
    assert (seen["cookies"], seen["arguments"]) == (["flavour"], ["a", "c"])
    assert seen["payload"] == ["arguments", "cookies", "headers", "session_expiry"]


def test_process_request_runs_again_for_a_session_that_died(short_lived: Served) -> None:
    visitor = Visitor(short_lived.process.url, headers={"X-Word": "from the page"})
    token = visitor.ask("/hooked").token
    short_lived.process.wait_for_log(f"destroyed {session_of(token)[:12]}")
    visitor.headers["X-Word"] = "from the socket"
    with visitor.client("/hooked", token) as client:
        assert str(client.value("seen", "text")).endswith("from the socket")


@pytest.mark.parametrize(
    ("flags", "small"),
    [("--route west", False), ("--route west --token-payload never", True), ("--token-payload always", False)],
)
def test_request_is_passed_on_if_another_instance_may_need_it(flags: str, small: bool) -> None:
    with serving(*apps("knowing.py"), *flags.split()) as served:
        visitor = Visitor(served.process.url, cookies={"flavour": "sweet"})
        payload = get_token_payload(visitor.ask("/knowing?a=1").token)
        assert ("cookies" in payload) is not small
        if not small:
            assert payload["cookies"] == {"flavour": "sweet"}


def test_forged_and_expired_tokens_are_refused(site: str) -> None:
    ann = Visitor(site)
    ann.log_in("ann", "correct horse")
    expired = generate_jwt_token("gone", signed=False, expiration=-10)
    for token in ("forged", expired):
        answer = ann.ask(f"/knowing?bokeh-token={token}")
        assert answer.status == 403 and "Invalid token or session ID" in answer.text
    with open_socket(site, "/knowing", expired, additional_headers={"Cookie": ann.cookie_header}) as socket:
        assert Client(socket).close_code() == 1008

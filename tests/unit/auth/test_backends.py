"""Files for --auth-module are run, and if they fail, the log names the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.web import RequestHandler

from app_server.auth.backends import HeaderBackend, HookBackend, backend_for, load_hooks
from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend
from app_server.settings import Settings
from tests.support.servers.inside import Inside, inside


def write(folder: Path, source: str) -> str:
    path = folder / "auth.py"
    path.write_text(source, encoding="utf-8")
    return str(path)


def test_module_is_run_once_and_its_hooks_found(tmp_path: Path) -> None:
    source = """
from dataclasses import dataclass
from tornado.web import RequestHandler
login_url = "/login"
class LoginHandler(RequestHandler): pass
@dataclass
class Account:
    name: "str"
def get_user(handler): return Account("ann")
"""
    hooks = load_hooks(write(tmp_path, source))
    assert hooks.get_user(None).name == "ann"
    assert hooks.login_handler is not None and issubclass(hooks.login_handler, RequestHandler)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def get_user(:\n", "{path}:1: not Python: invalid syntax"),
        ("x = 1\ndef f():\n  raise ValueError\nf()\n", "{path}:3: the authentication module failed: ValueError"),
        ("import sys\n\nsys.exit(3)\n", "{path}:3: the authentication module failed: SystemExit: 3"),
        ("import nowhere_at_all\n",
         "{path}:1: the authentication module failed: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def get_user(handler): pass\nlogin_url = 'http://x/'\n",
         "{path}:2: login_url is not a path on this server. See docs/authentication.md."),
    ],
)  # fmt: skip
def test_fault_of_a_module_is_told_with_its_line(source: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, source)
    with pytest.raises(OperatorError) as caught:
        load_hooks(path)
    assert str(caught.value) == message.format(path=path)


def test_settings_choose_the_gate(tmp_path: Path) -> None:
    path = write(tmp_path, "def get_user(handler): pass\nlogin_url = '/in'\nlogout_url = '/out'\n")
    assert type(backend_for(Settings())) is AuthBackend and backend_for(Settings()).open
    auth = backend_for(Settings(auth_module=path, prefix="/tools"))
    assert isinstance(auth, HookBackend) and not auth.open
    assert auth.logout_url == "/tools/out"


def test_login_cookies_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="logins are kept in signed cookies, which need a key"):
        backend_for(Settings(basic_auth=write(tmp_path, "")))


# The hooks of a module, asked for each request

ASKING = """
from tornado.web import HTTPError, RequestHandler
async def get_user_async(handler):
    what = handler.request.headers.get("X-What", "")
    if what == "fails": raise RuntimeError("the database is away")
    if what == "leaves": raise SystemExit(1)
    if what == "anybody": return object()
    if what == "refuses": raise HTTPError(418)
    return what or None
def get_login_url(handler):
    if handler.get_argument("fails", None): raise RuntimeError("no such place")
    if handler.get_argument("refuses", None): raise HTTPError(418)
    return "https://id.example/in"
"""

PAGES = """
from tornado.web import RequestHandler
def get_user(handler): return handler.get_cookie("who")
login_url = "/enter"
logout_url = "/leave"
class LoginHandler(RequestHandler):
    def get(self): self.write("who are you")
    def post(self): raise SystemExit(1)
class LogoutHandler(RequestHandler):
    def get(self): self.write("goodbye")
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A server whose module finds out asynchronously who asks."""
    path = write(tmp_path_factory.mktemp("asking"), ASKING)
    with inside({"/app": lambda document: None}, auth_module=path) as served:
        yield served


@pytest.mark.parametrize(
    ("what", "status", "line"),
    [
        ("ann", 200, None),
        ("fails", 500, "--auth-module: get_user raised an exception"),
        ("leaves", 500, "--auth-module: get_user raised an exception"),
        ("anybody", 500, "get_user"),
        ("refuses", 418, None),
    ],
)
def test_hook_lets_in_or_fails_with_one_line(
    asking: Inside, what: str, status: int, line: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = asking.get("/app?bokeh-x=secret", headers={"X-What": what})
    assert answer.status == status and "database" not in answer.text
    logged = [record.getMessage() for record in caplog.records if record.name.endswith("auth.backends")]
    assert len(logged) == (1 if line else 0) and all(line in text for text in logged if line)


@pytest.mark.parametrize(("query", "status"), [("", 302), ("?fails=1", 500), ("?refuses=1", 418)])
def test_hook_says_where_to_log_in(asking: Inside, query: str, status: int) -> None:
    answer = asking.ask(f"/app{query}")
    assert answer.status == status
    if status == 302:
        assert answer.headers["location"].startswith("https://id.example/in?next=")


def test_modules_own_pages_are_below_the_prefix_and_outlive_their_faults(tmp_path: Path) -> None:
    path = write(tmp_path, PAGES)
    with inside({"/app": lambda document: None}, auth_module=path, prefix="/p") as served:
        assert served.get("/p/enter").text == "who are you" and served.get("/p/leave").text == "goodbye"
        assert served.ask("/p/enter", "POST", body=b"").status == 500
        assert served.ask("/p/app").headers["location"] == "/p/enter?next=%2Fp%2Fapp"
        assert served.get("/p/app", headers={"Cookie": "who=ann"}).status == 200


SIGNING = """
from tornado.web import RequestHandler
login_url = "/login"
def get_user(handler): return handler.get_signed_cookie("user")
class LoginHandler(RequestHandler):
    def get(self): self.set_signed_cookie("user", "ann")
"""


def test_module_that_signs_cookies_without_a_key_is_told_which_variable_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = "--auth-module: signed cookies need a key. Set BOKEH_COOKIE_SECRET to what `app-server secret` prints."
    with inside({"/app": lambda document: None}, auth_module=write(tmp_path, SIGNING)) as site:
        assert site.get("/app").status == 500
        assert caplog.messages[0] == said
        assert site.get("/login").status == 500
    assert said in caplog.text.partition("GET /login")[2]


def test_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"^--auth-module: .*/none.py cannot be read: "):
        load_hooks(str(tmp_path / "none.py"))


# What a proxy says


@pytest.mark.parametrize("trusted", [True, False])
def test_header_is_believed_of_a_trusted_peer_only(trusted: bool, caplog: pytest.LogCaptureFixture) -> None:
    peers = ("127.0.0.1",) if trusted else ("192.0.2.1",)
    with inside({"/app": lambda document: None}, auth_header="X-User", auth_header_from=peers) as served:
        answers = [served.get("/app", headers={"X-User": "ann"}) for _ in range(2)]
        nobody = served.get("/app")
        unclear = served.get("/app", headers={"X-User": "ann:x"})
    assert [answer.status for answer in answers] == ([200, 200] if trusted else [403, 403])
    assert nobody.status == unclear.status == 403
    where = "Log in there, and load the page again." if trusted else "Open the page at its public address"
    assert where in nobody.text
    said = [record.getMessage() for record in caplog.records if record.name.endswith("auth.backends")]
    what = "did not hold one name, so it was ignored" if trusted else "is not in --auth-header-from, so it was ignored"
    assert said == [f"The header X-User from 127.0.0.1 {what}"]


def test_setting_of_a_header_chooses_its_gate_which_has_no_logout() -> None:
    header = backend_for(Settings(auth_header="X-User", auth_header_from=("127.0.0.1",)))
    assert isinstance(header, HeaderBackend) and header.logout_url is None

"""The contract of --auth-module, and the words for what breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.security.auth.hooks import AuthHooks, below, hooks_from, is_own_path, line_of


class Handler:
    """Stands for Tornado's RequestHandler, which this room does not know."""


GOOD = "def get_user(handler): return 'ann'\nlogin_url = '/login'\n"


def read(source: str) -> AuthHooks:
    namespace: dict[str, Any] = {"Handler": Handler}
    exec(source, namespace)
    return hooks_from(namespace, path="auth.py", source=source, handler_class=Handler)


def test_hooks_are_taken_from_the_module() -> None:
    hooks = read(GOOD + "class LoginHandler(Handler): pass\nlogout_url = '/out'\nclass LogoutHandler(Handler): pass\n")
    assert hooks.get_user(None) == "ann"
    assert (hooks.login_url, hooks.logout_url, hooks.get_login_url) == ("/login", "/out", None)
    assert hooks.login_handler is not None and issubclass(hooks.login_handler, Handler)
    assert hooks.logout_handler is not None


def test_login_may_be_elsewhere() -> None:
    hooks = read("async def get_user_async(handler): pass\ndef get_login_url(handler): return 'https://id/'\n")
    assert hooks.login_url is None
    assert hooks.get_login_url is not None and hooks.get_login_url(None) == "https://id/"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("login_url = '/login'\n",
         "auth.py: defines neither get_user nor get_user_async, so it would let everyone in"),
        (GOOD + "async def get_user_async(handler): pass\n",
         "auth.py:3: defines get_user and get_user_async; define only one of them"),
        ("def get_user(handler): pass\n", "auth.py: defines neither login_url nor get_login_url"),
        (GOOD + "def get_login_url(handler): pass\n",
         "auth.py:3: defines login_url and get_login_url; define only one of them"),
        ("def get_user(h): pass\ndef get_login_url(h): pass\nclass LoginHandler(Handler): pass\n",
         "auth.py:3: LoginHandler needs a login_url; get_login_url leads elsewhere"),
        (GOOD + "class LoginHandler: pass\n",
         "auth.py:3: LoginHandler does not derive from tornado.web.RequestHandler"),
        (GOOD + "logout_url = '/out'\nLogoutHandler = 7\n",
         "auth.py:4: LogoutHandler does not derive from tornado.web.RequestHandler"),
        (GOOD + "class LogoutHandler(Handler): pass\n",
         "auth.py:3: LogoutHandler is there, but no logout_url to serve it at"),
        ("def get_user(h): pass\nlogin_url = 'https://id/'\n",
         "auth.py:2: login_url is not a path on this server"),
        ("def get_user(h): pass\nlogin_url = '//id/'\n", "auth.py:2: login_url is not a path on this server"),
        (GOOD + "logout_url = 'http://id/'\n", "auth.py:3: logout_url is not a path on this server"),
        ("def get_user(h): pass\nlogin_url = 7\n", "auth.py:2: login_url is not a text"),
        ("get_user = 'ann'\nlogin_url = '/login'\n", "auth.py:1: get_user is not a function"),
        ("get_user_async = 'ann'\nlogin_url = '/login'\n", "auth.py:1: get_user_async is not a function"),
        ("def get_user(h): pass\nget_login_url = '/login'\n", "auth.py:2: get_login_url is not a function"),
        ("def get_user(h): pass\nlogin_url: str = ''\n", "auth.py:2: login_url is not a text"),
        (GOOD + "logout_url = 7\n", "auth.py:3: logout_url is not a text"),
        (GOOD + "LoginHandler = Handler()\n",
         "auth.py:3: LoginHandler does not derive from tornado.web.RequestHandler"),
        ("from os import getcwd as get_user\nimport json as login_url\n", "auth.py:2: login_url is not a text"),
    ],
)  # fmt: skip
def test_breach_is_told_with_its_line(source: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read(source)
    assert str(caught.value) == f"{message}. See docs/authentication.md."


@pytest.mark.parametrize(("prefix", "url", "expected"), [
    ("", "/login", "/login"), ("/tools", "/login", "/tools/login"), ("/tools", "login", "/tools/login"),
])  # fmt: skip
def test_login_url_lies_below_the_prefix(prefix: str, url: str, expected: str) -> None:
    assert below(prefix, url) == expected


def test_line_is_that_of_the_last_definition() -> None:
    source = "import os\nlogin_url = '/a'\nlogin_url, other = '/b', 1\nfrom os import path as get_user\n"
    assert [line_of(source, name) for name in ("login_url", "get_user", "nothing")] == [3, 4, None]


@pytest.mark.parametrize(("url", "own"), [
    ("/login", True), ("login", True), ("/login?next=//x", True), ("", True), ("//id.example.org/", False),
    ("////id.example.org/", False), ("https://id.example.org/", False), ("https:/login", False),
    ("/\\id.example.org", False), ("//[", False), ("mailto:ann", False),
])  # fmt: skip
def test_own_path_leads_to_no_other_server(url: str, own: bool) -> None:
    assert is_own_path(url) is own


def test_hooks_that_are_left_out_are_none() -> None:
    hooks = read(GOOD)
    assert (hooks.get_login_url, hooks.login_handler, hooks.logout_url, hooks.logout_handler) == (None,) * 4


@pytest.mark.parametrize("line", [
    "def found(): pass", "async def found(): pass", "class found: pass", "found = 1", "found: int = 1", "found: int",
    "a = found = 1", "a, (found, *b) = 1, (2, 3)", "import found", "import a as found", "from a import found",
    "from a import b as found",
])  # fmt: skip
def test_line_is_found_however_a_name_is_bound(line: str) -> None:
    assert line_of(f"'A module.'\n\n{line}\nif True:\n    pass\nprint('over')\n", "found") == 3


@pytest.mark.parametrize("line", ["found()", "import found as a", "from found import a", "other = found", "del found"])
def test_name_that_is_only_used_has_no_line(line: str) -> None:
    assert line_of(f"{line}\n", "found") is None


def test_login_url_of_many_slashes_is_below_the_prefix_once() -> None:
    assert below("/tools", "//login") == "/tools/login"
    assert below("/tools", "X/login") == "/tools/X/login"

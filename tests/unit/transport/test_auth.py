"""Files for --auth-module are run, and told with their line where they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from tornado.web import RequestHandler

from app_server.errors import OperatorError
from app_server.settings import Settings
from app_server.transport.auth import HookGate, gate_for, load_hooks
from app_server.transport.gate import Gate


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
    assert type(gate_for(Settings())) is Gate and gate_for(Settings()).open
    gate = gate_for(Settings(auth_module=path, prefix="/tools"))
    assert isinstance(gate, HookGate) and not gate.open
    assert gate.logout_url == "/tools/out"


def test_login_cookies_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="logins are kept in signed cookies, which need a key"):
        gate_for(Settings(basic_auth=write(tmp_path, "")))

"""What a file for `--auth-module` has to define: the contract that the stock server has set, checked.

| name | what it is |
|---|---|
| get_user, get_user_async | `(handler) -> user`; a false value means that no one is logged in; one of the two |
| login_url | where people log in, below the prefix; or use the next one: |
| get_login_url | `(handler) -> address`, which can be on another site |
| LoginHandler | a Tornado RequestHandler, served at login_url |
| logout_url | where people log out, below the prefix; applications find it in their session_context |
| LogoutHandler | a Tornado RequestHandler, served at logout_url |
| authorize | `(user, path) -> bool`, may be a coroutine: whether the user may open the application at this path |
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from app_server.errors import OperatorError

NAMES: Final = ("get_user", "get_user_async", "login_url", "get_login_url", "LoginHandler", "logout_url",
                "LogoutHandler", "authorize")  # fmt: skip


@dataclass(frozen=True)
class AuthHooks:
    """The hooks of one module; `get_user` and `authorize` may return an awaitable."""

    get_user: Callable[[Any], Any]
    login_url: str | None = None
    get_login_url: Callable[[Any], str] | None = None
    login_handler: type | None = None
    logout_url: str | None = None
    logout_handler: type | None = None
    authorize: Callable[[Any, str], Any] | None = None


def hooks_from(namespace: Mapping[str, Any], *, path: str, source: str, handler_class: type) -> AuthHooks:
    """The hooks that a module's namespace holds; OperatorError names the file and the line of what is wrong.

    `handler_class` is what LoginHandler and LogoutHandler have to derive from.
    """
    found: dict[str, Any] = {name: namespace.get(name) for name in NAMES}
    for name, what in _faults(found, handler_class):
        line = line_of(source, name)
        raise OperatorError(what, where=path if line is None else f"{path}:{line}", hint="See docs/authentication.md.")
    return AuthHooks(
        get_user=found["get_user"] or found["get_user_async"],
        login_url=found["login_url"],
        get_login_url=found["get_login_url"],
        login_handler=found["LoginHandler"],
        logout_url=found["logout_url"],
        logout_handler=found["LogoutHandler"],
        authorize=found["authorize"],
    )


def authorize_from(namespace: Mapping[str, Any], *, path: str, source: str) -> Callable[[Any, str], Any]:
    """The hook `authorize` of a file that defines only that; OperatorError names the file and the line."""
    found = namespace.get("authorize")
    if callable(found):
        hook: Callable[[Any, str], Any] = found
        return hook
    what = "defines no authorize(user, path)" if found is None else "authorize is not a function"
    line = None if found is None else line_of(source, "authorize")
    raise OperatorError(what, where=path if line is None else f"{path}:{line}", hint="See docs/authentication.md.")


def _faults(found: Mapping[str, Any], handler_class: type) -> list[tuple[str, str]]:
    """What is wrong, each with the name whose line is to be shown, in the order of the table above."""
    there = {name for name, value in found.items() if value is not None}
    faults: list[tuple[str, str]] = []

    def check(wrong: bool, name: str, what: str) -> None:
        if wrong:
            faults.append((name, what))

    users = there & {"get_user", "get_user_async"}
    check(not users, "", "defines neither get_user nor get_user_async, so it would let everyone in")
    check(len(users) == 2, "get_user_async", "defines get_user and get_user_async; define only one of them")
    for name in ("get_user", "get_user_async", "get_login_url", "authorize"):
        check(name in there and not callable(found[name]), name, f"{name} is not a function")
    for name in ("login_url", "logout_url"):
        fits = isinstance(found[name], str) and found[name] != ""
        check(name in there and not fits, name, f"{name} is not a text")
        check(fits and not is_own_path(found[name]), name, f"{name} is not a path on this server")
    check(not there & {"login_url", "get_login_url"}, "", "defines neither login_url nor get_login_url")
    check({"login_url", "get_login_url"} <= there, "get_login_url",
          "defines login_url and get_login_url; define only one of them")  # fmt: skip
    check({"LoginHandler", "get_login_url"} <= there, "LoginHandler",
          "LoginHandler needs a login_url; get_login_url leads elsewhere")  # fmt: skip
    for name, url in (("LoginHandler", "login_url"), ("LogoutHandler", "logout_url")):
        fits = isinstance(found[name], type) and issubclass(found[name], handler_class)
        check(name in there and not fits, name, f"{name} does not derive from tornado.web.RequestHandler")
        check(name in there and url not in there, name, f"{name} is there, but no {url} to serve it at")
    return faults


def is_own_path(url: str) -> bool:
    """Whether this address stays on the server and can be put below the prefix."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not url.startswith("//") and "\\" not in url


def below(prefix: str, url: str) -> str:
    """The path below the server's prefix."""
    return f"{prefix}/{url.lstrip('/')}"


def line_of(source: str, name: str) -> int | None:
    """The line where a module's source defines or imports the name last; None if it does not."""
    found = None
    for node in ast.parse(source).body:
        names: set[str] = set()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = {node.name}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.asname or alias.name for alias in node.names}
        if name in names:
            found = node.lineno
    return found

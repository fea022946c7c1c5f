"""Which addresses the server has, and for which applications there is none left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from app_server.apps import application_from_function
from app_server.embedded.sources import by_route
from app_server.errors import OperatorError
from app_server.http.matching import RouteAddress, names_of
from app_server.requests.page_handler import PageHandler
from app_server.requests.server_handlers import MissingHandler
from app_server.server.server import Server
from app_server.settings import Settings

HOST = HTTPHeaders({"Host": "localhost"})


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def served(loop: asyncio.AbstractEventLoop, *routes: str, **settings: Any) -> list[tuple[Any, ...]]:
    sources = {route: application_from_function(lambda doc: None) for route in routes}
    resolved = Settings(**settings)
    return Server(by_route(sources, resolved, prepare=False), resolved, loop).routes()


def answering(rules: list[tuple[Any, ...]], path: str) -> tuple[type, Any]:
    """The handler of this path, and the route of its application, or the rest of the path that it gets."""
    for matcher, handler, *context in rules:
        if isinstance(matcher, RouteAddress) and (found := matcher.captured(path)) is not None:
            runtime = context[0].get("runtime") if context else None
            return handler, found[0] if found else runtime.url if runtime else None
    return MissingHandler, None


@pytest.mark.parametrize(
    "path", ["/plot%20(1)", "/plot%20%281%29", "/_i/w-1/plot%20(1)", "/%5fi/w-1/%70lot%20(1)/", "/plot%20(1)/"]
)
def test_page_is_at_every_spelling_of_its_address(loop: asyncio.AbstractEventLoop, path: str) -> None:
    assert answering(served(loop, "/plot (1)", "/a+b"), path) == (PageHandler, "/plot%20(1)")


@pytest.mark.parametrize(
    "path", ["/plot%201", "/aab", "/plot%2520(1)", "//a+b", "/a+b//", "/x/../a+b", "/a%2Bb%00", "/_i/a.b/a+b"]
)
def test_page_is_nowhere_else(loop: asyncio.AbstractEventLoop, path: str) -> None:
    assert answering(served(loop, "/plot (1)", "/a+b"), path)[0] is MissingHandler


def test_prefix_is_a_name_and_no_expression(loop: asyncio.AbstractEventLoop) -> None:
    rules = served(loop, "/app", prefix="/gr%C3%B6%C3%9Fe+(1)")
    for path in ("/gr%c3%b6%c3%9fe%2B(1)/app", "/_i/x/gr%C3%B6%C3%9Fe+%281%29/app", "/gr%C3%B6%C3%9Fe+(1)/_i/x/app/"):
        assert answering(rules, path) == (PageHandler, "/app")
    assert answering(rules, "/gr%C3%B6%C3%9Feee1/app")[0] is MissingHandler


@pytest.mark.parametrize("prefix", ["", "/tools"])
@pytest.mark.parametrize(
    "name", ["healthz", "readyz", "favicon.ico", "static", "static/x", "static/extensions", "_i/x"]
)
def test_application_at_an_address_of_the_server_is_refused(
    loop: asyncio.AbstractEventLoop, name: str, prefix: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        served(loop, f"/{name}", prefix=prefix)
    assert refused.value.where == f"/{name}"
    assert refused.value.hint == "Give the application another name, or another route: /NAME=FILE."


@pytest.mark.parametrize(
    ("routes", "hidden", "what"),
    [
        (("/a", "/a/ws"), "/a/ws", "the application /a answers at /a/ws"),
        (("/a/metadata", "/a"), "/a/metadata", "the application /a/metadata answers at /a/metadata"),
        (("/", "/autoload.js"), "/autoload.js", "the application / answers at /autoload.js"),
        (("/a", "/a/static"), "/a/static", "static files are at /a/static/"),
        (("/a/static/b", "/a"), "/a/static/b", "static files are at /a/static/b"),
        (("/..",), "/..", "no address leads there"),
    ],
)
def test_application_that_another_one_hides_is_refused(
    loop: asyncio.AbstractEventLoop, routes: tuple[str, ...], hidden: str, what: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        served(loop, *routes)
    assert what.rstrip("/") in refused.value.what


def test_names_that_only_look_taken_are_served(loop: asyncio.AbstractEventLoop) -> None:
    names = ("/", "/statics", "/a", "/a/b", "/ws2", "/metrics", "/login", "/healthz/x", "/_dev", "/components")
    rules = served(loop, *names)
    for name in names:
        assert answering(rules, name) == (PageHandler, name)


def test_metrics_and_live_reload_take_their_addresses_when_they_are_on(loop: asyncio.AbstractEventLoop) -> None:
    for name, settings in (("/metrics", {"metrics": True}), ("/_dev/reload", {"dev": True})):
        served(loop, name)
        with pytest.raises(OperatorError, match="the server's own page is at"):
            served(loop, name, **settings)  # type: ignore[arg-type]
    served(loop, "/metrics", prefix="/tools", metrics=True)


def test_pages_for_logging_in_take_their_addresses(loop: asyncio.AbstractEventLoop, tmp_path: Any) -> None:
    users = tmp_path / "users"
    users.write_text("")
    users.chmod(0o600)
    hooks = tmp_path / "hooks.py"
    hooks.write_text(
        "from tornado.web import RequestHandler\n"
        "def get_user(request): return 'x'\n"
        "login_url = '/sign in'\n"
        "class LoginHandler(RequestHandler): pass\n"
    )
    oidc = {"oidc_issuer": "https://id.example", "oidc_client_id": "x", "oidc_client_secret": "y"}
    for names, settings in (
        (("/login", "/logout"), {"basic_auth": str(users)}),
        (("/login", "/login/callback", "/logout"), oidc),
        (("/sign in",), {"auth_module": str(hooks)}),
    ):
        for name in names:
            with pytest.raises(OperatorError, match="the server's own page is at"):
                served(loop, name, cookie_secret="s" * 40, **settings)


def test_two_spellings_of_one_name_are_one_address(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(OperatorError, match="two applications would be served there"):
        served(loop, "/h\u00e4user", "/ha\u0308user")


def test_path_that_is_no_address_has_no_names() -> None:
    with pytest.raises(ValueError, match="is not the path of an address"):
        names_of("/../x")


@pytest.mark.parametrize(
    ("folders", "error"),
    [
        (("a=/x",), "/a: static files are at /a. Give the application another name, or another route: /NAME=FILE."),
        (("a/b=/x",), None),
        (("x=/x", "x=/y"), "--static-dirs x: static files are at /x. Give /y another name."),
        (("favicon.ico=/x",), "--static-dirs favicon.ico: the server's own page is at /favicon.ico."
         " Give /x another name."),
    ],
)  # fmt: skip
def test_folder_has_its_address_for_itself(
    loop: asyncio.AbstractEventLoop, folders: tuple[str, ...], error: str | None
) -> None:
    if error is None:
        assert answering(served(loop, "/a", static_dirs=folders), "/a/b/c.js")[1] == "c.js"
        return
    with pytest.raises(OperatorError) as refused:
        served(loop, "/a", static_dirs=folders)
    assert str(refused.value) == error


def test_literal_route_is_before_a_placeholder_whatever_the_order(loop: asyncio.AbstractEventLoop) -> None:
    rules = served(loop, "/users/{name}", "/users/{id:int}", "/users/me", "/{rest:path}")
    for path, route in (
        ("/users/me", "/users/me"), ("/users/me/", "/users/me"), ("/users/12", "/users/{id:int}"),
        ("/users/ann", "/users/{name}"), ("/users/ann/x", "/{rest:path}"),
    ):  # fmt: skip
        assert answering(rules, path) == (PageHandler, route), path
    assert answering(rules, "/users/ann/static/js/bokeh.js")[1] == "js/bokeh.js"
    assert answering(rules, "/static/js/bokeh.js")[1] == "js/bokeh.js"


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        (("/u/{a}", "/u/{b}"), "/u/{b}: the application /u/{a} answers at /u/x."
         " Give the application another name, or another route: /NAME=FILE."),
        (("/{a}", "/u/{b}/ws", "/u/{b}"), "/u/{b}: the application /u/{b}/ws answers at /u/x/ws."
         " Give the application another name, or another route: /NAME=FILE."),
        (("/{a}/{b",), "/{a}/{b: the address has '{b', which is not a placeholder such as {name} or {id:int}"),
    ],
)  # fmt: skip
def test_placeholders_that_contradict_each_other(
    loop: asyncio.AbstractEventLoop, routes: tuple[str, ...], error: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        served(loop, *routes)
    assert str(refused.value) == error


async def test_addresses_are_below_the_place_where_another_program_has_put_the_server() -> None:
    settings = Settings(prefix="/tools", metrics=True)
    sources = by_route({"/app": application_from_function(lambda doc: None)}, settings)
    server = Server(sources, settings, asyncio.get_running_loop())
    below = server.below("/mount", server.state.policy.auth)

    def handler(path: str) -> type:
        request = HTTPServerRequest(start_line=RequestStartLine("GET", path, "HTTP/1.1"), headers=HOST)
        found: type = below.find_handler(request).handler_class
        return found

    for path in ("/mount/tools/app", "/mount/healthz", "/mount/tools/healthz", "/mount/metrics"):
        assert handler(path) is not MissingHandler, path
    for path in ("/tools/app", "/app", "/mount/app", "/healthz", "/metrics", "/mount/tools/metrics"):
        assert handler(path) is MissingHandler, path

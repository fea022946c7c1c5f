"""`BokehASGI` in this process: pages, sockets, users, mounts and lifespan, event by event."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from bokeh.document import Document

from app_server.asgi import AuthPolicy, BokehASGI
from app_server.errors import OperatorError
from tests.support.waiting import until_soon
from tests.unit.asgi.making import Driven, Socket, asked, change, scope_of
from tests.unit.following import fill

ORIGIN = {"origin": "http://localhost:5006"}


@pytest_asyncio.fixture
async def bokeh() -> AsyncIterator[BokehASGI]:
    """A function at /app."""
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        yield app


async def test_page_opens_a_socket_that_stays_in_sync(bokeh: BokehASGI) -> None:
    page = await asked(bokeh, "/app")
    assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    socket = Socket(bokeh, "/app/ws", page.token, headers=ORIGIN)
    document = await socket.document()
    (accepted,) = socket.of("websocket.accept")
    assert accepted["subprotocol"] == "bokeh"
    socket.say("PATCH-DOC", change(document, "slider", "value", 7))
    (event,) = (await socket.heard("PATCH-DOC"))["events"]
    assert (event["attr"], event["new"]) == ("text", "7")
    (session,) = bokeh.get_sessions("/app")
    assert session.connection_count == 1
    assert bokeh.get_session("/app", session.id) is session
    socket.leave()
    await until_soon(socket.task.done)
    assert session.connection_count == 0 and not bokeh._lifespan._server.state.process.wires  # type: ignore[union-attr]


async def test_addresses_are_those_of_the_server(bokeh: BokehASGI) -> None:
    assert (await asked(bokeh, "/")).headers["location"] == "/app"
    assert (await asked(bokeh, "/healthz")).text == '{"status": "alive"}'
    assert (await asked(bokeh, "/nothing")).status == 404
    assert (await asked(bokeh, "/app/metadata")).text == '{"url": "/app", "data": {}}'
    assert (await asked(bokeh, "/app/autoload.js?bokeh-autoload-element=here")).token
    assert (await asked(bokeh, "/app", method="POST")).status == 405
    head = await asked(bokeh, "/app", method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_static_files_are_compressed_and_immutable(bokeh: BokehASGI) -> None:
    page = await asked(bokeh, "/app")
    (address,) = {part.split('"')[0] for part in page.text.split('src="') if part.startswith("/static/js/bokeh.min")}
    found = await asked(bokeh, address, headers={"accept-encoding": "gzip"})
    assert found.headers["content-encoding"] == "gzip" and "immutable" in found.headers["cache-control"]
    again = await asked(bokeh, address, headers={"if-none-match": found.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_what_the_asgi_server_writes_is_left_to_it(bokeh: BokehASGI) -> None:
    page = await asked(bokeh, "/app")
    assert not {"server", "date", "connection", "transfer-encoding"} & set(page.headers)
    assert page.sent[-1]["more_body"] is False and len(page.sent) == 2, "the head, and all of the body"


async def test_origin_of_another_site_is_refused_before_the_handshake(
    bokeh: BokehASGI, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await asked(bokeh, "/app")).token
    socket = Socket(bokeh, "/app/ws", token, headers={"origin": "http://elsewhere.example"})
    assert await socket.closed() == (1008, "refused: 403")
    assert not socket.of("websocket.accept")
    assert any("--allow-websocket-origin=elsewhere.example" in message for message in caplog.messages)
    socket = Socket(
        bokeh, "/app/ws", token, headers={"origin": "http://elsewhere.example"},
        extensions={"websocket.http.response": {}},
    )  # fmt: skip
    await socket.task
    assert socket.status == 403 and "origin may not open a session" in socket.text


@pytest.mark.parametrize(
    ("path", "token", "close"),
    [
        ("/app/ws", "nonsense", (1008, "the token is not JSON")),
        ("/nowhere/ws", "nonsense", (1008, "refused: 404")),
        ("/app", "nonsense", (1008, "refused: 200")),
    ],
)
async def test_socket_without_a_session_is_closed(
    bokeh: BokehASGI, path: str, token: str, close: tuple[int, str]
) -> None:
    assert await Socket(bokeh, path, token).closed() == close


async def test_each_place_of_a_mount_has_its_own_addresses(bokeh: BokehASGI) -> None:
    for root in ("/one", "/two words"):
        escaped = root.replace(" ", "%20")
        more = {"root_path": root, "raw_path": b""}
        page = await asked(bokeh, f"{root}/app", **more)
        assert f'src="{escaped}/static/js/bokeh.min.js' in page.text
        assert (await asked(bokeh, f"{root}/", **more)).headers["location"] == f"{escaped}/app"
        assert (await asked(bokeh, f"{root}/healthz", **more)).status == 200
        assert (await asked(bokeh, f"{root}/static/js/bokeh.min.js", **more)).status == 200
        socket = Socket(bokeh, f"{root}/app/ws", page.token, headers=ORIGIN, **more)
        await socket.document()
        socket.leave()
    assert len(bokeh.get_sessions()) == 2
    unstripped = await asked(bokeh, "/app", root_path="/one", raw_path=b"")
    assert unstripped.status == 200, "some servers leave the root path out of the path"


async def test_user_of_the_scope_owns_the_session(bokeh: BokehASGI, caplog: pytest.LogCaptureFixture) -> None:
    page = await asked(bokeh, "/app", user="ann")
    (session,) = bokeh.get_sessions("/app")
    assert session.context.user == "ann"
    stranger = Socket(bokeh, "/app/ws", page.token, headers=ORIGIN, user="bob")
    assert await stranger.closed() == (1008, "refused: 403")
    assert caplog.messages == ["/app: refused 192.0.2.1 the session of another user"]
    nobody = Socket(bokeh, "/app/ws", page.token, headers=ORIGIN)
    assert await nobody.closed() == (1008, "refused: 403")
    socket = Socket(bokeh, "/app/ws", page.token, headers=ORIGIN, user="ann")
    await socket.document()
    socket.leave()


async def test_session_without_a_user_is_anyones(bokeh: BokehASGI) -> None:
    page = await asked(bokeh, "/app")
    (session,) = bokeh.get_sessions("/app")
    assert session.context.user is None
    socket = Socket(bokeh, "/app/ws", page.token, headers=ORIGIN, user="ann")
    await socket.document()
    socket.leave()


async def test_policy_decides_who_opens_a_session() -> None:
    seen: list[Any] = []

    def authenticate(request: Any) -> str | None:
        seen.append((request.path, request.root_path, request.scope["type"]))
        return request.headers.get("X-User")

    policy = AuthPolicy(authenticate, login_url="/login", logout_url="/logout")
    app = BokehASGI({"/app": fill}, auth_policy=policy)
    async with app.lifespan():
        refused = await asked(app, "/app?a=1")
        assert (refused.status, refused.headers["location"]) == (302, "/login?next=%2Fapp%3Fa%3D1")
        assert (await asked(app, "/app/autoload.js?bokeh-autoload-element=e")).status == 401
        page = await asked(app, "/app", headers={"X-User": "ann"})
        (session,) = app.get_sessions()
        assert (session.context.user, session.context.logout_url) == ("ann", "/logout")
        socket = Socket(app, "/app/ws", page.token, headers={**ORIGIN, "X-User": "ann"})
        await socket.document()
        socket.leave()
        assert await Socket(app, "/app/ws", page.token, headers=ORIGIN).closed() == (1008, "refused: 401")
    assert ("/app", "", "http") in seen and ("/app/ws", "", "websocket") in seen


async def test_limits_are_those_of_the_settings() -> None:
    app = BokehASGI({"/app": fill}, max_sessions=1)
    async with app.lifespan():
        token = (await asked(app, "/app")).token
        full = await asked(app, "/app")
        assert full.status == 503 and full.headers["retry-after"]
        socket = Socket(app, "/app/ws", token, headers=ORIGIN)
        await socket.document()
        socket.leave()


async def test_message_that_is_too_large_ends_the_connection_and_says_why() -> None:
    app = BokehASGI({"/app": fill}, websocket_max_message_size=1000)
    async with app.lifespan():
        socket = Socket(app, "/app/ws", (await asked(app, "/app")).token, headers=ORIGIN)
        await socket.document()
        socket.events.put_nowait({"type": "websocket.receive", "text": "x" * 1001})
        assert await socket.closed() == (1009, "a message is larger than 1000 bytes")


async def test_update_sessions_changes_each_document_under_its_lock(bokeh: BokehASGI) -> None:
    tokens = [(await asked(bokeh, "/app")).token for _ in range(2)]
    sockets = [Socket(bokeh, "/app/ws", token, headers=ORIGIN) for token in tokens]
    for socket in sockets:
        await socket.document()

    async def update(document: Document) -> None:
        await asyncio.sleep(0)
        document.title = "changed"

    await bokeh.update_sessions("/app", update)
    for socket in sockets:
        (event,) = (await socket.heard("PATCH-DOC"))["events"]
        assert event == {"kind": "TitleChanged", "title": "changed"}
        socket.leave()
    with pytest.raises(ValueError, match="no application is served at /other; there are /app"):
        await bokeh.update_sessions("/other", update)


async def test_metrics_are_below_the_mount() -> None:
    app = BokehASGI({"/app": fill}, metrics=True)
    async with app.lifespan():
        await asked(app, "/app")
        found = await asked(app, "/here/metrics", root_path="/here", raw_path=b"")
        assert re.search(r'^app_server_sessions\{[^}]*"/app"[^}]*\} 1\.0$', found.text, re.MULTILINE), found.text


async def test_unknown_scope_is_refused(bokeh: BokehASGI) -> None:
    with pytest.raises(OperatorError, match="cannot answer the ASGI scope 'webtransport'"):
        await Driven(bokeh, scope_of(kind="webtransport")).task


async def test_single_source_is_at_the_root() -> None:
    app = BokehASGI(fill)
    async with app.lifespan():
        assert (await asked(app, "/")).token
        assert app.app_paths == {"/"} and app.core is app and app.prefix == ""
        assert repr(app) == "<BokehASGI / below />"


def test_constructor_takes_what_the_stock_class_takes() -> None:
    stock = {
        "prefix": "/some", "redirect_root": False, "auth_policy": None, "absolute_url": "http://x",
        "extra_websocket_origins": ["example.com"], "secret_key": b"s" * 44, "sign_sessions": True,
        "generate_session_ids": True, "keep_alive_milliseconds": 1000, "check_unused_sessions_milliseconds": 1000,
        "unused_session_lifetime_milliseconds": 1000, "stats_log_frequency_milliseconds": 1000,
        "include_headers": None, "include_cookies": None, "exclude_headers": ["X-A"], "exclude_cookies": ["a"],
        "session_token_expiration": 100, "logout_url": "/bye",
    }  # fmt: skip
    app = BokehASGI({"/app": fill}, **stock)
    settings = app._settings
    assert (settings.prefix, settings.disable_index_redirect, settings.session_ids) == ("/some", True, "signed")
    assert (settings.session_token_expiration_s, settings.unused_session_lifetime_ms) == (100, 1000)
    kinds = inspect.signature(BokehASGI).parameters
    assert [kinds[name].kind for name in ("prefix", "redirect_root", "auth_policy")] == [
        inspect.Parameter.KEYWORD_ONLY
    ] * 3


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        (
            {"port": 5006},
            "port: BokehASGI has no such keyword. The ASGI server listens: see uvicorn --host, --port, --uds",
        ),
        ({"num_procs": 4}, "num_procs: BokehASGI has no such keyword. The ASGI server starts the processes."),
        (
            {"auth_header": "X-User"},
            "auth_header: BokehASGI has no such keyword. The ASGI server hides who its peer is.",
        ),
        ({"prefi": "/a"}, "prefi: BokehASGI has no such keyword. Did you mean prefix?"),
    ],
)
def test_settings_of_the_asgi_server_are_refused(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        BokehASGI(fill, **keywords)
    assert str(caught.value).startswith(said)


async def test_first_request_starts_a_server_without_a_lifespan(caplog: pytest.LogCaptureFixture) -> None:
    app = BokehASGI({"/app": fill})
    await asyncio.gather(asked(app, "/app"), asked(app, "/app"))
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "The server starts with its first request, because the framework has passed on no lifespan: load hooks and "
        "warm-up come late, and hooks may be cut off when the process ends. Give the framework lifespan=….lifespan "
        "of this BokehASGI"
    ]
    assert len(app.get_sessions()) == 2
    await app._lifespan._stop()


async def test_hook_of_the_request_sees_what_only_asgi_has() -> None:
    seen: list[Any] = []

    class Builder:
        def initialize_document(self, doc: Any) -> None:
            fill(doc)

        def process_request(self, request: Any) -> dict[str, Any]:
            seen.append((request.user, request.state, request.root_path, request.path, request.scope["type"]))
            return {"tenant": request.state["tenant"]}

    app = BokehASGI({"/app": Builder()})
    async with app.lifespan():
        await asked(app, "/here/app", root_path="/here", raw_path=b"", user="ann", state={"tenant": "red"})
        (session,) = app.get_sessions()
        assert session.context.token_payload["tenant"] == "red"
    assert seen == [("ann", {"tenant": "red"}, "/here", "/here/app", "http")]


async def test_live_reload_and_warm_up_work_below_a_mount(caplog: pytest.LogCaptureFixture) -> None:
    visits: list[Any] = []

    def counted(document: Any) -> None:
        visits.append(document)
        fill(document)

    app = BokehASGI({"/app": counted}, dev=True, warm=True)
    async with app.lifespan():
        assert len(visits) == 1
        page = await asked(app, "/here/app", root_path="/here", raw_path=b"")
        assert '"/here/_dev/reload"' in page.text
        assert len(visits) == 2


async def test_panel_knows_the_user(tmp_path: Path) -> None:
    script = tmp_path / "named.py"
    script.write_text("import panel as pn\npn.pane.Str(f'user: {pn.state.user}').servable()\n", encoding="utf-8")
    app = BokehASGI({"/app": script})
    async with app.lifespan():
        for user in (None, "ann"):
            socket = Socket(app, "/app/ws", (await asked(app, "/app", user=user)).token, user=user)
            assert f"user: {user}" in str(await socket.document())
            socket.leave()


STOCK = find_spec("bokeh.server.asgi")


@pytest.mark.skipif(STOCK is None, reason="bokeh 3.9 has no such class")
def test_each_argument_of_the_stock_class_is_one_of_ours() -> None:
    from bokeh.server.asgi import BokehASGI as StockASGI
    from bokeh.server.core import BokehServerCore

    theirs = {**inspect.signature(StockASGI).parameters, **inspect.signature(BokehServerCore).parameters}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    given = {name: each.default for name, each in theirs.items() if each.kind in kinds and name != "applications"}
    assert len(given) > 15
    BokehASGI({"/app": fill}, **given)
    for name in (name for name in vars(StockASGI) if not name.startswith("_")):
        assert hasattr(BokehASGI, name), name


@pytest.mark.skipif(STOCK is None, reason="bokeh 3.9 has no such class")
async def test_policy_of_the_stock_server_decides_too() -> None:
    from bokeh.server.auth import AuthPolicy as StockPolicy

    policy = StockPolicy(lambda request: request.headers.get("X-User"), login_url="/login", logout_url="/logout")
    app = BokehASGI({"/app": fill}, auth_policy=policy)
    async with app.lifespan():
        assert (await asked(app, "/app")).headers["location"] == "/login?next=%2Fapp"
        assert (await asked(app, "/app", headers={"X-User": "ann"})).token
        assert [session.context.user for session in app.get_sessions()] == ["ann"]

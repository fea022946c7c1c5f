"""`from app_server import Server`: the server inside a program, in its loop, in a thread, in somebody's application."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bokeh.application import Application as StockApplication
from bokeh.application.handlers.function import FunctionHandler
from bokeh.application.handlers.lifecycle import LifecycleHandler
from bokeh.document import Document
from bokeh.models import Slider
from bokeh.server.server import Server as StockServer
from bokeh.server.server import _ServerOpts
from bokeh.server.tornado import BokehTornado
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application as TornadoApplication
from tornado.web import RequestHandler

from app_server import Server
from app_server.errors import ApplicationError, OperatorError
from tests.protocol.conftest import APPS
from tests.support.client import Site, fetch
from tests.support.waiting import patience

LOCAL: dict[str, Any] = {"port": 0, "address": "127.0.0.1"}


def titled(document: Document) -> None:
    """Fill a document whose slider doubles into its title."""
    slider = Slider(start=0, end=10, value=1, name="slider")
    slider.on_change("value", lambda attr, old, new: setattr(document, "title", f"twice {new} is {2 * new}"))
    document.add_root(slider)
    document.title = "a function"


class Builder:
    """Fills documents, and keeps a diary of its hooks."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.metadata = {"by": "a builder"}

    def initialize_document(self, doc: Document) -> None:
        doc.title = "a builder"

    def on_server_loaded(self, server_context: Any) -> None:
        self.diary.append("loaded")

    async def on_session_created(self, session_context: Any) -> None:
        self.diary.append("created")

    async def on_session_destroyed(self, session_context: Any) -> None:
        self.diary.append("destroyed")

    def on_server_unloaded(self, server_context: Any) -> None:
        self.diary.append("unloaded")

    def process_request(self, request: Any) -> dict[str, Any]:
        self.diary.append(request.path)
        return {"asked": True}


@contextmanager
def in_a_thread(applications: Any, **keywords: Any) -> Iterator[Server]:
    """A server whose loop runs in a thread of its own, as programs with another framework have it."""
    server = Server(applications, io_loop=IOLoop(make_current=False), **{**LOCAL, **keywords})
    server.start()
    thread = threading.Thread(target=server.io_loop.start)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        server.io_loop.add_callback(server.io_loop.stop)
        thread.join(patience(10))
        assert not thread.is_alive()
        server.io_loop.close(all_fds=True)


def state(server: Server) -> Site:
    return Site(server.url.rstrip("/"))


def can_be_taken(port: int | None) -> bool:
    """Whether nobody listens on this port of ours any more."""
    assert port is not None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook and a script."""
    folder = tmp_path_factory.mktemp("shelf")
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
            "source": ["from bokeh.io import curdoc\n", "curdoc().title = 'a notebook'"]}  # fmt: skip
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notes.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    source = "import sys\nfrom bokeh.io import curdoc\ncurdoc().title = ' '.join(['a script', *sys.argv[1:]])\n"
    (folder / "script.py").write_text(source, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def everything(shelf: Path) -> Iterator[Server]:
    """One server with every kind of application, below a prefix, in a thread."""
    sources = {
        "/function": titled,
        "builder/": Builder(),
        "/deep/er/stock": StockApplication(FunctionHandler(titled)),
        "/script": str(shelf / "script.py"),
        "/notebook": shelf / "notes.ipynb",
        "/folder": APPS / "folder",
    }
    with in_a_thread(sources, prefix="/some", args=["with", "words"]) as server:
        yield server


@pytest.mark.parametrize(
    ("route", "title"),
    [
        ("/function", "a function"),
        ("/builder", "a builder"),
        ("/deep/er/stock", "a function"),
        ("/script", "a script with words"),
        ("/notebook", "a notebook"),
        ("/folder", "Bokeh Application"),
    ],
)
def test_every_kind_of_application_is_served(everything: Server, route: str, title: str) -> None:
    with state(everything).client(route) as client:
        assert client.title == title


def test_callbacks_run_in_a_thread_beside_the_program(everything: Server) -> None:
    with state(everything).client("/function") as client:
        assert client.set("slider", "value", 4).msgtype == "OK"
        client.wait_for(lambda: client.title == "twice 4 is 8")


def test_server_tells_where_it_is(everything: Server) -> None:
    assert everything.prefix == "/some"
    assert everything.address == "127.0.0.1"
    assert everything.url == f"http://127.0.0.1:{everything.port}/some/"
    assert (everything.index, everything.unix_socket) == (None, None)
    assert isinstance(everything.io_loop, IOLoop)
    assert repr(everything).startswith("<Server /function, /builder, /deep/er/stock, /script, ")


def test_metadata_of_a_builder_is_told(everything: Server) -> None:
    answer = state(everything).get("/builder/metadata")
    assert json.loads(answer.body) == {"url": "/builder", "data": {"by": "a builder"}}


def test_sessions_are_found_by_application_and_id(everything: Server) -> None:
    with state(everything).client("/function") as client:
        sessions = everything.get_sessions("/function")
        assert client.title in {session.document.title for session in sessions}
        one = sessions[0]
        assert everything.get_session("/function/", one.id) is one
    with pytest.raises(ValueError, match=r"^/function has no session of this id$"):
        everything.get_session("/function", "nobody")
    with pytest.raises(ValueError, match=r"^no application is served at /else; there are /function, /builder, "):
        everything.get_sessions("/else")
    with state(everything).client("/builder"):
        everywhere = {session.id for session in everything.get_sessions()}
        assert {session.id for session in everything.get_sessions("/builder")} < everywhere
        assert {session.id for session in everything.get_sessions("/function")} < everywhere


def test_program_changes_a_session_from_another_thread(everything: Server) -> None:
    session_id = "for-one-visitor"
    with state(everything).client("/function", state(everything).get("/function", headers={"Bokeh-Session-Id":
                                 session_id}).token) as client:  # fmt: skip
        document = everything.get_session("/function", session_id).document
        document.add_next_tick_callback(lambda: setattr(document, "title", "from outside"))
        client.wait_for(lambda: client.title == "from outside")


def test_one_application_is_at_the_root_and_several_paths_have_their_names(shelf: Path) -> None:
    with in_a_thread(titled) as server:
        with state(server).client("") as client:
            assert client.title == "a function"
            assert len(server.get_sessions()) == 1
    with in_a_thread(os.path.join(shelf, "*.*"), glob=True) as server:
        assert {state(server).get(path).status for path in ("/notes", "/script", "/")} == {200}


def test_two_servers_in_one_program_do_not_meet() -> None:
    with in_a_thread(titled) as one, in_a_thread(titled) as other:
        assert one.port != other.port
        with state(one).client(""):
            assert (len(one.get_sessions()), len(other.get_sessions())) == (1, 0)


def test_hooks_of_a_builder_run_from_start_to_stop() -> None:
    builder = Builder()
    with in_a_thread({"/b": builder}) as server, state(server).client("/b"):
        assert builder.diary == ["loaded", "/b", "created"]
        [session] = server.get_sessions()
        assert session.context.token_payload["asked"] is True
    assert builder.diary == ["loaded", "/b", "created", "destroyed", "unloaded"]


def test_hooks_and_failures_of_a_stock_application_are_ours() -> None:
    loaded: list[Any] = []
    hooks = LifecycleHandler()
    hooks._on_server_loaded = loaded.append

    def fail(document: Document) -> None:
        raise ValueError("no such data")

    application = StockApplication(hooks, FunctionHandler(fail, trap_exceptions=True))
    with in_a_thread(application) as server:
        assert state(server).get("/").status == 500
    assert len(loaded) == 1


def test_stop_says_goodbye_and_frees_the_port() -> None:
    with in_a_thread(titled) as server, state(server).client("") as client:
        server.stop()
        assert client.close_code() == 1001
        assert can_be_taken(server.port)
        server.stop()
        with pytest.raises(RuntimeError, match="^this server was stopped; make another one$"):
            server.start()


def test_unlisten_leaves_those_who_are_there() -> None:
    with in_a_thread(titled) as server, state(server).client("") as client:
        server.unlisten()
        client.request("SERVER-INFO-REQ")
        assert can_be_taken(server.port)
        with pytest.raises(ConnectionRefusedError):
            fetch(server.url)
        assert client.set("slider", "value", 2).msgtype == "OK"


def test_server_that_never_ran_frees_its_port_and_runs_no_hook() -> None:
    builder = Builder()
    loop = IOLoop(make_current=False)
    server = Server(builder, io_loop=loop, **LOCAL)
    assert not can_be_taken(server.port)
    server.stop()
    assert can_be_taken(server.port)
    assert builder.diary == []
    loop.close(all_fds=True)


def test_start_that_waits_for_its_loop_can_be_taken_back() -> None:
    loop = IOLoop(make_current=False)
    server = Server(titled, io_loop=loop, **LOCAL)
    server.start()
    server.start()
    server.stop()
    assert can_be_taken(server.port)
    loop.close(all_fds=True)


def test_stop_after_the_loop_was_closed_frees_the_port() -> None:
    loop = IOLoop(make_current=False)
    server = Server(titled, io_loop=loop, **LOCAL)
    loop.close()
    server.stop()
    assert can_be_taken(server.port)


async def test_async_block_serves_in_the_running_loop() -> None:
    async with Server({"/a": titled}, **LOCAL) as server:
        assert server.io_loop is IOLoop.current()
        answer = await asyncio.to_thread(fetch, f"{server.url}a")
        assert answer.status == 200
        server.stop()
        await server.stopped()
    assert can_be_taken(server.port)


async def test_stop_ends_a_hook_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(Builder):
        async def on_session_destroyed(self, session_context: Any) -> None:
            await asyncio.sleep(60)

    async with Server(Hanging(), drain_deadline_s=0.1, **LOCAL) as server:
        assert (await asyncio.to_thread(fetch, server.url)).status == 200
    assert "Not everything ended within 0.1 s; stopping anyway" in caplog.messages
    assert can_be_taken(server.port)


class Host(RequestHandler):
    """A page of the program's own."""

    def get(self) -> None:
        self.finish(f"host {self.request.path}")


async def test_extra_patterns_come_first() -> None:
    async with Server({"/a": titled}, extra_patterns=[("/", Host), ("/own", Host)], **LOCAL) as server:
        answers = [await asyncio.to_thread(state(server).get, path) for path in ("/", "/own", "/a", "/none")]
    assert [answer.text for answer in answers[:2]] == ["host /", "host /own"]
    assert [answer.status for answer in answers[2:]] == [200, 404]


@pytest.mark.parametrize("prefix", ["", "/plots"])
async def test_handlers_serve_in_an_application_that_is_there_already(prefix: str) -> None:
    sockets = bind_sockets(0, "127.0.0.1")
    port = sockets[0].getsockname()[1]
    application = TornadoApplication([("/", Host), ("/healthz", Host), ("/favicon.ico", Host)])
    host = HTTPServer(application)
    host.add_sockets(sockets)
    server = Server({"/a": titled, "/b": titled}, listen=False, port=port, prefix=prefix)
    application.add_handlers(".*", server.handlers())

    def visit() -> None:
        at = Site(f"http://127.0.0.1:{port}")
        for path in ("/", "/healthz", "/favicon.ico"):
            assert at.get(path).text == f"host {path}"
        assert at.get("/missing").text == "<html><title>404: Not Found</title><body>404: Not Found</body></html>"
        assert at.get(f"{prefix}/static/js/bokeh.min.js").status == 200
        with at.client(f"{prefix}/a", origin=f"http://127.0.0.1:{port}") as client:
            assert client.set("slider", "value", 3).msgtype == "OK"
            client.wait_for(lambda: client.title == "twice 3 is 6")
        with pytest.raises(Exception, match="403"), at.client(f"{prefix}/a", origin="http://elsewhere.example"):
            pass

    async with server:
        assert server.port == port
        await asyncio.to_thread(visit)
    host.stop()
    await host.close_all_connections()


def test_handlers_of_nobodys_address_are_refused() -> None:
    with pytest.raises(OperatorError) as caught:
        Server(titled, listen=False)
    assert str(caught.value) == (
        "port: nothing says where the application listens that these handlers serve in. "
        "Give port, or allow_websocket_origin with the public name."
    )


def test_faults_are_told_in_keywords(shelf: Path, tmp_path: Path) -> None:
    def fault(applications: Any = titled, **keywords: Any) -> str:
        with pytest.raises((OperatorError, ApplicationError)) as caught:
            Server(applications, io_loop=IOLoop(make_current=False), **keywords)
        return str(caught.value)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = f"port: port {port} is in use. Stop what listens there, or choose another port."
        assert fault(port=port, address="127.0.0.1") == expected
    assert fault(port="http") == "port: expected a whole number from 0 to 65535, not 'http'"
    assert fault(prot=0) == "prot: Server has no such keyword. Did you mean port?"
    assert fault(disable_index="yes") == "disable_index: expected True or False, not 'yes'"
    assert fault(redirect_root=0) == "redirect_root: expected True or False, not 0"
    assert fault(log_file="x").startswith("log_file: Server has no such keyword. The log is your program's")
    assert fault(auth_provider=object()).startswith("auth_provider: Server has no such keyword. Give auth_module the")
    assert fault(keep_alive_ms=1, keep_alive_milliseconds=1) == (
        "keep_alive_ms: is given under two names. Leave out keep_alive_milliseconds."
    )
    assert (
        fault(num_procs=4)
        == fault(num_procs=0)
        == (
            "num_procs: Server has no such keyword. A server inside a program is one process. Serve with `app-server"
            " serve --num-procs`, or with gunicorn and app_server.gunicorn; several programs need a port each."
        )
    )
    assert fault(hang_timeout_s=5).startswith("hang_timeout_s: Server has no such keyword. A server inside a program")
    assert fault(http_server_kwargs={"max_buffer_size": 1}).startswith("http_server_kwargs: Server has no such keyword")
    assert fault(generate_session_ids="no") == "generate_session_ids: expected True or False, not 'no'"
    assert fault(listen=False, port=1, ssl_certfile="x.pem").startswith("ssl_certfile: ")
    assert fault(ssl_keyfile=str(shelf / "script.py")) == (
        "ssl_keyfile: a key without a certificate. Give ssl_certfile too."
    )
    assert fault([titled, titled]) == (
        "/: two applications would be served there. Give a dictionary from routes to applications."
    )
    assert fault({"a": titled, "/a/": titled}).startswith("/a: two applications would be served there.")
    assert fault(Document()).startswith("applications: a Document cannot be served to several people.")
    assert fault(tmp_path / "none.py").startswith(f"{tmp_path}/none.py: there is no such file or folder.")
    assert "cannot be called with one argument" in fault(lambda: None)


STOCK_VALUES: dict[str, Any] = {
    # of bokeh.server.server.Server
    "num_procs": 1, "address": "127.0.0.1", "port": 0, "unix_socket": None, "prefix": "/p", "index": None,
    "allow_websocket_origin": ["a.example"], "use_xheaders": True, "ssl_certfile": None, "ssl_keyfile": None,
    "ssl_password": None, "websocket_max_message_size": 1000, "http_server_kwargs": None, "io_loop": None,
    # of bokeh.server.tornado.BokehTornado, which it passes the others to
    "extra_websocket_origins": ["b.example"], "extra_patterns": [], "secret_key": b"k" * 44, "sign_sessions": False,
    "generate_session_ids": True, "keep_alive_milliseconds": 1, "check_unused_sessions_milliseconds": 1,
    "unused_session_lifetime_milliseconds": 1, "stats_log_frequency_milliseconds": 1,
    "mem_log_frequency_milliseconds": 1, "use_index": True, "redirect_root": True,
    "websocket_compression_level": 1, "websocket_compression_mem_level": 1, "ico_path": "none",
    "xsrf_cookies": False, "include_headers": ["A"], "include_cookies": ["a"], "exclude_headers": None,
    "exclude_cookies": None, "session_token_expiration": 1, "websocket_max_message_size_bytes": None,
}  # fmt: skip
REFUSED = {"absolute_url": "http://x", "auth_provider": object()}


def test_every_keyword_of_the_stock_server_works_or_is_refused_with_what_to_do_instead() -> None:
    stock = {name for name in vars(_ServerOpts) if not name.startswith("_")}
    stock |= {*inspect.signature(StockServer).parameters, *inspect.signature(BokehTornado).parameters}
    assert stock - {"applications", "kwargs"} == {*STOCK_VALUES, *REFUSED}
    Server(titled, **STOCK_VALUES).stop()
    for name, value in REFUSED.items():
        with pytest.raises(OperatorError, match=rf"^{name}: Server has no such keyword\. \w.{{20}}"):
            Server(titled, **{name: value}, **LOCAL)


@pytest.mark.parametrize(("sign_sessions", "expected"), [(None, "external"), (False, "external"),
                                                         (True, "external-signed")])  # fmt: skip
def test_ids_that_others_make_need_not_be_signed(sign_sessions: bool | None, expected: str) -> None:
    secret = {"secret_key": b"k" * 44} if sign_sessions else {}
    with in_a_thread(titled, generate_session_ids=False, sign_sessions=sign_sessions, **secret) as server:
        assert server.settings.session_ids == expected
        assert state(server).get("/").status == 403
        named = state(server).get("/", headers={"Bokeh-Session-Id": "mine"})
        assert named.status == (403 if sign_sessions else 200)


def test_settings_of_several_processes_from_the_environment_are_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("APP_SERVER_NUM_PROCS", "4")
    loop = IOLoop(make_current=False)
    Server(titled, io_loop=loop, **LOCAL).stop()
    loop.close(all_fds=True)
    assert "num_procs comes from the environment, and has no effect on a server inside a program" in caplog.messages


def test_log_level_is_that_of_our_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("app_server")
    monkeypatch.setattr(logger, "level", logger.level)
    loop = IOLoop(make_current=False)
    Server(titled, io_loop=loop, log_level="error", **LOCAL).stop()
    assert logger.level == logging.ERROR
    logger.setLevel(logging.NOTSET)
    loop.close(all_fds=True)


class Opened:
    """A browser that only notes what it is asked to open."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int]] = []

    def open(self, address: str, new: int) -> bool:
        self.addresses.append((address, new))
        return True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened()
    monkeypatch.setattr(webbrowser, "get", lambda name=None: opened)
    return opened


def test_show_opens_the_application_where_it_is_served(everything: Server, opened: Opened) -> None:
    everything.show("/function")
    everything.show("/", new="window")
    base = f"http://127.0.0.1:{everything.port}/some"
    assert opened.addresses == [(f"{base}/function", 2), (f"{base}/", 1)]
    with pytest.raises(ValueError, match="^app_path must begin with a slash, and 'function' does not$"):
        everything.show("function")
    with pytest.raises(ValueError, match="^new must be 'tab' or 'window', not 'pane'$"):
        everything.show("/function", new="pane")


async def test_show_as_a_keyword_opens_the_only_application(opened: Opened) -> None:
    async with Server({"/a": titled}, show=True, **LOCAL) as server:
        await asyncio.sleep(0)
    assert opened.addresses == [(f"http://127.0.0.1:{server.port}/a", 2)]


def test_machine_without_a_browser_gets_the_address(
    everything: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webbrowser, "_browsers", {})
    monkeypatch.setattr(webbrowser, "_tryorder", [])
    everything.show("/function")
    address = f"http://127.0.0.1:{everything.port}/some/function"
    assert caplog.messages == [f"No browser was found on this machine. Open {address} in one yourself."]
    with pytest.raises(webbrowser.Error):
        everything.show("/function", browser="none of this name")


def test_unix_socket_has_no_port_and_no_browser(tmp_path: Path) -> None:
    loop = IOLoop(make_current=False)
    path = tmp_path / "s"
    server = Server(titled, io_loop=loop, unix_socket=path)
    assert (server.port, server.unix_socket, server.url) == (None, str(path), f"unix:{path}")
    with pytest.raises(OperatorError, match="no browser opens a Unix socket"):
        server.show("/")
    server.stop()
    loop.close(all_fds=True)


def test_run_until_shutdown_belongs_to_the_main_thread_without_a_running_loop() -> None:
    def complaint(call: Callable[[], None]) -> str:
        with pytest.raises(RuntimeError) as caught:
            call()
        return str(caught.value)

    loop = IOLoop(make_current=False)
    server = Server(titled, io_loop=loop, **LOCAL)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(complaint(server.run_until_shutdown)))
    thread.start()
    thread.join()
    assert found[0].startswith("signals come to the main thread only")
    server.stop()
    loop.close(all_fds=True)

    async def inside() -> str:
        async with Server(titled, **LOCAL) as running:
            return complaint(running.run_until_shutdown)

    assert asyncio.run(inside()) == "the loop runs already; use start(), and stop() at the end"


class Impatient(Builder):
    """Has a signal come as soon as its application is loaded, and again at once."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.handler: Any = None

    def on_server_loaded(self, server_context: Any) -> None:
        super().on_server_loaded(server_context)
        self.handler = signal.getsignal(self.number)
        assert callable(self.handler) and self.handler is not signal.default_int_handler
        signal.raise_signal(self.number)
        signal.raise_signal(self.number)  # sooner than a second later it only repeats the first


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_until_shutdown_stops_at_a_signal_and_gives_signals_back(number: int) -> None:
    loop = IOLoop(make_current=False)
    builder = Impatient(number)
    server = Server(builder, io_loop=loop, drain_s=0.01, **LOCAL)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    server.run_until_shutdown()
    assert {each: signal.getsignal(each) for each in before} == before and builder.handler is not before[number]
    assert builder.diary == ["loaded", "unloaded"] and can_be_taken(server.port)
    loop.close(all_fds=True)


def test_setup_folders_and_placeholders_are_there_in_a_program_too(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("loaded = 'by the setup'\n")
    (tmp_path / "a.js").write_text("1")

    def fill(document: Document) -> None:
        import app_server_setup

        assert document.session_context is not None
        params = document.session_context.request.route_params  # type: ignore[attr-defined]
        document.title = f"{app_server_setup.loaded} for {params['name']}"

    keywords = {"setup": str(tmp_path / "setup.py"), "static_dirs": [f"files={tmp_path}"]}
    with in_a_thread({"/users/{name}": fill}, **keywords) as server:
        assert "by the setup for ada" in state(server).get("/users/ada").text
        assert state(server).get("/files/a.js").text == "1"
    with pytest.raises(OperatorError) as refused:
        Server({"/users/{na me}": fill}, **LOCAL)
    assert str(refused.value) == (
        "/users/{na me}: the address has '{na me}', which is not a placeholder such as {name} or {id:int}"
    )

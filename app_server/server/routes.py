"""Which address is answered by which handler."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from app_server.document.pages import embedding
from app_server.document.pages.extension_files import ExtensionFolders
from app_server.engine.runtime import ApplicationRuntime
from app_server.errors import OperatorError
from app_server.http.matching import PatternAddress, RouteAddress, RouteTable, names_of
from app_server.http.static import FoundFiles, StaticFiles
from app_server.observe import exposition
from app_server.protocol.paths import segments
from app_server.requests.autoload_handler import AutoloadHandler
from app_server.requests.own_files import FolderFiles, OwnFiles, static_folders
from app_server.requests.page_handler import PageHandler
from app_server.requests.server_handlers import (
    FaviconHandler,
    HealthHandler,
    IndexHandler,
    MetadataHandler,
    MissingHandler,
    ReadyHandler,
)
from app_server.requests.socket import SocketHandler
from app_server.requests.state.server_state import ServerState
from app_server.requests.traced import TracedAutoloadHandler, TracedPageHandler, TracedSocketHandler
from app_server.server.console.gate import ConsoleGate
from app_server.server.console.places import socket_path
from app_server.server.observing.metrics import MetricsHandler
from app_server.server.reload import LiveReload, ReloadHandler
from app_server.settings.console import ConsolePlace

Rules = list[tuple[Any, ...]]

WELL_KNOWN = ("/healthz", "/readyz", "/favicon.ico")


def routes_of(state: ServerState, live_reload: LiveReload | None, root: str = "") -> Rules:
    """The handlers of the site and its applications, for Tornado; the first that fits answers.

    `root` is the path at which another program has put the site. OperatorError for an application that no address would
    lead to.
    """
    for runtime in state.runtimes:
        if segments(runtime.url) is None:
            hint = "Browsers take . and .. out of an address. Give the application another name."
            raise OperatorError("no address leads there", where=runtime.url, hint=hint)
    base = names_of(state.settings.prefix)
    runtimes = sorted(state.runtimes, key=_order)
    folders = ExtensionFolders(runtime.application.folder for runtime in runtimes if runtime.application.folder)
    literal = [runtime for runtime in runtimes if not runtime.url_pattern]
    rules = [
        *_own_pages(state, live_reload, root),
        *_console(base, state),
        *state.policy.auth.routes(partial(_below, base), {"state": state}),
        *(rule for runtime in runtimes for rule in _files(base, state, runtime, folders)),
        *_shared_files(base, folders),
        *_folders(base, state),
        *(rule for runtime in literal for rule in _application(base, state, runtime)),
        *(rule for runtime in runtimes for rule in _components(base, runtime)),
        *(rule for runtime in runtimes[len(literal) :] for rule in _application(base, state, runtime)),
        (_below(base, "/", slash=True), IndexHandler, {"state": state}),
        (r".*", MissingHandler, {"state": state}),
    ]
    table = RouteTable(rules)
    for runtime in state.runtimes:
        _refuse_hidden(state, runtime, table)
    for route, folder in static_folders(state.settings):
        _refuse_hidden_folder(state, route, folder, table)
    return rules


def _order(runtime: ApplicationRuntime) -> tuple[int, ...]:
    """Literal routes stand before those with placeholders, and these by how much they take."""
    return () if runtime.url_pattern is None else runtime.url_pattern.order


def _below(base: tuple[str, ...], path: str, **options: bool) -> RouteAddress:
    """This path below the prefix, on every instance's route."""
    return RouteAddress(names_of(path), base, routed=True, **options)


def _at(base: tuple[str, ...], runtime: ApplicationRuntime, path: str = "", **options: bool) -> RouteAddress:
    """This path below the application's route."""
    if runtime.url_pattern is None:
        return _below(base, f"{runtime.url.rstrip('/')}{path}", **options)
    return PatternAddress(names_of(path), base, routed=True, pattern=runtime.url_pattern, **options)


def _own_pages(state: ServerState, live_reload: LiveReload | None, root: str) -> Rules:
    prefix, context = state.settings.prefix, {"state": state}
    handlers = dict(zip(WELL_KNOWN, (HealthHandler, ReadyHandler, FaviconHandler), strict=True))
    rules: Rules = [(RouteAddress(names_of(root + path)), handler, context) for path, handler in handlers.items()]
    if prefix != root:
        rules += [(RouteAddress(names_of(prefix + path)), handler, context) for path, handler in handlers.items()]
    rules.append((_below(names_of(prefix), "/favicon.ico"), FaviconHandler, context))
    if state.settings.metrics:
        exposition.check()
        rules.append((RouteAddress(names_of(f"{root}/metrics")), MetricsHandler, context))
    if live_reload is not None:
        reloading = {**context, "live_reload": live_reload}
        rules.append((_below(names_of(prefix), "/_dev/reload"), ReloadHandler, reloading))
    return rules


def _console(base: tuple[str, ...], state: ServerState) -> Rules:
    """The console, if it is at a path of the site."""
    path = ConsolePlace.read(state.settings.console).path if state.settings.console else ""
    workers = state.process.workers
    if not path or workers is None:
        return []
    context = {"state": state, "workers": workers, "socket_path": socket_path(workers.runtime_dir)}
    return [
        (_below(base, path, slash=True), ConsoleGate, context),
        (_below(base, path, rest=True), ConsoleGate, context),
    ]


def _shared_files(base: tuple[str, ...], folders: ExtensionFolders) -> Rules:
    """BokehJS, and the files of extensions."""
    return [
        (_below(base, "/static/extensions", rest=True), StaticFiles, {"packages": folders}),
        (_below(base, "/static", rest=True), StaticFiles, {"roots": (embedding.static_root(),)}),
    ]


def _folders(base: tuple[str, ...], state: ServerState) -> Rules:
    """The files of `--static-dirs`."""
    rules: Rules = []
    for route, folder in static_folders(state.settings):
        context = {"state": state, "route": route, "folder": folder}
        rules += [(_below(base, route), FolderFiles, context), (_below(base, route, rest=True), FolderFiles, context)]
    return rules


def _files(
    base: tuple[str, ...], state: ServerState, runtime: ApplicationRuntime, folders: ExtensionFolders
) -> Rules:
    """The application's own files before BokehJS's; they are for those who may open it."""
    extensions = _at(base, runtime, "/static/extensions", rest=True)
    return [
        (extensions, StaticFiles, {"packages": folders}),
        (_at(base, runtime, "/static", rest=True), *_own_files(state, runtime)),
    ]


def _own_files(state: ServerState, runtime: ApplicationRuntime) -> tuple[type, dict[str, Any]]:
    own, shared = runtime.application.static_path, (embedding.static_root(),)
    if own is None:
        return StaticFiles, {"roots": shared}
    if state.policy.restricts(runtime.url):
        return OwnFiles, {"state": state, "runtime": runtime, "own": own, "shared": shared}
    return StaticFiles, {"roots": (own, *shared)}


def _application(base: tuple[str, ...], state: ServerState, runtime: ApplicationRuntime) -> Rules:
    processes = state.process.session_processes
    isolated = processes if processes is not None and processes.isolates(runtime.url) else None
    context = {"state": state, "runtime": runtime, "session_processes": isolated}
    traced = state.process.tracing.on
    rules: list[tuple[RouteAddress, type]] = [
        (_at(base, runtime, "/ws"), TracedSocketHandler if traced else SocketHandler),
        (_at(base, runtime, "/metadata"), MetadataHandler),
        (_at(base, runtime, "/autoload.js"), TracedAutoloadHandler if traced else AutoloadHandler),
        (_at(base, runtime, slash=True), TracedPageHandler if traced else PageHandler),
    ]
    return [(address, handler, {**context, **_captures(address)}) for address, handler in rules]


def _captures(address: RouteAddress) -> dict[str, Any]:
    """What tells a handler what the path has in place of the placeholders, if there are any."""
    return {"captures": address.captured_of} if isinstance(address, PatternAddress) else {}


def _components(base: tuple[str, ...], runtime: ApplicationRuntime) -> Rules:
    """What a guest's pages ask for: beside the page, if its address ends with a slash, or else at the root."""
    find = runtime.guest.find_component
    if find is None:
        return []
    places = dict.fromkeys((_at(base, runtime, "/components", rest=True), _below(base, "/components", rest=True)))
    return [(place, FoundFiles, {"find": find}) for place in places]


def _refuse_hidden(state: ServerState, runtime: ApplicationRuntime, table: RouteTable) -> None:
    """Raise OperatorError if another handler has an address that the application needs, as its browsers ask for it."""
    for below in ("", "/", "/ws", "/metadata", "/autoload.js"):
        for place in (state.settings.prefix, f"/_i/x{state.settings.prefix}", f"{state.settings.prefix}/_i/x"):
            url = runtime.url if runtime.url_pattern is None else runtime.url_pattern.sample
            path = f"{place}{url.rstrip('/')}{below}" or "/"
            found = table.find(path)
            if found.context.get("runtime") is runtime:
                continue
            hint = "Give the application another name, or another route: /NAME=FILE."
            raise OperatorError(_holder(found.handler, found.context, path), where=runtime.url, hint=hint)


def _refuse_hidden_folder(state: ServerState, route: str, folder: Path, table: RouteTable) -> None:
    """Raise OperatorError if another handler has the addresses of a folder's files."""
    for below in ("", "/x"):
        path = f"{state.settings.prefix}{route}{below}"
        found = table.find(path)
        if found.context.get("folder") != folder:
            what = _holder(found.handler, found.context, path)
            hint = f"Give {folder} another name."
            raise OperatorError(what, where=f"--static-dirs {route.lstrip('/')}", hint=hint)


def _holder(handler: type, context: dict[str, Any], path: str) -> str:
    other = context.get("runtime")
    if other is not None:
        return f"the application {other.url} answers at {path}"
    if issubclass(handler, StaticFiles):
        return f"static files are at {path}"
    return "no address leads there" if handler is MissingHandler else f"the server's own page is at {path}"

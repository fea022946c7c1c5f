"""`show`: a server in the kernel for each application in a cell.

    shown -> stopped (by `stop`, by the cell when it runs again, or by the same application in another cell)

The kernel has one event loop, which runs cells and serves applications in turn: while a cell computes, they wait.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from app_server.document.pages import embedding
from app_server.embedded.server import Server
from app_server.embedded.sources import Source
from app_server.errors import OperatorError
from app_server.http.static import version_of
from app_server.notebook.address import NotebookUrl, place_of
from app_server.notebook.embed import embedding_html


@dataclass(frozen=True)
class Run:
    """One execution of one cell: `cell` stays when it is run again, `request` does not."""

    cell: str
    request: str


class Shown:
    """An application in a cell, and the server behind it."""

    def __init__(self, server: Server, application: Hashable, run: Run | None) -> None:
        self.server = server
        self._application = application
        self._run = run

    def __repr__(self) -> str:
        return f"<Shown at port {self.server.port}>"

    def _ipython_display_(self) -> None:
        """Nothing, because IPython would show it below the application."""

    def stop(self) -> None:
        """End the application's sessions and its server; what is in the cell stays as it is. Idempotent."""
        if self in _shown:
            _shown.remove(self)
        self.server.unlisten()  # at once: the next line may use the same port
        self.server.stop(wait=False)

    def gives_way_to(self, application: Hashable, run: Run | None) -> bool:
        """Whether this is the same application, or was shown when the same cell ran before."""
        again = self._run is not None and run is not None and self._run.cell == run.cell and self._run != run
        return again or self._application == application


_shown: list[Shown] = []
"""What this kernel serves at present."""


def show(app: Source, notebook_url: NotebookUrl | None = None, **settings: Any) -> Shown:
    """Show the running application in the current cell, and return an object that stops it.

    `app` is a function that takes a document and fills it, a path, or an application. `notebook_url` is the notebook's
    address as the browser shows it, by default `http://localhost:8888`. If a proxy leads to the kernel's ports, it is a
    function instead that returns the address for a port, and the notebook's address for None: see `proxied`.
    `settings` are those of `app_server.Server`. A server that showed the same application, or that this cell started
    before, is stopped.

    Raises OperatorError outside of a notebook, and ApplicationError for an application that does not load.
    """
    output, run = _notebook()
    place = place_of(notebook_url, os.environ)
    application = identity(app)
    for former in [shown for shown in _shown if shown.gives_way_to(application, run)]:
        former.stop()
    origins = [*place.origins, *_listed(settings.pop("allow_websocket_origin", ()))]
    # A cell that computes blocks the loop on purpose: do not report it.
    own = {"port": 0, "address": place.address, "allow_websocket_origin": origins, "block_limit_s": 0}
    server = Server({"/": app}, **{**own, **settings})
    if not server.io_loop.asyncio_loop.is_running():  # type: ignore[attr-defined]
        server.stop()
        hint = "Run it in a notebook's cell, or serve the application with `app-server serve`."
        raise OperatorError("no event loop is running here that could serve the application", where="show", hint=hint)
    shown = Shown(server, application, run)
    _shown.append(shown)
    server.start()
    scheme = "https" if server.settings.ssl_certfile else "http"
    url = place.application_url(server.port or 0, scheme, server.prefix)
    files = page_files() if place.url_of is not None else ()
    version = embedding.versions()["bokeh"]
    output.display(output.HTML(embedding_html(f"app-{uuid4().hex}", url, origins, files=files, bokeh_version=version)))
    return shown


def identity(app: Source) -> Hashable:
    """What an application is known by when its cell is run again: a path, a function's name, else the object itself."""
    if isinstance(app, str | os.PathLike):
        return Path(app).absolute()
    name = getattr(app, "__qualname__", None)
    if isinstance(name, str) and "<" not in name and getattr(app, "__self__", None) is None:
        return getattr(app, "__module__", None), name
    return id(app)


def page_files() -> Sequence[str]:
    """The scripts that a page needs for what has been imported, as paths below the server's address."""
    bundles = embedding.Bundles(lambda path: version_of(embedding.static_root() / path))
    # Panel names its files without the slash; files on another host keep their full address.
    urls = [str(script.url) for script in bundles.get("/").bundle.js_urls]
    return [url if "://" in url else f"/{url.lstrip('/')}" for url in urls]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _notebook() -> tuple[Any, Run | None]:
    """IPython's display, and the current run of the cell if the notebook identifies it."""
    try:
        ipython = importlib.import_module("IPython")
        output = importlib.import_module("IPython.display")
    except ImportError:
        hint = "Install ipykernel, and run this in a notebook."
        raise OperatorError("IPython is not installed", where="show", hint=hint) from None
    shell = ipython.get_ipython()
    return output, None if shell is None else run_of(getattr(shell, "parent_header", None) or {})


def run_of(request: Mapping[str, Any]) -> Run | None:
    """The run that a kernel's request to execute asks for; None if the notebook does not name its cells."""
    cell = request.get("metadata", {}).get("cellId")
    return None if not cell else Run(str(cell), str(request.get("header", {}).get("msg_id")))

"""Which servers a kernel keeps: `show` with a server that only notes what is done to it."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.notebook import live
from app_server.notebook.live import Run, identity, page_files, run_of, show


class Loop:
    """An event loop of a kernel, which never comes to it."""

    def __init__(self) -> None:
        self.asyncio_loop = SimpleNamespace(is_running=lambda: True)

    def add_callback(self, *args: object) -> None:
        """Later."""


class FakeServer:
    """Records how it was made, and which methods were called."""

    made: list[FakeServer] = []
    running = True

    def __init__(self, applications: dict[str, Any], **settings: Any) -> None:
        self.applications, self.given = applications, settings
        self.settings = SimpleNamespace(ssl_certfile=settings.get("ssl_certfile"))
        self.port, self.prefix, self.io_loop = 5010 + len(self.made), settings.get("prefix", ""), Loop()
        self.io_loop.asyncio_loop = SimpleNamespace(is_running=lambda: self.running)
        self.calls: list[str] = []
        self.made.append(self)

    def start(self) -> None:
        """Begin."""
        self.calls.append("start")

    def unlisten(self) -> None:
        """Free the port."""
        self.calls.append("unlisten")

    def stop(self, wait: bool = True) -> None:
        """End."""
        self.calls.append("stop")


class Cell:
    """The cell that runs: what it has displayed, and which run this is."""

    def __init__(self) -> None:
        self.html: list[str] = []
        self.run: Run | None = None
        self.HTML = str
        self.display = self.html.append


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A notebook without a kernel."""
    found = Cell()
    monkeypatch.setattr(live, "Server", FakeServer)
    monkeypatch.setattr(live, "_shown", [])
    monkeypatch.setattr(live, "_notebook", lambda: (found, found.run))
    monkeypatch.setattr(FakeServer, "made", [])
    return found


def waves(document: object) -> None:
    """An application."""


def tides(document: object) -> None:
    """Another one."""


def test_server_listens_on_loopback_and_knows_the_notebook(cell: Cell) -> None:
    shown = show(waves, allow_websocket_origin="lab.example", keep_alive_ms=5000)
    assert FakeServer.made[0].applications == {"/": waves}
    assert FakeServer.made[0].given == {
        "port": 0,
        "address": "localhost",
        "allow_websocket_origin": ["localhost:8888", "127.0.0.1:8888", "[::1]:8888", "lab.example"],
        "block_limit_s": 0,
        "keep_alive_ms": 5000,
    }
    assert FakeServer.made[0].calls == ["start"]
    assert '"url": "http://localhost:5010"' in cell.html[0] and '"files": []' in cell.html[0]
    assert repr(shown) == "<Shown at port 5010>"


def test_server_behind_a_proxy_has_its_files_named(cell: Cell) -> None:
    show(waves, notebook_url=live_proxy, prefix="/apps")
    assert '"url": "/proxy/5010/apps"' in cell.html[0] and "/static/js/bokeh.min.js?v=" in cell.html[0]


def live_proxy(port: int | None) -> str:
    """Where a proxy leads."""
    return "http://localhost:8888" if port is None else f"/proxy/{port}"


def test_same_application_is_served_once(cell: Cell) -> None:
    first, other, again = show(waves), show(tides), show(waves)
    assert [server.calls for server in FakeServer.made] == [["start", "unlisten", "stop"], ["start"], ["start"]]
    assert live._shown == [other, again] and first not in live._shown


def test_cell_that_runs_again_stops_what_it_started(cell: Cell) -> None:
    cell.run = Run("cell", "first")
    show(lambda document: None)
    show(lambda document: None)
    cell.run = Run("other cell", "second")
    show(lambda document: None)
    cell.run = Run("cell", "third")
    show(lambda document: None)
    assert [server.calls[1:] for server in FakeServer.made] == [["unlisten", "stop"], ["unlisten", "stop"], [], []]


def test_stopped_application_is_forgotten(cell: Cell) -> None:
    shown = show(waves)
    shown.stop()
    assert live._shown == []


def test_handle_adds_nothing_to_the_cell(cell: Cell) -> None:
    assert show(waves)._ipython_display_() is None  # type: ignore[func-returns-value]


def test_no_server_is_left_where_no_loop_runs(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeServer, "running", False)
    with pytest.raises(OperatorError) as caught:
        show(waves)
    hint = "Run it in a notebook's cell, or serve the application with `app-server serve`."
    assert str(caught.value) == f"show: no event loop is running here that could serve the application. {hint}"
    assert FakeServer.made[0].calls == ["stop"] and live._shown == []


def test_missing_ipython_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(OperatorError) as caught:
        show(waves)
    assert str(caught.value) == "show: IPython is not installed. Install ipykernel, and run this in a notebook."


def test_applications_are_known_by_name_or_path_or_as_themselves() -> None:
    unnamed = functools.partial(waves)
    assert identity(waves) == (__name__, "waves")
    assert identity("app.py") == identity(Path("app.py").absolute())
    assert identity(unnamed) == id(unnamed)
    assert identity(lambda document: None) != identity(waves)


def test_run_is_known_where_the_notebook_names_its_cells() -> None:
    header = {"msg_id": "7"}
    assert run_of({"header": header, "metadata": {"cellId": "cell"}}) == Run("cell", "7")
    assert run_of({"header": header, "metadata": {}}) is None
    assert run_of({}) is None


def test_files_are_those_of_every_page() -> None:
    names = [file.split("?")[0] for file in page_files()]
    assert names[:2] == ["/static/js/bokeh.min.js", "/static/js/bokeh-gl.min.js"]

"""The guest Panel: what it may be asked for, what it is asked through, and that it forgets."""

from __future__ import annotations

import gc
import importlib
import re
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app_server.document import current, ids
from app_server.document.callbacks import DocumentEvent
from app_server.document.ids import ModelIds
from app_server.document.pages import embedding
from app_server.document.saving.whole_laying import lay
from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError
from app_server.guests import guest_for
from app_server.session.context import isolated_context
from tests.unit.guests.making import context_of, request

pn: Any
panel: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global pn, panel
    pn = importlib.import_module("panel")
    panel = importlib.import_module("app_server.guests.panel")


@pytest.fixture(autouse=True)
def _installed() -> None:
    current.install()
    ids.install()


@contextmanager
def built(document: ServedDocument, user: Any = None) -> Iterator[Any]:
    """A block in which the application's code runs."""
    context = context_of(document, request("/app?x=1"), user=user)
    with document.at_work(), guest_for({"panel"}).building(document):
        yield context


@pytest.fixture
def document() -> ServedDocument:
    return ServedDocument(ModelIds("a session"))


@pytest.mark.parametrize(
    "path",
    [
        "antigravity/fly/_css/x.css",
        "os/path/_css/passwd",
        "panel.template/FastListTemplate/__doc__/x",
        "panel.template.fast.list/FastListTemplate/_css/../../../../config.py",
        "panel",
        "",
    ],
)
def test_only_what_a_loaded_component_names_is_served(path: str) -> None:
    assert panel.PanelGuest.find_component(path) is None


def test_what_a_component_names_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.css").write_text("h1 { color: teal }")
    (tmp_path / "other.css").write_text("")
    (tmp_path / "styled_template.py").write_text(
        "from pathlib import Path\n"
        "from panel.template import BootstrapTemplate\n"
        "class Styled(BootstrapTemplate):\n"
        "    _css = Path(__file__).parent / 'own.css'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    styled = importlib.import_module("styled_template").Styled
    address = panel.panel.io.resources.component_resource_path(styled, "_css", styled._css)
    path = address.removeprefix("components/")
    assert panel.PanelGuest.find_component(path) == tmp_path / "own.css"
    assert panel.PanelGuest.find_component(path.replace("own", "other")) is None


def test_servable_fills_the_document_and_finds_its_request(document: ServedDocument) -> None:
    with built(document):
        pn.extension()
        shown = pn.state.location.search, pn.state.user, pn.state.curdoc is document
        pn.Column("hello").servable(title="Title")
    assert shown == ("?x=1", None, True)
    assert document.title == "Title"
    assert "location" in {root.name for root in document.roots}
    assert document.config.reconnect_session is False


def test_template_of_the_extension_is_made_at_the_end(document: ServedDocument) -> None:
    with built(document):
        pn.extension(template="fast")
        pn.state.template.title = "Templated"
        pn.Column("hello").servable(target="main")
    assert document.title == "Templated"
    assert "template_resources" in document.template_variables


def test_access_token_is_that_of_the_login(document: ServedDocument) -> None:
    given: list[str | None] = ["first", None]
    kept = context_of(document, request("/app"), user="ada", access_token=lambda user: given.pop(0))
    with document.at_work(), guest_for({"panel"}).building(document):
        assert kept.user == "ada" and pn.state.access_token == "first"
        assert pn.state.access_token is None


def test_placeholders_of_the_route_are_known(document: ServedDocument) -> None:
    asked = replace(request("/tools/users/ada"), route_params={"name": "ada"}, app_path="/users/ada")
    kept = context_of(document, asked, "/users/{name}")
    with document.at_work(), guest_for({"panel"}).building(document):
        assert kept.request.route_params == pn.state.route_params == {"name": "ada"}
        assert (pn.state.base_url, pn.state.rel_path) == ("/tools/", "..")
        assert pn.state.app_url == "/tools/users/ada"


def test_user_who_logged_in_is_known(document: ServedDocument) -> None:
    with built(document, user="ada"):
        assert pn.state.user == "ada"


def test_onload_waits_until_the_page_is_there(document: ServedDocument) -> None:
    from bokeh.events import DocumentReady

    called: list[str] = []
    with built(document) as context:
        pn.state.onload(lambda: called.append("loaded"))
    assert called == []
    with document.at_work():
        document.callbacks.trigger_event(DocumentReady())
    assert called == ["loaded"]
    assert context is document.session_context


def test_failed_build_is_forgotten_with_its_callbacks_run(document: ServedDocument) -> None:
    ended: list[object] = []
    with pytest.raises(ApplicationError, match="broken"), built(document):
        pn.Column("hello").servable()
        pn.state.on_session_destroyed(ended.append)
        raise ApplicationError("broken")
    assert len(ended) == 1
    assert all(view[2] is not document for view in pn.state._views.values())


class _Session:
    """A session that notes what it is asked to send."""

    def __init__(self, document: ServedDocument) -> None:
        self.document = document
        self.sent: list[Any] = []
        self._noted: list[Any] = []
        self.destroyed = False

    def patched(self, event: DocumentEvent) -> None:
        self._noted.append((event.attr, event.new) if hasattr(event, "attr") else event)

    def send_now(self) -> None:
        self.sent.append(self._noted)
        self._noted = []


def test_changes_in_a_callback_are_sent_at_once_and_together_under_a_hold(document: ServedDocument) -> None:
    from bokeh.events import DocumentReady

    with built(document) as context:
        slider = pn.widgets.IntSlider(value=1, end=9)
        slider.servable()
    session = _Session(document)
    context.attach(session, None)
    guest_for({"panel"}).opened(session)
    with document.at_work():
        document.callbacks.trigger_event(DocumentReady())
        slider.value = 2
        slider.value = 3
        with pn.io.hold():
            slider.value = 4
            slider.name = "named"
    assert session.sent == [[("value", 2)], [("value", 3)], [("value", 4), ("title", "named")]]


def files_in_the_page() -> AbstractContextManager[None]:
    """A block in which components do not load their files on demand, as they do from Panel 1.10 on."""
    on_demand = "lazy_resources" in pn.config.param
    return pn.config.set(lazy_resources=False) if on_demand else nullcontext()  # type: ignore[no-any-return]


@pytest.mark.parametrize("others", ["none", "some", "unknown"])
def test_component_brings_its_files_along_in_every_session(document: ServedDocument, others: str) -> None:
    with built(document) as context:
        context.kept._sessions = lambda: [] if others == "none" else [object()]
        if others == "unknown":
            context.kept._sessions = isolated_context("/app")._sessions
        pn.extension("tabulator")
        with files_in_the_page():
            pn.Column(pn.widgets.FileDropper()).servable()
        assert "filedropper" in pn.state._extensions
        assert pn.state._is_launching
    with document.at_work():
        assert not pn.state._is_launching


def test_expiration_of_a_session_in_a_process_of_its_own_is_blocked(document: ServedDocument) -> None:
    from tests.unit.session.making import make_session

    with built(document) as context:
        context.kept._sessions = isolated_context("/app")._sessions  # the others are in processes of their own
        pn.state.block_expiration()
    session = make_session("a session")
    context.attach(session, lambda function: function(document))
    with document.at_work():
        for callback in document.session_callbacks:
            callback.callback()
        assert session.expiration_blocked
        with pn.state.block_expiration():
            pn.state.unblock_expiration()
            assert session.expiration_blocked
        assert not session.expiration_blocked


def test_expiration_of_all_sessions_is_blocked_where_they_share_a_process(document: ServedDocument) -> None:
    from tests.unit.session.making import make_session

    sessions = [make_session("one"), make_session("another")]
    with built(document) as context:
        context.kept._sessions = lambda: sessions
        with pn.state.block_expiration():
            assert [session.expiration_blocked for session in sessions] == [True, True]
        assert [session.expiration_blocked for session in sessions] == [False, False]


def test_nothing_of_a_document_that_ended_is_kept() -> None:
    document = ServedDocument(ModelIds("a session"))
    with built(document) as context:
        pn.extension(template="fast")
        pn.Column(pn.widgets.IntSlider()).servable(target="main")
        pn.state.cache["a"] = 1
        pn.state.location.sync(pn.widgets.IntSlider(), {"value": "v"})
    for callback in document.ending_callbacks():
        callback(context)
    guest_for({"panel"}).ended(document)
    document.destroy()
    gone = weakref.ref(document)
    del document, context, callback
    gc.collect()
    assert gone() is None


def test_files_of_an_ended_sessions_components_are_named_by_no_page(document: ServedDocument) -> None:
    module = ModuleType("bokeh_app_of_a_component")
    document.modules.add(module)
    body = {"__module__": module.__name__, "__javascript__": ["lamp.js"], "_template": "<div></div>"}
    with built(document):
        kind = type("Lamp", (pn.reactive.ReactiveHTML,), body)
        kind()
    assert kind.__javascript__ == ["lamp.js"]
    guest_for({"panel"}).ended(document)
    assert not kind.__javascript__
    document.destroy()


def test_page_names_no_files_of_another_sessions_components(document: ServedDocument) -> None:
    other = ServedDocument(ModelIds("another session"))
    other.modules.add(ModuleType("bokeh_app_of_another"))
    body = {"__module__": "bokeh_app_of_another", "__javascript__": ["torch.js"], "_template": "<div></div>"}
    with built(other):
        kind = type("Torch", (pn.reactive.ReactiveHTML,), body)

    def named(asking: ServedDocument) -> list[str]:
        with panel.set_curdoc(asking):
            return [each for each in panel.panel.io.resources.Resources().js_files if each.endswith("torch.js")]

    assert len(named(other)) == 1 and kind.__javascript__
    assert named(document) == []
    guest_for({"panel"}).ended(other)
    other.destroy()


@pytest.mark.parametrize(
    ("said", "comes_back"), [({}, True), ({"reconnect": False}, False), ({"reconnect": True}, True)]
)
def test_page_of_a_saved_session_comes_back_unless_the_application_forbids_it(
    document: ServedDocument, said: dict[str, Any], comes_back: bool
) -> None:
    with built(document):
        pn.extension(**said)
        pn.Column("hello").servable()
    guest_for({"panel"}).saves(document)
    assert document.config.reconnect_session is comes_back


def test_parameters_of_one_session_follow_its_models_at_once(document: ServedDocument) -> None:
    seen: list[tuple[str, int]] = []
    documents = {"one": document, "two": ServedDocument(ModelIds("another session"))}
    kept = []
    for name, each in documents.items():
        with built(each) as context:
            slider = pn.widgets.IntSlider(label="slider", start=0, end=9, value=1)
            slider.param.watch(lambda event, name=name: seen.append((name, event.new)), "value")
            pn.Column(slider, pn.bind("value {}".format, slider)).servable()
        kept.append((context, slider))
    for each, value in zip(documents.values(), (5, 7), strict=True):
        with each.at_work():
            next(found for found in each.models if hasattr(found, "step")).value = value
    guest_for({"panel"}).settle(document)
    assert [slider.value for _, slider in kept] == [5, 1]
    assert seen == [("one", 5)]
    assert any("value 5" in getattr(each, "text", "") for each in document.models)


def test_style_sheets_of_a_restored_session_are_this_servers(document: ServedDocument) -> None:
    with built(document):
        pn.extension()
        column = pn.Column("hello")
        column.servable()
    guest_for({"panel"}).restoring(document)
    with document.at_work():
        column.append(pn.widgets.IntSlider(label="more"))
    urls = {each.url for each in document.models if hasattr(each, "url")}
    assert urls
    assert not any(url.startswith("http") for url in urls), urls


def test_onload_runs_where_an_open_page_comes_back(document: ServedDocument) -> None:
    from bokeh.events import ClientReconnected

    called: list[str] = []
    with built(document) as context:
        pn.state.onload(lambda: called.append("loaded"))
    for _ in range(2):
        with document.at_work():
            document.callbacks.trigger_event(ClientReconnected())
    assert called == ["loaded"]
    assert context is document.session_context


def test_download_counts_on_from_what_the_page_of_a_restored_session_knows(document: ServedDocument) -> None:
    with built(document):
        save = pn.widgets.FileDownload(callback=lambda: StringIO("text"), filename="note.txt")
        pn.Column(save).servable()
    model = next(found for found in document.models if hasattr(found, "_transfers"))
    lay(model, {"clicks": 2, "_transfers": 2})
    guest_for({"panel"}).restored(document)
    assert model._transfers == 2
    with document.at_work():
        model.clicks = 3
    guest_for({"panel"}).settle(document)
    assert model._transfers == 3


def test_terminal_is_cleared_at_the_first_call_in_a_restored_session(document: ServedDocument) -> None:
    with built(document):
        terminal = pn.widgets.Terminal("text")
        pn.Column(terminal).servable()
    model = next(found for found in document.models if hasattr(found, "_clears"))
    lay(model, {"_clears": 1})
    guest_for({"panel"}).restored(document)
    with document.at_work():
        terminal.clear()
    guest_for({"panel"}).settle(document)
    assert model._clears == 2


def page_of(document: ServedDocument, *, needed_only: bool) -> str:
    """The page of a document that was built with Panel."""
    bundles = embedding.Bundles(lambda path: "1", needed_only=needed_only)
    page: str = guest_for({"panel"}).render_page(document, "t0ken", bundles, "/", app_path=None, head="")
    return page


def head_parts(page: str) -> set[str]:
    """The parts of BokehJS whose tags the page has."""
    return set(re.findall(r'<script type="text/javascript" src="static/js/([a-z-]+)\.min\.js', page))


def test_page_begins_with_the_parts_that_panel_extends_and_knows_the_others(document: ServedDocument) -> None:
    with built(document):
        pn.Row(pn.widgets.IntSlider(), pn.pane.HTML("no formula")).servable()
    page = page_of(document, needed_only=True)
    extends_tables = pn.__version__.startswith("1.9.")
    first = ["bokeh", "bokeh-widgets", *(["bokeh-tables"] if extends_tables else [])]
    assert head_parts(page) == set(first)
    late = [name for name in ("bokeh-gl", "bokeh-tables", "bokeh-mathjax") if name not in first]
    assert re.findall(r'"url":"static/js/([a-z-]+)\.min\.js', page) == late
    assert "bokeh-gl" in head_parts(page_of(document, needed_only=False))


def test_page_with_a_formula_begins_with_mathematics(document: ServedDocument) -> None:
    with built(document):
        pn.pane.LaTeX(r"$\frac{1}{2}$", renderer="mathjax").servable()
        pn.pane.Markdown("$$x$$").servable()
    assert "bokeh-mathjax" in head_parts(page_of(document, needed_only=True))

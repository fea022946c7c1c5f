"""Messages that a client sends by hand, and two pages that look at one session."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from tests.peers.conftest import Peers
from tests.peers.picture import Album, Json, differences
from tests.peers.visits import Visit, visiting
from tests.support.client import Client, Site

Event = dict[str, Any]


def _title(text: str) -> Event:
    return {"kind": "TitleChanged", "title": text}


def _slider(visit: Visit, attr: str, new: object) -> Event:
    return visit.client.change("one", attr, new)


EVENTS: dict[str, Callable[[Visit], list[Event]]] = {
    "none": lambda visit: [],
    "several": lambda visit: [_title("a"), _slider(visit, "value", 3), _title("b")],
    "unknown model": lambda visit: [{"kind": "ModelChanged", "model": {"id": "nobody"}, "attr": "value", "new": 1}],
    "unknown property": lambda visit: [_slider(visit, "no_such", 1)],
    "wrong type": lambda visit: [_slider(visit, "value", "text"), _title("after")],
    "unknown kind": lambda visit: [{"kind": "NoSuchEvent"}],
    "no kind": lambda visit: [{}],
    "good, then unknown model": lambda visit: [
        _title("kept"),
        {"kind": "ModelChanged", "model": {"id": "nobody"}, "attr": "value", "new": 1},
    ],
    "unknown class": lambda visit: [
        {"kind": "RootAdded", "model": {"type": "object", "name": "NoSuchModel", "id": "x", "attributes": {}}}
    ],
    "root that is there": lambda visit: [{"kind": "RootAdded", "model": visit.ref("one")}],
    "root that is none": lambda visit: [{"kind": "RootRemoved", "model": visit.ref_of("plot", "x_range")}],
    "reference to another": lambda visit: [_slider(visit, "tags", [visit.ref("two"), visit.ref("plot")])],
    "unknown reference": lambda visit: [_slider(visit, "tags", [{"id": "nobody"}])],
    "read only": lambda visit: [{"kind": "ModelChanged", "model": visit.ref("one"), "attr": "id", "new": "mine"}],
    "stream of no source": lambda visit: [
        {"kind": "ColumnsStreamed", "model": visit.ref("one"), "attr": "value", "data": {"x": [1]}, "rollover": None}
    ],
    "message that nobody expects": lambda visit: [{"kind": "MessageSent", "msg_type": "nobody", "msg_data": {"a": 1}}],
    "event of nobody": lambda visit: [
        {
            "kind": "MessageSent",
            "msg_type": "bokeh_event",
            "msg_data": {"type": "event", "name": "tap", "values": {"type": "map", "entries": [["model", None]]}},
        }
    ],
}


APPLIED_AS_FAR_AS_POSSIBLE = ("wrong type", "good, then unknown model")
"""The stock server leaves out what stands beside a change that cannot be applied."""


def _answered(site: Site, name: str) -> Json:
    with visiting(site, "/linked") as visit:
        visit.send(*EVENTS[name](visit))
        visit.forget("events", *(["last"] if name in APPLIED_AS_FAR_AS_POSSIBLE else []))
        return visit.finish().report()


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_answered_and_applied_the_same(peers: Peers, name: str) -> None:
    stock, ours = (_answered(site, name) for site in peers.both())
    assert list(islice(differences(stock, ours), 10)) == []


def _information(site: Site) -> Json:
    with site.client("/linked", pull=False) as client:
        reply = client.request("SERVER-INFO-REQ")
        versions = reply.content["version_info"]
        return reply.msgtype, versions["bokeh"], sorted(versions)


def test_server_says_the_same_of_itself(peers: Peers) -> None:
    stock, ours = (_information(site) for site in peers.both())
    assert stock == ours


def _error(site: Site) -> Json:
    with site.client("/linked") as client:
        reply = client.patch(client.change("one", "value", "text"))
        return reply.msgtype, sorted(reply.content)


def test_error_has_the_same_parts(peers: Peers) -> None:
    stock, ours = (_error(site) for site in peers.both())
    assert stock == ours


def _pushed(site: Site) -> Json:
    """The documents of a page that was there, and of one that comes, after another client has pushed a new document."""
    with visiting(site, "/titled") as visit, site.client("/titled", visit.page.token) as pushing:
        attributes = {"text": "Pushed", "name": "pushed"}
        root = {"type": "object", "name": "Div", "id": "pushed", "attributes": attributes}
        config = {"type": "object", "name": "DocumentConfig", "id": "config", "attributes": {}}
        pushed = {"version": "3.9.2", "title": "Pushed", "roots": [root], "config": config}
        reply = pushing.request("PUSH-DOC", {"doc": pushed})
        visit.client.wait_for(lambda: visit.client.title == "Pushed")
        visit.note([reply.msgtype, len(visit.client.roots)])
        visit.forget("events")
        return visit.finish().report()


def test_pushed_document_replaces_the_sessions(peers: Peers) -> None:
    stock, ours = (_pushed(site) for site in peers.both())
    assert list(islice(differences(stock, ours), 10)) == []


def _watched(site: Site, path: str, act: Callable[[Visit], None], done: Callable[[Client], object]) -> Json:
    """What a second page hears of what a person does at the first."""
    with visiting(site, path) as visit, site.client(path, visit.page.token, pull=False) as other:
        album = Album()
        first = album.document(other.pull())
        act(visit)
        other.wait_for(lambda: bool(done(other)))
        return [first, album.events(other.pushed)]


@pytest.mark.parametrize("path", ["/linked", "/edited", "/streams"])
def test_second_page_hears_of_the_same(peers: Peers, path: str) -> None:
    def act(visit: Visit) -> None:
        if path == "/linked":
            visit.set("one", "value", 4)
            visit.send(_title("seen"))
        elif path == "/streams":
            visit.set_of("lists", "selected", "indices", [1])
            visit.press("more")
            visit.send(_title("seen"))
        else:
            cells = {"type": "map", "entries": [["x", [9, 8]], ["y", [7, 6]]]}
            data = {"kind": "ColumnDataChanged", "attr": "data", "model": visit.ref("points"), "cols": None}
            visit.send({**data, "data": cells}, visit.client.change("box", "left", 0.5), _title("seen"))

    stock, ours = (_watched(site, path, act, lambda client: client.title == "seen") for site in peers.both())
    assert list(islice(differences(stock, ours), 10)) == []

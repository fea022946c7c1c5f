"""What a person does at a page, done at a server, and all that the server said to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.peers.picture import Album, Json
from tests.support.client import Answer, Client, Site
from tests.support.waiting import patience

QUIET_S = 0.15


@dataclass
class Account:
    """What a visit saw: the document at its beginning, each answer, each event, and the document at its end."""

    first: Json = None
    answers: list[str] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    last: Json = None
    notes: list[Json] = field(default_factory=list)

    def report(self) -> Json:
        """The account as JSON."""
        return vars(self)


class Visit:
    """A page that was loaded and whose socket is open."""

    def __init__(self, site: Site, path: str, page: Answer, client: Client) -> None:
        self.site = site
        self.path = path
        self.page = page
        self.client = client
        self.account = Account()
        self._album = Album()
        self._forgotten: tuple[str, ...] = ()
        self.pulled = self.pulled_last = client.pull()
        self.account.first = self._album.document(self.pulled)

    def set(self, name: str, attr: str, value: object) -> None:
        """The person sets a property of the model called `name`."""
        self.send(self.client.change(name, attr, value))

    def send(self, *events: Mapping[str, object], buffers: Sequence[tuple[str, bytes]] = ()) -> None:
        """The page sends these events in one message."""
        self.account.answers.append(self.client.patch(*events, buffers=buffers).msgtype)

    def event(self, kind: str, name: str | None = None, **values: object) -> None:
        """The page reports an event, of the model called `name` unless it is the document's."""
        if name is not None:
            values = {"model": self.ref(name), **values}
        event = {"type": "event", "name": kind, "values": {"type": "map", "entries": list(values.items())}}
        self.send({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})

    def press(self, name: str) -> None:
        """The person presses the button called `name`."""
        self.event("button_click", name)

    def message(self, kind: str, data: object) -> None:
        """The page sends a message of its own."""
        self.send({"kind": "MessageSent", "msg_type": kind, "msg_data": data})

    def models(self) -> Iterator[tuple[int, str, str, Mapping[str, Json]]]:
        """The number, id, class and attributes of each model of the first document, by number."""
        for ident, number in sorted(self._album.numbers.items(), key=lambda item: item[1]):
            found = self._album.defined[ident]
            yield number, ident, found["name"], found.get("attributes", {})

    def ref(self, name: str) -> dict[str, str]:
        """A reference to the model called `name`."""
        return {"id": self.client.ident(name)}

    def ref_of(self, name: str, attr: str) -> dict[str, str]:
        """A reference to the model that is a property of the one called `name`."""
        return {"id": self.client.value(name, attr)["id"]}

    def set_of(self, name: str, attr: str, inner: str, value: object) -> None:
        """Set a property of the model that is a property of the one called `name`."""
        self.send({"kind": "ModelChanged", "model": self.ref_of(name, attr), "attr": inner, "new": value})

    def wait(self, name: str, attr: str, expected: object) -> None:
        """Wait until the property is as expected."""
        self.client.wait_value(name, attr, expected)

    def wait_for(self, claim: Callable[[Client], object]) -> None:
        """Wait until `claim` holds of the client."""
        self.client.wait_for(lambda: bool(claim(self.client)))

    def pause(self, seconds: float = QUIET_S) -> None:
        """Receive what comes for so long."""
        deadline = time.monotonic() + patience(seconds)
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.client.receive(left)
            except TimeoutError:
                return

    def forget(self, *parts: str) -> None:
        """Leave these parts out of the account, for they depend on when a page happens to come."""
        self._forgotten = parts

    def settle(self, quiet_s: float = 0.4) -> None:
        """Receive until nothing has come for so long."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.client.receive(quiet_s)

    def note(self, what: Json) -> None:
        """Put something that the servers must agree in into the account."""
        self.account.notes.append(what)

    def finish(self) -> Account:
        """The account, with all events so far and the document as someone else sees it who comes now."""
        self.client.request("SERVER-INFO-REQ")  # what was sent before the answer is here
        self.account.events = self._album.events(self.client.pushed)
        with self.site.client(self.path, self.page.token, pull=False) as another:
            self.pulled_last = another.pull()
            self.account.last = Album().document(self.pulled_last)
        for name in self._forgotten:
            setattr(self.account, name, None)
        return self.account


@contextmanager
def visiting(site: Site, path: str, *, headers: Mapping[str, str] | None = None, **query: str) -> Iterator[Visit]:
    """A visit of this page; its path may have a query."""
    page = site.get(path, headers=headers, **query)
    assert page.status == 200, page.text[:2000]
    place = path.partition("?")[0].rstrip("/")
    with site.client(place, page.token, pull=False) as client:
        yield Visit(site, place, page, client)

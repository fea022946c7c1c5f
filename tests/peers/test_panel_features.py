"""What Panel's users know of `panel serve`: the same assertions hold under it and under this server."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.peers.conftest import FLAGS, Peers
from tests.peers.picture import differences, shape
from tests.peers.test_applications import accounts_of
from tests.peers.trying import try_everything
from tests.peers.visits import visiting
from tests.support.client import Client, Site
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process, running_server
from tests.support.waiting import until

FEATURES = Path(__file__).parent / "panel_features"
ROUTES = ("/users/me", "/users/{name}", "/files/{path:path}", "/items/{id:int}/{part}")


@pytest.fixture(scope="module")
def features() -> Iterator[Peers]:
    """Both servers, with a setup file, threads and a folder."""
    paths = [FEATURES / name for name in ("story.md", "scheduled.py", "pooled.py")]
    flags = ("--setup", FEATURES / "prepared.py", "--num-threads", "4", "--static-dirs", f"assets={FEATURES}/assets")
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        words = (*paths, EXAMPLES / "panel" / "chat.py", *FLAGS, *flags)
        starts = [running_server(*words, server=name) for name in ("panel", "ours")]
        servers = list(pool.map(stack.enter_context, starts))
        yield Peers(Site(servers[0].url), Site(servers[1].url), (servers[0], servers[1]))


@pytest.fixture(scope="module")
def routed() -> Iterator[dict[str, Site]]:
    """Both servers, with routes that have placeholders; Panel's is a program, for its command takes no routes."""
    port, file = free_port(), FEATURES / "routed.py"
    words = [f"{route}={file}" for route in ROUTES]
    program = [sys.executable, str(FEATURES / "routed_by_panel.py"), str(port), str(file), *ROUTES]
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        starts = [
            running_process(program, f"http://localhost:{port}"),
            running_server(*words, *FLAGS, "--allow-websocket-origin", "*", server="ours"),
        ]
        stock, ours = pool.map(stack.enter_context, starts)
        yield {"panel": Site(stock.url), "ours": Site(ours.url)}


@pytest.fixture(params=["panel", "ours"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which server."""
    return str(request.param)


@pytest.fixture
def site(features: Peers, kind: str) -> Site:
    """One of the two."""
    return features.stock if kind == "panel" else features.ours


@pytest.fixture
def server(features: Peers, kind: str) -> RunningServer:
    """Its process."""
    return features.servers[0 if kind == "panel" else 1]


def labelled(client: Client, label: str, key: str = "title") -> str:
    """The id of the widget with this label."""
    (found,) = [ident for ident, values in client.attributes.items() if values.get(key) == label]
    return found


def value(client: Client, label: str) -> Any:
    """What the text input with this label shows."""
    return client.attributes[labelled(client, label)].get("value", "")


def press(client: Client, label: str) -> None:
    """Press the button with this label."""
    sent(client, "button_click", labelled(client, label, "label"))


def sent(client: Client, kind: str, ident: str, **values: object) -> None:
    """Send an event of this model."""
    entries = [["model", {"id": ident}], *map(list, values.items())]
    event = {"type": "event", "name": kind, "values": {"type": "map", "entries": entries}}
    client.send("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})


def texts(client: Client) -> list[str]:
    """What the panes show."""
    return [html.unescape(str(values["text"])) for values in client.attributes.values() if "text" in values]


# Markdown


def test_markdown_shows_the_same_models(features: Peers) -> None:
    stock, ours = accounts_of(features, "/story", try_everything)
    assert list(islice(differences(shape(stock.first), shape(ours.first)), 10)) == []
    assert stock.answers == ours.answers


def test_markdown_shows_its_text_and_runs_its_code(site: Site) -> None:
    with site.client("/story") as client:
        texts = "".join(str(values.get("text", "")) for values in client.attributes.values())
        assert "strong&gt;first" in texts and "ls\n" in texts and "Hello Ada" in texts
        assert "before Panel" not in texts and "The title" not in texts
        change = {"kind": "ModelChanged", "model": {"id": labelled(client, "name")}, "attr": "value", "new": "Bob"}
        client.patch(change)
        client.wait_for(lambda: any("Hello Bob" in str(values.get("text")) for values in client.attributes.values()))


# A setup file, and tasks


def counts(client: Client) -> dict[str, Any]:
    """What the tasks have counted until now."""
    before = value(client, "counts")
    press(client, "look")
    client.wait_for(lambda: value(client, "counts") != before)
    found: dict[str, Any] = json.loads(value(client, "counts"))
    return found


def test_setup_runs_once_and_its_tasks_run_in_time(site: Site, server: RunningServer) -> None:
    with site.client("/scheduled") as client:
        until(lambda: counts(client)["cron"] >= 2)
        until(lambda: all(counts(client)[name] for name in ("at", "faulty", "async", "threads")))
        found = counts(client)
        assert found["setup"] == 1
        assert found["threads"][0] is True
        assert found["period"] >= 5
        until(lambda: counts(client)["faulty"] >= 2)  # a fault ends nothing
        server.wait_for_log("ZeroDivisionError: of the task")


def test_iterator_has_as_many_times_as_it_says(site: Site) -> None:
    with site.client("/scheduled") as client:
        until(lambda: counts(client)["at"] == 2)
        before = counts(client)["cron"]
        until(lambda: counts(client)["cron"] > before)
        assert counts(client)["at"] == 2


def test_cancelled_task_does_not_run_any_more(site: Site) -> None:
    with site.client("/scheduled") as client:
        press(client, "cancel")
        found = counts(client)
        until(lambda: counts(client)["cron"] > found["cron"] + 1)
        assert counts(client)["period"] <= found["period"] + 1  # one may have been about to run


# Threads


def test_callbacks_of_several_people_run_in_threads_side_by_side(site: Site) -> None:
    with ExitStack() as stack:
        last, *clients = [stack.enter_context(site.client("/pooled")) for _ in range(4)]
        for client in clients:
            press(client, "slow")
        other = stack.enter_context(site.client("/pooled"))
        press(other, "quick")
        other.wait_for(lambda: value(other, "quick done") == "1")
        assert not any(value(client, "done") for client in clients), "they wait for the last one"
        press(last, "slow")
        for client in (last, *clients):
            client.wait_for(lambda client=client: value(client, "done") == "1 True")  # type: ignore[misc]


# Folders


def test_files_of_a_folder_are_served(site: Site) -> None:
    answer = site.get("/assets/answer.mjs")
    assert (answer.status, answer.text) == (200, "export const answer = 42\n")
    assert answer.headers["content-type"].partition(";")[0] == "text/javascript"
    assert site.get("/assets/answer.mjs", headers={"If-None-Match": answer.headers["etag"]}).status == 304
    assert site.get("/assets/").text == "<p>The guide\n"
    assert site.get("/assets/none").status == 404
    assert site.get("/assets/../story.md").status in (403, 404)
    assert site.get("/assets/%2e%2e/story.md").status in (403, 404)


# Routes with placeholders


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users/alice", {"name": "alice"}),
        ("/users/alice/", {"name": "alice"}),
        ("/users/a%20b%C3%A4", {"name": "a bä"}),
        ("/users/me", {}),
        ("/files/a/b/c.txt", {"path": "a/b/c.txt"}),
        ("/items/42/wheel", {"id": "42", "part": "wheel"}),
    ],
)
def test_application_knows_what_its_address_says(
    routed: dict[str, Site], kind: str, path: str, params: dict[str, str]
) -> None:
    with visiting(routed[kind], path, size="3") as visit:
        client = visit.client
        assert json.loads(value(client, "seen")) == {"params": params, "arguments": {"size": "3"}}
        press(client, "look")
        client.wait_for(lambda: value(client, "later") == json.dumps(params))


@pytest.mark.parametrize("path", ["/users", "/users/a/b", "/items/x/wheel", "/items/42"])
def test_address_that_does_not_fit_leads_nowhere(routed: dict[str, Site], kind: str, path: str) -> None:
    assert routed[kind].get(path).status == 404


# Chats


def test_answer_of_a_chat_is_streamed(site: Site) -> None:
    with site.client("/chat") as client:
        box = next(ident for ident, values in client.attributes.items() if "max_length" in values and "rows" in values)
        # The words that are said until the message has been drawn come with it; on a busy machine these are several.
        sent(client, "chat_message_event", box, value="one two three four five six seven eight nine ten good morning")
        client.wait_for(lambda: "morning" in "".join(streamed(client)))
        assert len(streamed(client)) >= 2


def streamed(client: Client) -> list[str]:
    """What was added to the text of a message, one piece after another."""
    events = [event["msg_data"] for event in client.events() if event.get("msg_type") == "bokeh_event"]
    return [html.unescape(dict(each["values"]["entries"])["patch"]) for each in events if each["name"] == "html_stream"]

"""Several people on shared connections, directly and through both proxies: nothing of one reaches another.

Hypothesis mixes pages, scripts, sockets, refusals, bodies and pipelines of three people over connections that all of
them use. What is looked for: another person's marker in an answer or a document, another person's session or name, an
answer to another request.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app_server.security.auth.passwords import Cost, hash_password
from tests.support.client import Answer
from tests.support.clients.raw import Raw, RawSocket, handshake_headers, head, session_of
from tests.support.deployments.deployed import plan_of, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, RunningServer, running_process
from tests.support.servers.family import kill_family

APP = REPOSITORY / "tests" / "protocol" / "apps" / "whose.py"
SECRET = "a secret for the tests of forty-four letters"
NAMES = ("alice", "bob", "carol")
SERVE = ["-m", "app_server", "serve", str(APP), "--address", "127.0.0.1", "--use-xheaders"]
MODES = {
    "one": [],
    "several": ["--num-procs", "3"],
    "process": ["--isolation", "process", "--num-procs", "2"],
    "snapshot": ["--isolation", "snapshot"],
    "tls": ["--isolation", "process"],
}
SERVERS = [
    ("one", "module"), ("several", "none"), ("several", "basic"), ("process", "none"), ("process", "header"),
    ("snapshot", "none"), ("snapshot", "module"), ("gunicorn", "none"), ("gunicorn", "basic"), ("tls", "module"),
]  # fmt: skip
HOOKS = "def get_user(handler):\n    return handler.request.headers.get('Person')\nlogin_url = '/nowhere'\n"
ODD: list[dict[str, str]] = [
    {}, {}, {"Connection": "upgrade"}, {"Connection": "upgrade", "Upgrade": "x"}, {"Connection": "keep-alive, Upgrade"},
    handshake_headers(), {"Upgrade": "websocket"},
]  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """A server, and the addresses at which it is reached: itself, and each proxy in front of it."""

    server: RunningServer
    entrances: list[str]
    login: str
    titled: bool
    """Whether the application may see a page's request when it starts."""


@pytest.fixture(scope="module", params=SERVERS, ids="-".join)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A server in one of the modes with one of the logins, behind nginx and Apache as they are generated."""
    mode, login = request.param
    with ExitStack() as stack:
        folder = stack.enter_context(proxy_folder())
        ports = {kind: free_port() for kind in ("nginx", "apache")}
        port = free_port()
        plans = {
            kind: plan_of(
                f"apps: {{whose: {APP.name}}}\nproxy: {{kind: {kind}, http_port: {ports[kind]}}}\n"
                f"instances: {{count: 1, port: {port}}}\n",
                folder / kind, APP.parent,
            )
            for kind in ports
        }  # fmt: skip
        server = stack.enter_context(
            started(mode, login, port, [f"localhost:{each}" for each in ports.values()], folder)
        )
        entrances = [server.url]
        if mode != "tls":
            for kind, plan in plans.items():
                (folder / kind).mkdir()
                folder.chmod(0o755)
                stack.enter_context(running_proxy_of(plan, folder / kind))
                entrances.append(plan.site.url.rstrip("/"))
        yield Shop(server, entrances, login, mode != "snapshot")


@contextmanager
def started(mode: str, login: str, port: int, origins: list[str], folder: Path) -> Iterator[RunningServer]:
    """The server itself, on this port."""
    (folder / "hooks.py").write_text(HOOKS)
    quick = Cost(2, 1, 1)
    (folder / "users").write_text("".join(f"{name}:{hash_password(name, cost=quick)}\n" for name in NAMES))
    environment = {
        "BOKEH_COOKIE_SECRET": SECRET,
        "BOKEH_SECRET_KEY": SECRET,
        "APP_SERVER_RUNTIME_DIR": str(folder / "run"),
    }
    if mode != "snapshot":
        environment["TITLED"] = "1"
    settings: dict[str, object] = {
        "none": {}, "module": {"auth_module": str(folder / "hooks.py")}, "basic": {"basic_auth": str(folder / "users")},
        "header": {"auth_header": "Person", "auth_header_from": ["127.0.0.1"]},
    }[login]  # fmt: skip
    if mode == "gunicorn":
        keywords = {**settings, "use_xheaders": True, "allow_websocket_origin": origins}
        words = "".join(f", {name}={value!r}" for name, value in keywords.items())
        command = [
            sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket", "--workers", "3",
            "-k", "app_server.gunicorn.Worker", f"app_server.gunicorn:app({str(APP)!r}{words})",
        ]  # fmt: skip
    else:
        flags = [*MODES[mode], "--port", str(port)]
        for name, value in settings.items():
            flags += [f"--{name.replace('_', '-')}", *(value if isinstance(value, list) else [str(value)])]
        for origin in origins:
            flags += ["--allow-websocket-origin", origin]
        if mode == "tls":
            trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "pem")
            flags += ["--ssl-certfile", str(folder / "pem")]
        command = [sys.executable, *SERVE, *flags]
    scheme = "https" if mode == "tls" else "http"
    with running_process(command, f"{scheme}://localhost:{port}", env=environment, warm=True) as server:
        yield server
        kill_family(server.process.pid)  # whatever sessions are left need no farewell


@dataclass
class Person:
    """Someone with a word that no one else says, and with the sessions that are theirs."""

    name: str
    marker: str
    login: str
    tokens: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks."""
        if self.login == "basic":
            return {"Authorization": "Basic " + base64.b64encode(f"{self.name}:{self.name}".encode()).decode()}
        return {"Person": self.name}


class Town:
    """The people and the connections that they share; every answer is looked at."""

    def __init__(self, shop: Shop, number: int) -> None:
        self.shop = shop
        self.people = [Person(name, f"word-of-{name}-{number}", shop.login) for name in NAMES]
        self.lines: dict[tuple[int, int], Raw] = {}
        self.answered = 0

    def line(self, key: tuple[int, int]) -> Raw:
        """One of the connections, which is made if it is not there."""
        if key not in self.lines:
            self.lines[key] = Raw(self.shop.entrances[key[0] % len(self.shop.entrances)])
        return self.lines[key]

    def drop(self, key: tuple[int, int]) -> None:
        """Have a new connection the next time."""
        self.lines.pop(key).sock.close()

    def close(self) -> None:
        """Have none any more."""
        for key in list(self.lines):
            self.drop(key)

    def ask(self, person: Person, key: tuple[int, int], target: str, odd: dict[str, str], body: bytes = b"") -> Answer:
        """The answer to a person's request on a shared connection, or on a new one if that was closed."""
        for _ in range(3):
            line = self.line(key)
            line.send(self.request(person, line, target, odd, body))
            answer = line.answer()
            if answer is not None:
                self.look(person, answer)
                if answer.headers.get("connection") == "close":
                    self.drop(key)
                return answer
            self.drop(key)
        raise AssertionError("three new connections were closed without an answer")

    def request(self, person: Person, line: Raw, target: str, odd: dict[str, str], body: bytes = b"") -> bytes:
        """A person's request."""
        sized = {"Content-Length": str(len(body))} if body else {}
        return head(target, {"Host": line.host, **person.headers, **odd, **sized}) + body

    def look(self, person: Person, answer: Answer) -> None:
        """Fail if there is anything of someone else in an answer."""
        self.answered += 1
        assert answer.status in (101, 200, 400, 403, 404, 426), (answer.status, answer.text)
        self.clean(person, answer.text)
        found = re.search(r'"token":"([^"]+)"', answer.text.replace('\\"', '"'))
        if answer.status == 200 and found is not None:
            session = session_of(found[1])
            for other in self.people:
                assert other is person or session not in other.sessions, (person.name, other.name)
            if session not in person.sessions:
                person.sessions.add(session)
                person.tokens.append(found[1])

    def clean(self, person: Person, text: str) -> None:
        """Fail if another person's word or session is in a text."""
        for other in self.people:
            if other is not person:
                assert other.marker not in text, (person.name, other.name)
                assert not any(session in text for session in other.sessions), (person.name, other.name)

    # What people do.

    def page(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Open the page of a new session."""
        answer = self.ask(person, key, f"/whose?who={person.marker}", odd)
        assert answer.status == 200
        assert f"<title>whose {person.marker}</title>" in answer.text or not self.shop.titled

    def again(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Open the page of the person's own session, whose process may be another one."""
        if not person.tokens:
            self.page(person, key, odd)
        token = person.tokens[-1]
        answer = self.ask(person, key, f"/whose?bokeh-token={token}&who={person.marker}", odd)
        assert answer.status == 200
        assert session_of(answer.token) == session_of(token)

    def body(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Open a page with a request that has a body, which looks like the request of another person."""
        other = next(other for other in self.people if other is not person)
        smuggled = self.request(other, self.line(key), f"/whose?who={other.marker}", {})
        self.ask(person, key, f"/whose?who={person.marker}", {} if "Sec-WebSocket-Key" in odd else odd, smuggled)

    def script(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Fetch the script that embeds the application."""
        query = f"bokeh-autoload-element=x&bokeh-app-path=/whose&who={person.marker}"
        assert self.ask(person, key, f"/whose/autoload.js?{query}", odd).status == 200

    def refused(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Ask for a socket in a way that is refused, on a connection that is used on."""
        token = person.tokens[-1] if person.tokens else "none"
        wrong = {**handshake_headers(), **odd, "Sec-WebSocket-Protocol": f"other, {token}"}
        assert self.ask(person, key, "/whose/ws", wrong).status in (400, 403, 426)

    def theft(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Ask for the session of someone else, where people log in."""
        other = next((other for other in self.people if other is not person and other.tokens), None)
        if other is not None and self.shop.login != "none":
            answer = self.ask(person, key, f"/whose?bokeh-token={other.tokens[-1]}", odd)
            assert answer.status == 403

    def pair(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Send requests of two people in one piece."""
        line, other = self.line(key), next(other for other in self.people if other is not person)
        own = f"bokeh-token={person.tokens[-1]}&" if person.tokens else ""
        first = self.request(person, line, f"/whose?{own}who={person.marker}", odd)
        line.send(first + self.request(other, line, f"/whose?who={other.marker}", {}))
        answer = line.answer()
        if answer is not None:
            self.look(person, answer)
            if answer.headers.get("connection") != "close" and (second := line.answer()) is not None:
                self.look(other, second)
        self.drop(key)

    def socket(self, person: Person, key: tuple[int, int], odd: dict[str, str]) -> None:
        """Open the socket of the person's session on a shared connection, say something and read the document."""
        if not person.tokens:
            self.page(person, key, odd)
        opened = self.ask(person, key, "/whose/ws", handshake_headers(person.tokens[-1]))
        assert opened.status == 101, opened.text
        socket = RawSocket(self.line(key))
        document = socket.request("PULL-DOC-REQ", {})[-1]
        field = re.search(
            r'\{"type":"object","name":"TextInput","id":"([^"]+)"', json.dumps(document, separators=(",", ":"))
        )
        assert field is not None, document
        said = f"{person.marker} {next(numbers)}"
        event = {"kind": "ModelChanged", "model": {"id": field[1]}, "attr": "value", "new": said}
        heard = socket.request("PATCH-DOC", {"events": [event]})
        self.clean(person, json.dumps([document, *heard]))
        shown = json.loads(next(event["new"] for each in heard for event in each.get("events", ()) if "new" in event))
        assert shown["said"] == said
        assert set(shown["who"]) <= {person.marker}
        assert shown["user"] == ("None" if self.shop.login == "none" else person.name)
        socket.close()
        self.drop(key)


ACTIONS = (Town.page, Town.again, Town.body, Town.script, Town.refused, Town.theft, Town.pair, Town.socket)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS), st.integers(0, len(NAMES) - 1), st.tuples(st.integers(0, 2), st.integers(0, 1)),
        st.sampled_from(ODD),
    ),
    min_size=10, max_size=16,
)  # fmt: skip
numbers = iter(range(1_000_000))


@settings(
    max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate], database=None, print_blob=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(steps=STEPS)
def test_nothing_of_one_person_reaches_another(
    shop: Shop, steps: list[tuple[object, int, tuple[int, int], dict[str, str]]]
) -> None:
    town = Town(shop, next(numbers))
    try:
        for act, who, key, odd in steps:
            act(town, town.people[who], key, odd)  # type: ignore[operator]
    finally:
        town.close()
    assert "Traceback" not in shop.server.log_text()

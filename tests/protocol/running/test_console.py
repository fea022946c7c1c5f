"""The console for operators, over its own protocol: what it shows of real processes, and what it does to them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app_server.security.auth.passwords import Cost, hash_password
from app_server.security.console_peers import keys_of, signature
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import Client, Site, open_socket
from tests.support.clients.visitor import Visitor
from tests.support.ports import free_port
from tests.support.server import run_command
from tests.support.waiting import patience, until

SECRET = {"BOKEH_SECRET_KEY": "a secret for the tests of forty-four letters"}
TABS = ("Overview", "Sessions", "Log", "Profiles", "Stalls", "Maintenance", "Audit")


@contextmanager
def with_console(
    *flags: str | Path, names: tuple[str, ...] = ("board.py",), **options: object
) -> Iterator[tuple[Served, Site]]:
    """A server, and the site of its console."""
    port = free_port()
    with serving(*apps(*names), "--console", str(port), *flags, **options) as served:
        served.process.wait_for_log("The console is at")
        yield served, Site(f"http://localhost:{port}")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Site]]:
    """Two workers; sessions live long after their clients."""
    audit = tmp_path_factory.mktemp("audit") / "audit.log"
    flags = ("--num-procs", "2", "--unused-session-lifetime", "60000", "--console-audit", audit, "--block-limit", "0.3")
    with with_console(*flags, names=("board.py", "sleepy.py", "faulty.py")) as found:
        yield found


class Console:
    """One operator's page."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def show(self, tab: str) -> None:
        self.client.set("tabs", "active", TABS.index(tab))

    def press(self, name: str) -> None:
        values = {"type": "map", "entries": [["model", {"id": self.client.ident(name)}]]}
        event = {"type": "event", "name": "button_click", "values": values}
        self.client.patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})

    def wait_text(self, name: str, words: str) -> str:
        self.client.wait_for(lambda: words in str(self.client.value(name, "text")))
        return str(self.client.value(name, "text"))

    def sessions(self) -> dict[str, list[Any]]:
        """The table's columns, as the patches so far have left them."""
        ident = self.client.ident("sessions")
        columns: dict[str, list[Any]] = {}
        for event in self.client.events():
            if event.get("model") == {"id": ident} and event.get("attr") == "data" and "data" in event:
                columns = {name: list(column) for name, column in event["data"]["entries"]}
            elif event["kind"] == "ColumnsPatched" and event["model"] == {"id": ident}:
                for name, cells in event["patches"]["entries"]:
                    for place, value in cells:
                        columns[name][place] = value
        return columns

    def wait_sessions(self, count: int) -> dict[str, list[Any]]:
        self.client.wait_for(lambda: len(self.sessions().get("session", ())) == count)
        return self.sessions()

    def find(self, words: str) -> dict[str, Any]:
        """The row of the only session in which these words occur; it is selected."""
        self.show("Sessions")
        self.client.set("filter", "value_input", words)
        found = self.wait_sessions(1)
        self.select(0)
        return {name: column[0] for name, column in found.items()}

    def end(self) -> None:
        """End the session that is selected."""
        self.press("End session")
        self.press("Yes, end")
        self.wait_text("result", "ended")

    def select(self, place: int) -> None:
        """Select a row of the table of sessions."""
        self.client.patch(
            {"kind": "ModelChanged", "model": {"id": self._selection()}, "attr": "indices", "new": [place]}
        )

    def _selection(self) -> str:
        return str(self.client.value("sessions", "selected")["id"])


@contextmanager
def opened(site: Site, path: str = "") -> Iterator[Console]:
    with site.client(path) as client:
        yield Console(client)


def named(served: Served, ident: str) -> AbstractContextManager[Client]:
    """A client of a session with this id, by which it is found among those of other tests."""
    return served.site.client("/board", served.site.token("/board", **{"bokeh-session-id": ident}))


def test_console_shows_processes_applications_and_sessions(several: tuple[Served, Site]) -> None:
    served, site = several
    with named(served, "first") as one, opened(site) as console:
        one.set("slider", "value", 7)
        overview = console.wait_text("overview", "/board")
        assert "/sleepy" in overview and "serving" in overview
        found = console.find("first")
        assert (found["session"], found["application"], found["messages"], found["pages"]) == ("first", "/board", 1, 1)


def test_ended_session_shows_why_and_is_written_down(several: tuple[Served, Site]) -> None:
    served, site = several
    with named(served, "endsnow") as one, opened(site) as console:
        console.show("Sessions")
        console.find("endsnow")
        console.end()
        assert one.close_code() == 1001
        console.show("Audit")
        console.wait_text("audit", "session endsnow of /board")
    served.process.wait_for_log("end, on session endsnow of /board: ended")


def test_message_reaches_the_page_as_text(several: tuple[Served, Site]) -> None:
    served, site = several
    with named(served, "reads") as one, opened(site) as console:
        console.find("reads")
        console.client.set("message", "value_input", "We <b>restart</b> at noon")
        console.press("Send message")
        console.wait_text("result", "shown")
        one.wait_for(lambda: any(event["kind"] == "RootAdded" for event in one.events()))
        (added,) = [event for event in one.events() if event["kind"] == "RootAdded"]
        assert "We &lt;b&gt;restart&lt;/b&gt; at noon" in added["model"]["attributes"]["text"]


def test_log_of_a_session_is_one_click_away(several: tuple[Served, Site]) -> None:
    served, site = several
    with named(served, "logs") as one, opened(site) as console:
        console.find("logs")
        console.press("Show log")
        assert console.client.value("tabs", "active") == TABS.index("Log")
        assert console.client.value("session", "value_input") == "logs"
        one.patch({"kind": "Nonsense"})
        assert "unknown kind" in console.wait_text("log", "refused a message")


def test_log_is_filtered_by_application_and_session(several: tuple[Served, Site]) -> None:
    served, site = several
    with served.site.client("/faulty"), opened(site) as console:
        console.show("Log")
        console.wait_text("log", "/board")
        console.client.set("application", "value", "/faulty")
        console.client.wait_for(lambda: ">/board<" not in str(console.client.value("log", "text")))
        console.client.set("words", "value_input", "no line has these words")
        console.wait_text("log", "No line is like that.")


def test_stall_is_shown_with_its_stack(several: tuple[Served, Site]) -> None:
    served, site = several
    with served.site.client("/sleepy") as one, opened(site) as console:
        console.show("Stalls")
        one.send("PATCH-DOC", {"events": [one.change("command", "value", str(patience(4)))]})
        assert "sleepy.py" in console.wait_text("stalls", "still blocked")
        console.wait_text("stalls", "blocked for")


def test_profile_shows_the_callback_that_takes_the_time(several: tuple[Served, Site]) -> None:
    served, site = several
    token = served.site.token("/sleepy", **{"bokeh-session-id": "profiled"})
    with served.site.client("/sleepy", token) as one, opened(site) as console:
        console.find("profiled")
        console.client.set("seconds", "value", "5")
        console.press("Profile")
        console.wait_text("result", "One moment")
        for number in range(15):  # it begins somewhat later than the console says so
            one.set("command", "value", f"0.1{number}")
            one.set("command", "value", f"later:0.1{number}")
        assert "callbacks ran for" in console.wait_text("result", "see the tab Profiles")
        console.show("Profiles")
        console.wait_text("about-profile", "Point at a bar")
        bars = drawn(console)
        assert {"all callbacks", "obey", "sleep_later"} <= set(bars["name"])
        assert bars["where"][bars["name"].index("obey")].endswith("/sleepy.py:21")
        console.show("Audit")
        console.wait_text("audit", "profile: 5 s")


def test_profile_of_a_session_that_ends_meanwhile_or_does_nothing_says_so(several: tuple[Served, Site]) -> None:
    _, site = several
    served = several[0]
    with named(served, "endssoon"), opened(site) as console, opened(site) as other:
        console.find("endssoon")
        console.client.set("seconds", "value", "60")
        console.press("Profile")
        console.wait_text("result", "One moment")
        other.find("endssoon")
        other.end()
        assert "no callback took long enough to be seen within" in console.wait_text("result", "which has ended")


def drawn(console: Console) -> dict[str, list[Any]]:
    """The columns of the flame graph."""
    changed = [event["data"]["entries"] for event in console.client.events() if "entries" in (event.get("data") or {})]
    found = [dict(entries) for entries in changed if "label" in dict(entries)]
    return {name: list(column) for name, column in found[-1].items()}


def test_maintenance_turns_new_visitors_away_and_open_sessions_go_on(several: tuple[Served, Site]) -> None:
    served, site = several
    with served.site.client("/board") as one, opened(site) as console:
        console.show("Maintenance")
        console.client.set("maintenance", "value_input", "Back at noon.")
        console.press("Maintenance on")
        console.press("Yes")
        console.wait_text("result", "new visitors are turned away")
        for _ in range(4):  # both processes
            refused = served.site.get("/board")
            assert (refused.status, refused.headers["retry-after"]) == (503, "60")
            assert "Back at noon." in refused.text and "Down for maintenance" in refused.text
        assert one.set("slider", "value", 9).msgtype == "OK"
        console.press("Maintenance off")
        console.wait_text("result", "new visitors are let in")
        assert served.site.get("/board").status == 200


def test_page_of_the_console_does_not_know_whole_session_ids(several: tuple[Served, Site]) -> None:
    """Who knows a whole id can open the session."""
    served, site = several
    with named(served, "longidentifier"), opened(site) as console:
        row = console.find("longiden")
        assert "longidentifier" not in str(row)


def test_console_without_a_login_refuses_proxies_other_names_and_other_origins(several: tuple[Served, Site]) -> None:
    _, site = several
    proxied = site.get("/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert proxied.status == 403 and "This console is not for use from elsewhere" in proxied.text
    assert site.get("/", headers={"Host": f"rebound.example.org:{site.url.rpartition(':')[2]}"}).status == 403
    assert site.get("/autoload.js", **{"bokeh-autoload-element": "x"}).status == 404
    page = site.get("/")
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
    with (
        pytest.raises(Exception, match="403"),
        open_socket(site.url, "", page.token, origin="http://evil.example.org"),
    ):
        pass


def test_page_of_another_site_cannot_use_up_the_pages_of_the_console() -> None:
    loaded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with with_console() as (_, site):
        assert {site.get("/", headers=loaded).status for _ in range(101)} == {403}
        assert site.get("/", headers=link).status == 200


def test_console_without_a_login_knows_proxies_by_whatever_they_send(several: tuple[Served, Site]) -> None:
    _, site = several
    for name in ("X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "Via"):
        assert site.get("/", headers={name: "1"}).status == 403, name
    assert first_line(site, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close") == b"HTTP/1.1 200 OK"
    # As nginx asks with nothing but proxy_pass.
    assert b" 403 " in first_line(site, "GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close")


def first_line(site: Site, head: str) -> bytes:
    """The first line of the answer to a request of these lines."""
    with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2])), timeout=10) as sock:
        sock.sendall(f"{head}\r\n\r\n".encode())
        with sock.makefile("rb") as answer:
            return answer.readline().rstrip()


def test_site_has_no_console(several: tuple[Served, Site]) -> None:
    served, site = several
    for path in ("/_console", "/_peers", "/console"):
        assert served.site.get(path).status == 404


def test_token_of_the_site_opens_no_console(several: tuple[Served, Site]) -> None:
    served, site = several
    with open_socket(site.url, "", served.site.token("/board")) as refused:
        assert Client(refused).close_code() == 1008


def peers_request(site: Site, body: bytes, header: str) -> tuple[int, bytes]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]), timeout=10)
    try:
        connection.request("POST", "/_peers", body, {"Authorization": header})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_other_consoles_are_answered_only_with_a_signature() -> None:
    key = keys_of(SECRET["BOKEH_SECRET_KEY"])[0]
    with with_console(env=SECRET) as (served, site):
        body = b'{"look": []}'
        assert peers_request(site, body, "")[0] == 404
        assert (
            peers_request(site, body, signature(keys_of("other")[0], "/_peers", body, int(time.time()), "0" * 32))[0]
            == 404
        )
        header = signature(key, "/_peers", body, int(time.time()), "1" * 32)
        status, answer = peers_request(site, body, header)
        assert status == 200 and json.loads(answer)["snapshot"]["processes"]
        assert peers_request(site, body, header)[0] == 404, "a signature is good once"
        nonsense = b"[1]"
        assert peers_request(site, nonsense, signature(key, "/_peers", nonsense, int(time.time()), "2" * 32))[0] == 400


def test_order_for_one_instance_is_not_taken_by_another() -> None:
    key = keys_of(SECRET["BOKEH_SECRET_KEY"])[0]
    with with_console(env=SECRET) as (served, site), with_console(env=SECRET) as (other_served, other):
        look = b'{"look": []}'
        _, answer = peers_request(site, look, signature(key, "/_peers", look, int(time.time()), "1" * 32))
        order = {"act": "maintenance on", "text": "We are back at noon."}
        body = json.dumps({"order": order, "who": "olga", "to": json.loads(answer).get("run")}).encode()
        header = signature(key, "/_peers", body, int(time.time()), "2" * 32)
        assert peers_request(other, body, header)[0] == 409
        assert other_served.site.get("/board").status == 200
        assert peers_request(site, body, header)[0] == 200
        assert served.site.get("/board").status == 503


def test_other_instances_are_shown_and_acted_on() -> None:
    with with_console("--route", "one", env=SECRET) as (first, peer):
        address = peer.url.removeprefix("http://")
        flags = ("--route", "two", "--console-peers", f"{address},127.0.0.1:{free_port()}")
        with (
            with_console(*flags, env=SECRET) as (second, site),
            first.site.client("/board") as one,
            opened(site) as console,
        ):
            overview = console.wait_text("overview", "one")
            assert "two" in overview and "cannot be reached" in overview
            assert console.find("/board")["instance"] == "one"
            console.end()
            assert one.close_code() == 1001
            first.process.wait_for_log("at two: end, on session")


def test_isolated_sessions_are_shown_and_ended() -> None:
    with with_console("--isolation", "process", "--num-procs", "2") as (served, site):
        with served.site.client("/board") as one, opened(site) as console:
            one.set("slider", "value", 7)
            assert console.find("/board")["memory"] > 1
            console.client.wait_for(lambda: console.sessions()["messages"] == [1])
            console.client.set("message", "value_input", "hello")
            console.press("Send message")
            console.wait_text("result", "shown")
            console.end()
            assert one.close_code() == 1001
            console.show("Maintenance")
            console.press("Maintenance on")
            console.press("Yes")
            console.wait_text("result", "new visitors are turned away")
            assert served.site.get("/board").status == 503


@pytest.fixture(scope="module")
def at_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console at a path of a site that has users of its own, who are other people."""
    folder = tmp_path_factory.mktemp("users")
    for name in ("ann", "olga"):
        (folder / name).write_text(f"{name}:{hash_password('correct horse', cost=Cost(2, 1, 1))}\n")
        (folder / name).chmod(0o600)
    flags = ("--basic-auth", folder / "ann", "--console", "/_console", "--console-auth", folder / "olga")
    cookies = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}
    with serving(*apps("board.py"), *flags, "--num-procs", "2", env=cookies) as served:
        served.process.wait_for_log("The console is at /_console/ of the site")
        yield served


def test_operator_logs_in_at_a_path_of_the_site(at_a_path: Served) -> None:
    operator = Visitor(at_a_path.site.url)
    assert operator.log_in("olga", "correct horse", "/_console/login").status == 303
    page = operator.ask("/_console/")
    assert page.status == 200
    with operator.client("/_console") as client:
        assert "/board" in Console(client).wait_text("overview", "/board")


def test_user_of_the_site_is_no_operator(at_a_path: Served) -> None:
    user = Visitor(at_a_path.site.url)
    assert user.log_in("ann", "correct horse").status == 303
    assert user.ask("/board").status == 200
    page = user.ask("/_console/")
    assert (page.status, page.headers["location"].partition("?")[0]) == (302, "/_console/login")
    assert user.log_in("ann", "correct horse", "/_console/login").status == 403
    assert user.ask("/_console/ws").status in (403, 400)
    # The cookie of the site under the name of the console's.
    (cookie,) = [value for name, value in user.cookies.items() if name.startswith("app_server_login")]
    operator = Visitor(at_a_path.site.url)
    operator.log_in("olga", "correct horse", "/_console/login")
    (name,) = [name for name in operator.cookies if name.startswith("app_server_login")]
    assert Visitor(at_a_path.site.url, cookies={name: cookie}).ask("/_console/").status == 302


def test_operators_login_is_not_shown_to_applications_and_does_not_end_that_of_the_site(tmp_path: Path) -> None:
    for name in ("ann", "olga"):
        (tmp_path / name).write_text(f"{name}:{hash_password('correct horse', cost=Cost(2, 1, 1))}\n")
        (tmp_path / name).chmod(0o600)
    cookies = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}
    with with_console("--console-auth", tmp_path / "olga", names=("knowing.py",), env=cookies) as (served, site):
        operator = Visitor(site.url)
        assert operator.log_in("olga", "correct horse").status == 303
        # A browser sends the cookies of all ports of a host.
        seen = Visitor(served.site.url, cookies={**operator.cookies, "theme": "dark"}).seen("/knowing")
        assert (seen["cookies"], seen["cookie_header"]) == (["theme"], "theme=dark")
    flags = ("--basic-auth", tmp_path / "ann", "--console-auth", tmp_path / "olga")
    with with_console(*flags, names=("knowing.py",), env=cookies) as (served, site):
        both = Visitor(served.site.url)
        assert both.log_in("ann", "correct horse").status == 303
        operator = Visitor(site.url, cookies=both.cookies)
        assert operator.log_in("olga", "correct horse").status == 303
        assert operator.ask("/").status == 200
        assert Visitor(served.site.url, cookies=operator.cookies).seen("/knowing")["user"] == "ann"


def test_console_without_a_login_on_a_public_address_is_refused_at_the_start() -> None:
    with pytest.raises(AssertionError, match="anyone who reaches this console could end sessions"):
        with serving(*apps("board.py"), "--console", "0.0.0.0:0"):
            pass


def test_taken_port_is_refused_at_the_start_and_leaves_no_socket_of_the_site(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"--console: port {port} is in use"):
            with serving(*apps("board.py"), "--console", f"127.0.0.1:{port}"):
                pass
        words = [*map(str, apps("board.py")), "--unix-socket", str(tmp_path / "s"), "--console", str(port)]
        ended = run_command("serve", *words)
    assert ended.returncode == 1 and f"--console: port {port} is in use" in ended.stderr
    assert not (tmp_path / "s").exists()


def test_console_on_a_unix_socket_is_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with serving(*apps("board.py"), "--console", f"unix:{path}") as served:
        served.process.wait_for_log("The console is at unix:")
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        served.process.stop()
    assert not path.exists()


def test_drain_ends_the_server_when_its_sessions_have_ended() -> None:
    with with_console("--drain", "30", "--unused-session-lifetime", "200", "--check-unused-sessions", "50") as (
        served,
        site,
    ):
        with opened(site) as console:
            with served.site.client("/board"):
                console.show("Maintenance")
                console.wait_text("headline", "1 session")
                console.press("Drain")
                console.press("Yes")
                console.wait_text("result", "takes no new sessions")
                until(lambda: served.site.get("/board").status == 503)
            until(lambda: served.process.process.poll() is not None)
        assert "drain, on" in served.process.log_text()


def test_console_that_crashes_starts_again() -> None:
    import os
    import signal

    import psutil

    with with_console() as (served, site):
        token = site.token("")
        for child in psutil.Process(served.process.process.pid).children():
            if any(each.laddr.port == int(site.url.rpartition(":")[2]) for each in child.net_connections("tcp")
                   if each.status == "LISTEN"):  # fmt: skip
                os.kill(child.pid, signal.SIGKILL)
        until(lambda: served.process.log_text().count("The console is at") == 2)
        assert served.site.get("/board").status == 200
        with site.client("", token) as returning:  # a page that was open
            console = Console(returning)
            console.show("Log")
            console.wait_text("log", "ended with SIGKILL")  # which the main process has logged

"""Trials of a release: which commands are tried, with what, and what is said of one that does not work."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app_server.deployment.releases import preflight
from app_server.deployment.releases.preflight import Trial, attempt, environment_with_keys, trials
from app_server.errors import OperatorError

SERVER = """\
#!/usr/bin/env python3
import http.server, os, socket, socketserver, sys
path = sys.argv[sys.argv.index("--unix-socket") + 1]
print("words", *sys.argv[1:], flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return "here"
    def do_GET(self):
        status, body = {answers}.get(self.path, (404, ""))
        self.send_response(status)
        if status == 302: self.send_header("Location", body)
        self.end_headers()
        self.wfile.write(body.encode())

socketserver.UnixStreamServer(path, Handler).serve_forever()
"""


def program(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def server(folder: Path, **answers: tuple[int, str]) -> Trial:
    """A trial of a server that answers so; `root` and `readyz` are paths, others what the index lists."""
    named = {"/" if name == "root" else f"/{name}": answer for name, answer in {"readyz": (200, ""), **answers}.items()}
    return Trial("a1", (program(folder, SERVER.replace("{answers}", repr(named))), "serve", "a.py"), folder)


def failure(each: Trial) -> str:
    with pytest.raises(OperatorError) as caught:
        attempt(each, dict(os.environ))
    return str(caught.value)


def test_commands_that_differ_only_in_their_address_are_tried_once(tmp_path: Path) -> None:
    instances = {
        "a1": ["app-server", "serve", "a.py", "--port", "1", "--route", "a1", "--drain", "3"],
        "a2": ["app-server", "serve", "a.py", "--unix-socket", "/s", "--route", "a2", "--drain", "3"],
        "b1": ["app-server", "serve", "b.py", "--address", "::1", "--port", "1", "--drain", "3"],
    }
    found = list(trials(instances, tmp_path, "/bin/own"))
    assert found == [
        Trial("a1", ("/bin/own", "serve", "a.py", "--drain", "3"), tmp_path / "apps"),
        Trial("b1", ("/bin/own", "serve", "b.py", "--drain", "3"), tmp_path / "apps"),
    ]


def test_trial_touches_no_saved_session(tmp_path: Path) -> None:
    words = ["app-server", "serve", "a.py", "--store", "/var/lib/app-server/sessions", "--store-ttl", "60"]
    (found,) = trials({"a1": words}, tmp_path, "/bin/own")
    assert found.command == ("/bin/own", "serve", "a.py", "--store-ttl", "60")
    assert environment_with_keys(["APP_SERVER_STORE"], {})["APP_SERVER_STORE"] == "off"


def test_pages_of_the_index_are_opened(tmp_path: Path) -> None:
    index = '<a href="/a">a</a> <a href="/b">b</a> <a href="/static/x.css"> <a href="https://elsewhere/">'
    attempt(server(tmp_path, root=(200, index), a=(200, ""), b=(403, "")), dict(os.environ))
    assert failure(server(tmp_path, root=(200, index), a=(200, ""), b=(500, ""))).startswith(
        "instance a1: the preflight failed: /b was answered with 500"
    )


def test_only_application_is_where_the_index_leads(tmp_path: Path) -> None:
    attempt(server(tmp_path, root=(302, "/a"), a=(200, "")), dict(os.environ))
    assert "/a was answered with 404" in failure(server(tmp_path, root=(302, "/a")))


def test_address_of_the_trial_stands_before_what_is_for_the_application(tmp_path: Path) -> None:
    whole = server(tmp_path, root=(302, "/a"))
    said = failure(Trial("a1", (*whole.command, "--args", "x"), tmp_path))
    assert "words serve a.py --unix-socket /" in said and "/socket --args x" in said


def test_server_that_ends_says_with_what(tmp_path: Path) -> None:
    ending = Trial("a1", (program(tmp_path, "#!/bin/sh\necho something is wrong >&2\nexit 3\n"),), tmp_path)
    said = failure(ending)
    assert said.startswith("instance a1: the preflight failed: the server ended with 3")
    assert "something is wrong" in said
    silent = Trial("a1", (program(tmp_path, "#!/bin/sh\nexit 3\n"),), tmp_path)
    assert failure(silent) == "instance a1: the preflight failed: the server ended with 3. It printed nothing."


def test_server_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "START_DEADLINE_S", 0.0)
    assert "the server was not ready after 0 s" in failure(server(tmp_path, readyz=(503, "")))


def test_secrets_of_a_trial_are_its_own_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "mine")
    found = environment_with_keys(["GIVEN", "MADE"], {})
    assert found["GIVEN"] == "mine" and len(found["MADE"]) >= 44


def test_variables_of_the_deployment_are_those_of_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "of the login")
    found = environment_with_keys([], {"COLOUR": "green", "APP_SERVER_STORE": "redis://there"})
    assert (found["COLOUR"], found["APP_SERVER_STORE"]) == ("green", "off"), "what is saved is not touched"

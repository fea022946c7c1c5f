"""The arguments of an embedded application, when its socket comes after its session was dropped."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import APPS, Served, apps, serving
from tests.support.waiting import until

MODES = {
    "alone": [],
    "workers": ["--num-procs", "2"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot"],
}
BRIEF = ["--unused-session-lifetime", "50", "--check-unused-sessions", "20", "--metrics"]
ASKED = {"bokeh-autoload-element": "e1", "bokeh-app-path": "/arguments", "who": "ann"}

RUN_FOLDERS: dict[int, Path] = {}
"""Where the servers of these tests have the sockets of sessions' own processes, by port."""


@pytest.fixture(scope="module", params=MODES)
def brief(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that drops sessions at once, in each mode."""
    run = tmp_path_factory.mktemp("run")
    environ = {"APP_SERVER_RUNTIME_DIR": str(run)}
    with serving(*apps("arguments.py"), *BRIEF, *MODES[request.param], env=environ) as served:
        RUN_FOLDERS[served.process.port] = run
        yield served


def dropped(served: Served, token: str) -> str:
    """The token of a session that is no more."""

    def sessions() -> float:
        figures = re.findall(r"^app_server_sessions\{.*\} (.*)$", served.site.get("/metrics").text, re.MULTILINE)
        apart = [box for box in RUN_FOLDERS[served.process.port].glob("*/s-*") if not box.suffix]
        return sum(map(float, figures)) + len(apart)

    until(lambda: not sessions())
    return token


def seen(served: Served, token: str, app: str = "/arguments", **options: Any) -> list[Any]:
    with served.site.client(app, token, **options) as client:
        client.set("field", "value", "tell")
        found: list[Any] = json.loads(client.value("seen", "text"))
        return found


@pytest.mark.parametrize("query", ["", "?who=visitor&of=the+page+around+it"])
def test_arguments_of_an_embedded_application_outlive_its_session(brief: Served, query: str) -> None:
    token = dropped(brief, brief.site.get("/arguments/autoload.js", **ASKED).token)
    assert seen(brief, token, query=query)[0] == {"who": ["ann"]}


def test_page_of_a_dropped_session_has_the_arguments_that_its_socket_repeats(brief: Served) -> None:
    token = dropped(brief, brief.site.token("/arguments", who="ann"))
    assert len(token) < 400
    assert "zlib" not in base64.urlsafe_b64decode(token + "==").decode()
    assert seen(brief, token, query="?who=ann")[0] == {"who": ["ann"]}


def test_arguments_that_another_user_wrote_into_a_token_replace_none(brief: Served) -> None:
    token = dropped(brief, brief.site.get("/arguments/autoload.js", **ASKED).token)
    head = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    head["session_expiry"] += 1  # which the server's seal does not hold for
    forged = base64.urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    assert seen(brief, forged, query="?who=bob")[0] == {"who": ["bob"]}


HOOKS = """
def process_request(request):
    return {"from_hook": [value.decode() for value in request.arguments.get("who", [])]}
"""


def test_request_is_as_the_page_made_it_also_for_the_hook(tmp_path: Path) -> None:
    folder = tmp_path / "arguments"
    folder.mkdir()
    (folder / "main.py").write_text((APPS / "arguments.py").read_text())
    (folder / "app_hooks.py").write_text(HOOKS)
    run = tmp_path / "run"
    environ = {"APP_SERVER_RUNTIME_DIR": str(run)}
    with serving(folder, *BRIEF, env=environ) as served:
        RUN_FOLDERS[served.process.port] = run
        token = dropped(served, served.site.get("/arguments/autoload.js", **ASKED).token)
        assert seen(served, token, additional_headers={"X-Word": "arrived"}) == [{"who": ["ann"]}, ["ann"], "arrived"]
    with serving(folder, *BRIEF, "--token-payload", "always", env=environ) as served:
        RUN_FOLDERS[served.process.port] = run
        token = dropped(served, served.site.get("/arguments/autoload.js", headers={"X-Word": "page"}, **ASKED).token)
        assert seen(served, token, additional_headers={"X-Word": "arrived"}) == [{"who": ["ann"]}, ["ann"], "page"]

"""Pages that cannot be made: each is an error that says why, and everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.protocol.conftest import APPS, Served, apps, serving
from tests.support.server import run_command

NAMES = ("lost_extension.py", "unsendable.py", "quitting", "board.py")
MODES = {
    "one process": (),
    "development": ("--dev",),
    "several": ("--num-procs", "2"),
    "isolation": ("--isolation", "process"),
    "snapshot": ("--isolation", "snapshot"),
}
KINDS = ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError", "MemoryError", "RecursionError",
         "BaseException")  # fmt: skip
UNSENDABLE = {
    "unset": "Circle (name 'spot') has no value for radius, which a browser needs",
    "object": "Div (name 'fine').tags cannot be sent to a browser: can't serialize <class 'object'>",
    "set of objects": "Div (name 'fine').tags cannot be sent to a browser: can't serialize <class 'object'>",
    "cycle": "Div (name 'fine').tags holds itself, or is nested too deeply to be sent to a browser",
    "data": "ColumnDataSource (name 'source').data cannot be sent to a browser: can't serialize <class 'object'>",
}


@pytest.fixture(scope="module", params=MODES)
def failing(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(*apps(*NAMES), *MODES[request.param], "--unused-session-lifetime", "2000",
                 "--check-unused-sessions", "50") as served:  # fmt: skip
        yield served
        served.assert_alive()


def goes_on(served: Served) -> None:
    """Fail where the server, or an application that has done nothing, does not answer."""
    served.assert_alive()
    with served.site.client("/board") as client:
        assert client.set("slider", "value", 7).msgtype == "OK"


def test_extension_that_cannot_be_made_is_an_error_page_of_its_application(failing: Served) -> None:
    answer = failing.site.get("/lost_extension")
    assert answer.status == 500 and "lost_in_translation.ts" in unescape(answer.text), answer.text
    goes_on(failing)
    script = failing.site.get("/lost_extension/autoload.js", **{"bokeh-autoload-element": "here"})
    assert script.status == 500 and "lost_in_translation.ts" in script.text


def test_extension_that_does_not_compile_is_an_error_page_with_the_compilers_words() -> None:
    with serving(*apps("bad_extension.py", "board.py")) as served:
        with pytest.raises(HTTPError) as failed:
            urlopen(f"{served.site.url}/bad_extension", timeout=60)  # compiling takes seconds
        text = unescape(failed.value.read().decode())
        assert failed.value.code == 500
        assert "Cannot find name 'Nothing'" in text and "bad_extension.py:Bad.ts:1:26" in text and str(APPS) not in text
        goes_on(served)


def test_document_that_cannot_be_sent_is_an_error_page_that_names_the_value(failing: Served) -> None:
    for what, words in UNSENDABLE.items():
        answer = failing.site.get("/unsendable", what=what)
        assert answer.status == 500 and words in unescape(answer.text), (what, answer.text)
    script = failing.site.get("/unsendable/autoload.js", what="unset", **{"bokeh-autoload-element": "here"})
    assert script.status == 500 and UNSENDABLE["unset"] in script.text
    assert failing.site.get("/unsendable").status == 200
    goes_on(failing)


def test_application_that_leaves_ends_nothing_but_its_session(failing: Served) -> None:
    for where in ("script", "template", "process_request"):
        for how in KINDS:
            answer = failing.site.get("/quitting", where=where, how=how)
            assert answer.status == 500, (where, how, answer.status)
    for where in ("on_session_created", "on_session_destroyed", "loop"):
        for how in KINDS:
            assert failing.site.get("/quitting", where=where, how=how).status == 200, (where, how)
    assert failing.site.get("/quitting", where="task").status == 200
    goes_on(failing)


@pytest.mark.parametrize("command", ["html", "json"])
def test_commands_say_what_is_wrong_with_an_extension(command: str, tmp_path: Path) -> None:
    ended = run_command(command, APPS / "lost_extension.py", "--output", tmp_path / "x")
    if command == "json":
        assert json.loads((tmp_path / "x").read_text())["roots"]
    else:
        assert ended.returncode == 1
        assert "the extension Lost does not compile" in ended.stderr and "Traceback" not in ended.stderr


LEAVING = """
import sys
from tornado.web import RequestHandler

KINDS = {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "GeneratorExit": GeneratorExit}


def leave(handler, where):
    if handler.get_argument("where", "") == where:
        raise KINDS[handler.get_argument("how")]


def get_user(handler):
    leave(handler, "get_user")
    return handler.get_argument("user", None)
"""
LEAVING_URL = """

def get_login_url(handler):
    leave(handler, "get_login_url")
    return "/login"
"""
LEAVING_HANDLER = """

login_url = "/login"


class LoginHandler(RequestHandler):
    def get(self):
        sys.exit(5)
"""


def test_authentication_module_that_leaves_ends_nothing_else(tmp_path: Path) -> None:
    for rest, wheres in ((LEAVING_URL, ("get_user", "get_login_url")), (LEAVING_HANDLER, ("get_user",))):
        module = tmp_path / "leaving.py"
        module.write_text(LEAVING + rest)
        with serving(*apps("board.py"), "--auth-module", str(module)) as served:
            for where in wheres:
                for how in ("SystemExit", "KeyboardInterrupt", "GeneratorExit"):
                    assert served.site.get("/board", where=where, how=how).status == 500, (where, how)
            if rest == LEAVING_HANDLER:
                assert served.site.get("/login").status == 500
            assert served.site.get("/board", user="ann").status == 200

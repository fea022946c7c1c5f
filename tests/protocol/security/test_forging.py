"""What a client may say of itself in a token that it has made: nothing that the server has not seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id

from app_server.security.auth.passwords import Cost, hash_password
from tests.protocol.conftest import SECRET, Served, apps, serving
from tests.support.client import Client
from tests.support.clients.visitor import Visitor

FORGED = {
    "headers": {"X-User": "alice", "X-Word": "forged", "Cookie": "user=alice"},
    "cookies": {"user": "alice"},
    "arguments": {"n": ["7"]},
    "from_hook": "forged",
    "user": {"name": "alice"},
    "granted": "everything",
}

PROXIED = """
from bokeh.io import curdoc
from bokeh.models import Div
import json
context = curdoc().session_context
request, payload = context.request, context.token_payload
seen = {"headers": dict(request.headers), "cookies": dict(request.cookies), "user": str(context.user),
        "arguments": [name for name in request.arguments], "payload": sorted(payload)}
try:
    import panel as pn
    seen["pn"] = {"headers": dict(pn.state.headers), "cookies": dict(pn.state.cookies), "user": str(pn.state.user)}
except ImportError:
    pass
curdoc().add_root(Div(name="seen", text=json.dumps(seen)))
"""


def forged(session_id: str | None = None, **signing: Any) -> str:
    return str(generate_jwt_token(session_id or generate_session_id(), extra_payload=FORGED, **signing))


def seen(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.value("seen", "text"))
    return found


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("apps") / "telling.py"
    file.write_text(PROXIED)
    return file


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("users") / "users.txt"
    file.write_text(f"bob:{hash_password('pencil', cost=Cost(2, 1, 1))}\n")
    return file


@pytest.fixture(scope="module")
def unsigned(users: Path, application: Path) -> Iterator[Served]:
    """A login whose operator wants unsigned sessions all the same."""
    flags = ["--basic-auth", str(users), "--session-ids", "unsigned", "--token-payload", "always"]
    with serving(application, *apps("hooked"), *flags, env={"BOKEH_COOKIE_SECRET": SECRET}) as served:
        yield served


@pytest.fixture(scope="module")
def signed(users: Path, application: Path) -> Iterator[Served]:
    """A login of several processes, and no word of session ids and keys."""
    flags = ["--basic-auth", str(users), "--num-procs", "2"]
    with serving(application, *flags, env={"BOKEH_COOKIE_SECRET": SECRET}) as served:
        yield served


def bob(served: Served) -> Visitor:
    visitor = Visitor(served.site.url)
    visitor.log_in("bob", "pencil")
    return visitor


def test_unsigned_token_says_nothing_of_headers_and_cookies(plain: Served) -> None:
    with plain.site.client("/asking", forged(), additional_headers={"X-Word": "real", "Cookie": "a=b"}) as client:
        found = seen(client)
    assert (found["headers"]["x-word"], found["cookies"]) == ("real", {"a": "b"})
    assert "alice" not in json.dumps(found)


def test_arguments_of_an_unsigned_token_apply_if_the_address_has_none(plain: Served) -> None:
    with plain.site.client("/asking", forged()) as client:
        assert seen(client)["arguments"] == {"n": ["7"]}
    with plain.site.client("/asking", forged(), query="?n=8&m=1") as client:
        assert seen(client)["arguments"] == {"n": ["8"], "m": ["1"]}


def test_page_asked_for_with_a_forged_token_shows_what_the_server_saw(plain: Served) -> None:
    token = forged()
    answer = plain.site.get("/asking", headers={"X-Word": "real"}, **{"bokeh-token": token})
    with plain.site.client("/asking", answer.token) as client:
        assert seen(client)["headers"]["x-word"] == "real"


def test_results_of_process_request_cannot_be_forged(plain: Served) -> None:
    with plain.site.client("/hooked", forged(), additional_headers={"X-Word": "real"}) as client:
        assert client.value("seen", "text") == "made by the hook, Ann, real"


def test_user_behind_a_login_cannot_forge_who_they_are(unsigned: Served) -> None:
    visitor = bob(unsigned)
    found = visitor.seen("/telling", forged())
    assert found["user"] == "bob" and "alice" not in json.dumps(found)
    assert "granted" not in found["payload"] and found["arguments"] == ["n"]
    assert found["pn"]["headers"].get("X-User") is None and found["pn"]["cookies"].get("user") is None


def test_sessions_are_signed_if_there_is_a_login(signed: Served) -> None:
    visitor = bob(signed)
    token = visitor.ask("/telling").token
    assert "." in token
    found = visitor.seen("/telling", token)
    assert found["user"] == "bob"
    for wrong in (forged(), forged(secret_key=b"guessed", signed=True)):
        with pytest.raises(Exception, match="1002|1008|token|403"):
            visitor.seen("/telling", wrong)
    assert visitor.ask("/telling?bokeh-session-id=chosen").status == 403


def test_key_of_the_cookies_signs_sessions_over_a_restart(users: Path, application: Path, signed: Served) -> None:
    with serving(application, "--basic-auth", str(users), env={"BOKEH_COOKIE_SECRET": SECRET}) as other:
        token = bob(other).ask("/telling").token
    assert bob(signed).seen("/telling", token)["user"] == "bob"


def test_login_without_any_key_signs_with_one_of_this_run_and_says_so(application: Path) -> None:
    flags = ["--auth-header", "X-User", "--auth-header-from", "127.0.0.0/8,::1", "--num-procs", "2"]
    with serving(application, *flags) as served:
        visitor = Visitor(served.site.url, headers={"X-User": "bob"})
        assert [visitor.seen("/telling")["user"] for _ in range(4)] == ["bob"] * 4
        assert served.process.log_text().count("no key for signed sessions; using a temporary one") == 1
        assert visitor.ask("/telling?bokeh-session-id=chosen").status == 403


def test_server_in_a_program_signs_behind_a_login_too(users: Path, application: Path) -> None:
    code = (
        "from app_server import Server\n"
        f"made = Server({str(application)!r}, port=0, basic_auth={str(users)!r}, cookie_secret={SECRET!r})\n"
        "assert made.settings.session_ids == 'signed' and made.settings.secret_key\n"
        f"made = Server({str(application)!r}, port=0, auth_header='X-User', auth_header_from='127.0.0.1')\n"
        "assert made.settings.session_ids == 'signed' and made.settings.secret_key\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

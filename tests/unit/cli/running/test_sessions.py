"""The command `sessions`: what is saved, in a folder and in Redis, for operators."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, PasswordInput, Slider, TextInput

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.general.candidates import answer
from app_server.cli.running import sessions
from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.policy import SavingPolicy
from app_server.engine.saving.saver import Saver
from app_server.observe.gauges import SavingGauges
from app_server.security.auth.users import User
from app_server.security.visible_request import VisibleRequest
from app_server.session.limits import MessageLimits
from app_server.store.base import session_key
from app_server.store.keys import Keys
from app_server.store.location import open_store
from tests.support.claiming import claiming
from tests.support.servers.redis import redis_folder, running_redis
from tests.support.servers.stage import Hooked

SECRET = "a secret of the tests, long enough"
ANN, BOB = session_key("/app", "ann's"), session_key("/other", "bob's")


def fill(document: Any) -> None:
    document.add_root(Slider(name="factor", start=0, end=10, value=1))
    document.add_root(TextInput(name="who"))
    document.add_root(PasswordInput(name="password"))
    document.add_root(ColumnDataSource(name="rows", data={"x": []}))


async def save(location: str) -> str:
    """Save a session of ann's and one of bob's, and a bookmark of ann's, whose name is returned."""
    store = open_store(location, ttl_s=86400, max_bytes=10**8)
    assert store is not None
    store.check()
    saver = Saver(store, SavingPolicy(Keys.of(SECRET, encrypt=False), 10**7, 86400), SavingGauges(), lambda lost: None)
    names = []
    for url, session_id, user in (("/app", "ann's", User("ann")), ("/other", "bob's", {"id": 7})):
        loop = EngineLoop(asyncio.get_running_loop())
        runtime = LocalRuntime(Hooked(fill), url, MessageLimits(10**7), Lifetimes(1e6, 1e6), loop, saver=saver)
        request = VisibleRequest(host="localhost", path=url, arguments={"a": [b"1"]})
        session = await runtime.session(session_id, request, {}, user)
        session.document.get_model_by_name("factor").value = 7  # type: ignore[union-attr]
        session.document.get_model_by_name("password").value = "top secret"  # type: ignore[union-attr]
        session.document.get_model_by_name("rows").data = {"x": np.arange(100.0)}  # type: ignore[union-attr]
        session.context.state["clicks"] = 3
        if session_id == "ann's":
            names.append(session.context.bookmark(ttl=3600).rpartition("=")[2].rpartition(".")[0])
    await saver.save()
    await saver.stop()
    return names[0]


@pytest.fixture(scope="module", params=["folder", "redis"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where sessions are saved; tests leave it as it was, or save again."""
    if request.param == "folder":
        yield str(tmp_path_factory.mktemp("store") / "sessions")
        return
    with redis_folder() as folder, running_redis(folder) as running:
        yield running.location


@pytest.fixture
def bookmark(place: str) -> str:
    """The store is filled; the bookmark's name."""
    store = open_store(place, ttl_s=1, max_bytes=1)
    assert store is not None
    for entry in list(store.entries()):
        (store.drop if entry.bookmark else store.revoke)(entry.key)
    store.close()
    return asyncio.run(save(place))


def run(place: str, *words: str, secret: str = SECRET) -> int:
    return main(["sessions", *words], {"APP_SERVER_STORE": place, "BOKEH_SECRET_KEY": secret})


def keys(place: str) -> set[str]:
    store = open_store(place, ttl_s=86400, max_bytes=1)
    assert store is not None
    found = {entry.key for entry in store.entries()}
    store.close()
    return found


def test_list_has_a_line_for_each(place: str, bookmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    with claiming(place, BOB) as owner:
        assert owner.answer == "claimed"
        assert run(place, "list") == EXIT_OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["KEY", "KIND", "APPLICATION", "USER", "SIZE", "SAVED", "EXPIRES"]
    found = {line[0]: line[1:] for line in lines[1:]}
    assert found.keys() == {ANN[:12], BOB[:12], bookmark}
    assert found[ANN[:12]][:3] == ["asleep", "/app", "ann"] and found[bookmark][:3] == ["bookmark", "/app", "ann"]
    assert found[BOB[:12]][:4] == ["in", "use", "/other", "7"] and found[BOB[:12]][-1] == "-"


def test_store_and_key_are_found_as_the_server_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(save(str(tmp_path / "saved")))
    table = '[tool.app-server]\nstore = "saved"\nenv-file = ".env"\nport = 8000\n'
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    (tmp_path / ".env").write_text(f"BOKEH_SECRET_KEY='{SECRET}'\nDB_PASSWORD=x\n", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    environ = {"HOME": str(tmp_path), "BOKEH_SIGN_SESSIONS": "a word that only the server minds"}
    assert main(["sessions", "list", "--application", "/app"], environ) == EXIT_OK
    assert ANN[:12] in capsys.readouterr().out


def test_list_as_json_has_whole_keys_and_times(place: str, bookmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "list", "--json", "--application", "/app") == EXIT_OK
    found = {each["key"]: each for each in json.loads(capsys.readouterr().out)}
    assert found.keys() == {ANN, bookmark}
    session = found[ANN]
    assert (session["kind"], session["application"], session["user"], session["owned"]) == (
        "session", "/app", "ann", False,
    )  # fmt: skip
    assert abs(session["saved_at_s"] - time.time()) < 600
    assert abs(session["expires_s"] - session["saved_at_s"] - 86400) < 600
    assert 100 < session["size_bytes"] < 10_000
    assert abs(found[bookmark]["expires_s"] - time.time() - 3600) < 600


def test_show_says_what_is_saved_and_values_only_if_asked(
    place: str, bookmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "show", ANN[:8]) == EXIT_OK
    text = capsys.readouterr().out
    lines = dict(line.split(None, 1) for line in text.splitlines() if line.split(None, 1)[1:])
    assert (lines["key"], lines["user"], lines["session"], lines["state"]) == (ANN, "ann", "ann's…", "clicks")
    assert "Slider 'factor'.value" in lines["changed"]
    assert run(place, "show", "--values", ANN, "--json") == EXIT_OK
    asked = json.loads(capsys.readouterr().out)
    assert asked["session"] == "ann's" and asked["state"] == {"clicks": 3} and asked["arguments"] == {"a": ["1"]}
    assert asked["values"]["Slider 'factor'.value"] == 7
    assert "top secret" not in json.dumps(asked) + text
    assert run(place, "show", bookmark, "--json") == EXIT_OK
    assert json.loads(capsys.readouterr().out)["kind"] == "bookmark"


def test_show_reads_a_session_that_is_in_use(place: str, bookmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    with claiming(place, ANN) as owner:
        assert owner.answer == "claimed"
        assert owner.do("append") == "written"  # half a record, as if the owner were writing
        assert run(place, "show", ANN, "--json") == EXIT_OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["owned"] is True and shown["damaged"].startswith("the journal is cut off or damaged")


def test_values_are_shown_as_people_read_them(place: str, bookmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "show", "--values", ANN) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    shown = dict(line.strip().split("  ", 1) for line in lines[lines.index("values") + 1 :])
    assert shown["Slider 'factor'.value"].strip() == "7"
    expected = '{"x": float64 array, shape 100: 0.0, 1.0, 2.0, 3.0, 4.0, … (100)}'
    assert shown["ColumnDataSource 'rows'.data"].strip() == expected
    assert run(place, "show", "--values", "--json", ANN) == EXIT_OK
    whole = json.loads(capsys.readouterr().out)["values"]["ColumnDataSource 'rows'.data"]
    assert whole["entries"][0][1]["shape"] == [100]


def test_shell_is_offered_what_is_found_within_a_moment() -> None:
    seconds = itertools.count()
    endless = itertools.count(100)
    assert list(sessions.found_within(3, endless, lambda: next(seconds))) == [100, 101, 102]
    assert list(sessions.found_within(9, ["all", "of it"], lambda: next(seconds))) == ["all", "of it"]


def test_keys_are_offered_to_a_shell(place: str, bookmark: str) -> None:
    environ = {"APP_SERVER_STORE": place, "BOKEH_SECRET_KEY": SECRET}

    def offered(*words: str, environ: dict[str, str] = environ) -> dict[str, str]:
        return dict(line.split("\t") for line in answer(["sessions", *words], environ).splitlines())

    found = offered("end", "")
    assert found.keys() == {ANN[:12], BOB[:12], bookmark}
    assert found[ANN[:12]].startswith("asleep, /app, ann, 20") and found[bookmark].startswith("bookmark, /app, ann, 20")
    assert offered("show", "--values", ANN[:3]).keys() == {ANN[:12]}
    assert offered("end", ANN[:12], "").keys() == {BOB[:12], bookmark}
    assert offered("end", "--store", place, "", environ={}).keys() == found.keys()
    assert offered("list", "") == offered("purge", "") == {}
    assert offered("end", "", environ={}) == offered("end", "--store", "/no/such", "") == {}


def test_end_deletes_what_nothing_uses(place: str, bookmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "end", BOB[:12], bookmark) == EXIT_OK
    assert capsys.readouterr().out == f"{BOB[:12]} is deleted\n{bookmark[:12]} is deleted\n"
    assert keys(place) == {ANN}


def test_end_refuses_what_its_owner_does_not_end_unless_forced(
    place: str, bookmark: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ENDS_WITHIN_S", 0.2)
    with claiming(place, ANN) as owner:
        assert owner.answer == "claimed"
        assert run(place, "end", ANN) == EXIT_FAILED
        assert capsys.readouterr().err == (
            f"app-server: {ANN[:12]}: is in use, and the process that has it does not end it. "
            "Look into its log, or add --force: what is saved is deleted then, and its page starts again.\n"
        )
        assert ANN in keys(place)
        assert run(place, "end", ANN, "--force") == EXIT_OK
        assert owner.do("write") == "lost"
    assert ANN not in keys(place)
    assert capsys.readouterr().out == (
        f"{ANN[:12]} is deleted, but was not ended: the process that has it does not answer\n"
    )


def test_purge_deletes_an_application_or_what_is_old(
    place: str, bookmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "purge") == EXIT_OK
    assert run(place, "purge", "--older-than", "3600") == EXIT_OK
    assert run(place, "purge", "--application", "/app", "--older-than", "3600") == EXIT_OK
    assert capsys.readouterr().out == "0 deleted\n" * 3
    with claiming(place, ANN) as owner:
        assert run(place, "purge", "--application", "/app") == EXIT_OK
        owner.do("release")
    assert keys(place) == {ANN, BOB}
    assert run(place, "purge", "--older-than", "0") == EXIT_OK
    assert capsys.readouterr().out == "1 deleted\n2 deleted\n"
    assert keys(place) == set()
    assert run(place, "list") == EXIT_OK
    assert capsys.readouterr().out == "nothing is saved\n"


def test_what_cannot_be_read_is_listed_and_can_be_deleted(
    place: str, bookmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "list", "--json", secret="another") == EXIT_OK
    assert {each["fault"] for each in json.loads(capsys.readouterr().out)} == {
        "the journal is damaged, or signed with another secret"
    }
    assert run(place, "show", ANN, secret="another") == EXIT_FAILED
    assert capsys.readouterr().err == "app-server: the journal is damaged, or signed with another secret\n"
    assert run(place, "end", ANN, secret="another") == EXIT_OK
    assert keys(place) == {BOB, bookmark}


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("nothing", "nothing: nothing of this key is saved. See `app-server sessions list`."),
        ("", "3 keys begin like this. Give more of it."),
    ],
)
def test_key_names_exactly_one(
    place: str, bookmark: str, key: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, "show", key) == EXIT_FAILED
    assert capsys.readouterr().err.endswith(f"{line}\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["list"], "--store: no store is named. Name the one of the server: app-server sessions list --store FOLDER"),
        (["list", "--store", "/no/such"], "--store: /no/such does not exist. Name the folder of the server."),
        (["list", "--store", "ftp://x"],
         "--store: sessions cannot be saved in ftp://. Name a folder, redis://, rediss:// or unix://."),
        (["list", "abc"], "abc: is not used by `sessions list`"),
        (["list", "--force"], "--force: is not used by `sessions list`"),
        (["show"], "KEY: no key is named. For example: app-server sessions show 3f2a90c1d8e4"),
        (["show", "a", "b"], "KEY: shows one at a time. For example: app-server sessions show 3f2a90c1d8e4"),
        (["end"], "KEY: no key is named. For example: app-server sessions end 3f2a90c1d8e4"),
        (["purge", "--older-than", "1h", "--store", "/"], "--older-than: expected a number of seconds, not '1h'"),
        ([], "ACTION: expected one of list, show, end, purge. For example: app-server sessions list --store sessions"),
        (["lst"], "ACTION: expected one of list, show, end, purge, not 'lst'. Did you mean list?"),
    ],
)  # fmt: skip
def test_words_that_make_no_sense_are_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", *words], {}) in (EXIT_USAGE, EXIT_FAILED)
    assert capsys.readouterr().err == f"app-server: {line}\n"


def test_store_is_named_as_for_the_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(save(str(tmp_path / "sessions")))
    config, address = tmp_path / "config.yaml", tmp_path / "address"
    config.write_text(f"store: {tmp_path}/sessions\nport: 5100\n")
    address.write_text(f"{tmp_path}/sessions\n")
    for words, environ in (
        (["--store", f"{tmp_path}/sessions"], {}),
        (["--use-config", str(config)], {"BOKEH_SESSION_IDS": "nonsense"}),
        ([], {"APP_SERVER_STORE_FILE": str(address)}),
    ):
        assert main(["sessions", "list", *words], {"BOKEH_SECRET_KEY": SECRET, **environ}) == EXIT_OK
        assert len(capsys.readouterr().out.splitlines()) == 4


def test_folder_that_is_not_safe_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chmod(tmp_path, 0o777)
    assert main(["sessions", "list", "--store", str(tmp_path)], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"app-server: --store: {tmp_path} can be written by other users. Run: chmod 700 {tmp_path}\n"
    )
    os.chmod(tmp_path, 0o700)

"""Which process answers a request: two servers in one process that hand each other what belongs to the other."""

from __future__ import annotations

import asyncio
import errno
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Slider
from websockets.exceptions import ConnectionClosed

from app_server.processes import worker_group as worker_group_module
from app_server.processes.forking import exit_records
from app_server.processes.forking.exit_records import ExitReason
from app_server.processes.forking.fork_server import ALREADY
from app_server.processes.runtime_dir import RuntimeDir
from app_server.security import tokens
from app_server.security.auth.users import User
from app_server.server.membership import Membership
from tests.support.servers.inside import Inside, inside, session_of
from tests.support.servers.isolated import isolated


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=10, value=1))


@contextmanager
def pair(folder: Path, **settings: Any) -> Iterator[tuple[Inside, Inside]]:
    """Two of one server's processes."""
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(folder / "run")})
    settings = {"allow_websocket_origin": ("localhost",), **settings}
    with (
        inside({"/app": fill}, membership=Membership(runtime_dir, 0, 2), **settings) as first,
        inside({"/app": fill}, membership=Membership(runtime_dir, 1, 2), **settings) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Inside, Inside]]:
    """Two processes for tests that leave them as they are."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder, pair(Path(folder)) as made:
        yield made


BY_HEADER = {"auth_header": "X-User", "auth_header_from": ("127.0.0.1",)}


# The processes that take connections


def test_page_without_a_session_stays_where_it_arrived(both: tuple[Inside, Inside]) -> None:
    for state, other in (both, both[::-1]):
        token = state.get("/app").token
        assert session_of(state, token) is not None and session_of(other, token) is None


@pytest.mark.parametrize("by", ["bokeh-token={token}", "bokeh-session-id={ident}"])
def test_page_of_a_session_is_answered_by_the_process_that_has_it(both: tuple[Inside, Inside], by: str) -> None:
    first, second = both
    token = second.get("/app").token
    ident = second.server.state.policy.read_token(token).session_id
    before = first.server.state.process.session_count
    answer = first.get("/app?" + by.format(token=token, ident=ident))
    assert answer.status == 200 and second.server.state.policy.read_token(answer.token).session_id == ident
    assert answer.headers["connection"] == "close"
    assert first.server.state.process.session_count == before


def test_socket_is_opened_by_the_process_that_has_its_session(both: tuple[Inside, Inside]) -> None:
    first, second = both
    token = second.get("/app").token
    with first.client("/app", token, origin="http://localhost") as client:
        assert client.set("slider", "value", 5).msgtype == "OK"
        session = session_of(second, token)
        assert session is not None and session.connection_count == 1
        assert len(second.server.state.process.wires) == 1 and not first.server.state.process.wires


def test_session_that_nobody_has_yet_is_built_by_the_process_whose_it_will_be(both: tuple[Inside, Inside]) -> None:
    first, second = both
    ident = second.server.state.mint_session_id()
    answer = first.get(f"/app?bokeh-session-id={ident}")
    assert answer.status == 200 and session_of(second, answer.token) is not None


def test_socket_whose_handshake_is_wrong_is_refused_where_it_arrived(both: tuple[Inside, Inside]) -> None:
    first, second = both
    before = first.server.state.runtimes[0].gauges.refused["malformed"]
    assert first.get("/app/ws").status == 400
    assert first.server.state.runtimes[0].gauges.refused["malformed"] == before + 1


def test_page_goes_to_a_process_that_has_room(tmp_path: Path) -> None:
    with pair(tmp_path, max_sessions=1) as (first, second):
        here, there = first.get("/app"), first.get("/app")
        assert session_of(first, here.token) is not None and session_of(second, there.token) is not None
        full = first.get("/app")
        assert full.status == 503 and "Too many visitors at the moment" in full.text


def test_user_has_no_more_sessions_in_all_processes_than_allowed(tmp_path: Path) -> None:
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    with pair(tmp_path, max_sessions_per_user=2, **BY_HEADER) as (first, second):
        tokens_of_ann = [first.get("/app", headers=ann).token, second.get("/app", headers=ann).token]
        for state in (first, second):
            full = state.get("/app", headers=ann)
            assert (full.status, full.headers["retry-after"]) == (503, "5")
            assert "You have too many pages open" in full.text
            assert "You have 2 open sessions here; close a page and try again." in full.text
            assert state.server.state.runtimes[0].gauges.refused["user"] == 1
            assert state.get("/app", headers=bob).status == 200
            assert len(state.server.state.process.admission) == 2
        script = first.get("/app/autoload.js?bokeh-autoload-element=x", headers=ann)
        assert script.status == 503 and "You have 2 open sessions here" in script.text
        again = first.get(f"/app?bokeh-token={tokens_of_ann[1]}", headers=ann)
        assert again.status == 200, "who has a session gets back in"


def test_socket_of_a_user_with_too_many_sessions_is_refused(tmp_path: Path) -> None:
    ann = {"X-User": "ann"}
    with pair(tmp_path, max_sessions_per_user=1, **BY_HEADER) as (first, second):
        assert first.get("/app", headers=ann).status == 200
        policy = second.server.state.policy
        user = User("ann", "header")
        token = policy.mint_token(second.server.state.mint_session_id(), policy.token_expiry_s(), {}, user)
        with second.socket("/app", token, origin="http://localhost", additional_headers=ann) as client:
            with pytest.raises(ConnectionClosed) as closed:
                client.receive()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1013, "you have an open session here; close its page and try again"
        )  # fmt: skip


def test_page_whose_process_has_gone_is_asked_to_come_again(tmp_path: Path) -> None:
    with pair(tmp_path) as (first, second):
        token = second.get("/app").token
        second.do(second.server.state.process.workers.close())  # type: ignore[union-attr]
        first.server.state.process.begin_draining()  # which is no time to wait for others
        answer = first.get(f"/app?bokeh-token={token}")
        assert answer.status == 503 and answer.headers["retry-after"] == "2"
        assert "The process that has this session is about to start again" in answer.text


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS])
def test_request_that_cannot_be_handed_over_for_want_of_descriptors_has_one_line(
    both: tuple[Inside, Inside], number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = both
    token = second.get("/app").token

    async def scarce(*anything: object) -> None:
        raise OSError(number, "none left")

    monkeypatch.setattr(first.server.state.process.workers, "reach", scarce)
    answer = first.get(f"/app?bokeh-token={token}")
    assert answer.status == 503 and answer.headers["retry-after"] == "2"
    assert caplog.messages == ["/app: no other process can be reached: none left"]


def test_another_fault_of_the_system_is_ours(
    both: tuple[Inside, Inside], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = both
    token = second.get("/app").token

    async def fault(*anything: object) -> None:
        raise OSError(errno.EINVAL, "that is wrong")

    monkeypatch.setattr(first.server.state.process.workers, "reach", fault)
    assert first.get(f"/app?bokeh-token={token}").status == 500


# The processes of sessions


async def test_session_begins_in_a_process_of_its_own_and_is_found_there(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        page = await run.get("/app")
        (ident,) = run.sessions
        assert run.front.server.state.policy.read_token(page.token).session_id == ident
        again = await run.get(f"/app?bokeh-token={page.token}")
        assert again.token == page.token and list(run.sessions) == [ident]
        assert len(run.front.server.state.process.admission) == 1 and run.front.server.state.process.session_count == 1

        def visit() -> int:
            with run.front.client("/app", page.token, origin="http://localhost") as client:
                client.set("slider", "value", 4)
            return int(run.front.server.state.runtimes[0].gauges.built)

        assert await asyncio.to_thread(visit) == 0
        session = run.servers[ident].state.runtimes[0].registry.get(ident)
        assert session is not None
        assert session.document.get_model_by_name("slider").value == 4  # type: ignore[union-attr]
        await run.servers[ident].state.runtimes[0].end(session)
        await run.ended()
        assert run.statuses == [0]
        await asyncio.to_thread(run.front.call, lambda: None)
        assert len(run.front.server.state.process.admission) == run.front.server.state.process.session_count == 0


async def test_request_that_may_have_no_session_starts_no_process(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        state = run.front.server.state
        late = tokens.mint_token(state.policy.signer, state.mint_session_id(), expires_at=int(time.time()) - 1)
        for query in (
            "bokeh-token=nonsense",
            f"bokeh-token={late}",
            "bokeh-session-id=",
            "bokeh-token=a&bokeh-session-id=b",
        ):
            assert (await run.get(f"/app?{query}")).status == 403
        assert (await run.get("/app", method="HEAD")).status == 200
        assert not run.sessions and not len(state.process.admission)


async def test_no_process_is_started_for_more_sessions_than_there_may_be(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill, max_sessions=1) as run:
        assert (await run.get("/app")).status == 200
        full = await run.get("/app")
        assert full.status == 503 and full.headers["retry-after"] == "5" and len(run.sessions) == 1
        run.front.server.state.process.begin_draining()
        assert (await run.get("/app")).status == 503


async def test_no_process_is_started_for_more_sessions_than_a_user_may_have(tmp_path: Path) -> None:
    ann, bob = {"X-User": "ann"}, {"X-User": "bob"}
    async with isolated(tmp_path, fill, max_sessions_per_user=1, **BY_HEADER) as run:
        assert (await run.get("/app", headers=ann)).status == 200
        full = await run.get("/app", headers=ann)
        assert full.status == 503 and "You have an open session here; close its page and try again." in full.text
        assert (await run.get("/app", headers=bob)).status == 200 and len(run.sessions) == 2
        run.runtime_dir.page(1).write_text(json.dumps(['<p>"token":"', '"</p>']), encoding="utf-8")
        assert (await run.get("/app", headers=ann)).status == 503, "a page that needs no process yet"


async def test_page_of_a_session_that_was_ended_says_why(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        state = run.front.server.state
        ident = state.mint_session_id()
        socket_path = run.runtime_dir.session_socket("/app", ident)
        exit_records.note_page(socket_path, ["root-1"])
        exit_records.leave(socket_path, ExitReason.MEMORY)
        token = state.policy.mint_token(ident, state.policy.token_expiry_s(), {}, None)

        def look() -> Any:
            with run.front.client("/app", token, origin="http://localhost", pull=False) as client:
                return client.pull().content

        shown = json.dumps(await asyncio.to_thread(look))
        assert "root-1" in shown and "It needed more memory than one session may take." in shown
        assert not run.sessions


async def test_page_that_is_the_same_for_all_needs_no_process_until_its_socket_comes(tmp_path: Path) -> None:
    async with isolated(tmp_path, fill) as run:
        run.runtime_dir.page(1).write_text(json.dumps(['<p>"token":"', '"</p>']), encoding="utf-8")
        page = await run.get("/app")
        assert page.status == 200 and page.text == f'<p>"token":"{page.token}"</p>' and not run.sessions
        assert page.headers["cache-control"] == "no-store"

        def visit() -> Any:
            with run.front.client("/app", page.token, origin="http://localhost") as client:
                return client.value("slider", "value")

        assert await asyncio.to_thread(visit) == 1 and len(run.sessions) == 1
        named = await run.get(f"/app?bokeh-token={page.token}")
        assert "<title>" in named.text, "who names a session gets its page"
        run.front.server.state.process.admission.max_sessions = 1
        assert (await run.get("/app")).status == 503


@pytest.mark.parametrize("answer", [b"", ALREADY])
async def test_process_that_cannot_be_started_is_a_line_and_a_503(
    tmp_path: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_group_module, "_PATIENCE_S", 0.0)
    monkeypatch.setattr("app_server.processes.session_processes._PUT_BACK_S", 0.0)
    async with isolated(tmp_path, fill) as run:
        run.answer = answer
        got = await run.get("/app")
        assert (
            got.status == 503
            and got.headers["retry-after"] == "2"
            and not len(run.front.server.state.process.admission)
        )
        (line,) = caplog.messages
        assert line.startswith("/app: no process for a session: ")


async def test_user_that_was_found_out_goes_with_the_connection(tmp_path: Path) -> None:
    users = {"auth_header": "X-User", "auth_header_from": ("127.0.0.1",)}
    async with isolated(tmp_path, fill, **users) as run:
        page = await run.get("/app", headers={"X-User": "ann"})
        assert page.status == 200
        (server,) = run.servers.values()
        (session,) = server.state.runtimes[0].registry
        assert str(session.context.user) == "ann"
        assert (await run.get(f"/app?bokeh-token={page.token}", headers={"X-User": "bob"})).status == 403
        assert (await run.get("/app")).status == 403

"""Each session in a process of its own: what one does there, the others do not notice."""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import trustme
from websockets.exceptions import InvalidStatus

from app_server.security.tokens import Signer, mint_session_id, mint_token
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import PATIENCE_S, Client
from tests.support.priorities import may_raise, policies
from tests.support.waiting import patience, until

UNSIGNED = Signer()


def family(served: Served) -> list[psutil.Process]:
    """All processes that the server has started."""
    return psutil.Process(served.process.process.pid).children(recursive=True)


def do(client: Client, words: str) -> str:
    """Have the application do something; the process that has done it."""
    client.set("field", "value", words)
    return str(client.value("seen", "text").split()[0])


def give(client: Client, words: str) -> None:
    """Have the application do something that is never answered."""
    client.send("PATCH-DOC", {"events": [client.change("field", "value", words)]})


def notice(served: Served, token: str) -> str:
    """What the page of an ended session shows when it reconnects, as it does with the token that it has."""
    begin = time.monotonic()
    while True:
        try:
            with served.site.client("/apart", token) as client:
                assert len(client.roots) == 1
                return str(client.attributes[client.roots[0]]["text"])
        except InvalidStatus as refused:
            # Its process is just ending: a page tries again, too.
            assert refused.response.status_code == 503 and time.monotonic() < begin + patience(PATIENCE_S)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the applications count their runs."""
    return tmp_path_factory.mktemp("runs") / "runs"


@pytest.fixture(scope="module")
def apart(runs_file: Path) -> Iterator[Served]:
    """Two processes that take connections, and a process for each session, with limits.

    There is no --callback-limit: on a busy machine, it would end a session that only waits for the processor.
    """
    flags = ["--isolation", "process", "--num-procs", "2", "--session-memory", "150"]
    flags += ["--session-cpu", "8", "--unused-session-lifetime", "1000", "--check-unused-sessions", "100"]
    with serving(*apps("apart.py", "counting.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        yield served


@pytest.fixture(scope="module")
def lasting(runs_file: Path) -> Iterator[Served]:
    """The same, but a session without a socket does not end so soon, however late its client opens it."""
    flags = ["--isolation", "process", "--num-procs", "2"]
    with serving(*apps("apart.py", "counting.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        yield served


@pytest.fixture
def runs(runs_file: Path) -> Callable[[], int]:
    """How often applications have run since the test began."""

    def count() -> int:
        return len(runs_file.read_text().splitlines()) if runs_file.exists() else 0

    before = count()
    return lambda: count() - before


def test_each_session_has_a_process_of_its_own_which_ends_with_it(apart: Served) -> None:
    with apart.site.client("/apart") as one, apart.site.client("/apart") as other:
        pids = {int(do(one, "this")), int(do(other, "that"))}
        assert len(pids) == 2
        assert pids <= {process.pid for process in family(apart)}
    until(lambda: not any(map(psutil.pid_exists, pids)))


def test_only_the_session_that_never_returns_is_ended_and_its_page_says_so(runs_file: Path) -> None:
    limit_s = patience(1)
    flags = ["--isolation", "process", "--num-procs", "2", "--callback-limit", f"{limit_s:.3g}"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as stuck, served.site.client("/apart") as other:
            root = stuck.roots[0]
            give(stuck, "loop")
            began_s, answers = time.monotonic(), 0
            while time.monotonic() < began_s + 0.8 * limit_s:
                do(other, f"at {time.monotonic()}")
                answers += 1
            assert answers > 3
            assert stuck.close_code() is None  # its process is killed
            assert do(other, "on")
        assert "It took longer to answer" in notice(served, token)
        with served.site.client("/apart", token) as client:
            assert client.roots == [root]  # the page finds its element
        served.process.wait_for_log(f"a callback takes longer than {limit_s:.3g} s")
        served.process.wait_for_log("in loop_for_ever")


def has_low_priority(process: psutil.Process, normal: int) -> bool:
    """Whether it runs only while others do not, or has a tenth of their time if it could not be raised again."""
    if may_raise():
        return set(policies(process.pid)) == {os.SCHED_IDLE}
    return process.nice() == min(normal + 10, 19)


def test_a_session_that_does_not_return_gets_a_lower_priority_and_the_others_keep_theirs(runs_file: Path) -> None:
    flags = ["--isolation", "process"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        with served.site.client("/apart") as stuck, served.site.client("/apart") as other:
            slow, quick = (psutil.Process(int(do(client, "this"))) for client in (stuck, other))
            normal = quick.nice()
            give(stuck, "loop")
            until(lambda: has_low_priority(slow, normal), "the session that does not return has a lower priority")
            assert do(other, "on")
            assert quick.nice() == normal and set(policies(quick.pid)) == {os.SCHED_OTHER}
            slow.kill()  # the server would wait for it


def test_a_session_that_has_computed_for_long_gets_its_priority_back(runs_file: Path) -> None:
    flags = ["--isolation", "process"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        with served.site.client("/apart") as client:
            slow = psutil.Process(int(do(client, "this")))
            normal = slow.nice()
            for words in ("sleep 2", "sleep 2.5"):
                give(client, words)
                until(lambda: has_low_priority(slow, normal), "the session that takes long has a lower priority")
                until(lambda: set(policies(slow.pid)) == {os.SCHED_OTHER}, "the session is done")
                assert slow.nice() == (normal if may_raise() else min(normal + 10, 19))
            assert do(client, "on")


def test_only_the_session_that_wants_too_much_memory_is_ended(apart: Served) -> None:
    token = apart.site.token("/apart")
    with apart.site.client("/apart", token) as client:
        assert do(client, "take 50")
        give(client, "take 150")
        assert client.close_code() == 1001
    until(lambda: "It needed more memory" in notice(apart, token))


def test_only_the_session_that_computes_for_too_long_is_ended(runs_file: Path) -> None:
    flags = ["--isolation", "process", "--session-cpu", "1"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as client, served.site.client("/apart") as other:
            give(client, "compute")
            assert client.close_code() is None
            assert do(other, "on")
        assert "used up the processor time" in notice(served, token)
        served.process.wait_for_log("in compute")


@pytest.mark.parametrize(("words", "how"), [("crash", "SIGSEGV"), ("leave", "status 3")])
def test_a_session_that_crashes_ends_no_other_and_its_page_says_so(apart: Served, words: str, how: str) -> None:
    token = apart.site.token("/apart")
    with apart.site.client("/apart", token) as client, apart.site.client("/apart") as other:
        before = do(other, "before")
        give(client, words)
        assert client.close_code() is None
        assert do(other, "after") == before
    assert "unexpected end" in notice(apart, token)
    apart.process.wait_for_log(f"its process ended unexpectedly: {how}")


def test_sessions_of_others_are_refused_with_the_reason(apart: Served) -> None:
    with apart.site.client("/apart") as client:
        client.set("field", "value", "others")
    apart.process.wait_for_log("server_context.sessions is not available: each session has a process of its own")
    apart.process.wait_for_log("Keep what sessions share in a file, a database or Redis")


def test_random_numbers_differ_between_sessions(apart: Served) -> None:
    drawn = set()
    for _ in range(3):
        with apart.site.client("/apart") as client:
            client.set("field", "value", "draw")
            drawn.update(client.value("seen", "text").split()[1:])
    assert len(drawn) == 6


def test_60_pages_with_their_sockets_are_60_runs(lasting: Served, runs: Callable[[], int]) -> None:
    def visit(number: int) -> str:
        with lasting.site.client("/apart") as client:
            return do(client, str(number))

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(visit, range(60)))) == 60
    assert runs() == 60


def test_an_embedded_application_runs_once(lasting: Served, runs: Callable[[], int]) -> None:
    query = {"bokeh-autoload-element": "e1", "bokeh-app-path": "/apart"}
    for _ in range(4):
        with lasting.site.client("/apart", lasting.site.get("/apart/autoload.js", **query).token) as client:
            assert do(client, "this")
    assert runs() == 4


def test_a_request_for_a_session_that_is_being_made_waits_for_it(lasting: Served, runs: Callable[[], int]) -> None:
    session_id = mint_session_id(UNSIGNED)
    token = mint_token(UNSIGNED, session_id, expires_at=int(time.time()) + 60)

    def ask(number: int) -> str:
        asked = token
        if number % 2:
            asked = lasting.site.get("/counting", **{"slow": "1", "bokeh-session-id": session_id}).token
        with lasting.site.client("/counting", asked) as client:
            client.set("slider", "value", number + 1)
            return str(client.value("seen", "text").split()[0])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert runs() == 1


def test_a_page_that_comes_back_finds_its_session_as_it_was(apart: Served) -> None:
    token = apart.site.token("/apart")
    with apart.site.client("/apart", token) as client:
        pid = do(client, "remember")
        client.cut()
    with apart.site.client("/apart", token) as client:
        assert client.value("seen", "text") == f"{pid} remember"


def test_a_forged_token_starts_no_process(apart: Served, runs: Callable[[], int]) -> None:
    assert apart.site.get("/apart", **{"bokeh-token": "nonsense"}).status == 403
    with apart.site.socket("/apart", "nonsense") as client:
        assert client.close_code() == 1008
    expired = mint_token(UNSIGNED, mint_session_id(UNSIGNED), expires_at=int(time.time()) - 1)
    with apart.site.socket("/apart", expired) as client:
        assert client.close_code() == 1008
    assert runs() == 0


def test_a_process_that_takes_connections_may_crash_and_the_sessions_go_on(runs_file: Path) -> None:
    with serving(*apps("apart.py"), "--isolation", "process", env={"COUNTING_FILE": str(runs_file)}) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as client:
            pid = do(client, "before")
            front, _ = psutil.Process(served.process.process.pid).children()
            front.kill()
            assert do(client, "meanwhile") == pid
            served.process.wait_for_log("ended with SIGKILL")
        until(lambda: served.process.log_text().count("ended with SIGKILL") and _answers(served))
        with served.site.client("/apart", token) as client:
            assert client.value("seen", "text") == f"{pid} meanwhile"


def _answers(served: Served) -> bool:
    try:
        return served.site.get("/healthz").status == 200
    except OSError:
        return False


def test_the_process_that_sessions_are_forked_from_may_crash_and_they_go_on(runs_file: Path) -> None:
    with serving(*apps("apart.py"), "--isolation", "process", env={"COUNTING_FILE": str(runs_file)}) as served:
        with served.site.client("/apart") as client:
            pid = do(client, "before")
            psutil.Process(int(pid)).parent().kill()  # type: ignore[union-attr]
            assert do(client, "after") == pid
            with served.site.client("/apart") as another:  # which waits until there is a new one
                assert do(another, "this")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_process_is_left_when_the_server_stops(runs_file: Path, number: int) -> None:
    flags = ["--isolation", "process", "--drain-deadline", "2"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        with served.site.client("/apart") as client, served.site.client("/apart") as stuck:
            do(client, "this")
            give(stuck, "linger")
            left = family(served)
            assert len(left) == 4
            os.kill(served.process.process.pid, number)
            assert client.close_code() == 1001
            assert served.process.process.wait(patience(PATIENCE_S)) == 0
        assert not any(process.is_running() for process in left)


def test_no_process_outlives_a_server_that_was_killed(runs_file: Path) -> None:
    flags = ["--isolation", "process", "--drain-deadline", "2"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        with served.site.client("/apart") as client, served.site.client("/apart") as stuck:
            do(client, "this")
            give(stuck, "linger")
            left = family(served)
            os.kill(served.process.process.pid, signal.SIGKILL)
            psutil.wait_procs(left, patience(2 * PATIENCE_S))
        assert not any(process.is_running() for process in left)


def test_a_drained_server_lets_sessions_go_on_until_they_end(runs_file: Path) -> None:
    flags = ["--isolation", "process", "--drain", "600", "--unused-session-lifetime", "1000"]
    flags += ["--check-unused-sessions", "50"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as client:
            served.process.process.terminate()
            served.process.wait_for_log("Stopping: 1 sessions")
            assert served.site.get("/apart").status == 503
            pid = do(client, "this")
            with served.site.client("/apart", token) as again:
                assert do(again, "that") == pid
        assert served.process.process.wait(patience(PATIENCE_S)) == 0


def test_new_sessions_run_the_reloaded_code_and_old_ones_stay_for_a_while(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    text = "from bokeh.models import Div\nfrom bokeh.plotting import curdoc\n"
    text += "curdoc().add_root(Div(name='it', text='{}'))\n"
    script.write_text(text.format("old"))
    flags = ["--isolation", "process", "--drain", f"{patience(3):.0f}", "--session-token-expiration", "1"]
    with serving(script, *flags) as served:
        token = served.site.token("/app")
        with served.site.client("/app", token) as client:
            script.write_text(text.format("new"))
            os.kill(served.process.process.pid, signal.SIGHUP)

            def is_new() -> bool:
                page = served.site.get("/app")
                if page.status == 503:  # the one that makes way had taken this connection already
                    return False
                with served.site.client("/app", page.token) as another:
                    return bool(another.value("it", "text") == "new")

            until(is_new)
            with served.site.client("/app", token) as again:
                assert again.value("it", "text") == "old"
            assert client.close_code() == 1012
        # Its token has expired meanwhile, and its process has handed its name on.
        with served.site.client("/app", token) as client:
            assert client.value("it", "text") == "new"
        served.interrupt()


def test_connections_to_sessions_are_relayed_if_the_server_terminates_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    flags = ["--isolation", "process", "--ssl-certfile", tmp_path / "pem"]
    with serving(*apps("apart.py"), *flags, env={"COUNTING_FILE": str(tmp_path / "runs")}) as served:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca"))
        pids = set()
        for number in range(3):
            with served.site.client("/apart", ssl=trusting, origin=served.process.url) as client:
                pids.add(do(client, str(number)))
        assert len(pids) == 3
    assert len((tmp_path / "runs").read_text().splitlines()) == 3

"""Sessions in Redis, whose owner stops, is killed, or cannot reach it: one owner at any time, and nothing is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.protocol.conftest import SECRET, Served, serving
from tests.protocol.saving.conftest import KEPT, do, go_on, kill, seen, sessions_of, work_on
from tests.support.servers.redis import RunningRedis, redis_folder, running_redis
from tests.support.waiting import patience, until


@pytest.fixture
def redis_at() -> Iterator[Path]:
    """The folder of a Redis."""
    with redis_folder() as folder:
        yield folder


@pytest.fixture
def redis(redis_at: Path) -> Iterator[RunningRedis]:
    """A Redis of the test's own."""
    with running_redis(redis_at) as running:
        yield running


def host(processes: ExitStack, redis: RunningRedis, *flags: str) -> Served:
    """A server that saves its sessions there, as one of several hosts."""
    environment = {"BOKEH_SECRET_KEY": SECRET}
    return processes.enter_context(serving(KEPT, "--store", redis.location, "--metrics", *flags, env=environment))


def wait_until_saved(redis: RunningRedis, text: str) -> None:
    """Return when a session that is saved has this text."""
    until(lambda: text in all_of(redis), f"{text!r} is saved")


def all_of(redis: RunningRedis) -> str:
    """Everything that is saved."""
    with Redis.from_url(redis.location) as client:
        lists = [key for key in client.scan_iter() if client.type(key) == b"list"]
        records = [record for key in lists for record in client.lrange(key, 0, -1)]
    return b"".join(records).decode("utf-8", "replace")


@contextmanager
def standing_still(served: Served) -> Iterator[None]:
    """The server does nothing, and does not know it."""
    served.process.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        served.process.process.send_signal(signal.SIGCONT)


def test_owner_that_was_stopped_sends_its_clients_to_the_next_one_and_writes_no_more(
    processes: ExitStack, redis: RunningRedis
) -> None:
    one, other = host(processes, redis), host(processes, redis)
    token = one.site.token("/kept")
    with one.site.client("/kept", token) as client:
        work_on(client, 71)
        wait_until_saved(redis, "done add 1")
        with standing_still(one):
            # What it has not read yet is a change that it must not save.
            client.send("PATCH-DOC", {"events": [client.change("field", "value", "add 99")]})
            with other.site.client("/kept", token) as next_client:
                go_on(next_client, 71)
                wait_until_saved(redis, "done add 2")
        assert client.close_code() == 1012
        one.process.wait_for_log("another process has")
    assert "add 99" not in all_of(redis)
    until(lambda: sessions_of(one) == 0, "the session is forgotten")
    kill(other)
    with one.site.client("/kept", token) as client:
        assert seen(client)["rows"] == [0, 71, 142]
        do(client, "add 5")
    assert "Traceback" not in one.process.log_text()


def test_session_of_a_lost_host_goes_on_at_another_one(processes: ExitStack, redis: RunningRedis) -> None:
    one, other = host(processes, redis), host(processes, redis)
    token = one.site.token("/kept")
    with one.site.client("/kept", token) as client:
        work_on(client, 72)
        wait_until_saved(redis, "done add 1")
        kill(one)
        begun_s = time.monotonic()
        with other.site.client("/kept", token) as next_client:
            assert time.monotonic() < begun_s + patience(6)
            go_on(next_client, 72)
    assert "Traceback" not in other.process.log_text()


def test_page_does_not_notice_that_redis_is_restarted_and_saving_goes_on(processes: ExitStack, redis_at: Path) -> None:
    with running_redis(redis_at) as redis:
        served = host(processes, redis)
        token = served.site.token("/kept")
        with served.site.client("/kept", token) as client:
            work_on(client, 73)
            wait_until_saved(redis, "done add 1")
            redis.process.kill()
            redis.process.wait()
            do(client, "add 2")
            served.process.wait_for_log("Sessions are not saved at the moment")
            with running_redis(redis_at, port=redis.port) as redis:  # which has lost everything
                do(client, "add 3")
                wait_until_saved(redis, "done add 3")
                do(client, "add 4")
                wait_until_saved(redis, "done add 4")
                served.process.wait_for_log("Sessions are saved again")
                kill(served)
                other = host(processes, redis)
                with other.site.client("/kept", token) as client:
                    assert seen(client)["rows"] == [0, 73, 146, 219, 292]
                assert "Traceback" not in served.process.log_text()

"""A proxy in front of three instances, as compose.yaml has it: what people do with it, and what happens to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import testinfra
from playwright.sync_api import Page

from tests.support.browsers.pages import Complaints, drag_slider, model_value, open_app, patience_ms, wait_for_model
from tests.support.client import Client
from tests.support.containers.engine import container_state, docker
from tests.support.containers.images import TAG
from tests.support.containers.stack import Stack, running_stack
from tests.support.waiting import until

DEPLOY = """
name: {name}
apps: {who: who.py, greedy: greedy.py}
public: {hosts: [localhost, 127.0.0.1]}
instances: 3
service: {drain_s: 20, secrets: apps.env}
sessions: {ids: signed, unused_lifetime_s: 2}
secrets: {secret_key: {file: SECRET}}
paths: {apps: "{root}/tests/container/apps"}
containers:
  build_context: "{root}"
  images: {app: "app-server:TAG", proxy: "app-server-nginx-stack:TAG"}
  publish: {http: {port}, address: 127.0.0.1}
  memory_mb: 256
"""
UNDER_GUNICORN = """
name: {name}
apps: {who: who.py}
public: {hosts: [localhost, 127.0.0.1], prefix: /tools}
service: {manager: gunicorn, drain_s: 1}
paths: {apps: "{root}/tests/container/apps"}
containers:
  build_context: "{root}"
  images: {app: "app-server:TAG", proxy: "app-server-nginx-gunicorn:TAG"}
  publish: {http: {port}, address: 127.0.0.1}
"""
INSTANCES = ("a1", "a2", "a3")
SERVICES = ("proxy", *(f"app-{name}" for name in INSTANCES))
# Between two pages of a visitor: people leave the machine some time for what happens to it.
PAUSE_S = 0.02
OWN_SECRET = "a$b `id` ${c} \"d\" #e\nsecond line"
SECRET = "do-not-tell-anybody-0123456789abcdef"


@pytest.fixture(scope="module")
def stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that the tests of this file share; each leaves it healthy."""
    folder = tmp_path_factory.mktemp("stack")
    secret = folder / "secret"
    secret.write_text(SECRET, encoding="ascii")
    # Compose mounts the file as it is.
    secret.chmod(0o444)
    own = folder / "apps.env"
    own.write_text(f"WHO_SECRET='{OWN_SECRET}'\n", encoding="utf-8")
    own.chmod(0o444)
    folder.chmod(0o755)
    with running_stack(folder, DEPLOY.replace("SECRET", str(secret)).replace("TAG", TAG)) as stack:
        yield stack


@pytest.fixture
def healthy(stack: Stack) -> Iterator[Stack]:
    """The same; what a test has stopped is started again, and waited for."""
    yield stack
    stack.compose("start")
    stack.wait_healthy(*SERVICES)


@contextmanager
def visitors(stack: Stack, count: int = 2) -> Iterator[Counter[int]]:
    """People who open pages all the time: how many answers of each status they got; 0 stands for no answer."""
    seen: Counter[int] = Counter()
    over = threading.Event()

    def visit() -> None:
        while not over.wait(PAUSE_S):
            try:
                seen[stack.site.get("/who").status] += 1
            except OSError:
                seen[0] += 1

    threads = [threading.Thread(target=visit) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def client_of(stack: Stack, instance: str, app: str = "/who") -> Iterator[Client]:
    """A client of a session that this instance has, at the address in its page."""
    token = stack.page_of(instance, app).token
    with stack.site.client(f"/_i/{instance}{app}", token) as client:
        yield client


def sessions_built(stack: Stack) -> int:
    """How many sessions the instances have built since each of them started; one that has built none has no file."""
    counted = "if test -e /tmp/built; then cat /tmp/built; else echo 0; fi"
    return sum(int(stack.run(f"app-{name}", "sh", "-c", counted)) for name in INSTANCES)


def test_slider_moves_in_chromium(stack: Stack, page: Page) -> None:
    open_app(page, f"{stack.url}/who")
    drag_slider(page, 0, 120)
    moved = model_value(page, "slider", "model.value")
    assert moved > 1
    wait_for_model(page, "text", f"model.text === '{moved}'")


def test_page_and_socket_meet_the_same_instance_always(stack: Stack) -> None:
    met: Counter[str] = Counter()
    for _ in range(60):
        route, answer = stack.page()
        with stack.site.client(f"/_i/{route}/who", answer.token) as client:
            # The page's title was written by the instance that built the session.
            assert f"<title>{client.value('where', 'text')}</title>" in answer.text
        met[route] += 1
    assert set(met) == set(INSTANCES)
    built = sessions_built(stack)
    with stack.site.client("/who", stack.page()[1].token):
        pass
    again = sessions_built(stack)
    # Even a client that ignores the route finds a session; the page and its socket never build two.
    assert again - built in (1, 2)


def test_every_session_is_built_once(stack: Stack) -> None:
    before = sessions_built(stack)
    for _ in range(30):
        route, answer = stack.page()
        with stack.site.client(f"/_i/{route}/who", answer.token):
            pass
    after = sessions_built(stack)
    assert after - before == 30


@pytest.mark.parametrize("service", ["proxy", "app-a1"])
def test_containers_are_hardened_in_fact(stack: Stack, service: str) -> None:
    host = testinfra.get_host(f"docker://{stack.container(service)}")
    status = host.file("/proc/1/status").content_string
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    uids = set(host.run("cat /proc/[0-9]*/status | grep ^Uid").stdout.split()) - {"Uid:"}
    assert uids == {"10002" if service == "proxy" else "10001"}
    for path in ("/", "/etc", "/var/log", "/opt"):
        assert host.run(f"touch {path}/x").rc != 0, path
    known = stack.inspect(service)["HostConfig"]
    assert known["Memory"] == known["MemorySwap"] > 0 and known["PidsLimit"] > 0
    assert (
        known["ReadonlyRootfs"] and known["CapDrop"] == ["ALL"] and known["RestartPolicy"]["Name"] == "unless-stopped"
    )
    assert known["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


def test_stop_may_take_longer_than_the_drain(stack: Stack) -> None:
    assert stack.inspect("app-a1")["Config"]["StopTimeout"] == 20 + 15


def test_secret_is_in_no_image_and_in_no_description(stack: Stack, tmp_path: Path) -> None:
    assert stack.run("app-a1", "cat", "/run/secrets/secret_key") == SECRET
    with stack.site.client("/who", stack.site.get("/who").token) as client:
        assert client.value("secret", "text") == OWN_SECRET
    assert stack.run("app-a1", "app-server", "env", "printenv", "WHO_SECRET") == OWN_SECRET
    for service in SERVICES:
        described = json.dumps(stack.inspect(service))
        assert SECRET not in described and "WHO_SECRET" not in described
    assert SECRET not in stack.compose("config") and "WHO_SECRET" not in stack.compose("config")
    for image in (f"app-server:{TAG}", f"app-server-nginx-stack:{TAG}"):
        assert SECRET not in docker("history", "--no-trunc", image) + docker("image", "inspect", image)


def test_site_is_closed_while_a_file_exists(stack: Stack) -> None:
    with stack.site.client("/who", stack.site.get("/who").token) as client:
        client.pull()
        stack.compose("exec", "proxy", "touch", "/var/lib/app-server/maintenance")
        try:
            answer = stack.site.get("/who")
            assert answer.status == 503 and "Back soon" in answer.text
            # An open session goes on.
            client.set("slider", "value", 3)
            client.wait_value("text", "text", "3")
        finally:
            stack.compose("exec", "proxy", "rm", "/var/lib/app-server/maintenance")
        assert stack.site.get("/who").status == 200


def test_log_of_the_proxy_is_json_without_queries(stack: Stack) -> None:
    def pages() -> int:
        logged = [json.loads(line) for line in stack.logs("proxy").splitlines() if line.startswith("{")]
        return sum(line["uri"] == "/who" and line["status"] == 200 for line in logged)

    before = pages()
    assert stack.site.get("/who", secret="not-for-the-log").status == 200
    until(lambda: pages() > before, "the page is in the log")
    assert "not-for-the-log" not in stack.logs("proxy")


def opened(page: Page, stack: Stack) -> str:
    """Open the application in a browser; the instance that has its session."""
    open_app(page, f"{stack.url}/who")
    page.evaluate("() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }")
    route: str = page.evaluate("() => document.documentElement.outerHTML.match('/_i/([a-z0-9]+)/')[1]")
    return route


def wait_until_back(page: Page) -> None:
    """Return when BokehJS has its document again."""
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(60))


def test_killed_process_costs_no_page_and_starts_again(healthy: Stack, page: Page, complaints: Complaints) -> None:
    route = opened(page, healthy)
    begun = restarts(healthy, route)
    with visitors(healthy) as seen:
        os.kill(healthy.server_process(f"app-{route}"), signal.SIGKILL)
        until(lambda: restarts(healthy, route) > begun, "the engine has started it again", 60)
        healthy.wait_healthy(f"app-{route}")
    assert set(seen) == {200}, seen
    # The page has come back, on whichever instance, and works.
    wait_until_back(page)
    drag_slider(page, 0, 60)
    wait_for_model(page, "text", "parseInt(model.text) > 1")
    complaints.clear()


def test_killed_container_costs_no_page(healthy: Stack, page: Page, complaints: Complaints) -> None:
    route = opened(page, healthy)
    with visitors(healthy) as seen:
        docker("kill", healthy.container(f"app-{route}"))
        # Its page goes on with another instance.
        wait_until_back(page)
        drag_slider(page, 0, 60)
        wait_for_model(page, "text", "parseInt(model.text) > 1")
    assert set(seen) == {200}, seen
    complaints.clear()


def test_stopped_instance_lets_sessions_go_on_and_pages_elsewhere(healthy: Stack) -> None:
    with client_of(healthy, "a2") as client, ExitStack() as cleanup:
        stopping = threading.Thread(target=docker, args=("stop", healthy.container("app-a2")))
        stopping.start()
        cleanup.callback(stopping.join)
        until(lambda: not is_ready(healthy, "a2"), "it is told to stop")
        begun_s = time.monotonic()
        routes: Counter[str] = Counter()
        value = 1
        while time.monotonic() - begun_s < 3:
            value = 2 + value % 8
            client.set("slider", "value", value)
            client.wait_value("text", "text", str(value))
            routes[healthy.page()[0]] += 1
        assert "a2" not in routes and len(routes) == 2, routes
    stopping.join()
    assert healthy.inspect("app-a2")["State"]["ExitCode"] == 0


def is_ready(stack: Stack, route: str) -> bool:
    """Whether an instance takes new sessions."""
    words = ("exec", stack.container(f"app-{route}"), "healthcheck", "/readyz")
    return subprocess.run(["docker", *words], capture_output=True, check=False).returncode == 0


def test_full_tmp_hurts_one_session_and_no_page(healthy: Stack) -> None:
    with client_of(healthy, "a1") as bystander:
        with client_of(healthy, "a1", "/greedy") as greedy:
            assert greedy.set("order", "value", "disk").msgtype == "ERROR"
        until(lambda: "No space left" in healthy.logs("app-a1"), "it is in the log")
        bystander.set("slider", "value", 7)
        bystander.wait_value("text", "text", "7")
        assert healthy.site.get("/greedy").status == 200
    healthy.run("app-a1", "rm", "/tmp/hoard")


def test_session_that_takes_all_memory_costs_its_instance_and_no_page(healthy: Stack) -> None:
    begun = restarts(healthy, "a3")
    with visitors(healthy) as seen:
        with client_of(healthy, "a3", "/greedy") as greedy:
            greedy.send(
                "PATCH-DOC",
                {
                    "events": [
                        {
                            "kind": "ModelChanged",
                            "model": {"id": greedy.ident("order")},
                            "attr": "value",
                            "new": "memory",
                        }
                    ]
                },
            )
            until(lambda: restarts(healthy, "a3") > begun, "the instance was ended and started again", 60)
    assert set(seen) == {200}, seen
    assert container_state(healthy.container("app-a1")) == "healthy"


def test_gunicorn_starts_a_worker_again_that_was_killed(engine: None, tmp_path: Path) -> None:
    with running_stack(tmp_path, UNDER_GUNICORN.replace("TAG", TAG)) as stack:
        with stack.site.client("/tools/who", stack.site.get("/tools/who").token) as client:
            client.set("slider", "value", 3)
            client.wait_value("text", "text", "3")
        main = stack.server_process("app-a1")
        assert b"gunicorn" in Path(f"/proc/{main}/cmdline").read_bytes()
        (worker,) = children(main)
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker not in children(main), "the worker is gone", 60)
        until(lambda: stack.site.get("/tools/who").status == 200, "there is a worker again", 60)
        # The container itself was not started again.
        state = stack.inspect("app-a1")
        assert (state["RestartCount"], stack.server_process("app-a1")) == (0, main)
        stack.compose("stop", "app-a1")
        assert stack.inspect("app-a1")["State"]["ExitCode"] == 0


def children(process: int) -> list[int]:
    """The ids of a process's children."""
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()]


def restarts(stack: Stack, instance: str) -> int:
    """How often the engine has started an instance's container again."""
    count: Any = stack.inspect(f"app-{instance}")["RestartCount"]
    return int(count)

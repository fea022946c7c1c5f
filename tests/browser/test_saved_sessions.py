"""A page whose process is killed comes back with what was worked out on it, with an unmodified BokehJS."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect
from redis import Redis

from tests.support.browsers.line import cuttable_line
from tests.support.browsers.pages import Complaints, open_app, patience_ms, wait_for_model
from tests.support.deployments.deployed import running_deployment
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, RunningServer, running_server
from tests.support.servers.redis import RunningRedis, redis_folder, running_redis
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")
APP = APPS / "worked_on.py"
THREE = "apps: {worked_on: worked_on.py}\ninstances: 3\nsessions: {store: %s}\n"

_SEEN = """() => {
  const model = name => Bokeh.documents[0].get_model_by_name(name)
  const source = model("source")
  const input = Bokeh.index.find_one_by_id(model("text").id).el.shadowRoot.querySelector("input")
  return {
    slider: model("slider").value, text: model("text").value, typed: input.value, note: model("note").text,
    x: Array.from(source.get("x")), y: Array.from(source.get("y")), selected: source.selected.indices,
  }
}"""


@dataclass
class Worked:
    """A page on which something was worked out, all of which is saved, in the folder if there is one."""

    page: Page
    folder: Path | None
    seen: dict[str, Any]

    def assert_back(self, kill: Callable[[], object], within_s: float = 3) -> None:
        """Kill what serves the page; AssertionError unless the page comes back as it was, and goes on."""
        expect_back(self.page)
        kill()
        wait_until_back(self.page, within_s)
        assert seen(self.page) == self.seen
        self.go_on()

    def go_on(self) -> None:
        """Add a row, which shows what Python knows of what was done before, and wait until it is saved."""
        rows = len(self.seen["x"]) + 1
        self.page.get_by_role("button", name="add").click()
        wait_for_model(self.page, "note", f"model.text == '{rows - 3} added'")
        wait_for_model(self.page, "source", f"model.get('y').length == {rows}")
        self.seen = seen(self.page)
        assert self.seen["y"][-1] == self.seen["slider"] * (rows - 3)
        if self.folder is not None:
            until(partial(saved, self.folder, f"{rows - 3} added"), "the row is saved")


def seen(page: Page) -> dict[str, Any]:
    """What the page shows."""
    found: dict[str, Any] = page.evaluate(_SEEN)
    return found


def saved(folder: Path, text: str) -> bool:
    """Whether a session in this folder has this text."""
    return any(text.encode() in path.read_bytes() for path in folder.glob("*.session"))


def saved_in(redis: RunningRedis, text: str) -> bool:
    """Whether a session in this Redis has this text."""
    with Redis.from_url(redis.location) as client:
        lists = [key for key in client.scan_iter() if client.type(key) == b"list"]
        return any(text.encode() in record for key in lists for record in client.lrange(key, 0, -1))


def expect_back(page: Page) -> None:
    """Begin to note when the page comes back."""
    page.evaluate(
        "() => { window.back = 0; if (window.counted) return; window.counted = true;"
        " Bokeh.documents[0].on_event('client_reconnected', () => window.back = Date.now()) }"
    )


def wait_until_back(page: Page, within_s: float = 3) -> float:
    """When the page was back; BokehJS tells its document when it has pulled it again."""
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(within_s))
    return float(page.evaluate("() => window.back / 1000"))


def work_on(page: Page, url: str, folder: Path | None) -> Worked:
    """Open the application there, and do something of each kind."""
    open_app(page, url)
    for _ in range(6):
        page.locator(".noUi-handle").press("ArrowRight")
    wait_for_model(page, "note", "model.text == 'factor 7'")
    page.locator("input.bk-input").fill("what a person wrote")
    page.locator("input.bk-input").press("Enter")
    page.locator(".slick-row").nth(1).locator(".slick-cell").nth(1).click()
    wait_for_model(page, "source", "model.selected.indices[0] == 1")
    worked = Worked(page, folder, seen(page))
    for _ in range(2):
        worked.go_on()
    assert worked.seen == {
        "slider": 7, "text": "what a person wrote", "typed": "what a person wrote", "note": "2 added",
        "x": [1, 2, 3, 4, 5], "y": [3, 1, 2, 7, 14], "selected": [1],
    }  # fmt: skip
    return worked


def owners(server: RunningServer, folder: Path) -> list[psutil.Process]:
    """The processes of this server that have a session which is saved there."""
    main = psutil.Process(server.process.pid)
    there = [main, *main.children(recursive=True)]
    return [each for each in there if any(Path(file.path).parent == folder for file in each.open_files())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where sessions are saved."""
    return tmp_path / "saved"


@pytest.fixture
def serve(processes: ExitStack, folder: Path) -> Callable[..., RunningServer]:
    """Starts a server that saves its sessions, at the same address each time."""
    port = free_port()

    def started(*flags: str) -> RunningServer:
        return processes.enter_context(running_server(APP, "--port", str(port), "--store", folder, *flags))

    return started


def test_page_of_a_killed_server_comes_back_when_it_is_started_again(
    page: Page, serve: Callable[..., RunningServer], folder: Path, complaints: Complaints
) -> None:
    server = serve()
    worked = work_on(page, f"{server.url}/worked_on", folder)

    def restart() -> None:
        nonlocal server
        server.process.kill()
        server.process.wait()
        server = serve()

    # BokehJS asks at once, when no one listens, and again after two seconds.
    worked.assert_back(restart, within_s=7)
    worked.assert_back(restart, within_s=7)
    assert "Traceback" not in server.log_text()
    complaints.clear()


def test_page_of_a_killed_instance_comes_back_on_another_one(
    page: Page, processes: ExitStack, folder: Path, complaints: Complaints
) -> None:
    deployment = processes.enter_context(running_deployment(THREE % folder, apps=APPS))
    worked = work_on(page, f"{deployment.url}/worked_on", folder)
    left = list(deployment.servers)
    for _ in range(2):
        [server] = [each for each in left if owners(each, folder)]
        left.remove(server)
        worked.assert_back(server.process.kill)
    assert owners(left[0], folder)
    assert "Traceback" not in left[0].log_text()
    complaints.clear()


@pytest.mark.parametrize(
    "flags", [("--num-procs", "2"), ("--isolation", "process"), ("--isolation", "snapshot")], ids=" ".join
)
def test_page_of_a_killed_process_comes_back_in_another_one(
    flags: tuple[str, ...], page: Page, serve: Callable[..., RunningServer], folder: Path, complaints: Complaints
) -> None:
    server = serve(*flags)
    worked = work_on(page, f"{server.url}/worked_on", folder)
    for _ in range(2):
        [process] = owners(server, folder)
        worked.assert_back(process.kill)
    assert "Traceback" not in server.log_text()
    complaints.clear()


@pytest.mark.parametrize("isolation", ["process", "snapshot"])
def test_page_goes_on_when_the_process_that_forks_sessions_is_killed_and_comes_back_when_its_own_is(
    isolation: str, page: Page, serve: Callable[..., RunningServer], folder: Path, complaints: Complaints
) -> None:
    server = serve("--isolation", isolation)
    worked = work_on(page, f"{server.url}/worked_on", folder)
    [own] = owners(server, folder)
    fork_server = own.parent()
    assert fork_server is not None
    fork_server.kill()
    worked.go_on()
    assert own.is_running()
    worked.assert_back(own.kill)
    complaints.clear()


def test_page_of_a_lost_host_comes_back_on_another_one(
    page: Page, processes: ExitStack, complaints: Complaints
) -> None:
    redis = processes.enter_context(running_redis(processes.enter_context(redis_folder())))
    deployment = processes.enter_context(running_deployment(THREE % redis.location, apps=APPS))
    worked = work_on(page, f"{deployment.url}/worked_on", None)
    until(lambda: saved_in(redis, "2 added"), "the last row is saved")
    found = re.search(r"/_i/(a[123])/worked_on", page.content())
    assert found is not None
    instances = zip(deployment.plan.instances, deployment.servers, strict=True)
    [server] = [server for instance, server in instances if instance.route == found[1]]
    worked.assert_back(server.process.kill, within_s=6)
    complaints.clear()


@pytest.mark.parametrize("by_hand", [False, True], ids=["by itself", "by hand"])
def test_page_that_was_cut_off_for_long_wakes_its_session(
    by_hand: bool, page: Page, serve: Callable[..., RunningServer], processes: ExitStack, folder: Path,
    complaints: Complaints,
) -> None:  # fmt: skip
    flags = "--unused-session-lifetime 100 --check-unused-sessions 50 --session-token-expiration 1"
    server = serve("--allow-websocket-origin=*", *flags.split())
    line = processes.enter_context(cuttable_line(server.port))
    worked = work_on(page, f"http://127.0.0.1:{line.port}/worked_on", folder)
    opened_s = time.time()
    if by_hand:  # as after the last of BokehJS's tries
        page.evaluate("() => { Bokeh.documents[0].config.reconnect_session = false }")

    def sleep() -> None:
        with line.dead():
            until(lambda: not owners(server, folder), "the session sleeps")
            until(lambda: time.time() > opened_s + 2, "the token expires")
        if by_hand:
            page.get_by_text("Try").click()

    worked.assert_back(sleep, within_s=15)
    complaints.clear()


@pytest.mark.parametrize("flags", [(), ("--isolation", "process")], ids=["none", "process"])
def test_page_of_a_session_that_an_operator_ends_says_so_and_can_start_again(
    page: Page, complaints: Complaints, serve: Callable[..., RunningServer], folder: Path, flags: tuple[str, ...]
) -> None:
    server = serve(*flags)
    work_on(page, f"{server.url}/worked_on", folder)
    [file] = folder.glob("*.session")
    command = [sys.executable, "-m", "app_server", "sessions", "end", file.stem, "--store", folder]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("An operator of this site has ended it.", timeout=patience_ms(5))
    expect(page.locator(".noUi-handle")).to_have_count(0)
    notice.get_by_role("link").click()
    wait_for_model(page, "slider", "model.value == 1")
    assert list(folder.glob(file.name)) == []
    complaints.clear()

"""What people notice of a release: `python -m bench.releasing [--instances 6] [--sessions 50] [--drain SECONDS]`.

Instances of a deployment behind its generated nginx are replaced one after another, as Ansible and compose do it: each
is stopped, started, and has to be ready before the next one's turn. Meanwhile, people move sliders in their sessions,
and others open pages. Exits with 1 if a session did not keep its values, a page failed, or it took longer than the
goal. `--drain` measures what it is like to wait for sessions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.client import HOST, Closed, Tab, get, join, open_page
from bench.load import next_value, together
from bench.servers import APPS, BENCH, STOP_TIMEOUT_S, free_port, wait_until_ready

if TYPE_CHECKING:
    from app_server.deployment.plan.values import Instance, Plan

GOAL_S = 20.0
BETWEEN_MOVES_S = 1.0
BETWEEN_PAGES_S = 0.2
PAUSES_S = (0.0, 2.0, 4.0, 8.0, 16.0)
"""When BokehJS connects again: at once, then after pauses that double."""

SETTLED_WITHIN_S = 30.0


@dataclass
class Person:
    """Someone who moves a slider in a session, and what became of it."""

    port: int
    socket_at: str
    token: str
    tab: Tab
    moved_to: list[float] = field(default_factory=list)
    away_s: list[float] = field(default_factory=list)
    """How long each return to the session took."""
    lost: str = ""
    """Why the session was not as it had been; empty if it was."""

    async def work(self, over: asyncio.Event) -> None:
        """Move the slider once a second, and come back when the connection is lost, until it is over."""
        while not self.lost and not (over.is_set() and not self.tab.connection.closed):
            try:
                await self._move()
                await asyncio.sleep(BETWEEN_MOVES_S)
            except Closed:
                await self._come_back()

    async def _move(self) -> None:
        self.moved_to.append(next_value())
        await self.tab.round_trip(self.tab.models("Slider")[0], self.moved_to[-1])
        self.moved_to = self.moved_to[-1:]  # what came before is out of date, since this was answered

    async def _come_back(self) -> None:
        lost_s = time.monotonic()
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            try:
                self.tab = await join(self.port, self.socket_at, self.token)
            except (OSError, TimeoutError):
                continue
            self.away_s.append(time.monotonic() - lost_s)
            if not any(self._has(value) for value in self.moved_to):
                self.lost = "it had other values"
            return
        self.lost = "it did not come back"

    def _has(self, value: float) -> bool:
        """Whether a slider has this value in the document as it was pulled last."""
        return any(f'"value":{value}{end}'.encode() in self.tab.reply.content for end in ",}")


@dataclass
class Visitors:
    """People who open pages, one after another; `failed` are the answers that were no page."""

    port: int
    pages: int = 0
    failed: list[str] = field(default_factory=list)

    async def come(self, over: asyncio.Event) -> None:
        """Open pages until it is over."""
        while not over.is_set():
            try:
                status = (await get(self.port, "/sliders")).status
                if status != 200:
                    self.failed.append(str(status))
            except (OSError, TimeoutError, ValueError, IndexError) as error:
                self.failed.append(repr(error))
            self.pages += 1
            await asyncio.sleep(BETWEEN_PAGES_S)


class Host:
    """The instances that run, as a service manager has them."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._folder = folder
        self._plan = plan
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, instance: Instance) -> None:
        """Start an instance; return when it is ready."""
        environment = {**os.environ, "PYTHONPATH": str(BENCH.parent)}
        with (self._folder / f"{instance.name}.log").open("ab") as log:
            process = self._running[instance.name] = subprocess.Popen(
                list(instance.command), cwd=self._plan.paths.apps, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        assert instance.port is not None
        if not wait_until_ready(process, instance.port):
            raise RuntimeError(f"{instance.name} did not start: {self.log_of(instance)}")

    def replace(self, instance: Instance) -> float:
        """Stop an instance, and start it again; how many seconds that took."""
        began_s = time.monotonic()
        process = self._running.pop(instance.name)
        process.send_signal(signal.SIGTERM)
        process.wait(self._plan.stop_timeout_s)
        self.start(instance)
        return time.monotonic() - began_s

    def log_of(self, instance: Instance) -> str:
        """What an instance has logged."""
        return (self._folder / f"{instance.name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End all instances."""
        for process in self._running.values():
            process.kill()
            process.wait(STOP_TIMEOUT_S)


@contextmanager
def deployed(instances: int, drain_s: float | None) -> Iterator[tuple[Plan, Host]]:
    """A deployment that answers behind nginx."""
    from app_server.deployment.checks.proxies.nginx import command, write_scratch
    from app_server.deployment.checks.scratch import is_listening, running
    from app_server.deployment.load import from_values
    from app_server.deployment.plan.resolver import resolve_plan
    from app_server.tls import installed_nginx

    installed = installed_nginx()
    if installed is None:
        raise RuntimeError("nginx is not installed")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        values = deployment(folder, instances, drain_s)
        plan = resolve_plan(from_values(values, "bench"), proxy_version=installed.version)
        host = Host(plan, folder)
        stack.callback(host.stop)
        for instance in plan.instances:
            host.start(instance)
        words = command(installed.path, folder, write_scratch(plan, folder))
        complaint = stack.enter_context(running(words, folder / "output", lambda: is_listening(plan.listen_http)))
        if complaint is not None:
            raise RuntimeError(f"nginx did not start: {complaint}")
        yield plan, host


def deployment(folder: Path, instances: int, drain_s: float | None) -> dict[str, Any]:
    """What deploy.yaml says, with ports of this machine."""
    http = free_port()
    return {
        "apps": {"sliders": "sliders.py"},
        "public": {"hosts": [HOST], "port": http},
        "proxy": {"kind": "nginx", "address": HOST, "http_port": http},
        "instances": {"count": instances, "port": free_ports(instances)},
        "logs": {"dir": str(folder)},
        "service": {} if drain_s is None else {"drain_s": drain_s},
        "paths": {
            "command": [sys.executable, "-m", "app_server"],
            "apps": str(APPS),
            "etc": str(folder),
            "state": str(folder / "state"),
        },
    }


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server((HOST, port)))
            except OSError:
                continue
        return first


async def person(port: int) -> Person:
    """Someone who has opened a page, and has moved its slider for the first time."""
    token, socket_at = await open_page(port, "/sliders")
    someone = Person(port, socket_at, token, await join(port, socket_at, token))
    await someone._move()
    return someone


async def release(plan: Plan, host: Host, sessions: int) -> tuple[float, list[Person], Visitors]:
    """Replace all instances while people use them: the seconds, and what they have noticed."""
    people = await together(sessions, lambda: person(plan.listen_http))
    visitors, over = Visitors(plan.listen_http), asyncio.Event()
    using = [asyncio.ensure_future(each.work(over)) for each in people]
    coming = asyncio.ensure_future(visitors.come(over))
    await asyncio.sleep(2 * BETWEEN_MOVES_S)
    began_s = time.monotonic()
    for instance in plan.instances:
        took_s = await asyncio.to_thread(host.replace, instance)
        print(f"  {instance.name} replaced in {took_s:.1f} s", flush=True)
    seconds = time.monotonic() - began_s
    over.set()
    async with asyncio.timeout(SETTLED_WITHIN_S):
        await asyncio.gather(*using, coming)
    return seconds, people, visitors


def report(seconds: float, people: Sequence[Person], visitors: Visitors) -> bool:
    """Print what was noticed; whether all is as it should be."""
    away_s = sorted(each for someone in people for each in someone.away_s)
    lost = [someone.lost for someone in people if someone.lost]
    print(f"{len(people) - len(lost)} of {len(people)} sessions kept their values; {', '.join(sorted(set(lost)))}")
    print(f"{len(away_s)} returns, the slowest after {max(away_s, default=0.0):.2f} s")
    print(f"{visitors.pages} pages opened meanwhile, {len(visitors.failed)} failed {sorted(set(visitors.failed))}")
    print(f"over in {seconds:.1f} s, goal {GOAL_S:g} s: {'met' if seconds <= GOAL_S else 'missed'}")
    return not lost and not visitors.failed and seconds <= GOAL_S


def main(argv: Sequence[str]) -> int:
    """Release once; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.releasing")
    parser.add_argument("--instances", type=int, default=6)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--drain", type=float, metavar="SECONDS")
    asked = parser.parse_args(argv)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with deployed(asked.instances, asked.drain) as (plan, host):
        met = report(*asyncio.run(release(plan, host, asked.sessions)))
        for instance in plan.instances:
            if "Traceback" in (text := host.log_of(instance)):
                print(f"--- {instance.name}\n{text}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

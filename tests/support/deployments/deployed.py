"""A deployment of one host that runs: its instances by the commands that were generated, behind its generated proxy.

    with running_deployment("apps: {sliders: sliders.py}", proxy="apache") as site:
        site.url ...

The proxy's ports are free ones, its logs lie in its folder, and the instances are those of the source tree.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app_server.deployment.checks.proxies import apache, nginx
from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from tests.support.deployments.proxies import STATE, RunningProxy, proxy_folder, running_apache_file, running_nginx_file
from tests.support.ports import consecutive_ports, free_port
from tests.support.server import POLL_INTERVAL_S, REPOSITORY, START_DEADLINE_S, RunningServer, running_process


@dataclass(frozen=True)
class Deployment:
    """A deployment that answers."""

    plan: Plan
    proxy: RunningProxy
    servers: Sequence[RunningServer]
    folder: Path

    @property
    def url(self) -> str:
        """The address of the proxy, without a slash at its end."""
        return self.plan.site.url.rstrip("/")

    @property
    def origin(self) -> str:
        """What browsers send as the Origin."""
        return f"{self.plan.site.scheme}://{self.plan.site.authority}"

    def log_lines(self) -> list[str]:
        """The lines of the proxy's access log; Apache creates it with the first one."""
        log = self.folder / "access.log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def plan_of(text: str, folder: Path, apps: Path) -> Plan:
    """What a deploy.yaml of this text becomes on ports of this machine, with its logs in the folder."""
    values: dict[str, Any] = yaml.safe_load(text)
    tls = values.get("tls", "off") not in ("off", False)
    proxy = values.get("proxy", "nginx")
    proxy = {"kind": proxy} if isinstance(proxy, str) else dict(proxy)
    proxy = {"address": "127.0.0.1", "http_port": free_port(), "https_port": free_port(), **proxy}
    public = values.get("public", "localhost")
    public = {"hosts": public} if isinstance(public, str | list) else dict(public)
    public |= {"port": proxy["https_port"] if tls else proxy["http_port"]}
    instances = values.get("instances", 1)
    instances = {"count": instances} if isinstance(instances, int) else dict(instances)
    instances.setdefault("port", consecutive_ports(3 * instances.get("count", 1)))
    values |= {
        "proxy": proxy,
        "public": public,
        "instances": instances,
        "logs": {**values.get("logs", {}), "dir": str(folder)},
        "paths": {
            **values.get("paths", {}),
            "command": [sys.executable, "-m", "app_server"],
            "apps": str(apps),
            "etc": str(folder),
            "state": str(folder / STATE),
        },
    }
    return resolve_plan(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))


@contextmanager
def running_instances(plan: Plan, env: dict[str, str] | None = None) -> Iterator[list[RunningServer]]:
    """The instances of a plan, by its commands."""
    starting = [
        running_process(
            list(each.command), f"http://localhost:{each.port}", cwd=Path(plan.paths.apps), env=env, warm=True
        )
        for each in plan.instances
    ]
    with ExitStack() as stack, ThreadPoolExecutor(len(starting)) as pool:
        servers = list(pool.map(stack.enter_context, starting))
        yield servers
        # Whatever sessions are left need no farewell.
        for server in servers:
            server.process.kill()


@contextmanager
def running_proxy_of(plan: Plan, folder: Path) -> Iterator[RunningProxy]:
    """The plan's proxy: the files that were rendered, and what stands around them on a host."""
    ports = (plan.listen_http, plan.listen_https) if plan.tls else (plan.listen_http,)
    if plan.spec.proxy.kind == "apache":
        with running_apache_file(folder, apache.write_scratch(plan, folder), *ports) as proxy:
            yield proxy
    else:
        with running_nginx_file(folder, nginx.write_scratch(plan, folder), *ports) as proxy:
            yield proxy


@contextmanager
def running_deployment(
    text: str, apps: Path = REPOSITORY / "bench" / "apps", env: dict[str, str] | None = None
) -> Iterator[Deployment]:
    """The deployment that this deploy.yaml describes, behind its proxy."""
    with ExitStack() as stack:
        folder = stack.enter_context(proxy_folder())
        plan = plan_of(text, folder, apps)
        servers = stack.enter_context(running_instances(plan, env))
        proxy = stack.enter_context(running_proxy_of(plan, folder))
        yield Deployment(plan, proxy, servers, folder)


@contextmanager
def running_on_sockets(plan: Plan) -> Iterator[None]:
    """The instances of a plan that listen on Unix sockets, from when all of these take connections."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with ExitStack() as stack:
        for instance in plan.instances:
            process = subprocess.Popen(
                list(instance.command), cwd=plan.paths.apps, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
        deadline = time.monotonic() + START_DEADLINE_S
        while not all(_takes_connections(str(instance.unix_socket)) for instance in plan.instances):
            assert time.monotonic() < deadline, "an instance has not started"
            time.sleep(POLL_INTERVAL_S)
        yield


def _takes_connections(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0

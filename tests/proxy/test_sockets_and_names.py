"""Behind both proxies: instances on Unix sockets, a prefix, an application with instances and a space of its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.deployment.plan.values import Plan
from tests.support.client import Site, fetch
from tests.support.deployments.deployed import plan_of, running_on_sockets, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import free_port
from tests.support.server import REPOSITORY

# The instances know their public address: both proxies have it in turn.
DEPLOYMENT = f"""
apps: {{{{asking: asking.py, own: {{{{path: my other.py, args: [x], instances: 2}}}}}}}}
public: {{{{hosts: localhost, prefix: /tools}}}}
instances: {{{{count: 1, socket_dir: {{folder}}}}}}
proxy: {{{{kind: {{kind}}, http_port: {free_port()}, https_port: {free_port()}}}}}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with the applications, and with the sockets of their instances, which run."""
    with proxy_folder() as folder:
        app = REPOSITORY / "tests" / "protocol" / "apps" / "asking.py"
        (folder / "apps").mkdir()
        for name in ("asking.py", "my other.py"):
            shutil.copy(app, folder / "apps" / name)
        with running_on_sockets(deployment(folder, "nginx")):
            yield folder


def deployment(folder: Path, kind: str) -> Plan:
    """The same instances behind one or the other proxy."""
    return plan_of(DEPLOYMENT.format(folder=folder, kind=kind), folder, folder / "apps")


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_pages_and_sockets_find_their_instances(kind: str, folder: Path) -> None:
    plan = deployment(folder, kind)
    site = plan.site.url.rstrip("/")
    root = site.removesuffix("/tools")
    with running_proxy_of(plan, folder):
        routes = set()
        for _ in range(8):
            page = fetch(site + "/my%20other")
            assert page.status == 200, page.text
            [path] = set(re.findall(r"/_i/own-a[12]/tools/my%20other", page.text))
            with Site(root).client(path, page.token, origin=root) as client:
                assert json.loads(client.value("seen", "text"))["remote_ip"] == "127.0.0.1"
            routes.add(path.split("/")[2])
        assert routes == {"own-a1", "own-a2"}
        page = fetch(site + "/asking")
        with Site(site).client("/asking", page.token, origin=root) as client:
            assert client.roots

"""Two bare hosts, and a deployment for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.container.test_image import tiny_wheel
from tests.support.playbooks import ROOT, Host, Site, build_image, running_hosts, wheelhouse

# Each of the first tests waits for an image, wheels or a whole run over two bare hosts.
TIMEOUT_S = 2400
DEPLOY = """
apps: {who: who.py}
public: {hosts: ["ONE"]}
instances:
  count: 3
  hosts:
    - {name: one, address: ONE, ssh: admin@ONE}
secrets: {secret_key: {file: /etc/app-server/secret_key}}
sessions: {ids: signed, unused_lifetime_s: 2}
service: {drain_s: 2}
"""
SECOND = "    - {name: two, address: TWO, ssh: admin@TWO}\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for whole runs."""
    for item in items:
        if "/tests/ansible/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="package")
def hosts(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    """Two hosts on which nothing of ours is."""
    build_image()
    with running_hosts(tmp_path_factory.getbasetemp(), ["one", "two"]) as hosts:
        yield hosts


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with app-server's own wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*words, folder, ROOT], check=True)
    return folder


@pytest.fixture(scope="package")
def site(hosts: list[Host], wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A deployment of three instances on each host, packed and not yet installed."""
    folder = tmp_path_factory.mktemp("site")
    text = (ROOT / "tests/container/apps/who.py").read_text(encoding="utf-8")
    # What an application requires is found beside it: hosts without it would show no page.
    (folder / "who.py").write_text(text.replace("from bokeh", "import tinywheel\nfrom bokeh", 1), encoding="utf-8")
    (folder / "requirements.txt").write_text(f"./{tiny_wheel(folder).name}\n", encoding="utf-8")
    describe(folder, hosts)
    shutil.copyfile(tmp_path_factory.getbasetemp() / "known_hosts", folder / "known_hosts")
    made = Site(folder, hosts, (wheelhouse(), wheel), tmp_path_factory.getbasetemp() / "key")
    made.pack()
    return made


def describe(folder: Path, hosts: Sequence[Host]) -> None:
    """Write deploy.yaml for these hosts."""
    text = DEPLOY.replace("ONE", hosts[0].address)
    if len(hosts) > 1:
        end = "secrets:"
        text = text.replace(end, SECOND.replace("TWO", hosts[1].address) + end)
    (folder / "deploy.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def who(site: Site) -> Iterator[Path]:
    """The application's file, as it is again after the test."""
    path = site.folder / "who.py"
    before = path.read_text(encoding="utf-8")
    yield path
    path.write_text(before, encoding="utf-8")

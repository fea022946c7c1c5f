"""A deployment of three instances on each of two hosts, and what tests ask of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.container.test_image import tiny_wheel
from tests.support.client import Answer, fetch
from tests.support.client import Site as Visited
from tests.support.hosts.kept import Place
from tests.support.hosts.playbooks import ROOT, VAULT, Host, Site, opened_pages, program, wheelhouse
from tests.support.waiting import until

DEPLOY = """
apps: {who: who.py}
public: {hosts: ["ONE"]}
instances:
  count: 3
  hosts:
    - {name: one, address: ONE, ssh: admin@ONE}
secrets: {secret_key: {file: /etc/app-server/secret_key}}
sessions: {ids: signed, unused_lifetime_s: 2, token_expiry_s: 3600}
service: {drain_s: 2, secrets: apps.env}
"""
SECRET = "a$b `id` \"c\" {{ d }} #e"
"""What the application wants in its environment, in a file that ansible-vault has encrypted."""
SECOND = "    - {name: two, address: TWO, ssh: admin@TWO}\n"
INSTANCES = {"a1": "one", "a2": "one", "a3": "one", "b1": "two", "b2": "two", "b3": "two"}
_WANTS = f"import os\nimport tinywheel\nassert os.environ['WHO_SECRET'] == {SECRET!r}\n"
_ROUTE = re.compile(r"/_i/([a-z0-9]+)/")


def deployment(place: Place, hosts: Sequence[Host], folder: Path) -> Site:
    """The deployment in this folder; written and packed if the folder is empty."""
    site = Site(folder, hosts, (wheelhouse(), place.wheel()), place.key)
    if not (folder / "deploy.yaml").exists():
        write_application(folder)
        describe(folder, hosts)
        shutil.copyfile(place.key.with_name("known_hosts"), folder / "known_hosts")
        site.pack()
    return site


def write_application(folder: Path) -> None:
    """Write an application that does not run without what its requirements name, and without its secret."""
    text = (ROOT / "tests/container/apps/who.py").read_text(encoding="utf-8")
    (folder / "who.py").write_text(text.replace("from bokeh", f"{_WANTS}from bokeh", 1), encoding="utf-8")
    (folder / "requirements.txt").write_text(f"./{tiny_wheel(folder).name}\n", encoding="utf-8")
    (folder / "apps.env").write_text(f"# For who.py\nWHO_SECRET='{SECRET}'\n", encoding="utf-8")
    (folder / VAULT).write_text("open sesame\n", encoding="utf-8")
    vault = [program("ansible-vault"), "encrypt", "--vault-password-file", VAULT, "apps.env"]
    subprocess.run(vault, cwd=folder, check=True, capture_output=True)


def describe(folder: Path, hosts: Sequence[Host]) -> None:
    """Write deploy.yaml for these hosts."""
    text = DEPLOY.replace("ONE", hosts[0].address)
    if len(hosts) > 1:
        end = "secrets:"
        text = text.replace(end, SECOND.replace("TWO", hosts[1].address) + end, 1)
    (folder / "deploy.yaml").write_text(text, encoding="utf-8")


def install(site: Site) -> None:
    """Bring what is packed to its hosts."""
    outcome = site.play("site.yml")
    assert outcome.status == 0, outcome.said


def wait_until_served(site: Site) -> None:
    """Return when hosts that have just started serve the deployment."""
    for name, on in INSTANCES.items():
        active = ("systemctl", "is-active", f"app-server@{name}", "nginx" if on == "one" else "ssh")
        host = site.hosts[on == "two"]
        until(lambda: host.run(*active, check=False) == "active\nactive", f"{name} runs", 60)  # noqa: B023


def page(site: Site) -> tuple[str, Answer]:
    """A fresh page through the proxy, and the instance that has its session."""
    answer = fetch(f"http://{site.hosts[0].address}/who", timeout_s=30)
    assert answer.status == 200, answer.text
    found = _ROUTE.search(answer.text)
    assert found is not None, answer.text
    return found[1], answer


def title(site: Site) -> str:
    """The slider's title in a fresh session, read through the proxy."""
    route, answer = page(site)
    with Visited(f"http://{site.hosts[0].address}").client(f"/_i/{route}/who", answer.token) as client:
        return str(client.value("slider", "title"))


def visitors(site: Site) -> AbstractContextManager[Counter[int]]:
    """Someone who opens pages all the time."""
    return opened_pages(f"http://{site.hosts[0].address}/who")

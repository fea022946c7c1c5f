"""What happens to Apache alone."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from app_server.deployment.checks.proxies import apache
from tests.support.client import Site, fetch
from tests.support.deployments.deployed import plan_of, running_instances, running_proxy_of
from tests.support.deployments.proxies import proxy_folder, running_apache_file
from tests.support.server import REPOSITORY, running_process

APPS = REPOSITORY / "tests" / "protocol" / "apps"
# As docs/apache.md has it for another module.
NAMING_THE_USER = """
<Location />
    AuthType Basic
    AuthName Applications
    AuthBasicProvider file
    AuthUserFile {folder}/users
    Require valid-user
</Location>
<Location /readyz>
    Require all granted
</Location>
RequestHeader unset X-Remote-User early
RequestHeader set X-Remote-User "expr=%{{REMOTE_USER}}"
"""


def test_instance_whose_name_is_gone_costs_no_page() -> None:
    # As that of a container which was stopped: Apache has no address for it, and calls that its own fault.

    text = (
        "apps: {asking: asking.py}\nproxy: apache\ninstances: {count: 1, hosts: "
        "[{name: gone, address: no-such-host.invalid}, {name: here, address: 127.0.0.1}]}\n"
    )
    with proxy_folder() as folder:
        plan = plan_of(text, folder, APPS)
        here = plan.instances[1]
        with (
            running_process(list(here.command), f"http://localhost:{here.port}", cwd=APPS, warm=True) as server,
            running_proxy_of(plan, folder),
        ):
            assert Counter(fetch(plan.site.url + "asking").status for _ in range(10)) == {200: 10}
            server.process.kill()  # whatever sessions are left need no farewell


def test_module_of_apaches_names_the_user_whatever_the_browser_claims() -> None:
    text = (
        "apps: {asking: asking.py}\nproxy: {kind: apache, include: %s/own.conf}\n"
        "server: {auth_header: X-Remote-User, auth_header_from: 127.0.0.1}\n"
    )
    with proxy_folder() as folder:
        (folder / "own.conf").write_text(NAMING_THE_USER.format(folder=folder), encoding="utf-8")
        (folder / "users").write_text("ann:$apr1$abcdefgh$GQVaHFsauSKl0cgw4bVFJ/\n", encoding="utf-8")
        plan = plan_of(text % folder, folder, APPS)
        main = apache.write_scratch(plan, folder)
        # As a2enmod does it, before the sites.
        modules = next(each for each in apache.MODULE_FOLDERS if Path(each).is_dir())
        needed = ("authz_core", "authn_core", "authn_file", "authz_user", "auth_basic")
        lines = [f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in needed]
        main.write_text("".join(lines) + main.read_text(encoding="utf-8"), encoding="utf-8")
        with running_instances(plan), running_apache_file(folder, main, plan.listen_http):
            site = Site(plan.site.url.rstrip("/"))
            forged = {"X-Remote-User": "mallory"}
            assert site.get("/asking", headers=forged).status == 401 and site.get("/readyz").status == 200
            known = {"Authorization": "Basic " + base64.b64encode(b"ann:sesame").decode(), **forged}
            token = site.get("/asking", headers=known).token
            origin = site.url
            with site.client("/asking", token, origin=origin, additional_headers=known) as client:
                assert json.loads(client.value("seen", "text"))["headers"]["x-remote-user"] == "ann"
            with pytest.raises(InvalidStatus, match="401"), site.socket("/asking", token, additional_headers=forged):
                pass

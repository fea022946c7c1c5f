"""What happens to Apache alone."""

from __future__ import annotations

from collections import Counter

from tests.support.client import fetch
from tests.support.deployments.deployed import plan_of, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.server import REPOSITORY, running_process


def test_instance_whose_name_is_gone_costs_no_page() -> None:
    # As that of a container which was stopped: Apache has no address for it, and calls that its own fault.
    apps = REPOSITORY / "tests" / "protocol" / "apps"
    text = (
        "apps: {asking: asking.py}\nproxy: apache\ninstances: {count: 1, hosts: "
        "[{name: gone, address: no-such-host.invalid}, {name: here, address: 127.0.0.1}]}\n"
    )
    with proxy_folder() as folder:
        plan = plan_of(text, folder, apps)
        here = plan.instances[1]
        with (
            running_process(list(here.command), f"http://localhost:{here.port}", cwd=apps, warm=True) as server,
            running_proxy_of(plan, folder),
        ):
            assert Counter(fetch(plan.site.url + "asking").status for _ in range(10)) == {200: 10}
            server.process.kill()  # whatever sessions are left need no farewell

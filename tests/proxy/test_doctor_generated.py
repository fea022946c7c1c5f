"""The doctor before what `app-server config` writes: it has nothing to say."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from app_server.cli.general.info import static_path
from app_server.deployment.plan.values import Plan
from app_server.doctor.address import read_target
from app_server.doctor.network.connection import Route
from app_server.doctor.options import Options
from app_server.doctor.probes import examine
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from tests.support.deployments.deployed import plan_of, running_instances, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import consecutive_ports, free_port
from tests.support.waiting import patience

HOST = "app.test"
APPS = Path(__file__).parent / "apps"
DEPLOYMENT = f"""
apps: {{{{board: board.py}}}}
public: {{{{hosts: [{HOST}], prefix: /tools}}}}
proxy: {{{{kind: {{kind}}, static: yes, http_port: {free_port()}, https_port: {free_port()}}}}}
instances: {{{{count: 3, port: {{port}}}}}}
tls: {{{{certificate: {{folder}}/certificate.pem, key: {{folder}}/key.pem}}}}
paths: {{{{static: {{folder}}/static}}}}
"""


def plan_for(kind: str, folder: Path, port: int) -> Plan:
    """Three instances behind this proxy, with certificate and BokehJS in the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued = authority.issue_cert(HOST)
    (folder / "certificate.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    shutil.copytree(static_path() / "js", folder / "static" / "js", ignore=shutil.ignore_patterns("*[!n].js", "*.map"))
    return plan_of(DEPLOYMENT.format(kind=kind, folder=folder, port=port), folder, APPS)


def look(plan: Plan, folder: Path) -> Evidence:
    site = plan.site
    options = Options(
        str(folder / "authority.pem"), Route("127.0.0.1", timeout_s=patience(40)), instances=3,
        http_port=plan.spec.proxy.http_port,
    )  # fmt: skip
    return asyncio.run(examine(read_target(f"{site.url.rstrip('/')}/board"), options))


@pytest.fixture(scope="module")
def instances() -> Iterator[Plan]:
    with proxy_folder() as folder:
        plan = plan_for("nginx", folder, consecutive_ports(9))
        with running_instances(plan):
            yield plan


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_generated_deployment_is_well(kind: str, instances: Plan) -> None:
    with proxy_folder() as folder:
        plan = plan_for(kind, folder, instances.instances[0].port or 0)
        with running_proxy_of(plan, folder):
            evidence = look(plan, folder)
    assert [(finding.id, finding.seen) for finding in judge(evidence)] == []
    assert len(evidence.instances) == 3

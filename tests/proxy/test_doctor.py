"""The doctor before real proxies with the real server behind: twelve planted faults, each in nginx and in Apache."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from app_server.cli.general.info import static_path
from app_server.doctor.address import read_target
from app_server.doctor.finding import Finding
from app_server.doctor.network.connection import Route
from app_server.doctor.options import Options
from app_server.doctor.probes import examine
from app_server.doctor.report import remedies_for
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from tests.proxy.sites import FAULTS, HOST, MORE, ROUTES, Fault, Ports, apache_site, nginx_site, planted
from tests.support.deployments.proxies import (
    RunningProxy,
    apache_configuration,
    proxy_folder,
    running_apache_file,
    running_nginx,
)
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_server
from tests.support.waiting import patience

APP = Path(__file__).parent / "apps" / "board.py"
ALL = {**FAULTS, **MORE}
CASES = [
    *((proxy, name) for proxy in ("nginx", "apache") for name in FAULTS),
    *((fault.proxy, name) for name, fault in MORE.items()),
]
AT_ONCE = 10
PATIENCE_S = 40.0

ORIGIN = ("--allow-websocket-origin", f"{HOST}:*")
PREFIX = ("--prefix", "/tools")
STARTED = {
    **{route: (*PREFIX, *ORIGIN, "--use-xheaders", "--route", route) for route in ROUTES},
    "wrong origin": (*PREFIX, "--allow-websocket-origin", "other.test", "--use-xheaders"),
    "missing prefix": (*ORIGIN, "--use-xheaders"),
    "xheaders off": (*PREFIX, *ORIGIN),
    "any origin": (*PREFIX, "--allow-websocket-origin", "*", "--use-xheaders"),
}


@dataclass(frozen=True)
class Certificates:
    """A certificate of an intermediate authority, as the files that a proxy reads; `root` is what a browser knows."""

    root: Path
    files: Mapping[str, bytes]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    issued = authority.create_child_ca().issue_cert(HOST)
    leaf, *others = (pem.bytes() for pem in issued.cert_chain_pems)
    root = tmp_path_factory.mktemp("authority") / "root.pem"
    authority.cert_pem.write_to_path(str(root))
    key = issued.private_key_pem.bytes()
    return Certificates(root, {"fullchain.pem": b"".join((leaf, *others)), "certificate.pem": leaf, "key.pem": key})


@pytest.fixture(scope="module")
def instances() -> Iterator[dict[str, int]]:
    """The ports of the servers behind the proxies; two are started at a time, since each takes a core."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:

        def start(flags: tuple[str, ...]) -> RunningServer:
            return stack.enter_context(running_server(APP, *flags, server="ours"))

        servers = dict(zip(STARTED, threads.map(start, STARTED.values()), strict=True))
        yield {name: running.port for name, running in servers.items()}
        for running in servers.values():
            running.process.kill()  # whatever sessions are left need no farewell


def behind(fault: Fault, instances: Mapping[str, int]) -> dict[str, int]:
    """The ports of the instances that this fault has the proxy believe in."""
    well = {route: instances[route] for route in ROUTES}
    if fault.behind == "well":
        return well
    if fault.behind in ("one missing", "nobody"):
        missing = ("c",) if fault.behind == "one missing" else ROUTES
        return {**well, **{route: free_port() for route in missing}}
    return {"a": instances[fault.behind]}  # the routes' names are the proxy's


def start(
    stack: ExitStack, proxy: str, fault: Fault, ports: Ports, certificates: Certificates, bokehjs: Path
) -> RunningProxy:
    """The proxy with this fault in it."""
    folder = stack.enter_context(proxy_folder())
    for name, content in certificates.files.items():
        (folder / name).write_bytes(content)
    (folder / "static").symlink_to(bokehjs)
    if proxy == "nginx":
        site = planted(nginx_site(ports), fault.nginx, ports)
        return stack.enter_context(running_nginx(folder, site, ports.http, ports.https))
    site = f"Define FOLDER {folder}\n{planted(apache_site(ports), fault.apache, ports)}"
    (folder / "apache.conf").write_text(apache_configuration(site), encoding="utf-8")
    return stack.enter_context(running_apache_file(folder, folder / "apache.conf", ports.http, ports.https))


@pytest.fixture(scope="module")
def bokehjs() -> Iterator[Path]:
    """BokehJS where the proxies can read it."""
    with proxy_folder() as folder:
        folder.chmod(0o755)
        shutil.copytree(static_path() / "js", folder / "js", ignore=shutil.ignore_patterns("*[!n].js", "*.map"))
        yield folder


Reports = dict[tuple[str, str], tuple[Evidence, list[Finding]]]


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, instances: dict[str, int], certificates: Certificates, bokehjs: Path
) -> Iterator[Reports]:
    """What the doctor finds for each fault that is asked for, behind each proxy; it is sent to several at a time."""
    asked = [item.callspec.params for item in request.session.items if "reports" in getattr(item, "fixturenames", ())]
    with ExitStack() as stack:
        sites: dict[tuple[str, str], Ports] = {}
        proxies: list[RunningProxy] = []
        for proxy, name in ((each["proxy"], each["name"]) for each in asked):
            fault = ALL[name]
            ports = Ports(free_port(), free_port(), behind(fault, instances))
            proxies.append(start(stack, proxy, fault, ports, certificates, bokehjs))
            sites[proxy, name] = ports
        yield asyncio.run(look_at_all(sites, certificates.root))
        for running in proxies:
            running.process.terminate()  # all at once: Apache takes a second to end


async def look_at_all(sites: Mapping[tuple[str, str], Ports], root: Path) -> Reports:
    room = asyncio.Semaphore(AT_ONCE)
    visits_left = Counter({ports.https: 2 for ports in sites.values()})
    route = Route("127.0.0.1", timeout_s=patience(PATIENCE_S))

    async def look(fault: Fault, ports: Ports) -> Evidence:
        options = Options(
            str(root),
            route,
            idle_s=fault.idle_s,
            instances=len(ports.instances),
            embed_origins=() if fault.embedder is None else (fault.embedder,),
            http_port=ports.http,
        )
        async with room:
            seen = await examine(read_target(f"https://{HOST}:{ports.https}/tools/board"), options)
            # A proxy that got no processor in the second between its timeout and the next ping takes the ping first.
            while fault.finding == "read-timeout" and not judge(seen) and (visits := visits_left[ports.https]) > 0:
                visits_left[ports.https] = visits - 1
                seen = await examine(read_target(f"https://{HOST}:{ports.https}/tools/board"), options)
            return seen

    # First those that take longest.
    cases = sorted(sites, key=lambda case: -ALL[case[1]].idle_s)
    evidence = await asyncio.gather(*(look(ALL[name], sites[proxy, name]) for proxy, name in cases))
    return {case: (seen, judge(seen)) for case, seen in zip(cases, evidence, strict=True)}


def test_hung_instance_is_reported(instances: dict[str, int], certificates: Certificates, bokehjs: Path) -> None:
    with ExitStack() as stack:
        hung = stack.enter_context(running_server(APP, *STARTED["c"], server="ours"))
        ports = Ports(free_port(), free_port(), {**{route: instances[route] for route in ROUTES}, "c": hung.port})
        start(stack, "nginx", Fault(""), ports, certificates, bokehjs)
        hung.process.send_signal(signal.SIGSTOP)
        try:
            timeout_s = round(patience(2))
            route = Route("127.0.0.1", timeout_s=timeout_s)
            options = Options(str(certificates.root), route, idle_s=1, http_port=ports.http)
            evidence = asyncio.run(examine(read_target(f"https://{HOST}:{ports.https}/tools/board"), options))
        finally:
            hung.process.send_signal(signal.SIGCONT)
    found = judge(evidence)
    assert [finding.id for finding in found] == ["instance-down"]
    assert f"(no answer within {timeout_s} s), the others did" in found[0].seen


# The first one waits for all: a minute of work of a core that is its own, and as much more as others work there.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("proxy", "name"), CASES)
def test_planted_fault_is_found_and_no_other(proxy: str, name: str, reports: Reports) -> None:
    evidence, findings = reports[proxy, name]
    assert [finding.id for finding in findings] == ([ALL[name].finding] if ALL[name].finding else []), evidence.idle
    assert evidence.proxy == proxy
    for finding in findings:
        assert remedies_for(finding, proxy), "it says what to change"

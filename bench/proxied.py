"""What a proxy adds: round trips directly and through the generated nginx with TLS, alternately."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import HOST, open_tab
from bench.load import Figures, quantile
from bench.servers import Served, free_port
from bench.speed import move

TURN_S = 0.5
PROXY = """\
apps: {{app: {app}.py}}
public: {{hosts: [localhost, {host}], port: {https}}}
instances: {{port: {port}}}
proxy: {{kind: nginx, address: {host}, http_port: {http}, https_port: {https}}}
tls: {{certificate: {certificate}, key: {key}}}
logs: {{dir: {folder}}}
"""


@dataclass(frozen=True)
class Proxied:
    """The proxy's TLS address, and how its certificate is trusted."""

    port: int
    tls: ssl.SSLContext


async def proxied(served: Served, quick: bool) -> Figures:
    """One session direct, one through nginx: each moves a slider in its turn, as soon as the answer is there."""
    with generated_nginx(served) as proxy:
        direct = await open_tab(served.port, served.path)
        through = await open_tab(proxy.port, served.path, proxy.tls)
        latencies_s: dict[str, list[float]] = {"direct": [], "through": []}
        for turn in range(4 if quick else 16):
            for name, tab in (("direct", direct), ("through", through)):
                moved = await move(tab, until_s=time.monotonic() + TURN_S)
                if turn:  # the first turn warms up
                    latencies_s[name] += moved
        direct.connection.close()
        through.connection.close()
    direct_ms, through_ms = (quantile(latencies_s[name], 0.5) * 1000 for name in ("direct", "through"))
    return {"direct_p50_ms": direct_ms, "through_p50_ms": through_ms, "added_p50_ms": through_ms - direct_ms}


@contextmanager
def generated_nginx(served: Served) -> Iterator[Proxied]:
    """nginx with the site that `app-server config nginx` writes for this server, TLS as by default."""
    # Only the scenario that measures a deployment imports what it needs.
    import yaml

    from app_server.deployment.checks.proxies.nginx import command, write_scratch
    from app_server.deployment.checks.scratch import is_listening, running
    from app_server.deployment.load import from_values
    from app_server.deployment.plan.resolver import resolve_plan
    from app_server.tls import installed_nginx
    from app_server.tls.development import development_certificate

    installed = installed_nginx()
    if installed is None:
        raise RuntimeError("nginx is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder, https = Path(name), free_port()
        pair = development_certificate(["localhost", HOST], folder / "tls")
        text = PROXY.format(
            app=served.app, host=HOST, port=served.port, http=free_port(), https=https, folder=folder,
            certificate=pair.certificate, key=pair.key,
        )  # fmt: skip
        plan = resolve_plan(from_values(yaml.safe_load(text), "bench"), proxy_version=installed.version)
        words = command(installed.path, folder, write_scratch(plan, folder))
        with running(words, folder / "output", lambda: is_listening(https)) as complaint:
            if complaint is not None:
                raise RuntimeError(f"nginx did not start: {complaint}")
            yield Proxied(https, ssl.create_default_context(cafile=str(pair.authority)))

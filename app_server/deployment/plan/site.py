"""The public address and the proxy's certificate, as the deployment file describes them."""

from __future__ import annotations

import re
from typing import Literal

from app_server.deployment.plan.addresses import authority
from app_server.deployment.plan.defaults import (
    CONTAINER_CERTIFICATES,
    CONTAINER_HTTP_PORT,
    CONTAINER_HTTPS_PORT,
    DIRECT_PORT,
)
from app_server.deployment.plan.values import SitePlan, TlsFiles
from app_server.deployment.spec import Spec
from app_server.deployment.targets import Layout


def resolve_tls(spec: Spec, layout: Layout) -> TlsFiles | None:
    """The proxy's certificate; None if it does not encrypt.

    In containers the files are secrets of the engine, or by ACME in a volume of compose.
    """
    tls = spec.tls
    mode = tls.mode or ("files" if tls.certificate else "off")
    if mode == "off":
        return None
    etc = spec.paths.etc or f"/etc/{spec.name}"
    stem = certificate_stem(spec.public.hosts[0])
    certificate, key = {
        "files": (tls.certificate or "", tls.key or tls.certificate or ""),
        # Not certbot's own: the proxy needs files before there is a certificate, and only what it takes gets there.
        "acme": (f"{etc}/tls/certificate.pem", f"{etc}/tls/certificate.key"),
        # The names that `app-server certificate --folder` gives them.
        "development": (tls.certificate or f"{etc}/tls/{stem}.pem", tls.key or f"{etc}/tls/{stem}.key"),
    }[mode]
    if layout == "compose" and mode == "acme":
        certificate, key = (f"{CONTAINER_CERTIFICATES}/{name}.pem" for name in ("certificate", "key"))
    elif layout != "host":
        certificate, key = "/run/secrets/certificate", "/run/secrets/certificate_key"
    return TlsFiles(
        mode=mode,
        certificate=certificate,
        key=key,
        profile=tls.profile,
        openssl=version_of(tls.openssl),
        # A browser that trusts a name for two years because of a throw-away certificate is hard to win back.
        hsts=tls.hsts and mode != "development",
        hsts_subdomains=tls.hsts_subdomains,
        redirect=tls.redirect,
        webroot=tls.acme.webroot if mode == "acme" else None,
    )


def certificate_stem(host: str) -> str:
    """The name of a host's files that `app-server certificate` makes, without their ends."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", host)


def resolve_site(spec: Spec, tls: TlsFiles | None, *, publishes: bool, balanced: bool = False) -> SitePlan:
    """The public address. `publishes`: unless the file says otherwise, its port is the one that the host publishes.

    `balanced`: another balancer is in front, with the usual ports, whether there is a proxy of ours or not.
    """
    public = spec.public
    scheme: Literal["http", "https"] = public.scheme or ("https" if tls else "http")
    if publishes and public.port is None and public.scheme is None:
        # People type the port that the host publishes, unless the file says that another server is in front.
        port = published_port(spec, scheme)
    elif spec.proxy.kind == "none" and not balanced:
        port = public.port or spec.instances.port or DIRECT_PORT
    else:
        port = public.port or (443 if scheme == "https" else 80)
    origins = [authority(host, scheme, port) for host in public.hosts]
    # Users of a tunnel type localhost and the tunnel's port.
    origins += [f"localhost:{tunnel.listen}" for tunnel in spec.tunnels.values()]
    origins += [origin.partition("://")[2] for origin in spec.embedding.origins]
    prefix = "" if public.prefix in ("", "/") else public.prefix.rstrip("/")
    return SitePlan(public.hosts, scheme, port, prefix, tuple(dict.fromkeys(origins)))


def published_port(spec: Spec, scheme: str) -> int:
    """The host's port that leads to the proxy's container."""
    published = spec.containers.publish
    return (published.https or CONTAINER_HTTPS_PORT) if scheme == "https" else (published.http or CONTAINER_HTTP_PORT)


def version_of(text: str | None) -> tuple[int, ...] | None:
    """(1, 26, 3) for "1.26.3"; None if no version is stated."""
    return None if text in (None, "detect") else tuple(int(part) for part in str(text).split("."))

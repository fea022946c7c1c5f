"""The public address, its applications, its certificate and its logins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.addresses import authority, is_address
from app_server.deployment.plan.values import App, Plan
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault, warning

RESERVED = ("/static", "/_i", "/healthz", "/readyz", "/metrics", "/_dev")


def every_public_name_is_an_origin(plan: Plan) -> Iterator[RuleVerdict]:
    """A page whose origin is not allowed stays blank."""
    if not plan.has_proxy and plan.site.hosts == ("localhost",):
        return
    for number, host in enumerate(plan.site.hosts):
        origin = authority(host, plan.site.scheme, plan.site.port)
        for instance in plan.instances:
            words = instance.flags
            if not any(words[k : k + 2] == ("--allow-websocket-origin", origin) for k in range(len(words))):
                what = f"pages of {origin} could not connect to {instance.name}"
                yield fault(("public", "hosts", number), what, "Add it to the allowed origins.")
                break


def tls_has_what_it_needs(plan: Plan) -> Iterator[RuleVerdict]:
    """A mode needs its files, and files need their mode."""
    tls = plan.spec.tls
    if tls.mode == "files" and tls.certificate is None:
        yield fault(("tls",), "mode files needs a certificate", "Set tls.certificate and tls.key.")
    if tls.key is not None and tls.certificate is None:
        yield fault(("tls", "key"), "has no certificate", "Set tls.certificate too.")
    if tls.mode in ("off", "acme") and tls.certificate is not None:
        yield fault(("tls", "certificate"), f"has no effect with mode {tls.mode}", "Remove one of them.")
    if tls.hsts_subdomains and not tls.hsts:
        yield fault(("tls", "hsts_subdomains"), "has no effect without hsts", "Remove one of them.")
    if plan.spec.public.scheme == "http" and plan.tls is not None:
        yield fault(("public", "scheme"), "is http, but tls is on", "Remove one of them.")
    is_another = plan.layout == "platform" or plan.layout == "cluster" and not plan.has_proxy
    is_unknown = not is_another and not plan.spec.proxy.trusted_proxies
    if plan.spec.public.scheme == "https" and plan.tls is None and is_unknown:
        what = "is https without tls: another proxy in front must terminate TLS, and visitors' addresses are lost"
        yield warning(("public", "scheme"), what, "Add its network to proxy.trusted_proxies.")


def authorities_sign_only_public_names(plan: Plan) -> Iterator[RuleVerdict]:
    """No public ACME authority issues certificates for localhost or 10.0.0.1."""
    if plan.tls is None or plan.tls.mode != "acme" or "acme-v0" not in plan.spec.tls.acme.directory:
        return
    for number, host in enumerate(plan.site.hosts):
        if "." not in host or is_address(host) or host.endswith((".local", ".internal", ".test", ".localhost")):
            what = f"no public authority issues certificates for {host}"
            hint = "Use a public name, tls: development, or tls.acme.directory for your own authority."
            yield fault(("public", "hosts", number), what, hint)


def one_authenticator_decides(plan: Plan) -> Iterator[RuleVerdict]:
    """With two, visitors would have to pass both, which is never meant."""
    if plan.spec.access.basic is not None and plan.spec.access.external is not None:
        yield fault(("access", "external"), "access.basic already decides who is let in", "Remove one of them.")


def applications_have_places_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """No two applications have the same address, and none has one of the server's own."""
    taken: dict[str, str] = {}
    for app in plan.apps:
        path: Path = ("apps", app.name, "route" if plan.spec.apps[app.name].route is not None else "path")
        below = app.url.removeprefix(plan.site.prefix) or "/"
        if app.url in taken:
            yield fault(path, f"{taken[app.url]} is also at {app.url}", "Give one of them another route.")
        taken.setdefault(app.url, app.name)
        for reserved in RESERVED:
            if below == reserved or below.startswith(f"{reserved}/"):
                yield fault(path, f"{reserved} is reserved for the server", "Give it another route.")


def placeholders_lead_to_one_place(plan: Plan) -> Iterator[RuleVerdict]:
    """A proxy chooses instances by the beginning of a path, which placeholders do not change."""
    main = plan.main_pool.name
    for app in plan.apps:
        if not app.has_placeholders:
            continue
        path: Path = ("apps", app.name, "route")
        if app.pool != main and app.mount == plan.site.prefix:
            what = "has instances of its own, but begins with a placeholder"
            yield fault(path, what, "Begin it with a name, such as /users/{name}.")
            continue
        for other in plan.apps:
            if other.pool != app.pool and _shadow(plan, app, other):
                what = f"{other.name} at {other.url} has other instances, and begins with the same names"
                yield fault(path, what, "Give one of them another first name, or let them share instances.")


def _shadow(plan: Plan, app: App, other: App) -> bool:
    """Whether a proxy that finds one of them by its mount would send it what belongs to the other one."""
    main = plan.main_pool.name
    own, others = f"{app.mount}/", f"{other.mount}/"
    return (app.pool != main and others.startswith(own)) or (other.pool != main and own.startswith(others))


def embedding_sites_can_show_it(plan: Plan) -> Iterator[RuleVerdict]:
    """Pages over https load nothing over http."""
    for number, origin in enumerate(plan.spec.embedding.origins):
        if origin.startswith("https://") and plan.site.scheme == "http" and plan.has_proxy:
            what = f"pages of {origin} cannot load anything from http://{plan.site.authority}"
            yield warning(("embedding", "origins", number), what, "Set up tls.")
    if plan.spec.embedding.origins and plan.spec.headers.frames == "none" and plan.spec.headers.enabled:
        what = "also forbids frames on the embedding sites; only scripts (server_document) will work there"
        yield warning(("headers", "frames"), what, "Set it to embedding.")


RULES: Final[tuple[Rule, ...]] = (
    every_public_name_is_an_origin,
    applications_have_places_of_their_own,
    placeholders_lead_to_one_place,
    tls_has_what_it_needs,
    authorities_sign_only_public_names,
    one_authenticator_decides,
    embedding_sites_can_show_it,
)

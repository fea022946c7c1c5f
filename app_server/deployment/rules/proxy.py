"""What the proxy needs to know, and what only it can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault, warning

PING_INTERVAL_S = 37
"""The server's default (`--keep-alive`)."""

BROWSERS_CONNECTIONS = 8
"""What one visitor needs: six connections for files, the page's WebSocket, and one to spare."""

APACHE_THREADS = 8000
"""As many threads as Apache's event MPM can reasonably have: each open WebSocket holds one."""


def pings_come_before_the_proxy_gives_up(plan: Plan) -> Iterator[RuleVerdict]:
    """Only pings keep a silent socket open."""
    given = plan.spec.sessions.ping_interval_s
    ping_s = PING_INTERVAL_S if given is None else given
    limit_s = plan.spec.proxy.timeouts.websocket_s
    if plan.has_proxy and limit_s < 2 * ping_s:
        path: Path = ("proxy", "timeouts", "websocket_s")
        what = f"the proxy closes a silent WebSocket after {limit_s:g} s, but browsers are pinged every {ping_s:g} s"
        yield fault(path, what, f"Set it to at least {2 * ping_s:g}, or lower sessions.ping_interval_s.")


def apache_has_a_thread_for_each_session(plan: Plan) -> Iterator[RuleVerdict]:
    """Behind Apache, visitors without a thread wait and see no error."""
    if plan.spec.proxy.kind != "apache":
        return
    most = plan.spec.sessions.max_sessions
    if most is None:
        what = "each open page occupies one of Apache's threads, and nothing limits the number of pages"
        yield warning(("proxy",), what, "Set sessions.max_sessions, which Apache's number of threads follows from.")
    elif (threads := most * len(plan.instances)) > APACHE_THREADS:
        what = f"{threads} sessions need as many of Apache's threads, which must not exceed {APACHE_THREADS}"
        yield fault(("sessions", "max_sessions"), what, "Allow fewer, or use nginx.")


def apache_has_modules_for_it(plan: Plan) -> Iterator[RuleVerdict]:
    """What nginx does by itself, and Apache only with modules that docs/apache.md names; no limit may be ignored."""
    if plan.spec.proxy.kind != "apache":
        return
    access, limits = plan.spec.access, plan.spec.rate_limits
    see = 'see "What only nginx does" in docs/apache.md.'
    if access.external is not None:
        hint = f"Use nginx, a login of the server such as server.oidc_issuer, or a module of Apache's: {see}"
        yield fault(("access", "external"), "Apache's own modules cannot ask another service who may connect", hint)
    if limits.pages_per_s is not None:
        hint = f"Use nginx, or sessions.max_sessions_per_address: {see}"
        yield fault(("rate_limits", "pages_per_s"), "Apache's own modules cannot count the pages of an address", hint)
    if limits.connections is not None:
        hint = f"Use nginx, or limit connections with the firewall: {see}"
        yield fault(
            ("rate_limits", "connections"), "Apache's own modules cannot count the connections of an address", hint
        )


def several_instances_need_a_proxy(plan: Plan) -> Iterator[RuleVerdict]:
    """Users could not reach the other instances."""
    is_balanced = plan.has_proxy or plan.layout in ("cluster", "platform")
    if not is_balanced and len(plan.instances) > 1:
        what = f"without a proxy, users can reach only one of {len(plan.instances)} instances"
        hint = "Use a proxy, or several processes at one address: instances.processes."
        yield fault(("instances",) if len(plan.pools) == 1 else ("apps",), what, hint)


def proxy_is_needed_for_what_only_it_does(plan: Plan) -> Iterator[RuleVerdict]:
    """Without a proxy, these keys would have no effect."""
    if plan.has_proxy:
        return
    spec = plan.spec
    for path, used in (
        (("access", "basic"), spec.access.basic is not None),
        (("access", "external"), spec.access.external is not None),
        (("access", "allow"), bool(spec.access.allow)),
        (("rate_limits", "pages_per_s"), spec.rate_limits.pages_per_s is not None),
        (("rate_limits", "connections"), spec.rate_limits.connections is not None),
        (("proxy", "static"), spec.proxy.static),
        (("tls", "mode"), spec.tls.mode == "acme"),
    ):
        if used:
            yield fault(path, "needs a proxy, but there is none", "Set proxy: nginx.")


def visitors_have_enough_connections(plan: Plan) -> Iterator[RuleVerdict]:
    """A browser opens several connections for one page."""
    most = plan.spec.rate_limits.connections
    if most is not None and most < BROWSERS_CONNECTIONS:
        what = f"a single page may need {BROWSERS_CONNECTIONS} connections"
        yield warning(("rate_limits", "connections"), what, f"Allow at least {BROWSERS_CONNECTIONS}.")


RULES: Final[tuple[Rule, ...]] = (
    pings_come_before_the_proxy_gives_up,
    apache_has_a_thread_for_each_session,
    apache_has_modules_for_it,
    several_instances_need_a_proxy,
    proxy_is_needed_for_what_only_it_does,
    visitors_have_enough_connections,
)

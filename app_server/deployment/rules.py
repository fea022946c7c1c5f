"""Rules across fields: what is right by itself and wrong together.

A fault keeps a deployment from working, so that nothing is written; a warning lets it work, but not as people expect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from app_server.deployment.contained import is_base
from app_server.deployment.load import LoadedSpec
from app_server.deployment.plan.addresses import authority, is_address
from app_server.deployment.plan.defaults import VARIABLES
from app_server.deployment.plan.values import Plan
from app_server.errors import OperatorError, OperatorErrors

PING_INTERVAL_S = 37
"""The server's own, where the deployment says nothing (`--keep-alive`)."""
LONGEST_SOCKET_PATH_BYTES = 107
BROWSERS_CONNECTIONS = 8
"""What one visitor needs: six connections for files, a page's WebSocket, and one to spare."""
RESERVED = ("/static", "/_i", "/healthz", "/readyz", "/metrics", "/_dev")
APACHE_THREADS = 8000
"""As many threads as Apache's event MPM can reasonably have: each open WebSocket holds one."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule has found: about which value, what, and what to do."""

    level: Literal["fault", "warning"]
    path: Path
    what: str
    hint: str | None = None


Rule = Callable[[Plan], Iterator[RuleVerdict]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Put a function among the rules."""
    RULES.append(function)
    return function


def judge(plan: Plan) -> list[RuleVerdict]:
    """All that the rules find."""
    return [verdict for each in RULES for verdict in each(plan)]


def enforce(loaded: LoadedSpec, plan: Plan) -> list[OperatorError]:
    """The warnings, with their places; OperatorErrors where there are faults."""
    verdicts = judge(plan)
    told = {
        level: [loaded.fault(each.path, each.what, each.hint) for each in verdicts if each.level == level]
        for level in ("fault", "warning")
    }
    if told["fault"]:
        raise OperatorErrors(told["fault"])
    return told["warning"]


def _fault(path: Path, what: str, hint: str | None = None) -> RuleVerdict:
    return RuleVerdict("fault", path, what, hint)


def _warning(path: Path, what: str, hint: str | None = None) -> RuleVerdict:
    return RuleVerdict("warning", path, what, hint)


@rule
def pings_come_before_the_proxy_gives_up(plan: Plan) -> Iterator[RuleVerdict]:
    """A silent socket lives on pings alone."""
    given = plan.spec.sessions.ping_interval_s
    ping_s = PING_INTERVAL_S if given is None else given
    limit_s = plan.spec.proxy.timeouts.websocket_s
    if plan.has_proxy and limit_s < 2 * ping_s:
        path: Path = ("proxy", "timeouts", "websocket_s")
        what = f"the proxy cuts a socket after {limit_s:g} s of silence, and browsers are pinged every {ping_s:g} s"
        yield _fault(path, what, f"Make it at least {2 * ping_s:g}, or ping sooner: sessions.ping_interval_s.")


@rule
def stops_leave_time_to_drain(plan: Plan) -> Iterator[RuleVerdict]:
    """What is killed in the middle of its drain loses its sessions."""
    for path, limit_s in (
        (("service", "stop_timeout_s"), plan.spec.service.stop_timeout_s),
        (("containers", "grace_s"), plan.spec.containers.grace_s),
    ):
        if limit_s is not None and limit_s <= plan.drain_s:
            what = f"instances are killed after {limit_s:g} s, but sessions have {plan.drain_s:g} s (service.drain_s)"
            yield _fault(path, what, f"Make it at least {plan.drain_s + 5:g}, or the drain shorter.")


@rule
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
                yield _fault(("public", "hosts", number), what, "Let it be an allowed origin.")
                break


@rule
def bases_are_no_products(plan: Plan) -> Iterator[RuleVerdict]:
    """An image that others are built from would hold one site's applications from then on."""
    images, made = plan.spec.containers.images, plan.contained
    if images.app is not None and made.build_context and not made.mount and is_base(images.app):
        what = f"{images.app} is the image that others are built from, and would hold this site's applications"
        yield _fault(("containers", "images", "app"), what, "Leave it out, or choose another name.")
    if images.app is not None and images.app == images.proxy:
        what = f"{images.app} is the proxy's image too"
        yield _fault(("containers", "images", "app"), what, "Give each a name of its own.")


@rule
def ports_are_used_once(plan: Plan) -> Iterator[RuleVerdict]:
    """Two programs cannot listen on one port of a machine."""
    taken: dict[tuple[str, int], str] = {}
    proxy_machines = [machine for machine in plan.machines if machine.is_proxy] if plan.layout == "host" else []
    for machine in proxy_machines:
        host = machine.instances[0].host if machine.instances else machine.name
        taken[host, plan.listen_http] = "the proxy"
        if plan.tls is not None:
            if plan.listen_https == plan.listen_http:
                yield _fault(("proxy",), f"http and https would both listen on port {plan.listen_http}")
            taken[host, plan.listen_https] = "the proxy"
    for pool in plan.pools:
        own = pool.apps[0].name if plan.spec.apps[pool.apps[0].name].stands_alone else None
        path: Path = ("apps", own, "instances", "port") if own else ("instances", "port")
        for instance in pool.instances if plan.layout == "host" else ():
            if instance.unix_socket is not None:
                continue
            key = (instance.host, instance.port)
            if instance.port > 65535:
                yield _fault(path, f"{instance.name} would listen on port {instance.port}", "Begin with a smaller one.")
            elif key in taken:
                what = f"{instance.name} would listen on port {instance.port}, which {taken[key]} has"
                yield _fault(path, what, "Choose another port.")
            taken.setdefault(key, instance.name)


@rule
def local_tunnels_have_ports_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """Two tunnels cannot listen on one port of one side."""
    taken: dict[tuple[str, str, int], str] = {}
    for name, tunnel in plan.tunnels:
        key = (tunnel.kind, tunnel.server if tunnel.kind == "reverse" else "", tunnel.listen)
        if key in taken:
            what = f"port {tunnel.listen} of that side is the tunnel {taken[key]}'s"
            yield _fault(("tunnels", name, "listen"), what, "Choose another port.")
        taken.setdefault(key, name)


@rule
def apache_has_a_thread_for_each_session(plan: Plan) -> Iterator[RuleVerdict]:
    """Behind Apache the visitor for whom there is no thread waits without a word, and so does everybody after."""
    if plan.spec.proxy.kind != "apache":
        return
    most = plan.spec.sessions.max_sessions
    if most is None:
        what = "each open page holds one of Apache's threads, and nothing limits how many there are"
        yield _warning(("proxy",), what, "Set sessions.max_sessions; Apache is sized from it.")
    elif (threads := most * len(plan.instances)) > APACHE_THREADS:
        what = f"{threads} sessions need as many of Apache's threads, and {APACHE_THREADS} are much already"
        yield _fault(("sessions", "max_sessions"), what, "Allow fewer, or take nginx.")


@rule
def signatures_need_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """The server does not start without one."""
    if plan.spec.sessions.ids not in (None, "unsigned") and plan.spec.secrets.secret_key is None:
        what = "signed sessions need a secret key"
        yield _fault(("sessions", "ids"), what, "Say where it comes from: secrets.secret_key.")


@rule
def instances_share_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """Behind a login sessions are signed, by default with a key that each instance makes for itself."""
    spec = plan.spec
    known = spec.secrets.secret_key or spec.secrets.cookie_secret or spec.sessions.ids
    if spec.access.external is not None and known is None and len(plan.instances) > 1:
        what = "each instance signs sessions with a key of its own, and no other one can take over its pages"
        yield _warning(("access", "external"), what, "Say where a common key comes from: secrets.secret_key.")


@rule
def limits_need_isolation(plan: Plan) -> Iterator[RuleVerdict]:
    """One session among others in a process cannot be limited on its own."""
    everywhere = plan.spec.sessions.isolation
    blocks: list[tuple[Path, object, object]] = [(("sessions", "limits"), plan.spec.sessions.limits, everywhere)]
    for name, app in plan.spec.apps.items():
        if app.limits is not None:
            blocks.append((("apps", name, "limits"), app.limits, app.isolation or everywhere))
    for path, limits, isolation in blocks:
        given = [key for key, value in vars(limits).items() if value is not None]
        if given and isolation in (None, "none"):
            what = f"{given[0]} needs sessions in processes of their own"
            yield _fault((*path, given[0]), what, "Set isolation: process, or leave it out.")


@rule
def several_instances_need_a_proxy(plan: Plan) -> Iterator[RuleVerdict]:
    """Nobody would find the others."""
    if not plan.has_proxy and len(plan.instances) > 1:
        what = f"without a proxy people reach one address, but there are {len(plan.instances)} instances"
        hint = "Take a proxy, or several processes behind one address: instances.processes."
        yield _fault(("instances",) if len(plan.pools) == 1 else ("apps",), what, hint)


@rule
def proxy_is_needed_for_what_only_it_does(plan: Plan) -> Iterator[RuleVerdict]:
    """Without a proxy these blocks would say one thing and nothing would happen."""
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
            yield _fault(path, "is done by a proxy, and there is none", "Take one: proxy: nginx.")


@rule
def tls_has_what_it_needs(plan: Plan) -> Iterator[RuleVerdict]:
    """A mode without its files, or files without their mode."""
    tls = plan.spec.tls
    if tls.mode == "files" and tls.certificate is None:
        yield _fault(("tls",), "files: no certificate is named", "Set tls.certificate and tls.key.")
    if tls.key is not None and tls.certificate is None:
        yield _fault(("tls", "key"), "a key without a certificate", "Set tls.certificate too.")
    if tls.mode in ("off", "acme") and tls.certificate is not None:
        yield _fault(("tls", "certificate"), f"has no meaning with mode {tls.mode}", "Leave one of them out.")
    if tls.hsts_subdomains and not tls.hsts:
        yield _fault(("tls", "hsts_subdomains"), "has no meaning without hsts", "Leave one of them out.")
    if plan.spec.public.scheme == "http" and plan.tls is not None:
        yield _fault(("public", "scheme"), "is http, but tls is on", "Leave one of them out.")
    if plan.spec.public.scheme == "https" and plan.tls is None and not plan.spec.proxy.trusted_proxies:
        what = "is https without tls: another proxy in front must take care of it, and visitors' addresses are lost"
        yield _warning(("public", "scheme"), what, "Name its network in proxy.trusted_proxies.")


@rule
def authorities_sign_public_names_alone(plan: Plan) -> Iterator[RuleVerdict]:
    """No ACME authority gives a certificate for localhost or 10.0.0.1."""
    if plan.tls is None or plan.tls.mode != "acme" or "acme-v0" not in plan.spec.tls.acme.directory:
        return
    for number, host in enumerate(plan.site.hosts):
        if "." not in host or is_address(host) or host.endswith((".local", ".internal", ".test", ".localhost")):
            what = f"no public authority gives a certificate for {host}"
            hint = "Use a public name, tls: development, or tls.acme.directory for an authority of your own."
            yield _fault(("public", "hosts", number), what, hint)


@rule
def one_authenticator_decides(plan: Plan) -> Iterator[RuleVerdict]:
    """Two would both have to be passed, which nobody means."""
    if plan.spec.access.basic is not None and plan.spec.access.external is not None:
        yield _fault(("access", "external"), "access.basic already says who is let in", "Leave one of them out.")


@rule
def secrets_come_from_one_place(plan: Plan) -> Iterator[RuleVerdict]:
    """Each has one source, one that its manager knows, and never a value in the file."""
    for name in VARIABLES:
        secret = getattr(plan.spec.secrets, name)
        if secret is None:
            continue
        given = [key for key in ("file", "environment", "credential") if getattr(secret, key) is not None]
        if len(given) != 1:
            what = "expected one of file, environment and credential" + (f", not {len(given)}" if given else "")
            yield _fault(("secrets", name), what)
        elif given == ["credential"] and plan.spec.service.manager not in ("systemd", "gunicorn"):
            what = f"credentials are systemd's, and the manager is {plan.spec.service.manager}"
            yield _fault(("secrets", name, "credential"), what, "Name a file.")
    for variable in plan.spec.service.environment:
        if variable.removesuffix("_FILE") in VARIABLES.values():
            yield _fault(
                ("service", "environment", variable), "is a secret's", "Say below secrets where it comes from."
            )


@rule
def applications_have_places_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """Two at one address, or one where the server keeps its own."""
    taken: dict[str, str] = {}
    for app in plan.apps:
        path: Path = ("apps", app.name, "route" if plan.spec.apps[app.name].route is not None else "path")
        below = app.url.removeprefix(plan.site.prefix) or "/"
        if app.url in taken:
            yield _fault(path, f"{taken[app.url]} is at {app.url} too", "Give one of them another route.")
        taken.setdefault(app.url, app.name)
        for reserved in RESERVED:
            if below == reserved or below.startswith(f"{reserved}/"):
                yield _fault(path, f"{reserved} is the server's own", "Give it another route.")


@rule
def hosts_have_names_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """A name or an address that two have is a mistake in one of them."""
    for key, hosts in (("instances", plan.spec.instances.hosts), ("proxy", plan.spec.proxy.hosts)):
        for about in ("name", "address"):
            seen: set[str] = set()
            for number, host in enumerate(hosts):
                value = getattr(host, about)
                if value in seen:
                    yield _fault((key, "hosts", number, about), f"{value} is another host's too")
                seen.add(value)


@rule
def sockets_stay_on_their_machine(plan: Plan) -> Iterator[RuleVerdict]:
    """A Unix socket reaches nobody elsewhere, and its path has a limit."""
    folder = plan.spec.instances.socket_dir
    if folder is None:
        return
    if plan.spec.instances.hosts or plan.spec.proxy.hosts:
        what = "Unix sockets cannot be reached from another host"
        yield _fault(("instances", "socket_dir"), what, "Leave it out, or the hosts.")
    if not plan.has_proxy:
        yield _fault(("instances", "socket_dir"), "browsers cannot reach a Unix socket", "Take a proxy, or a port.")
    longest = max((instance.unix_socket or "" for instance in plan.instances), key=len)
    if len(longest.encode()) > LONGEST_SOCKET_PATH_BYTES:
        yield _fault(("instances", "socket_dir"), f"{longest} is longer than {LONGEST_SOCKET_PATH_BYTES} bytes")


@rule
def visitors_have_enough_connections(plan: Plan) -> Iterator[RuleVerdict]:
    """A browser opens several connections for one page."""
    most = plan.spec.rate_limits.connections
    if most is not None and most < BROWSERS_CONNECTIONS:
        what = f"one page of one visitor may need {BROWSERS_CONNECTIONS} connections"
        yield _warning(("rate_limits", "connections"), what, f"Allow at least {BROWSERS_CONNECTIONS}.")


@rule
def one_address_cannot_have_more_than_there_is(plan: Plan) -> Iterator[RuleVerdict]:
    """A limit that can never be reached is a mistake."""
    sessions = plan.spec.sessions
    if sessions.max_sessions and (sessions.max_sessions_per_address or 0) > sessions.max_sessions:
        what = f"is more than an instance holds ({sessions.max_sessions})"
        yield _fault(("sessions", "max_sessions_per_address"), what, "Make it smaller.")


@rule
def embedding_sites_can_show_it(plan: Plan) -> Iterator[RuleVerdict]:
    """Pages over https load nothing over http."""
    for number, origin in enumerate(plan.spec.embedding.origins):
        if origin.startswith("https://") and plan.site.scheme == "http" and plan.has_proxy:
            what = f"pages of {origin} cannot load anything from http://{plan.site.authority}"
            yield _warning(("embedding", "origins", number), what, "Set up tls.")
    if plan.spec.embedding.origins and plan.spec.headers.frames == "none" and plan.spec.headers.enabled:
        what = "forbids frames to the embedding sites too; only scripts (server_document) will work there"
        yield _warning(("headers", "frames"), what, "Take embedding.")


@rule
def a_session_fits_into_its_container(plan: Plan) -> Iterator[RuleVerdict]:
    """The smaller limit is the one that counts."""
    limit = plan.spec.sessions.limits.session_memory_mb
    most = plan.spec.service.memory_mb
    if limit is not None and limit > plan.spec.containers.memory_mb:
        what = f"is more than the memory of a whole container ({plan.spec.containers.memory_mb} MB)"
        yield _warning(("sessions", "limits", "session_memory_mb"), what, "Make containers.memory_mb larger.")
    if limit is not None and most is not None and limit > most:
        what = f"is more than the memory of a whole instance ({most} MB)"
        yield _warning(("sessions", "limits", "session_memory_mb"), what, "Make service.memory_mb larger.")

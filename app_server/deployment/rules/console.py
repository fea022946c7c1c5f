"""Consoles for operators: where they can be, and what they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.console import console_ports
from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Rule, RuleVerdict, fault, warning

_PORT = ("console", "port")


def consoles_are_on_hosts(plan: Plan) -> Iterator[RuleVerdict]:
    """In containers, a port has to be published, and the operators' file mounted; gunicorn starts no console."""
    if plan.spec.console.port is None:
        for name in ("auth", "audit"):
            if getattr(plan.spec.console, name) is not None:
                yield fault(("console", name), "has no meaning without console.port", "Set console.port.")
    elif plan.spec.service.manager == "gunicorn":
        what = "gunicorn starts no console"
        yield fault(_PORT, what, "Remove it, or let systemd or supervisor start the server.")
    elif plan.layout != "host":
        what = "instances in containers get no console from this block"
        yield warning(_PORT, what, "Set server.console and server.console_auth, and publish the port.")


def consoles_have_a_login_on_a_network(plan: Plan) -> Iterator[RuleVerdict]:
    """Consoles of several hosts reach each other through the network, and so can others."""
    spec = plan.spec
    if spec.console.port is not None and spec.instances.hosts and spec.console.auth is None:
        what = "consoles on several hosts need a login"
        yield fault(_PORT, what, "Set console.auth to a file that `app-server passwd` has written on each host.")


def consoles_share_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """They know each other by it."""
    spec = plan.spec
    if spec.console.port is not None and len(plan.instances) > 1 and spec.secrets.secret_key is None:
        what = "consoles of several instances know each other by a secret key"
        yield fault(_PORT, what, "Set secrets.secret_key.")


def consoles_have_ports_of_their_own(plan: Plan) -> Iterator[RuleVerdict]:
    """An instance and a console cannot listen on the same port of a machine."""
    taken = {(each.host, each.port): each.name for each in plan.instances if each.unix_socket is None}
    ports = console_ports(plan.spec, plan.instances) if plan.layout == "host" else {}
    for instance in plan.instances:
        port = ports.get(instance.name, 0)
        what, user = f"the console of {instance.name} would listen on port {port}", taken.get((instance.host, port))
        if port > 65535:
            yield fault(_PORT, what, "Start with a lower port.")
        elif user is not None:
            yield fault(_PORT, f"{what}, which {user} uses", "Choose another port.")


RULES: Final[tuple[Rule, ...]] = (
    consoles_are_on_hosts,
    consoles_have_a_login_on_a_network,
    consoles_share_a_key,
    consoles_have_ports_of_their_own,
)

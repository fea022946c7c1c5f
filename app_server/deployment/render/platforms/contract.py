"""What all hosting platforms have in common: the words that start the server there, its variables, and what is refused.

The platform's router is the proxy. It ends TLS, says in X-Forwarded-* who visits, and chooses an instance for each
request: nothing of ours leads a socket to the instance of its page. So the page's token says what a session is made
from, and any instance can make it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app_server.deployment.plan.values import Plan, PlannedSecret
from app_server.errors import OperatorError

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
# Flags with one value that say where an instance of ours listens, or that a platform needs otherwise.
_OURS: Final = ("--port", "--address", "--unix-socket", "--route", "--allow-websocket-origin", "--drain")
# What is left of a grace period for the process itself to end.
_LAST_S: Final = 2
_DEADLINE_S: Final = 10
# What sessions and their hooks need at least to end, after a drain that was cut.
_SHORTEST_DEADLINE_S: Final = 6


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform. `grace_s` is how long it waits after SIGTERM, None if the generated file says so itself.

    `names` is the pattern of what it may call a service, if the generated file says so.
    """

    title: str
    grace_s: int | None = None
    names: str = ".*"


def words(plan: Plan, platform: Platform) -> tuple[str, ...]:
    """The applications and flags of `app-server serve` on a platform; OperatorError for what it cannot do."""
    _refuse(plan, platform)
    (pool,) = plan.pools
    first = pool.instances[0]
    several = len(pool.instances) > 1
    kept = tuple(_without_ours(first.flags))
    return tuple(map(_literal, (
        *first.apps,
        *(word for origin in _origins(plan) for word in ("--allow-websocket-origin", origin)),
        *(() if "--use-xheaders" in kept else ("--use-xheaders",)),
        *(("--token-payload", "always") if several and "--token-payload" not in kept else ()),
        *_drain(plan, platform),
        *kept,
    )))  # fmt: skip


def _literal(word: str) -> str:
    """The word; OperatorError if a platform could take it for a variable, as those that are made of Kubernetes do."""
    if "$(" in word:
        raise OperatorError(f"{word!r} has a $(, which platforms replace", where="apps", hint="Write it otherwise.")
    return word


def variables(plan: Plan) -> dict[str, str]:
    """The variables that are not secret."""
    return dict(plan.spec.service.environment)


def own_secrets(plan: Plan) -> tuple[PlannedSecret, ...]:
    """The server's secrets, each of which has a variable."""
    return tuple(secret for secret in plan.secrets if not secret.is_of_applications)


def secrets_of_applications(plan: Plan) -> PlannedSecret | None:
    """The file with the applications' variables, `service.secrets`; a platform has no such file of its own."""
    return next((secret for secret in plan.secrets if secret.is_of_applications), None)


def secret_name(plan: Plan, secret: PlannedSecret) -> str:
    """The name of a secret in the platform's own store."""
    return f"{plan.name}-{secret.name}".replace("_", "-").lower()


def _refuse(plan: Plan, platform: Platform) -> None:
    if not re.fullmatch(platform.names, plan.name):
        hint = "Use a-z, 0-9 and single '-', with a letter or a digit at the end."
        raise OperatorError(f"{platform.title} calls nothing {plan.name!r}", where="name", hint=hint)
    if len(plan.pools) > 1:
        hint = "Remove apps.*.instances, or write a deploy.yaml for each application."
        raise OperatorError(f"{platform.title} runs the same in all instances", where="apps", hint=hint)
    if plan.store.kind == "valkey":
        hint = "Name a Redis or Valkey that the platform offers, with secrets.store or sessions.store: redis://..."
        raise OperatorError(f"{platform.title} starts no Valkey of ours", where="sessions.store", hint=hint)
    if plan.tls is not None:
        raise OperatorError(f"{platform.title} takes care of TLS", where="tls", hint="Say tls: off.")
    for name, value in (("basic", plan.spec.access.basic), ("external", plan.spec.access.external),
                        ("allow", plan.spec.access.allow)):  # fmt: skip
        if value:
            # Without it, everyone would be let in.
            hint = "Choose a login of the server below server, such as basic_auth or oidc_issuer."
            what = f"our proxy does that, and there is none on {platform.title}"
            raise OperatorError(what, where=f"access.{name}", hint=hint)
    if plan.spec.embedding.origins and not _public(plan):
        hint = "Name the host that the platform gives you."
        raise OperatorError("other sites show a page that has no address yet", where="public", hint=hint)


def _public(plan: Plan) -> tuple[str, ...]:
    return tuple(host for host in plan.site.hosts if host not in LOCAL)


def _origins(plan: Plan) -> Iterator[str]:
    """The hosts of pages that may connect; none if only the server's own, whatever the platform calls it."""
    yield from _public(plan)
    yield from (origin.partition("://")[2] for origin in plan.spec.embedding.origins)


def _drain(plan: Plan, platform: Platform) -> Iterator[str]:
    """The drain, cut to what the platform allows: it kills what has not ended then."""
    if platform.grace_s is None:
        yield from ("--drain", f"{plan.drain_s:g}")
        return
    drain_s = min(plan.drain_s, max(0, platform.grace_s - _LAST_S - _SHORTEST_DEADLINE_S))
    yield from ("--drain", f"{drain_s:g}")
    if (deadline_s := platform.grace_s - drain_s - _LAST_S) < _DEADLINE_S:
        yield from ("--drain-deadline", f"{deadline_s:g}")


def _without_ours(flags: tuple[str, ...]) -> Iterator[str]:
    """The flags without those that the platform decides; `--args` and what follows stay as they are."""
    position = 0
    while position < len(flags) and flags[position] != "--args":
        if flags[position] in _OURS:
            position += 2
            continue
        yield flags[position]
        position += 1
    yield from flags[position:]

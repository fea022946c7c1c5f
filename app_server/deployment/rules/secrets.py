"""Keys and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.defaults import APPLICATION_SECRETS_VARIABLE, VARIABLES
from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Rule, RuleVerdict, fault, warning


def signatures_need_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """The server does not start without one."""
    if plan.spec.sessions.ids not in (None, "unsigned") and plan.spec.secrets.secret_key is None:
        what = "signed sessions need a secret key"
        yield fault(("sessions", "ids"), what, "Set secrets.secret_key.")


def instances_share_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """Behind a login, sessions are signed, by default with a key that each instance generates."""
    spec = plan.spec
    known = spec.secrets.secret_key or spec.secrets.cookie_secret or spec.sessions.ids
    if spec.access.external is not None and known is None and len(plan.instances) > 1:
        what = "each instance signs sessions with its own key, and no other instance can take over its pages"
        yield warning(("access", "external"), what, "Set secrets.secret_key to a key that they share.")


def logins_have_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """The server does not start without one, which may come from elsewhere."""
    for name in ("basic_auth", "oidc_issuer", "oauth_provider"):
        if name in plan.spec.server and plan.spec.secrets.cookie_secret is None:
            what = "logins are kept in signed cookies, which need a key"
            yield warning(("server", name), what, "Set secrets.cookie_secret.")


def secrets_come_from_one_place(plan: Plan) -> Iterator[RuleVerdict]:
    """Each secret has exactly one source, which its manager supports, and never a value in the file."""
    for name in VARIABLES:
        secret = getattr(plan.spec.secrets, name)
        if secret is None:
            continue
        given = [key for key in ("file", "environment", "credential") if getattr(secret, key) is not None]
        if len(given) != 1:
            what = "expected one of file, environment and credential" + (f", not {len(given)}" if given else "")
            yield fault(("secrets", name), what)
        elif given == ["credential"] and plan.spec.service.manager not in ("systemd", "gunicorn"):
            what = f"credentials need systemd, but the manager is {plan.spec.service.manager}"
            yield fault(("secrets", name, "credential"), what, "Use a file.")
    for variable in plan.spec.service.environment:
        if variable.removesuffix("_FILE") in VARIABLES.values():
            yield fault(("service", "environment", variable), "is the variable of a secret", "Set it below secrets.")


def application_secrets_come_from_one_place(plan: Plan) -> Iterator[RuleVerdict]:
    """The same for the file with the applications' secrets."""
    own = plan.spec.service.secrets
    if own is not None:
        if (own.file is None) == (own.credential is None):
            what = "expected one of file and credential" + (", not both" if own.file else "")
            yield fault(("service", "secrets"), what)
        elif own.credential is not None and plan.spec.service.manager not in ("systemd", "gunicorn"):
            what = f"credentials need systemd, but the manager is {plan.spec.service.manager}"
            yield fault(("service", "secrets", "credential"), what, "Use a file.")
    variable = f"{APPLICATION_SECRETS_VARIABLE}_FILE"
    if variable in plan.spec.service.environment:
        yield fault(("service", "environment", variable), "names a file of secrets", "Set it with service.secrets.")


RULES: Final[tuple[Rule, ...]] = (
    signatures_need_a_key,
    instances_share_a_key,
    logins_have_a_key,
    secrets_come_from_one_place,
    application_secrets_come_from_one_place,
)

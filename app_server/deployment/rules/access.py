"""Who may open which application: instances have to know who asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault
from app_server.deployment.spec import Access, ApplicationAccess, Spec
from app_server.settings import WAYS_TO_LOG_IN


def has_login(spec: Spec) -> bool:
    """Whether instances know who their users are: the proxy names them, or the server itself logs them in."""
    return spec.access.external is not None or any(name in spec.server for name in WAYS_TO_LOG_IN)


def instances_know_who_asks(plan: Plan) -> Iterator[RuleVerdict]:
    """A proxy that asks for a password does not name the user."""
    spec = plan.spec
    if has_login(spec):
        return
    for path, _ in _rules(plan):
        what = "the instances do not know who asks"
        hint = "Set access.external, or a login of the server such as server.oidc_issuer."
        if spec.access.basic is not None:
            hint = "Set server.basic_auth to the file of access.basic, too; instances read it as the proxy does."
        yield fault(path, what, hint)
        return


def groups_are_named(plan: Plan) -> Iterator[RuleVerdict]:
    """Without their header, no one would be in a group."""
    external = plan.spec.access.external
    if external is None or external.groups_header is not None:
        return
    for path, access in _rules(plan):
        if access.groups:
            what = "names groups, but no header says who is in them"
            yield fault((*path, "groups"), what, "Set access.external.groups_header.")


def someone_may_open_each(plan: Plan) -> Iterator[RuleVerdict]:
    """An empty block would open the application to everyone."""
    for name, app in plan.spec.apps.items():
        if app.access is not None and not (app.access.users or app.access.groups):
            hint = "Name users or groups; all users are users: ['*']."
            yield fault(("apps", name, "access"), "does not say who may open the application", hint)


def _rules(plan: Plan) -> Iterator[tuple[Path, Access | ApplicationAccess]]:
    """What names users or groups, and where it is."""
    access = plan.spec.access
    if access.users or access.groups:
        yield ("access",), access
    for name, app in plan.spec.apps.items():
        if app.access is not None and (app.access.users or app.access.groups):
            yield ("apps", name, "access"), app.access


RULES: Final[tuple[Rule, ...]] = (
    instances_know_who_asks,
    groups_are_named,
    someone_may_open_each,
)

"""Limits of sessions and of what holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.access import has_login
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault, warning


def stops_leave_time_to_drain(plan: Plan) -> Iterator[RuleVerdict]:
    """An instance that is killed while it drains loses its sessions."""
    for path, limit_s in (
        (("service", "stop_timeout_s"), plan.spec.service.stop_timeout_s),
        (("containers", "grace_s"), plan.spec.containers.grace_s),
    ):
        if limit_s is not None and limit_s <= plan.drain_s:
            what = f"instances are killed after {limit_s:g} s, but sessions have {plan.drain_s:g} s (service.drain_s)"
            yield fault(path, what, f"Set it to at least {plan.drain_s + 5:g}, or lower service.drain_s.")


def limits_need_isolation(plan: Plan) -> Iterator[RuleVerdict]:
    """A session that shares its process with others cannot be limited by itself."""
    everywhere = plan.spec.sessions.isolation
    blocks: list[tuple[Path, object, object]] = [(("sessions", "limits"), plan.spec.sessions.limits, everywhere)]
    for name, app in plan.spec.apps.items():
        if app.limits is not None:
            blocks.append((("apps", name, "limits"), app.limits, app.isolation or everywhere))
    for path, limits, isolation in blocks:
        given = [key for key, value in vars(limits).items() if value is not None]
        if given and isolation in (None, "none"):
            what = f"{given[0]} needs a process for each session"
            yield fault((*path, given[0]), what, "Set isolation: process, or remove it.")


def one_address_cannot_have_more_than_there_is(plan: Plan) -> Iterator[RuleVerdict]:
    """A limit that can never be reached is a mistake."""
    sessions = plan.spec.sessions
    if sessions.max_sessions and (sessions.max_sessions_per_address or 0) > sessions.max_sessions:
        what = f"is more than sessions.max_sessions ({sessions.max_sessions})"
        yield fault(("sessions", "max_sessions_per_address"), what, "Lower it.")


def one_user_cannot_have_more_than_there_is(plan: Plan) -> Iterator[RuleVerdict]:
    """A user's limit is for all processes of an instance together; the instance's limit is for each of them."""
    sessions, processes = plan.spec.sessions, plan.spec.instances.processes or 1
    most = (sessions.max_sessions or 0) * processes
    if 0 < most < (sessions.max_sessions_per_user or 0):
        each = "" if processes == 1 else f" for each of {processes} processes"
        what = f"is more than sessions.max_sessions ({sessions.max_sessions}{each})"
        yield fault(("sessions", "max_sessions_per_user"), what, "Lower it.")


def users_are_known_whose_sessions_are_limited(plan: Plan) -> Iterator[RuleVerdict]:
    """Without a login, all visitors are the same to the server. A password that the proxy asks for is not a login."""
    if plan.spec.sessions.max_sessions_per_user is not None and not has_login(plan.spec):
        what = "has no effect, because the server does not know its users"
        hint = "Set access.external or a login of the server's, or use max_sessions_per_address."
        yield warning(("sessions", "max_sessions_per_user"), what, hint)


def a_session_fits_into_its_container(plan: Plan) -> Iterator[RuleVerdict]:
    """The smaller of two limits applies."""
    limit = plan.spec.sessions.limits.session_memory_mb
    most = plan.spec.service.memory_mb
    if limit is not None and limit > plan.spec.containers.memory_mb:
        what = f"is more than the memory of a whole container ({plan.spec.containers.memory_mb} MB)"
        yield warning(("sessions", "limits", "session_memory_mb"), what, "Increase containers.memory_mb.")
    if limit is not None and most is not None and limit > most:
        what = f"is more than the memory of a whole instance ({most} MB)"
        yield warning(("sessions", "limits", "session_memory_mb"), what, "Increase service.memory_mb.")


RULES: Final[tuple[Rule, ...]] = (
    stops_leave_time_to_drain,
    limits_need_isolation,
    one_address_cannot_have_more_than_there_is,
    one_user_cannot_have_more_than_there_is,
    users_are_known_whose_sessions_are_limited,
    a_session_fits_into_its_container,
)

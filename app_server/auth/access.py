"""The rules of `--access`, compared with what is served and with the users that are known."""

from __future__ import annotations

import logging
from collections.abc import Collection

from app_server.auth.attempts import read_users
from app_server.errors import OperatorError, did_you_mean
from app_server.protocol.paths import canonical_route
from app_server.requests.own_files import static_folders
from app_server.security.auth.access import EVERY, AccessRules, unknown_to
from app_server.settings import Settings

log = logging.getLogger(__name__)


def check_access(settings: Settings, routes: Collection[str]) -> None:
    """Warn of rules that let no one in; OperatorError for one whose application is not at any of these routes."""
    rules = AccessRules.read(settings.access, canonical_route)
    routes = {*routes, *(route for route, _ in static_folders(settings))}
    for rule in rules.rules:
        if rule.route != EVERY and rule.route not in routes:
            hint = did_you_mean(rule.route, routes) or f"There is: {', '.join(sorted(routes))}."
            raise OperatorError(f"no application is served at {rule.route}", where="--access", hint=hint)
    if settings.basic_auth and rules.rules:
        _warn_of_unknown(rules, settings.basic_auth)


def _warn_of_unknown(rules: AccessRules, path: str) -> None:
    users = read_users(path)
    groups = {name for groups in users.groups.values() for name in groups}
    for rule in unknown_to(rules, users.users, groups):
        who = "no user is in this group" if rule.kind == "group" else "this user does not exist"
        log.warning("--access %s lets no one in: %s (%s)", rule, who, path)

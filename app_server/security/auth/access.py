"""Who may open which application: the rules of `--access`.

An application with rules of its own is open to the users that one of them names. One without is open to those that a
rule for `*` names; without any rule, everyone who is logged in may open it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from app_server.security.auth.users import groups_of, names_of

EVERY: Final = "*"
"""In place of a route: every application that has no rules of its own."""

GROUP: Final = "group"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A user or a group that may open an application; `pattern` may have `*`, `?` and `[ ]`."""

    route: str
    kind: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.route}={self.kind}:{self.pattern}"

    def fits(self, user: Any) -> bool:
        """Whether it names this user, or one of the user's groups."""
        known = groups_of(user) if self.kind == GROUP else names_of(user)
        return any(fnmatchcase(name, self.pattern) for name in known)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of a server."""

    rules: tuple[AccessRule, ...] = ()

    @classmethod
    def read(cls, words: Iterable[str], spelled: Callable[[str], str]) -> AccessRules:
        """The rules of these words, `ROUTE=user:NAME` or `ROUTE=group:NAME`; the settings have checked them.

        `spelled` writes a route as the server does.
        """
        return cls(tuple(_read(word, spelled) for word in words))

    def of(self, route: str) -> tuple[AccessRule, ...]:
        """The rules for the application at this route; none if everyone may open it."""
        own = tuple(rule for rule in self.rules if rule.route == route)
        return own or tuple(rule for rule in self.rules if rule.route == EVERY)

    def allow(self, user: Any, route: str) -> bool:
        """Whether this user may open the application at this route."""
        rules = self.of(route)
        return not rules or any(rule.fits(user) for rule in rules)

    def names_group(self, name: str) -> bool:
        """Whether a rule names this group."""
        return any(fnmatchcase(name, rule.pattern) for rule in self.rules if rule.kind == GROUP)

    @property
    def need_groups(self) -> bool:
        """Whether any rule names a group."""
        return any(rule.kind == GROUP for rule in self.rules)


def _read(word: str, spelled: Callable[[str], str]) -> AccessRule:
    route, _, who = word.partition("=")
    kind, _, pattern = who.partition(":")
    return AccessRule(EVERY if route == EVERY else spelled(route), kind, pattern)


def unknown_to(rules: AccessRules, users: Iterable[str], groups: Iterable[str]) -> list[AccessRule]:
    """The rules that fit none of these users and groups, which are all that there are."""
    known = {"user": set(users), GROUP: set(groups)}
    return [rule for rule in rules.rules if not any(fnmatchcase(name, rule.pattern) for name in known[rule.kind])]

"""`app-server sessions list|show|end|purge`: what a server with --store has saved."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from app_server.cli.command import Choices, Command, Flag, Word, flags_of, switch
from app_server.cli.terminal import say
from app_server.errors import AppServerError, OperatorError
from app_server.settings import Setting, Settings, added, all_settings, naming_env_file, resolve_some, with_files

if TYPE_CHECKING:
    from app_server.store.base import Store
    from app_server.store.contents import Found
    from app_server.store.keys import Keys

T = TypeVar("T")

SETTINGS = ("use_config", "env_file", "secret_key", "store", "store_ttl_s", "store_max_bytes", "store_encrypt")
"""The settings of `serve` that this command has too."""

ENDS_WITHIN_S = 5.0
"""How long the process that has a session may take to end it: it looks once a second, and runs the session's hooks."""
LOOK_S = 0.05

_MOST_KEYS = 500
"""How many keys a shell is offered: the latest."""

_OFFERS_WITHIN_S = 1.0
"""How long a shell waits for them; of a store with very many, it is offered those that were found."""

ACTIONS: Choices = {
    "list": "all that is saved, the latest first",
    "show": "what is saved of one session or bookmark",
    "end": "end sessions and delete them, or delete bookmarks",
    "purge": "delete what has expired",
}


def own_settings() -> tuple[Setting, ...]:
    """Those settings, in the order of the table."""
    return tuple(setting for setting in all_settings() if setting.name in SETTINGS)


def keys_to_name(before: Sequence[str], environ: Mapping[str, str]) -> Choices:
    """The keys of what is saved, for completion; none if the store that was named so far cannot be read."""
    from app_server.cli.parser import parser_of
    from app_server.cli.running.saved_report import as_choice

    try:
        namespace = parser_of("sessions", COMMAND).parse_known_args(before)[0]
        if namespace.action not in ("show", "end"):
            return {}
        settings = _settings(namespace, environ)
        with _Saved.opened(Asked(settings)) as saved:
            some = found_within(_OFFERS_WITHIN_S, saved.chosen(), time.monotonic)
            found = sorted(some, key=lambda each: -each.entry.saved_at_s)
    except AppServerError:
        return {}
    named = dict(map(as_choice, found[:_MOST_KEYS]))
    return {key: about for key, about in named.items() if key not in namespace.keys}


def found_within(seconds: float, found: Iterable[T], clock: Callable[[], float]) -> Iterator[T]:
    """What is found in this time, and at least one."""
    deadline_s = clock() + seconds
    for each in found:
        yield each
        if clock() >= deadline_s:
            return


COMMAND = Command(
    forms=(
        "list [--application PATH] [--json]",
        "show KEY [--values] [--json]",
        "end KEY ... [--force]",
        "purge [--application PATH] [--older-than SECONDS]",
    ),
    text="List, show and delete the sessions and bookmarks that a server with --store has saved. Set the store and the "
    "secret key as for the server, and run the command as the server's user. A KEY is what `list` prints, or the "
    "beginning of it.",
    examples=("app-server sessions list --store sessions", "app-server sessions purge --older-than 3600"),
    words=(
        Word(name="action", metavar="ACTION", help="what to do", required=True, choices=ACTIONS),
        Word(name="keys", metavar="KEY", help="which of them", many=True, candidates=keys_to_name),
    ),
    flags=(
        Flag(names=("--application",), metavar="PATH", help="only those of the application at this path"),
        Flag(names=("--older-than",), metavar="SECONDS", help="only what was last saved longer ago"),
        switch("--values", "also show what people and the application have put in"),
        switch("--force", "delete a session also if the process that has it does not end it"),
        switch("--json", "print JSON"),
        *flags_of(own_settings()),
    ),
)


@dataclass(frozen=True)
class Asked:
    """What was typed, after it was found to make sense."""

    settings: Settings
    keys: tuple[str, ...] = ()
    application: str | None = None
    older_than_s: float | None = None
    values: bool = False
    force: bool = False
    as_json: bool = False


_TAKES: Mapping[str, Sequence[str]] = {
    "list": ("application", "json"),
    "show": ("values", "json"),
    "end": ("force",),
    "purge": ("application", "older_than"),
}


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What does it, once the store is named and the words fit together."""
    action = namespace.action
    for name in ("application", "older_than", "values", "force", "json"):
        if name in namespace and name not in _TAKES[action]:
            raise OperatorError(f"is not used by `sessions {action}`", where=f"--{name.replace('_', '-')}")
    _check_keys(action, namespace.keys)
    asked = Asked(
        _settings(namespace, environ),
        keys=tuple(namespace.keys),
        application=namespace.application[0] if "application" in namespace else None,
        older_than_s=_seconds(namespace.older_than[0]) if "older_than" in namespace else None,
        values="values" in namespace,
        force="force" in namespace,
        as_json="json" in namespace,
    )
    return partial({"list": list_all, "show": show, "end": end, "purge": purge}[action], asked)


def _settings(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The settings, of which the store is one that may be read."""
    flags = {setting.name: getattr(namespace, setting.name) for setting in own_settings() if setting.name in namespace}
    flags, variables = with_files(flags, environ)
    with naming_env_file(flags, variables, environ):
        settings = resolve_some(SETTINGS, flags, added(variables, environ))
    _check_store(settings.store)
    return settings


def _check_keys(action: str, keys: Sequence[str]) -> None:
    example = f"For example: app-server sessions {action} 3f2a90c1d8e4"
    if action in ("show", "end") and not keys:
        raise OperatorError("no key is named", where="KEY", hint=example)
    if action == "show" and len(keys) > 1:
        raise OperatorError("shows one at a time", where="KEY", hint=example)
    if action in ("list", "purge") and keys:
        raise OperatorError(f"is not used by `sessions {action}`", where=keys[0])


def _check_store(store: str) -> None:
    if store == "off":
        hint = "Name the one of the server: app-server sessions list --store FOLDER"
        raise OperatorError("no store is named", where="--store", hint=hint)
    if "://" not in store and not os.path.isdir(os.path.expanduser(store)):
        raise OperatorError(f"{store} does not exist", where="--store", hint="Name the folder of the server.")


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise OperatorError(f"expected a number of seconds, not {text[:40]!r}", where="--older-than")
    return float(text)


def list_all(asked: Asked) -> int:
    """Print all that is saved."""
    from app_server.cli.running.saved_report import as_table, as_values

    with _Saved.opened(asked) as saved:
        found = sorted(saved.chosen(), key=lambda each: -each.entry.saved_at_s)
    if asked.as_json:
        say(json.dumps([as_values(each) for each in found], indent=2))
    else:
        say(as_table(found) if found else "nothing is saved")
    return 0


def show(asked: Asked) -> int:
    """Print what is saved of one session."""
    from app_server.cli.running.saved_report import as_lines, details
    from app_server.store.contents import saved_of

    with _Saved.opened(asked) as saved:
        found = saved.one(asked.keys[0])
        content = saved_of(saved.store, found.entry, saved.keys, saved.max_bytes)
    if content is None:
        raise OperatorError("is gone", where=asked.keys[0])
    values = details(found, content, values=asked.values)
    say(json.dumps(values, indent=2) if asked.as_json else as_lines(values, content))
    return 0


def end(asked: Asked) -> int:
    """Delete these, and end those that are in use; 1 if the process that has one of them does not end it."""
    from app_server.store.contents import deleted

    with _Saved.opened(asked) as saved:
        for entry in [saved.one(key).entry for key in asked.keys]:
            if deleted(saved.store, entry) or entry.bookmark:
                say(f"{entry.key[:12]} is deleted")
            elif _ended(saved.store, entry.key):
                say(f"{entry.key[:12]} has ended, and is deleted")
            elif asked.force and saved.store.revoke(entry.key):
                say(f"{entry.key[:12]} is deleted, but was not ended: the process that has it does not answer")
            else:
                raise OperatorError(
                    "is in use, and the process that has it does not end it",
                    where=entry.key[:12],
                    hint="Look into its log, or add --force: what is saved is deleted then, and its page starts again.",
                )
    return 0


def _ended(store: Store, key: str) -> bool:
    """Whether the process that has this session has ended it, as it is asked to here, and deleted what was saved."""
    from app_server.store.base import Ending

    store.end(Ending(key, time.time()))
    deadline_s = time.monotonic() + ENDS_WITHIN_S
    while store.is_saved(key):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_S)
    return True


def purge(asked: Asked) -> int:
    """Delete what has expired, or what was asked for, unless it is in use; print how many."""
    from app_server.store.contents import deleted

    now_s = time.time()
    with _Saved.opened(asked) as saved:
        if asked.application is None:
            ttl_s = asked.settings.store_ttl_s if asked.older_than_s is None else asked.older_than_s
            count = saved.store.purge(ttl_s, now_s)
        else:
            oldest_s = now_s - (asked.older_than_s or 0)
            old = [found.entry for found in saved.chosen() if found.entry.saved_at_s <= oldest_s]
            count = sum(deleted(saved.store, entry) for entry in old)
    say(f"{count} deleted")
    return 0


class _Saved:
    """An open store, and what is to be found there."""

    def __init__(self, asked: Asked, store: Store, keys: Keys) -> None:
        self._asked, self.store, self.keys = asked, store, keys
        # As much as a server reads.
        self.max_bytes = 3 * asked.settings.store_max_bytes

    @classmethod
    @contextmanager
    def opened(cls, asked: Asked) -> Iterator[_Saved]:
        """The store that was named, until the end of the block."""
        from app_server.store.keys import Keys
        from app_server.store.location import open_store

        settings = asked.settings
        keys = Keys.of(settings.secret_key, encrypt=settings.store_encrypt)
        store = open_store(settings.store, ttl_s=settings.store_ttl_s, max_bytes=3 * settings.store_max_bytes)
        assert store is not None
        try:
            yield cls(asked, store, keys)
        finally:
            store.close()

    def chosen(self) -> Iterator[Found]:
        """Everything, or what is saved of the application that was named."""
        from app_server.store.contents import all_found

        for found in all_found(self.store, self.keys, self.max_bytes):
            if self._asked.application in (None, found.application):
                yield found

    def one(self, key: str) -> Found:
        """What this key, or the beginning of it, names. OperatorError unless it is exactly one."""
        found = [each for each in self.chosen() if each.entry.key.startswith(key)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise OperatorError("nothing of this key is saved", where=key, hint="See `app-server sessions list`.")
        raise OperatorError(f"{len(found)} keys begin like this", where=key, hint="Give more of it.")

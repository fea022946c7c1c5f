"""The keywords of `Server`, made into settings: our own names, and those of the stock server's classes."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from app_server.errors import OperatorError, did_you_mean
from app_server.settings import Arity, Settings, all_settings, resolve_settings

STOCK_NAMES = {
    "check_unused_sessions_milliseconds": "check_unused_sessions_ms",
    "extra_websocket_origins": "allow_websocket_origin",
    "keep_alive_milliseconds": "keep_alive_ms",
    "mem_log_frequency_milliseconds": "mem_log_frequency_ms",
    "session_token_expiration": "session_token_expiration_s",
    "stats_log_frequency_milliseconds": "stats_log_frequency_ms",
    "unused_session_lifetime_milliseconds": "unused_session_lifetime_ms",
    "websocket_max_message_size": "websocket_max_message_size_bytes",
    "xsrf_cookies": "enable_xsrf_cookies",
}
"""The names that `bokeh.server.server.Server` has for settings of ours."""

STOCK_OPPOSITES = {"use_index": "disable_index", "redirect_root": "disable_index_redirect"}
"""Its names for what a setting of ours switches off."""

_BY_COMMAND = "Only `app-server serve` starts processes for sessions."

_ONE_PROCESS = (
    "A server inside a program is one process. Serve with `app-server serve --num-procs`, or with gunicorn and"
    " app_server.gunicorn; several programs need a port each."
)

_NO_CONSOLE = "Only `app-server serve` starts the console's process. A program can use get_sessions()."

INSTEAD = {
    "absolute_url": "Pages find their way by relative addresses; use_xheaders tells the server what a proxy is called.",
    "auth_provider": "Give auth_module the path of a module with get_user or get_user_async and login_url.",
    "callback_limit_s": _BY_COMMAND,
    "console": _NO_CONSOLE,
    "console_audit": _NO_CONSOLE,
    "console_auth": _NO_CONSOLE,
    "console_peers": _NO_CONSOLE,
    "env_file": "Your program has its own environment; python-dotenv can read a file into it.",
    "http_server_kwargs": "Use ssl_certfile, ssl_keyfile, use_xheaders or websocket_max_message_size_bytes.",
    "hang_timeout_s": _ONE_PROCESS,
    "isolation": _BY_COMMAND,
    "log_file": "The log is your program's; configure Python's logging.",
    "log_format": "The log is your program's; configure Python's logging.",
    "log_json": "The log is your program's; give its handler app_server.observe.logs.JsonFormatter().",
    "num_procs": _ONE_PROCESS,
    "session_cpu_s": _BY_COMMAND,
    "session_memory_mb": _BY_COMMAND,
    "start_timeout_s": _ONE_PROCESS,
}
"""What to do in place of keywords that the command or the stock class has, and this server has not."""

_HARMLESS: dict[str, tuple[Any, ...]] = {"num_procs": (1,), "hang_timeout_s": (0,), "http_server_kwargs": ({},)}
"""Values of these that ask for nothing, as stock programs pass them."""

_OF_SEVERAL = ("num_procs", "hang_timeout_s", "isolation", "session_memory_mb", "session_cpu_s", "callback_limit_s",
               "console")


def settings_from_keywords(
    keywords: Mapping[str, Any],
    environ: Mapping[str, str],
    instead: Mapping[str, str] = INSTEAD,
    of: str = "Server",
    *,
    users_known: bool = False,
) -> Settings:
    """The settings of these keywords, checked as on the command line, on top of the environment.

    None means "not given". `instead` says what to do in place of keywords that the class `of` has not; with
    `users_known` it needs no login to know its users. OperatorError for these, for a keyword that is none, with the one
    that is likely meant, and for a value that does not fit.
    """
    asked = {name: value for name, value in keywords.items() if not _asks_for_nothing(name, value, instead)}
    given = _own_names({name: value for name, value in asked.items() if value is not None})
    by_name = {setting.name: setting for setting in all_settings()}
    fields: dict[str, list[str]] = {}
    switches: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name or name in instead:
            raise OperatorError(f"{of} has no such keyword", where=name, hint=_hint(name, by_name, instead))
        if name == "session_ids" and value == "external":
            switches[name] = value
        elif by_name[name].arity is Arity.SWITCH:
            if not isinstance(value, bool):
                raise OperatorError(f"expected True or False, not {value!r}", where=name)
            switches[name] = value
        else:
            several = isinstance(value, list | tuple | set | frozenset)
            fields[name] = [_word(item) for item in (value if several else [value])]
    fields.update({name: [] for name, on in switches.items() if on is True})
    with in_keywords():
        # A switch has no word for "no", which a keyword has, and which overrides the environment.
        return replace(resolve_settings(fields, environ, users_known=users_known), **switches)


def _asks_for_nothing(name: str, value: Any, instead: Mapping[str, str]) -> bool:
    return name in instead and not isinstance(value, bool) and value in _HARMLESS.get(name, ())


def of_several_processes(settings: Settings, names: Collection[str] = _OF_SEVERAL) -> list[str]:
    """The settings, by default those of several processes, that the environment asks for where they have no effect."""
    default = Settings()
    return [name for name in names if getattr(settings, name) != getattr(default, name)]


@contextmanager
def in_keywords() -> Iterator[None]:
    """Have errors that name a flag name the keyword instead."""
    try:
        yield
    except OperatorError as error:
        texts = [None if text is None else _without_flags(text) for text in (error.what, error.where, error.hint)]
        raise OperatorError(texts[0] or "", where=texts[1], hint=texts[2]) from None


def _without_flags(text: str) -> str:
    # If two settings share a flag, the first one applies: --dev is dev, not dev_watch.
    names = {setting.flag: setting.name for setting in reversed(all_settings())}
    return re.sub(r"--[a-z][a-z-]+", lambda found: names.get(found[0], found[0]), text)


def _hint(name: str, known: Mapping[str, object], instead: Mapping[str, str]) -> str:
    meant = did_you_mean(name, [*known, *STOCK_NAMES, *STOCK_OPPOSITES])
    return instead.get(name) or meant or "See docs/settings.md for all settings."


def _own_names(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with the stock names replaced by ours; OperatorError where both are given."""
    found: dict[str, Any] = {}
    keywords = {**keywords, **_session_ids(keywords)}
    for name, value in keywords.items():
        if name in ("sign_sessions", "generate_session_ids"):
            continue
        if name in STOCK_OPPOSITES:
            if not isinstance(value, bool):
                raise OperatorError(f"expected True or False, not {value!r}", where=name)
            value = not value
        own = STOCK_NAMES.get(name) or STOCK_OPPOSITES.get(name) or name
        if own == "allow_websocket_origin" and own in found:
            value = [*_listed(found[own]), *_listed(value)]
        elif own in found:
            raise OperatorError("is given under two names", where=own, hint=f"Leave out {name}.")
        found[own] = value
    return found


def _session_ids(keywords: Mapping[str, Any]) -> dict[str, str]:
    """What the stock pair of `sign_sessions` and `generate_session_ids` means."""
    signed, generated = keywords.get("sign_sessions"), keywords.get("generate_session_ids", True)
    for name in ("sign_sessions", "generate_session_ids"):
        if not isinstance(keywords.get(name, True), bool):
            raise OperatorError(f"expected True or False, not {keywords[name]!r}", where=name)
    if signed is None and generated:
        return {}
    made = ("signed", "external-signed") if signed else ("unsigned", "external")
    return {"session_ids": made[0] if generated else made[1]}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)

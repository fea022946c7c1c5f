"""Settings that contradict each other, or need another that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app_server.errors import OperatorError
from app_server.settings.console import ConsolePlace
from app_server.settings.platform import HOST, PORT
from app_server.settings.reading import Given
from app_server.settings.values import SIGNED_IDS

Chosen = Mapping[str, Given]

# The ways to ask people who they are; at most one of them can be chosen.
WAYS_TO_LOG_IN = ("auth_module", "basic_auth", "auth_header", "oidc_issuer", "oauth_provider")
_OIDC_ONLY = ("oidc_client_id", "oidc_scope", "oidc_allow", "oidc_groups", "oidc_redirect_url")
_CUSTOM_ONLY = ("oauth_authorize_url", "oauth_token_url", "oauth_user_url")
_OAUTH_ONLY = (*_CUSTOM_ONLY, "oauth_url", "oauth_client_id", "oauth_scope", "oauth_user_id", "oauth_user_name",
               "oauth_groups", "oauth_allow", "oauth_redirect_url")  # fmt: skip
_HEADER_ONLY = ("auth_header_from", "auth_header_groups")
_ONE_OF_THEM = "Leave one of them out."
_OF_A_PORT = ("port", "address", "ssl_certfile", "ssl_keyfile")
# Variables for the port that may be set for other servers.
_FOR_OTHERS = ("BOKEH_DEFAULT_SERVER_PORT", PORT, HOST)
_ALTERNATIVES = (
    ({"unix_socket"}, {*_OF_A_PORT}),
    ({"log_json"}, {"log_format"}),
    ({"include_headers"}, {"exclude_headers"}),
    ({"include_cookies"}, {"exclude_cookies"}),
    ({"dev"}, {"num_procs", "isolation"}),
)
"""Settings that exclude each other. A flag or variable of one side overrides what a file says of the other."""


def contradictions(chosen: Chosen, *, users_known: bool = False) -> Iterator[OperatorError]:
    """The faults of settings that make no sense together, most basic first.

    With `users_known`, a program says who anyone is, and the settings need no login.
    """
    for rule in _RULES:
        if rule is not _rules_without_a_login or not users_known:
            yield from rule(chosen)


def without_overridden(config: Chosen, stated: Chosen) -> dict[str, Given]:
    """The settings of a file without those that exclude what flags or variables say."""
    said = {name for name, given in stated.items() if not _is_harmless(name, given)}
    left_out: set[str] = set()
    for one, other in _ALTERNATIVES:
        left_out |= other if one & said else set()
        left_out |= one if other & said else set()
    return {name: given for name, given in config.items() if name not in left_out}


def _is_harmless(name: str, given: Given) -> bool:
    """Whether a value excludes nothing, such as --num-procs 1 or a variable that switches something off."""
    excludes_nothing = given.value is False or given.value == "none" or (name == "num_procs" and given.value == 1)
    return excludes_nothing or given.where in _FOR_OTHERS


def _unix_socket_with_a_port(chosen: Chosen) -> Iterator[OperatorError]:
    if "unix_socket" not in chosen:
        return
    for name in _OF_A_PORT:
        if name in chosen and chosen[name].where not in _FOR_OTHERS:
            what = f"a Unix socket has no {name.replace('_', ' ')}, but {chosen[name].where} sets one"
            yield OperatorError(what, where=chosen["unix_socket"].where, hint=_ONE_OF_THEM)


def _key_without_certificate(chosen: Chosen) -> Iterator[OperatorError]:
    if "ssl_keyfile" in chosen and "ssl_certfile" not in chosen:
        where, hint = chosen["ssl_keyfile"].where, "Give --ssl-certfile too."
        yield OperatorError("a key without a certificate", where=where, hint=hint)


def _included_and_excluded(chosen: Chosen) -> Iterator[OperatorError]:
    for kind in ("headers", "cookies"):
        if f"include_{kind}" in chosen and f"exclude_{kind}" in chosen:
            what = f"{chosen[f'include_{kind}'].where} already says which {kind} applications see"
            yield OperatorError(what, where=chosen[f"exclude_{kind}"].where, hint=_ONE_OF_THEM)


def _signed_without_a_key(chosen: Chosen) -> Iterator[OperatorError]:
    if "session_ids" in chosen and chosen["session_ids"].value in SIGNED_IDS and "secret_key" not in chosen:
        hint = "Set BOKEH_SECRET_KEY to what `app-server secret` prints."
        yield OperatorError("signed sessions need a secret key", where=chosen["session_ids"].where, hint=hint)


def _dev_with_several_processes(chosen: Chosen) -> Iterator[OperatorError]:
    if not _is_on("dev", chosen):
        return
    for name, single, needed in (("num_procs", 1, "with one process"), ("isolation", "none", "without isolation")):
        if name in chosen and chosen[name].value != single:
            hint = f"Leave it out, or {chosen[name].where}."
            yield OperatorError(f"pages are only reloaded {needed}", where=chosen["dev"].where, hint=hint)


def _format_of_json(chosen: Chosen) -> Iterator[OperatorError]:
    if _is_on("log_json", chosen) and "log_format" in chosen:
        what = f"{chosen['log_json'].where} already sets the format"
        yield OperatorError(what, where=chosen["log_format"].where, hint=_ONE_OF_THEM)


def _recorded_and_compressed(chosen: Chosen) -> Iterator[OperatorError]:
    if "record" in chosen and "websocket_compression_level" in chosen:
        what = f"pages cannot be recorded if {chosen['websocket_compression_level'].where} compresses their messages"
        yield OperatorError(what, where=chosen["record"].where, hint=_ONE_OF_THEM)


def _user_of_no_traces(chosen: Chosen) -> Iterator[OperatorError]:
    traces = "otel" in chosen and chosen["otel"].value in ("traces", "both")
    if _is_on("otel_user", chosen) and not traces:
        where, hint = chosen["otel_user"].where, "Give --otel traces too."
        yield OperatorError("there are no traces to name users in", where=where, hint=hint)


def _several_ways_to_log_in(chosen: Chosen) -> Iterator[OperatorError]:
    ways = [chosen[name] for name in WAYS_TO_LOG_IN if name in chosen]
    for other in ways[1:]:
        yield OperatorError(f"{ways[0].where} already says how people log in", where=other.where, hint=_ONE_OF_THEM)


def _untrusted_header(chosen: Chosen) -> Iterator[OperatorError]:
    if "auth_header" in chosen and not ("auth_header_from" in chosen and chosen["auth_header_from"].value):
        yield OperatorError(
            "without a list of trusted proxies, anyone could claim to be any user",
            where=chosen["auth_header"].where,
            hint="Give their addresses with --auth-header-from, such as 127.0.0.1.",
        )


def _part_of_a_login_alone(chosen: Chosen) -> Iterator[OperatorError]:
    """None of these is ignored: without the setting that it belongs to, everyone would be let in."""
    parts = {
        **dict.fromkeys(_HEADER_ONLY, "auth_header"),
        **dict.fromkeys(_OIDC_ONLY, "oidc_issuer"),
        **dict.fromkeys(_OAUTH_ONLY, "oauth_provider"),
    }
    for name, needed in parts.items():
        # A secret by itself does no harm: several servers may share an environment.
        if name in chosen and needed not in chosen:
            flag = f"--{needed.replace('_', '-')}"
            yield OperatorError(f"has no meaning without {flag}", where=chosen[name].where, hint=f"Give {flag} too.")


def _incomplete_oidc(chosen: Chosen) -> Iterator[OperatorError]:
    if "oidc_issuer" not in chosen:
        return
    where = chosen["oidc_issuer"].where
    if "oidc_client_id" not in chosen:
        hint = "Give the one that the provider assigned with --oidc-client-id."
        yield OperatorError("OpenID Connect needs a client id", where=where, hint=hint)
    if "oidc_client_secret" not in chosen:
        hint = "Set APP_SERVER_OIDC_CLIENT_SECRET, or APP_SERVER_OIDC_CLIENT_SECRET_FILE to a file with it."
        yield OperatorError("OpenID Connect needs the client's secret", where=where, hint=hint)


def _incomplete_oauth(chosen: Chosen) -> Iterator[OperatorError]:
    if "oauth_provider" not in chosen:
        return
    where, custom = chosen["oauth_provider"].where, chosen["oauth_provider"].value == "custom"
    if "oauth_client_id" not in chosen:
        hint = "Give the one that the provider assigned with --oauth-client-id."
        yield OperatorError("a provider needs a client id", where=where, hint=hint)
    if "oauth_client_secret" not in chosen:
        hint = "Set APP_SERVER_OAUTH_CLIENT_SECRET, or APP_SERVER_OAUTH_CLIENT_SECRET_FILE to a file with it."
        yield OperatorError("a provider needs the client's secret", where=where, hint=hint)
    for name in _CUSTOM_ONLY:
        flag = f"--{name.replace('_', '-')}"
        if custom and name not in chosen:
            yield OperatorError(f"a custom provider needs {flag}", where=where, hint=f"Give {flag} too.")
        elif name in chosen and not custom:
            hint = "Give --oauth-url for a GitHub Enterprise."
            yield OperatorError("is known for GitHub", where=chosen[name].where, hint=hint)
    if custom and "oauth_url" in chosen:
        hint = f"Give {', '.join('--' + name.replace('_', '-') for name in _CUSTOM_ONLY)}."
        yield OperatorError("is for a GitHub Enterprise", where=chosen["oauth_url"].where, hint=hint)


def _tokens_without_a_provider(chosen: Chosen) -> Iterator[OperatorError]:
    if _is_on("access_tokens", chosen) and not {"oidc_issuer", "oauth_provider"} & chosen.keys():
        hint = "Give --oidc-issuer or --oauth-provider too."
        yield OperatorError("only providers give access tokens", where=chosen["access_tokens"].where, hint=hint)


def _login_without_a_key(chosen: Chosen) -> Iterator[OperatorError]:
    for name in ("basic_auth", "oidc_issuer", "oauth_provider"):
        if name in chosen and "cookie_secret" not in chosen:
            yield OperatorError(
                "logins are kept in signed cookies, which need a key",
                where=chosen[name].where,
                hint="Set BOKEH_COOKIE_SECRET to what `app-server secret` prints,"
                " or BOKEH_COOKIE_SECRET_FILE to a file with it.",
            )


def _rules_without_a_login(chosen: Chosen) -> Iterator[OperatorError]:
    if any(name in chosen for name in WAYS_TO_LOG_IN):
        return
    ways = ", ".join(f"--{name.replace('_', '-')}" for name in WAYS_TO_LOG_IN)
    for name in ("access", "authorize"):
        if name in chosen:
            what = "without a login, the server does not know who anyone is"
            yield OperatorError(what, where=chosen[name].where, hint=f"Give one of {ways} too.")


def _two_hooks(chosen: Chosen) -> Iterator[OperatorError]:
    if "authorize" in chosen and "auth_module" in chosen:
        hint = f"Define authorize in {chosen['auth_module'].value}."
        yield OperatorError("--auth-module has a hook for that", where=chosen["authorize"].where, hint=hint)


def _rules_for_groups_that_no_one_names(chosen: Chosen) -> Iterator[OperatorError]:
    """A proxy that is asked for no groups names none, and no one would be let in."""
    if "access" not in chosen or "auth_header" not in chosen or "auth_header_groups" in chosen:
        return
    for rule in chosen["access"].value:
        if "=group:" in rule:
            what = f"{rule} names a group, but no header says who is in it"
            hint = "Give the header in which the proxy names groups with --auth-header-groups."
            yield OperatorError(what, where=chosen["access"].where, hint=hint)
            return


def _open_console(chosen: Chosen) -> Iterator[OperatorError]:
    if "console" not in chosen or "console_auth" in chosen:
        return
    given = chosen["console"]
    if not ConsolePlace.read(given.value).is_private:
        yield OperatorError(
            "anyone who reaches this console could end sessions",
            where=given.where,
            hint="Name the operators with --console-auth FILE, or give only a port, or unix:/PATH.",
        )


def _part_of_a_console_alone(chosen: Chosen) -> Iterator[OperatorError]:
    for name in ("console_auth", "console_audit", "console_peers"):
        if name in chosen and "console" not in chosen:
            where, hint = chosen[name].where, "Give --console too, such as --console 5007."
            yield OperatorError("has no meaning without --console", where=where, hint=hint)


def _consoles_without_a_key(chosen: Chosen) -> Iterator[OperatorError]:
    if "console_peers" in chosen and chosen["console_peers"].value and "secret_key" not in chosen:
        yield OperatorError(
            "consoles know each other by a secret key that all instances have",
            where=chosen["console_peers"].where,
            hint="Set BOKEH_SECRET_KEY to what `app-server secret` prints.",
        )


def _console_of_a_developer(chosen: Chosen) -> Iterator[OperatorError]:
    if "console" in chosen and _is_on("dev", chosen):
        hint = "Leave one of them out."
        yield OperatorError("--dev reloads pages only without a console", where=chosen["console"].where, hint=hint)


def _is_on(name: str, chosen: Chosen) -> bool:
    return name in chosen and bool(chosen[name].value)


_RULES: tuple[Callable[[Chosen], Iterator[OperatorError]], ...] = (
    _unix_socket_with_a_port,
    _key_without_certificate,
    _included_and_excluded,
    _signed_without_a_key,
    _dev_with_several_processes,
    _format_of_json,
    _recorded_and_compressed,
    _user_of_no_traces,
    _several_ways_to_log_in,
    _untrusted_header,
    _part_of_a_login_alone,
    _incomplete_oidc,
    _incomplete_oauth,
    _tokens_without_a_provider,
    _login_without_a_key,
    _rules_without_a_login,
    _two_hooks,
    _rules_for_groups_that_no_one_names,
    _open_console,
    _part_of_a_console_alone,
    _consoles_without_a_key,
    _console_of_a_developer,
)

"""The sources of settings: flags, the environment and files; and the settings that result from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app_server.errors import OperatorError
from app_server.settings.bokeh import VARIABLES, read_for_bokeh
from app_server.settings.contradictions import WAYS_TO_LOG_IN, contradictions, without_overridden
from app_server.settings.files.config import from_config
from app_server.settings.files.pyproject import nearest_project
from app_server.settings.files.variables import read_variables
from app_server.settings.platform import from_platform
from app_server.settings.readable import missing_files, unreadable
from app_server.settings.reading import FILE_ENDING, Given, parse, words_of
from app_server.settings.setting import Arity
from app_server.settings.table import Settings, all_settings
from app_server.settings.values import SIGNED_IDS

_NAMING_FILES = ("APP_SERVER_USE_CONFIG", "APP_SERVER_ENV_FILE")
"""The variables that name files with further settings and variables."""


def from_flags(flags: Mapping[str, Sequence[str]]) -> dict[str, Given]:
    """The settings that a command line gives, read from the words after each flag.

    `flags` maps a field's name to its words, none for a switch; a name that is missing was not given.
    """
    by_name = {setting.name: setting for setting in all_settings()}
    chosen: dict[str, Given] = {}
    for name, words in flags.items():
        setting = by_name[name]
        where = setting.flag or name
        if setting.commas:
            words = [part for word in words for part in words_of(setting, word)]
        chosen[name] = Given(True if setting.arity is Arity.SWITCH else parse(setting, words, where), where)
        if name == "dev_watch":
            # One flag, two settings: --dev [FILE ...]
            chosen["dev"] = Given(True, where)
    return chosen


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """The settings that the environment gives; an empty variable is ignored.

    A secret's variable has a twin ending in _FILE, which names a file that holds the secret.
    """
    chosen: dict[str, Given] = {}
    for setting in all_settings():
        for variable in setting.environment:
            text = environ.get(variable, "")
            if text.strip() and setting.name not in chosen:
                chosen[setting.name] = Given(parse(setting, words_of(setting, text), variable, variable), variable)
            twin = variable + FILE_ENDING
            if setting.secret and environ.get(twin, "").strip():
                if setting.name in chosen:
                    raise OperatorError(f"{variable} gives the secret, too", where=twin, hint="Leave one of them out.")
                secret = _secret_of(environ[twin], twin, setting.lines)
                chosen[setting.name] = Given(parse(setting, [secret], twin), twin)
    return chosen


def _secret_of(path: str, where: str, most: int = 1) -> str:
    """The secret in a file of one line, or of at most `most` lines."""
    for fault in unreadable(path, where):
        raise fault
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        raise OperatorError(f"{path} is not readable text", where=where) from None
    if not text or len(text.splitlines()) > most:
        # The message does not quote it: it may be a secret after all.
        lines = "one line" if most == 1 else f"one to {most} lines"
        raise OperatorError(f"{path} must contain {lines} with the secret", where=where)
    return text


def choose(
    flags: Mapping[str, Sequence[str]], environ: Mapping[str, str], *, on_platform: bool = False
) -> dict[str, Given]:
    """The settings that are given, and where, as for `resolve_settings`; they are not compared with each other."""
    stated = {**from_environment(environ), **from_flags(flags)}
    file = stated["use_config"].value if "use_config" in stated else None
    config = without_overridden(from_config(file), stated) if file is not None else {}
    return {**config, **(from_platform(environ, stated) if on_platform else {}), **stated}


def variables_of(flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the file that --env-file names, if it is given. OperatorError for what cannot be read."""
    given = _env_file(flags, environ)
    if given is None:
        return {}
    found = read_variables(given.value, given.where)
    for name in _NAMING_FILES:
        if name in found and name not in environ:
            hint = "Leave it out. Set it in the environment, or use the flag."
            raise OperatorError("names a file that is read before this one", where=f"{given.value}: {name}", hint=hint)
    return _without_replaced(found, environ)


def _without_replaced(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without secrets that the environment gives by the other of two names: X and X_FILE."""
    names = [name for setting in all_settings() if setting.secret for name in setting.environment]
    pairs = [(name, name + FILE_ENDING) for name in names]
    replaced = {pair[1 - place] for pair in pairs for place in (0, 1) if environ.get(pair[place], "").strip()}
    return {name: value for name, value in variables.items() if name not in replaced}


def _env_file(flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> Given | None:
    return choose(flags, {name: environ[name] for name in _NAMING_FILES if name in environ}).get("env_file")


@contextmanager
def naming_env_file(
    flags: Mapping[str, Sequence[str]], variables: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[None]:
    """An OperatorError from within that is about one of the variables of the file also names the file."""
    try:
        yield
    except OperatorError as error:
        if error.where not in variables or error.where in environ or (given := _env_file(flags, environ)) is None:
            raise
        raise OperatorError(error.what, where=f"{given.value}: {error.where}", hint=error.hint) from None


def with_project(flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """The flags with --use-config for the nearest pyproject.toml, unless a file, or none, was named."""
    if "use_config" in flags or environ.get("APP_SERVER_USE_CONFIG", "").strip():
        return dict(flags)
    found = nearest_project(environ)
    return dict(flags) if found is None else {**flags, "use_config": [found]}


def with_files(
    flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]
) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
    """The flags as `with_project` gives them, and the variables of the file that these, or the environment, name."""
    flags = with_project(flags, environ)
    return flags, variables_of(flags, environ)


def resolve_some(
    names: Collection[str], flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]
) -> Settings:
    """The settings with these names, for a command that has no others; the variables of others are not read."""
    variables = {variable for setting in all_settings() if setting.name in names for variable in setting.environment}
    own = {name: value for name, value in environ.items() if name.removesuffix(FILE_ENDING) in variables}
    return resolve_settings(flags, own)


def resolve_settings(
    flags: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    *,
    users_known: bool = False,
    on_platform: bool = False,
) -> Settings:
    """The settings by precedence: flag, environment, configuration file, default.

    `flags` is as for `from_flags`, `users_known` as for `contradictions`. With `on_platform`, PORT
    and HOST are read after the other variables. Files that settings name must be readable.
    OperatorError says what is wrong with the first faulty value, and which flag, variable or line gave it.
    """
    chosen = choose(flags, environ, on_platform=on_platform)
    for variable in VARIABLES:
        if environ.get(variable, "").strip():
            read_for_bokeh(variable, environ[variable], variable)
    for fault in contradictions(chosen, users_known=users_known):
        raise fault
    for fault in missing_files(chosen):
        raise fault
    return _signed_behind_a_login(Settings(**{name: given.value for name, given in chosen.items()}), chosen)


def with_signing_key(settings: Settings, make_key: Callable[[], str]) -> Settings:
    """The settings with a key for this run if sessions are signed and no key was given."""
    if settings.session_ids not in SIGNED_IDS or settings.secret_key:
        return settings
    return replace(settings, secret_key=make_key())


def _signed_behind_a_login(settings: Settings, chosen: Mapping[str, Given]) -> Settings:
    """The settings with signed sessions if there is a login and --session-ids was not given.

    If there is no key for signatures, one is derived from the key of the login's cookies, which all instances share.
    Without either the key stays None, for `with_signing_key`.
    """
    if "session_ids" in chosen or not any(name in chosen for name in WAYS_TO_LOG_IN):
        return settings
    key = settings.secret_key
    if key is None and settings.cookie_secret is not None:
        import hmac  # loads OpenSSL, which few commands need

        key = hmac.new(settings.cookie_secret.encode("utf-8"), b"session ids and tokens", "sha256").hexdigest()
    return replace(settings, session_ids="signed", secret_key=key)

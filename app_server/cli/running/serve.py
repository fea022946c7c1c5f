"""`app-server serve FILE_OR_DIR …`: from words to a running server."""

from __future__ import annotations

import argparse
import gc
import glob
import logging
import os
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from secrets import token_urlsafe

from app_server.cli.command import Command, Flag, Word, flags_of
from app_server.cli.running.logs import configure_logging
from app_server.errors import OperatorError
from app_server.observe.output import forgive_output
from app_server.settings import (
    SIGNED_IDS,
    WAYS_TO_LOG_IN,
    Arity,
    Settings,
    added,
    all_settings,
    apps_of,
    bokeh_environment,
    export,
    is_toml,
    naming_env_file,
    resolve_settings,
    used_or_not,
    with_files,
    with_signing_key,
    without_effect,
)

log = logging.getLogger(__name__)

# 32 bytes are what HMAC-SHA256 gains strength from; a shorter key can be guessed sooner.
SHORTEST_GOOD_KEY_BYTES = 32


COMMAND = Command(
    forms=("FILE_OR_DIR ... [flags]",),
    text="Serve applications, and keep them in sync with browsers.",
    examples=("app-server serve myapp.py --show",),
    words=(Word(name="files", metavar="FILE_OR_DIR", help="a script, notebook or directory", many=True),),
    flags=(
        Flag(
            names=("--check",),
            help="run each application once instead of serving; exit with 1 if one fails",
            arity=Arity.SWITCH,
            group="Applications",
            common=False,
        ),
        *flags_of(all_settings()),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What serves the applications, after all words have been checked."""
    flags = {setting.name: getattr(namespace, setting.name) for setting in all_settings() if setting.name in namespace}
    if not namespace.files:
        refuse_swallowed_files(flags)
    flags, variables = with_files(flags, environ)
    with naming_env_file(flags, variables, environ):
        settings = resolve_settings(flags, added(variables, environ), on_platform=True)
    if settings.record is not None:
        from app_server.load.recording.writing import check

        check(settings.record)
    own = bokeh_environment(settings.use_config) if settings.use_config is not None else {}
    files = namespace.files or applications_of(settings.use_config)
    paths = expand(files) if settings.glob else list(files)
    return partial(run, settings, paths, own, checks="check" in namespace, variables=variables)


def applications_of(file: str | None) -> Sequence[str]:
    """The applications that a pyproject.toml names, for a command line that names none."""
    return apps_of(file) if file is not None and is_toml(file) else []


def run(
    settings: Settings,
    paths: Sequence[str],
    bokeh_variables: Mapping[str, str],
    *,
    checks: bool = False,
    variables: Mapping[str, str] | None = None,
) -> int:
    """The exit status of the server, once it has stopped, or of the check that `checks` asks for instead.

    `variables` are those of --env-file, for the applications.
    """
    forgive_output()
    configure_logging(settings)
    export(variables or {})
    tell_bokeh(os.environ, settings, bokeh_variables)
    for line in without_effect(os.environ):
        log.warning("%s", line)
    for line in used_or_not(os.environ, settings):
        log.info("%s", line)
    if settings.use_config is not None:
        log.info("reading settings from %s", settings.use_config)
    if settings.env_file is not None:
        log.info("reading variables from %s", settings.env_file)
    if settings.secret_key is not None and len(settings.secret_key.split()[0].encode()) < SHORTEST_GOOD_KEY_BYTES:
        log.warning("BOKEH_SECRET_KEY is short enough to guess; `app-server secret` prints a better one")
    if settings.session_ids in SIGNED_IDS and settings.secret_key is None:
        log.warning(
            "no key for signed sessions; using a temporary one: open pages will not survive a restart."
            " Set BOKEH_SECRET_KEY to what `app-server secret` prints"
        )
    if settings.max_sessions_per_user and not any(getattr(settings, name) for name in WAYS_TO_LOG_IN):
        log.warning(
            "--max-sessions-per-user has no effect: users do not log in. Set a way to log in, such as --basic-auth,"
            " or use --max-sessions-per-address"
        )
    settings = with_signing_key(settings, token_urlsafe)
    # Here and not above: they bring bokeh and Tornado along, which take a second.
    if checks:
        from app_server.server.warming.check import check_applications

        collect_garbage()
        return check_applications(settings, paths)
    from app_server.server.lifecycle import serve_until_stopped

    collect_garbage()
    return serve_until_stopped(settings, paths)


def collect_garbage() -> None:
    """Look for garbage from now on, but not in what was imported before; `main` has begun without."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that match, sorted for each pattern, none twice; OperatorError for a pattern without any."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, recursive=True))
        if not matches:
            raise OperatorError("no file matches", where=pattern, hint="Look at the path, or leave out --glob.")
        found.update(dict.fromkeys(matches))
    return list(found)


def refuse_swallowed_files(flags: Mapping[str, Sequence[str]]) -> None:
    """Raise OperatorError if a flag has taken all applications as its arguments: --dev myapp.py"""
    for setting in all_settings():
        words = flags.get(setting.name, ())
        if setting.arity in (Arity.SOME, Arity.ANY, Arity.REST) and any(map(os.path.exists, words)):
            raise OperatorError(
                f"takes all words that follow it ({' '.join(words)}), which leaves no application",
                where=setting.flag,
                hint="Name the applications first, and this flag after them.",
            )


def tell_bokeh(environ: MutableMapping[str, str], settings: Settings, variables: Mapping[str, str]) -> None:
    """Set the variables that bokeh reads when it is imported."""
    for name in [name for name, text in environ.items() if name.startswith("BOKEH_") and not text.strip()]:
        del environ[name]  # bokeh fails to read an empty value
    for name, value in variables.items():
        # A variable that is set already has precedence over the file.
        environ.setdefault(name, value)
    if settings.session_ids not in SIGNED_IDS:
        # bokeh reads any value as yes, even "no", and would warn of a missing key.
        environ.pop("BOKEH_SIGN_SESSIONS", None)

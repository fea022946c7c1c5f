"""The environment variables that bokeh itself reads, and variables that have no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app_server.errors import OperatorError, likely
from app_server.settings.parsers import exactly, integer, switch
from app_server.settings.reading import FILE_ENDING, shortened
from app_server.settings.table import all_settings

OWN_KEYS = frozenset(
    "browser compression_level default_server_host ignore_filename minified nodejs_path "
    "perform_error_diagnostics pretty resources rootdir serialize_include_defaults simple_ids validate_doc "
    "validation_level version".split()
)
"""Settings that bokeh itself reads from its environment; a file for `--use-config` may contain them too."""

VARIABLES: Mapping[str, Callable[[str], Any]] = {
    "BOKEH_COMPRESSION_LEVEL": integer(0, 9),
    "BOKEH_DEV": switch,
    "BOKEH_IGNORE_FILENAME": switch,
    "BOKEH_LOG_LEVEL": exactly("trace", "debug", "info", "warn", "error", "fatal"),
    "BOKEH_MINIFIED": switch,
    "BOKEH_PERFORM_ERROR_DIAGNOSTICS": switch,
    "BOKEH_PRETTY": switch,
    "BOKEH_RESOURCES": exactly("server", "server-dev", "cdn", "inline"),
    "BOKEH_SERIALIZE_INCLUDE_DEFAULTS": switch,
    "BOKEH_SIMPLE_IDS": switch,
    "BOKEH_VALIDATE_DOC": switch,
    "BOKEH_VALIDATION_LEVEL": exactly("none", "errors", "all"),
}
"""What bokeh itself reads from the environment. A value that it cannot read would fail in the middle of a page."""


def read_for_bokeh(variable: str, text: str, where: str) -> None:
    """Raise OperatorError for a value that bokeh could not read."""
    try:
        VARIABLES.get(variable, str)(text)
    except ValueError as error:
        raise OperatorError(f"expected {error}, not {shortened(text)}", where=where) from None


def variable_of(key: str) -> str:
    """The variable that bokeh reads for a key of its own."""
    return {"version": "BOKEH_CDN_VERSION"}.get(key, f"BOKEH_{key.upper()}")


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable that is set but has no effect."""
    given = {name for name, text in environ.items() if name.startswith("BOKEH_") and text.strip()}
    lines = []
    if "BOKEH_CDN_VERSION" in given and environ.get("BOKEH_RESOURCES") != "cdn":
        lines.append("BOKEH_CDN_VERSION has no effect without BOKEH_RESOURCES=cdn")
    if "BOKEH_ROOTDIR" in given:
        lines.append("BOKEH_ROOTDIR has no effect: it applies only to pages that are files")
    if "BOKEH_PRETTY" in given and switch(environ["BOKEH_PRETTY"]):
        lines.append("BOKEH_PRETTY has no effect: messages are sent without line breaks")
    return [*lines, *_mistyped(sorted(name for name, text in environ.items() if text.strip()))]


_PREFIXES = ("APP_SERVER_", "BOKEH_")

_READ_ELSEWHERE = frozenset(
    "APP_SERVER_APPS APP_SERVER_FAILURES APP_SERVER_LISTEN APP_SERVER_RUNTIME_DIR BOKEH_CHROMEDRIVER_PATH "
    "BOKEH_DOCS_CDN BOKEH_DOCS_VERSION".split()
)
"""Variables with these prefixes that other commands, the images and bokeh read."""


def _mistyped(names: Iterable[str]) -> Iterator[str]:
    """A line for each variable that nothing reads, but whose name resembles one of ours."""
    own = {variable for setting in all_settings() for variable in setting.environment}
    own |= {variable + FILE_ENDING for setting in all_settings() if setting.secret for variable in setting.environment}
    known = own | _READ_ELSEWHERE | set(VARIABLES) | {variable_of(key) for key in OWN_KEYS}
    for name in names:
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        if prefix is None or name in known:
            continue
        # The prefix, which all share, must not make two names alike.
        rest = name.removeprefix(prefix)
        other = next(there + rest for there in _PREFIXES if there != prefix)
        names = [variable.removeprefix(prefix) for variable in known if variable.startswith(prefix)]
        near = likely(rest, names, alike=0.8)
        if meant := other if other in own else near and prefix + near:
            yield f"{name} is unknown and has no effect. Did you mean {meant}?"

"""The file that --use-config names: YAML, or a pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError, did_you_mean
from app_server.settings.bokeh import OWN_KEYS, read_for_bokeh, variable_of
from app_server.settings.files import pyproject
from app_server.settings.reading import Entry, Given, parse, words_of
from app_server.settings.setting import Setting
from app_server.settings.table import all_settings

_IN_FOLDER = frozenset(
    "auth_module authorize basic_auth console_audit console_auth dev_watch env_file ico_path index log_file record "
    "setup ssl_certfile ssl_keyfile static_dirs store unix_socket".split()
)
"""Settings with paths; in a pyproject.toml, a relative one begins in its folder."""


def from_config(path: str) -> dict[str, Given]:
    """The settings of a file: YAML with one `key: value` a line, or the table of a pyproject.toml.

    Keys are the names of the fields or those that the stock server reads, in a pyproject.toml also those of flags; a
    null is ignored. Keys that are bokeh's own (`minified`, `resources` ...) are accepted, see `bokeh_environment`.
    OperatorError names file, line and key at fault.
    """
    known = _known(toml=pyproject.is_toml(path))
    chosen: dict[str, Given] = {}
    for entry in _entries(path):
        where = f"{path}:{entry.line}: {entry.key}"
        if entry.name in OWN_KEYS:
            if isinstance(entry.value, str):
                read_for_bokeh(variable_of(entry.name), entry.value, where)
            continue
        if entry.name not in known:
            hint = did_you_mean(entry.name, known) or "See docs/settings.md for all settings."
            raise OperatorError("is not a setting", where=where, hint=hint)
        setting = known[entry.name]
        if setting.name in chosen:
            raise OperatorError("is given twice", where=where, hint=f"See {chosen[setting.name].where}.")
        if entry.value is not None:
            words = words_of(setting, entry.value) if isinstance(entry.value, str) else entry.value
            if pyproject.is_toml(path):
                _refuse_secret(setting, words, where)
                words = [_beside(path, setting, word) for word in words]
            chosen[setting.name] = Given(parse(setting, words, where, entry.name), where)
    return chosen


def _known(*, toml: bool) -> dict[str, Setting]:
    """The settings by the keys that a file may have."""
    known = {name: setting for setting in all_settings() for name in (setting.name, *setting.keys)}
    if toml:
        flagged = {setting.flag[2:].replace("-", "_"): setting for setting in all_settings() if setting.flag}
        known = {**flagged, **known}
    del known["use_config"]
    return known


def _refuse_secret(setting: Setting, words: Iterable[str], where: str) -> None:
    """A pyproject.toml is for everyone who has the code."""
    if setting.secret and (setting.name != "store" or any("@" in word or "password=" in word for word in words)):
        hint = f"Set {setting.environment[0]}, in the environment or in the file of --env-file."
        raise OperatorError("is a secret, which does not belong into this file", where=where, hint=hint)


def _beside(path: str, setting: Setting, word: str) -> str:
    """A value as it is seen from here, if it is a path."""
    if setting.name not in _IN_FOLDER or "://" in word or word in ("off", "none", "default"):
        return word
    name, equals, folder = word.partition("=") if setting.name == "static_dirs" else ("", "", word)
    return f"{name}{equals}{pyproject.beside(path, folder)}"


def bokeh_environment(path: str) -> dict[str, str]:
    """The keys of a configuration file that are bokeh's own, as the variables that bokeh reads."""
    return {
        variable_of(entry.name): entry.value
        for entry in _entries(path)
        if entry.name in OWN_KEYS and isinstance(entry.value, str)
    }


def _root(path: str) -> Any:
    """The file's outermost YAML node, None if it is empty. OperatorError for a file that cannot be read."""
    import yaml

    # Nodes, not values: nodes know their lines, and keep `no` and 0755 as they are written.
    try:
        return yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", where="--use-config") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not UTF-8 text", where="--use-config") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise OperatorError(f"not YAML: {getattr(error, 'problem', None) or error}", where=where) from error


def _entries(path: str) -> Iterator[Entry]:
    return pyproject.entries(path) if pyproject.is_toml(path) else _yaml_entries(path)


def _yaml_entries(path: str) -> Iterator[Entry]:
    import yaml

    root = _root(path)
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise OperatorError("expected lines of the form `key: value`", where=f"{path}:{root.start_mark.line + 1}")
    for key, value in root.value:
        line = key.start_mark.line + 1
        if isinstance(value, yaml.ScalarNode):
            yield Entry(str(key.value), line, None if value.tag == "tag:yaml.org,2002:null" else value.value)
        elif isinstance(value, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in value.value):
            yield Entry(str(key.value), line, [item.value for item in value.value])
        else:
            raise OperatorError("expected a value or a list of values", where=f"{path}:{line}: {key.value}")

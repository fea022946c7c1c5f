"""The YAML file that --use-config names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError, did_you_mean
from app_server.settings.bokeh import OWN_KEYS, read_for_bokeh, variable_of
from app_server.settings.reading import Given, parse, words_of
from app_server.settings.table import all_settings


def from_config(path: str) -> dict[str, Given]:
    """The settings of a YAML file with one `key: value` a line; OperatorError names file, line and key at fault.

    Keys are the names of the fields or those that the stock server reads; a null is ignored. Keys that are bokeh's own
    (`minified`, `resources` ...) are accepted, see `bokeh_environment`.
    """
    known = {name: setting for setting in all_settings() for name in (setting.name, *setting.keys)}
    del known["use_config"]
    chosen: dict[str, Given] = {}
    for entry in _entries(path):
        where = f"{path}:{entry.line}: {entry.key}"
        if entry.key in OWN_KEYS:
            if isinstance(entry.value, str):
                read_for_bokeh(variable_of(entry.key), entry.value, where)
            continue
        if entry.key not in known:
            hint = did_you_mean(entry.key, known) or "See docs/settings.md for all settings."
            raise OperatorError("is not a setting", where=where, hint=hint)
        setting = known[entry.key]
        if setting.name in chosen:
            raise OperatorError("is given twice", where=where, hint=f"See {chosen[setting.name].where}.")
        if entry.value is not None:
            words = words_of(setting, entry.value) if isinstance(entry.value, str) else entry.value
            chosen[setting.name] = Given(parse(setting, words, where, entry.key), where)
    return chosen


def bokeh_environment(path: str) -> dict[str, str]:
    """The keys of a configuration file that are bokeh's own, as the variables that bokeh reads."""
    return {
        variable_of(entry.key): entry.value
        for entry in _entries(path)
        if entry.key in OWN_KEYS and isinstance(entry.value, str)
    }


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a configuration file: its values as they are written there, None for null."""

    key: str
    line: int
    value: str | list[str] | None


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


def _entries(path: str) -> Iterator[_Entry]:
    import yaml

    root = _root(path)
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise OperatorError("expected lines of the form `key: value`", where=f"{path}:{root.start_mark.line + 1}")
    for key, value in root.value:
        line = key.start_mark.line + 1
        if isinstance(value, yaml.ScalarNode):
            yield _Entry(str(key.value), line, None if value.tag == "tag:yaml.org,2002:null" else value.value)
        elif isinstance(value, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in value.value):
            yield _Entry(str(key.value), line, [item.value for item in value.value])
        else:
            raise OperatorError("expected a value or a list of values", where=f"{path}:{line}: {key.value}")

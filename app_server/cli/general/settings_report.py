"""The settings that `serve` would have in this folder, and where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app_server.settings import Given, added, all_settings, apps_of, choose, is_toml, naming_env_file, with_files

SECRET = "(secret)"


def settings_text(environ: Mapping[str, str]) -> str:
    """One line for each setting that is given, for people."""
    file, rows = settings_given(environ)
    head = f"Settings of `app-server serve` here, from {file or 'no file'} and the environment; flags override them:"
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [f"  {name:<{widths[0]}}  {shown:<{widths[1]}}  {where}" for name, shown, where in rows]
    return "\n".join([head, *(lines or ["  all of them have their defaults"])])


def settings_json(environ: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs."""
    file, rows = settings_given(environ)
    return {"file": file, "settings": {name: {"value": shown, "from": where} for name, shown, where in rows}}


def settings_given(environ: Mapping[str, str]) -> tuple[str | None, list[tuple[str, str, str]]]:
    """The configuration file, and the name, the value and the source of each setting that a flag does not give."""
    flags, variables = with_files({}, environ)
    with naming_env_file(flags, variables, environ):
        chosen = choose(flags, added(variables, environ), on_platform=True)
    file = chosen["use_config"].value if "use_config" in chosen else None
    source = chosen["env_file"].value if "env_file" in chosen else ""
    from_file = frozenset(variables) - frozenset(environ)
    rows = list(_rows(chosen, {name: f"{name} in {source}" for name in from_file}))
    if file is not None and is_toml(file) and (apps := apps_of(file)):
        rows.insert(0, ("apps", " ".join(apps), file))
    return file, rows


def _rows(chosen: Mapping[str, Given], sources: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for setting in all_settings():
        if setting.name in chosen and setting.name != "use_config":
            given = chosen[setting.name]
            shown = SECRET if setting.secret else _shown(given.value)
            yield setting.name, shown, sources.get(given.where, given.where)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)

"""The table `[tool.app-server]` of a pyproject.toml: settings of `serve`, and which applications it serves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError
from app_server.settings.files.nearest import nearest
from app_server.settings.reading import Entry

NAME = "pyproject.toml"
APPS = "apps"
"""The key with the applications, which is not a setting."""

_TABLE = "app-server"
_HEADER = re.compile(r"""^[ \t]*\[\s*["']?tool["']?\s*\.\s*["']?app-server["']?\s*\]""", re.MULTILINE)
# tomllib says where only in its message.
_PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


def is_toml(path: str) -> bool:
    """Whether a configuration file is a pyproject.toml, or another file of this form."""
    return path.lower().endswith(".toml")


def nearest_project(environ: Mapping[str, str]) -> str | None:
    """The nearest pyproject.toml that says something about this server; None if there is none."""
    found = nearest(NAME, environ, _mentions_us)
    return None if found is None else str(found)


def _mentions_us(path: Path) -> bool:
    """Whether the file has our table; tables below that are of other programs.

    If it is not TOML, a line that looks like the table is enough, for an error that says so.
    """
    import tomllib

    try:
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
        tool = tomllib.loads(text).get("tool") if _TABLE in text else None
    except (OSError, UnicodeDecodeError):
        return False
    except tomllib.TOMLDecodeError:
        return _HEADER.search(text) is not None
    table = tool.get(_TABLE) if isinstance(tool, dict) else None
    return table is not None and not _has_only_tables(table)


def _has_only_tables(table: Any) -> bool:
    return isinstance(table, dict) and bool(table) and all(isinstance(value, dict) for value in table.values())


def entries(path: str) -> Iterator[Entry]:
    """The settings in the table, with the names of flags or fields. OperatorError for a file that cannot be read."""
    text, table = _table(path)
    for key, value in table.items():
        if key == APPS:
            continue
        line = _line_of(text, key)
        yield Entry(key, line, _words(value, f"{path}:{line}: {key}"))


def apps_of(path: str) -> list[str]:
    """The applications in the table, each as the command line takes it; [] if it names none."""
    text, table = _table(path)
    apps = table.get(APPS, [])
    apps = [apps] if isinstance(apps, str) else apps
    if not isinstance(apps, list) or not all(isinstance(app, str) and app and "\0" not in app for app in apps):
        where = f"{path}:{_line_of(text, APPS)}: {APPS}"
        raise OperatorError('expected a list of files, such as ["myapp.py"]', where=where)
    return [_seen_from_here(path, app) for app in apps]


def beside(path: str, file: str) -> str:
    """A path in the table, which begins in the folder of its file."""
    return os.path.join(os.path.dirname(path), os.path.expanduser(file))


def _seen_from_here(path: str, app: str) -> str:
    """An application with its own address, if it has one: /here=app.py"""
    route, equals, file = app.partition("=")
    return f"{route}={beside(path, file)}" if equals and route.startswith("/") else beside(path, app)


def _table(path: str) -> tuple[str, Mapping[str, Any]]:
    import tomllib

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        tool = tomllib.loads(text).get("tool", {})
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", where="--use-config") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not UTF-8 text", where="--use-config") from error
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.match(str(error))
        where = f"{path}:{found[2]}:{found[3]}" if found and found[2] else path
        raise OperatorError(f"not TOML: {found[1] if found else error}", where=where) from error
    table = tool.get(_TABLE) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise OperatorError("has no table [tool.app-server]", where=path)
    return text, table


def _words(value: Any, where: str) -> str | list[str]:
    """A value as flags spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return [str(item) for item in value]
    raise OperatorError("expected a value or a list of values", where=where)


def _line_of(text: str, key: str) -> int:
    """The line of a key in the table; 1 if it is written in another way than usual."""
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("[") and not inside or _HEADER.match(line):
            inside = _HEADER.match(line) is not None
        elif inside and wanted.match(line):
            return number
    return 1

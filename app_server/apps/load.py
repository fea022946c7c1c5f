"""From a path to the application that it holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from app_server.apps.application import Application
from app_server.apps.faults import CodePlace
from app_server.apps.function import BuildFunction, application_from_function
from app_server.apps.scripts.code import CodeApplication, FolderApplication
from app_server.errors import ApplicationError, OperatorError, likely
from app_server.settings import closed_folder
from app_server.sources.routes import MAIN_NAMES, SUFFIXES, absolute

log = logging.getLogger(__name__)

_WHAT_IS_SERVED = "Name a .py script, an .ipynb notebook, an .md file, or a folder with a main.py or main.ipynb"
_HOOKS_NAMES = ("app_hooks.py", "server_lifecycle.py")


def load_application(
    path: str | os.PathLike[str], argv: Sequence[str] = (), *, dev: bool = False, route: str | None = None
) -> Application:
    """The application of a script, a notebook, a Markdown file or a folder; its code gets `argv` as `sys.argv[1:]`.

    Its route follows from the name of the file or folder unless `route` is given. It is read and compiled, not run.
    What is missing is an `OperatorError`, what is wrong in the files an `ApplicationError` with file and line. With
    `dev`, a changed theme or template applies from the next session on.
    """
    given, place = os.fspath(path), absolute(path)
    try:
        os.stat(place)
    except PermissionError:
        folder = closed_folder(str(place))
        hint = f"Give this user permission to enter {folder}" if folder else None
        raise OperatorError("cannot be reached by this user", where=given, hint=hint) from None
    except OSError:
        near = _nearest(place)
        hint = _WHAT_IS_SERVED if near is None else f"Did you mean {os.path.join(os.path.dirname(given), near)}?"
        route, _, target = given.partition("=")
        if target and os.path.exists(target):
            hint = f"An address begins with a slash: /{route}={target}"
        raise OperatorError("there is no such file or folder", where=given, hint=hint) from None
    if place.is_dir():
        main = find_main(place, given)
        return FolderApplication(place, main, CodePlace(place, given, str(main)), argv, route, watched=dev)
    if place.suffix not in SUFFIXES:
        raise OperatorError("is neither a script nor a notebook", where=given, hint=_WHAT_IS_SERVED)
    _warn_of_lone_main(place, given)
    return CodeApplication(place, place, CodePlace(place.parent, os.path.dirname(given), str(place)), argv, route)


def find_main(folder: Path, given: str) -> Path:
    """The one file of the folder that is run for each session; an error if there is none or a choice."""
    try:
        # What Path says of a file in a folder that this user may not enter differs from one Python to the next.
        os.stat(os.path.join(folder, "."))
        mains = [name for name in MAIN_NAMES if (folder / name).is_file()]
    except PermissionError:
        raise OperatorError("may not be entered by this user", where=given) from None
    if not mains:
        scripts = [entry.name for entry in folder.iterdir() if _is_code(entry) and entry.name not in _HOOKS_NAMES]
        hint = _WHAT_IS_SERVED
        if len(scripts) == 1:
            [name] = scripts
            hint = f"Rename its {name} to main{Path(name).suffix}, or name {os.path.join(given, name)}"
        raise OperatorError("the folder has neither main.py nor main.ipynb", where=given, hint=hint)
    for names in (MAIN_NAMES, _HOOKS_NAMES):
        if all((folder / name).is_file() for name in names):
            what = f"the folder has both {' and '.join(names)}"
            raise ApplicationError(what, where=given, hint="Keep one of them")
    return folder / mains[0]


def _is_code(path: Path) -> bool:
    """Whether this is a script or a notebook, and not a package's own file. Most Markdown files are plain texts."""
    return path.suffix in (".py", ".ipynb") and not path.name.startswith((".", "_")) and path.is_file()


def _nearest(path: Path) -> str | None:
    """The name beside a missing `path` that was likely meant: of a script, a notebook or a folder."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if _is_code(entry) or entry.is_dir()]
    except OSError:
        return None
    exact = [name for name in names if name in (f"{path.name}.py", f"{path.name}.ipynb")]
    return exact[0] if exact else likely(path.name, names)


def as_application(source: Application | str | os.PathLike[str] | BuildFunction) -> Application:
    """The application that is meant: itself, one to load from a path, or a function of the document."""
    if isinstance(source, Application):
        return source
    if isinstance(source, str | os.PathLike):
        return load_application(source)
    return application_from_function(source)


def _warn_of_lone_main(script: Path, given: str) -> None:
    others = (*_HOOKS_NAMES, "theme.yaml", "templates", "static")
    if script.name in MAIN_NAMES and any((script.parent / name).exists() for name in others):
        hint = "To use the theme, the template and the hooks beside it, serve its folder"
        log.warning("%s: serving only this file. %s", given, hint)

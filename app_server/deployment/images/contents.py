"""What goes into an image of applications: their files, how they are served, and what they require."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.deployment.images.collect import files_below, files_matching, modules_beside
from app_server.deployment.images.ignoring import Ignoring, ignoring
from app_server.deployment.scaffold import Found, inspect
from app_server.errors import OperatorError
from app_server.sources.routes import route_for

if TYPE_CHECKING:
    from app_server.deployment.plan.values import Plan

REQUIREMENTS = "requirements.txt"
# Lines of a requirements file that lead to another file, or to a folder of wheels.
_REFERENCE = re.compile(r"\s*(-r|--requirement|-c|--constraint|-f|--find-links)[ =]\s*(\S+)")
_WHEEL = re.compile(r"\s*(?:[A-Za-z0-9._-]+(?:\[[^]]*\])?\s*@\s*)?(?:file:)?([^\s#:]+\.whl)\s*(?:[;#].*)?$")


@dataclass(frozen=True)
class Requirements:
    """Requirements files and all that they name, below `folder`; `files` are those that are installed."""

    folder: Path
    files: tuple[Path, ...]
    everything: tuple[Path, ...]


@dataclass(frozen=True)
class Contents:
    """The applications of an image.

    `files` are relative to `folder`, which becomes /apps. `words` are what `app-server serve` takes there, `routes`
    where the applications are found. `name` is what an image of them would be called.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    words: tuple[str, ...]
    routes: tuple[str, ...]
    requirements: Requirements | None


def typed(paths: Sequence[str], include: Sequence[str], requirements: Sequence[str]) -> Contents:
    """The contents that these applications make, with the modules beside them that they import.

    OperatorError for what is not there, and for two applications with one address.
    """
    found = [inspect(path) for path in paths]
    places = [Path(os.path.abspath(each.path)) for each in found]
    folder = Path(os.path.commonpath([place.parent for place in places]))
    leaving = ignoring(folder)
    routes = [route_for(place) for place in places]
    for route in routes:
        if routes.count(route) > 1:
            raise OperatorError(f"two applications have the address {route}", where="FILE_OR_DIR")
    return Contents(
        name=_image_name(found[0]),
        folder=folder,
        files=_with(_chosen(places, folder, leaving), include, folder, leaving),
        words=tuple(place.relative_to(folder).as_posix() for place in places),
        routes=tuple(routes),
        requirements=gathered(requirements or _found_beside(folder, places)),
    )


def planned(
    folder: Path, apps: Sequence[tuple[str, str, str]], *, whole: bool, include: Sequence[str],
    requirements: Sequence[str], name: str, never: Iterable[str] = (), secrets: Iterable[str] = (),
) -> Contents:  # fmt: skip
    """The contents that a deployment's applications make: of each its path below `folder`, its word and its route.

    `whole` takes the folder with all that is in it, but for what `ignoring` leaves out; else the applications are
    taken, the modules beside them that they import, and what the patterns `include` name. `never` and `secrets` are
    left out in any case.
    """
    leaving = ignoring(folder, never, secrets)
    places = [_place(folder, path, look=not whole) for path, _, _ in apps]
    files = set(files_below(folder, folder, leaving)) if whole else _chosen(places, folder, leaving)
    return Contents(
        name=name,
        folder=folder,
        files=_with(files, include, folder, leaving),
        words=tuple(word for _, word, _ in apps),
        routes=tuple(route for _, _, route in apps),
        requirements=gathered(requirements or _found_beside(folder, places)),
    )


def of_plan(plan: Plan, folder: Path, include: Sequence[str] = (), requirements: Sequence[str] = ()) -> Contents:
    """The contents that a deployment makes whose file is in `folder`; further patterns and requirements may be named.

    Applications that are on the hosts already (absolute paths) are left out. OperatorError for what is not there.
    """
    made = plan.contained
    source = folder / made.source
    if not source.is_dir():
        hint = "Name the folder of the applications with containers.source."
        raise OperatorError("there is no such folder", where=str(source), hint=hint)
    words = {app.name: word for pool in plan.pools for app, word in zip(pool.apps, pool.instances[0].apps, strict=True)}
    for app in plan.apps:
        if not os.path.isabs(app.path) and not (source / app.path).exists():
            hint = f"Applications must be in {source}"
            hint += ", where the deployment's file is." if made.source == "." else "."
            raise OperatorError(f"{app.path} does not exist", where=f"apps.{app.name}.path", hint=hint)
    return planned(
        source.resolve(),
        [
            (app.path, words[app.name], app.url.removeprefix(plan.site.prefix) or "/")
            for app in plan.apps if not os.path.isabs(app.path)
        ],
        whole=made.is_whole,
        include=[*plan.include, *include],
        requirements=[*requirements] or [str(source / file) for file in plan.spec.requirements],
        name=made.product, never=made.never, secrets=made.secrets,
    )  # fmt: skip


def _place(folder: Path, path: str, *, look: bool) -> Path:
    """Where an application is. OperatorError if it cannot be in an image."""
    if os.path.isabs(path):
        hint = "Name it relative to the folder of the applications."
        raise OperatorError("an image contains only files below one folder", where=path, hint=hint)
    place = folder / path
    return Path(inspect(str(place)).path) if look else place


def _chosen(places: Iterable[Path], folder: Path, leaving: Ignoring) -> set[Path]:
    """The files of applications, and of the modules beside them that they import."""
    files: set[Path] = set()
    for place in places:
        for each in (place, *(modules_beside(place) if place.is_file() else ())):
            files.update(files_below(each, folder, leaving))
    return files


def _with(files: set[Path], include: Iterable[str], folder: Path, leaving: Ignoring) -> tuple[Path, ...]:
    for pattern in include:
        files.update(files_matching(pattern, folder, leaving))
    return tuple(sorted(files))


def _image_name(found: Found) -> str:
    """A name that the engine takes, made of an application's."""
    return re.sub(r"[._-]{2,}", "-", found.name.lower()).strip("._-") or "app"


def _found_beside(folder: Path, places: Iterable[Path]) -> list[str]:
    """The requirements files beside the applications, or in an application's folder."""
    beside = dict.fromkeys([folder, *(place if place.is_dir() else place.parent for place in places)])
    return [str(each / REQUIREMENTS) for each in beside if (each / REQUIREMENTS).is_file()]


def gathered(files: Sequence[str]) -> Requirements | None:
    """The requirements files with all that they refer to; None if there are none. OperatorError for missing files."""
    if not files:
        return None
    named = tuple(Path(os.path.abspath(file)) for file in files)
    everything: dict[Path, None] = {}
    waiting = list(named)
    while waiting:
        file = waiting.pop()
        if file in everything:
            continue
        everything[file] = None
        for path in _references(file):
            if path.is_dir():
                everything.update(dict.fromkeys(sorted(path.glob("*.whl"))))
            elif path.suffix == ".whl":
                everything[path] = None
            else:
                waiting.append(path)
    folder = Path(os.path.commonpath([file.parent for file in everything]))
    relative = [tuple(path.relative_to(folder) for path in paths) for paths in (named, everything)]
    return Requirements(folder, *relative)


def _references(file: Path) -> Iterator[Path]:
    """The files and folders beside a requirements file that its lines name."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "is not text"
        raise OperatorError(f"cannot be read: {what}", where=str(file)) from None
    for number, line in enumerate(lines, 1):
        found = _REFERENCE.match(line)
        wheel = _WHEEL.match(line)
        word = found[2] if found else wheel[1] if wheel else None
        if word is None or "://" in word:
            continue
        path = Path(os.path.normpath(file.parent / word))
        if not path.exists():
            raise OperatorError(f"{word}: there is no such file or folder", where=f"{file}:{number}")
        yield path

"""A new deploy.yaml for applications, which it looks at: short, with the next steps in comments."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

from app_server.errors import ApplicationError, OperatorError
from app_server.sources.imports import imported_names
from app_server.sources.markdown import read_markdown
from app_server.sources.notebook import read_cells
from app_server.sources.routes import MAIN_NAMES, SUFFIXES

# What an application that is meant to be served does somewhere.
_SERVED = re.compile(r"\bcurdoc\s*\(|\.servable\s*\(|\bserver_document\b")
MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Found:
    """An application: its path as it was given, what it is, and the top-level modules that it imports."""

    path: str
    kind: str
    imports: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name for the block `apps`."""
        path = Path(self.path)
        stem = path.stem if path.suffix in SUFFIXES else path.name
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", stem).strip("-")[:24] or "app"
        return plain if plain[0].isalpha() else f"a-{plain}"[:24]

    def missing(self) -> list[str]:
        """The modules that are not installed here, and not beside the application."""
        beside = Path(self.path) if Path(self.path).is_dir() else Path(self.path).parent
        return [
            name for name in self.imports
            if not (beside / f"{name}.py").exists() and not (beside / name).is_dir() and not _is_there(name)
        ]  # fmt: skip


def _is_there(name: str) -> bool:
    try:
        return name in sys.builtin_module_names or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def inspect(path: str) -> Found:
    """The application at this path. OperatorError if it is not one."""
    place = Path(path)
    if place.is_dir():
        mains = [name for name in MAIN_NAMES if (place / name).is_file()]
        if len(mains) != 1:
            what = "the folder has neither main.py nor main.ipynb" if not mains else "the folder has two mains"
            raise OperatorError(what, where=path, hint="Name a script, a notebook, or a folder with one of them.")
        return Found(path, f"a folder with {mains[0]}", imports_of(place / mains[0]))
    if not place.is_file():
        raise OperatorError("there is no such file or folder", where=path)
    if place.suffix not in SUFFIXES:
        raise OperatorError("is neither a script nor a notebook", where=path, hint="Name a .py, .ipynb or .md file.")
    kind = {".ipynb": "a notebook", ".md": "a Markdown file"}.get(place.suffix, "a script")
    return Found(path, kind, imports_of(place))


def candidates(folder: Path) -> list[Found]:
    """What looks like an application in a folder."""
    found: list[Found] = []
    for place in sorted(folder.iterdir()):
        if place.name.startswith((".", "_")) or place.name.startswith("test_") or len(found) == MOST_FOUND:
            continue
        try:
            if place.is_dir():
                is_served = any((place / name).is_file() for name in MAIN_NAMES)
            else:
                # A Markdown file with such code is far more often a text about it.
                is_served = place.suffix in (".py", ".ipynb") and bool(_SERVED.search(_source(place)))
            if is_served:
                found.append(inspect(str(place.relative_to(folder))))
        except OperatorError:
            continue
    return found


def _source(path: Path) -> str:
    """The Python of a script, a notebook or a Markdown file. OperatorError if it cannot be read."""
    try:
        content = path.read_bytes()
        if path.suffix == ".ipynb":
            return "\n".join(cell.source for cell in read_cells(content, str(path)))
        return read_markdown(content.decode("utf-8-sig")).python if path.suffix == ".md" else decode_source(content)
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ApplicationError as error:
        raise OperatorError(error.what, where=error.where, hint=error.hint) from None
    except (SyntaxError, UnicodeDecodeError):
        raise OperatorError("is neither UTF-8 nor in an encoding that it names", where=str(path)) from None


def imports_of(path: Path) -> tuple[str, ...]:
    """The top-level modules that a script or a notebook imports, without the standard library's."""
    try:
        tree = ast.parse(_source(path))
    except SyntaxError as error:
        raise OperatorError(f"is not Python: {error.msg}", where=f"{path}:{error.lineno}") from None
    names = {name.parts[0] for name in imported_names(tree) if name.level == 0}
    return tuple(sorted(names - sys.stdlib_module_names))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was answered or typed; None for defaults."""

    name: str | None = None
    hosts: tuple[str, ...] = ("localhost",)
    prefix: str | None = None
    instances: int = 1
    port: int | None = None
    proxy: str = "nginx"
    tls: str = "off"
    certificate: str | None = None
    key: str | None = None
    email: str | None = None


def scaffold_file(apps: Sequence[Found], wishes: Wishes) -> str:
    """The text of a deploy.yaml."""
    return "\n".join(_lines(apps, wishes)) + "\n"


def _lines(apps: Sequence[Found], wishes: Wishes) -> Iterator[str]:
    yield "# How these applications are deployed. `app-server config all --check` tries it,"
    yield "# `app-server config all --output DIR` writes what nginx and others read."
    if wishes.name:
        yield f"name: {scalar(wishes.name)}"
    yield "apps:"
    for app in apps:
        about = app.kind + (f"; imports {', '.join(app.imports)}" if app.imports else "")
        yield f"  {app.name}: {scalar(app.path)}  # {about}"
    hosts = [scalar(host) for host in wishes.hosts]
    listed = hosts[0] if len(hosts) == 1 else f"[{', '.join(hosts)}]"
    yield f"public: {{hosts: {listed}, prefix: {scalar(wishes.prefix)}}}" if wishes.prefix else f"public: {listed}"
    if wishes.port is not None:
        yield f"instances: {{count: {wishes.instances}, port: {wishes.port}}}"
    elif wishes.instances != 1:
        yield f"instances: {wishes.instances}"
    if wishes.proxy != "nginx":
        yield f"proxy: {scalar(wishes.proxy)}"
    yield from _tls(wishes)


def _tls(wishes: Wishes) -> Iterator[str]:
    if wishes.tls == "files":
        yield "tls:"
        yield f"  certificate: {scalar(wishes.certificate or '')}"
        if wishes.key:
            yield f"  key: {scalar(wishes.key)}"
    elif wishes.tls == "acme" and wishes.email:
        yield "tls:"
        yield "  mode: acme"
        yield f"  acme: {scalar(wishes.email)}"
    elif wishes.tls != "off":
        yield f"tls: {scalar(wishes.tls)}"


def scalar(value: str) -> str:
    """A text as YAML writes it: without quotes only if it cannot be read as anything else."""
    return value if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./@-]*", value) else json.dumps(value, ensure_ascii=False)

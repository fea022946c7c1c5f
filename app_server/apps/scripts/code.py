"""Applications that are source files: a script, a notebook, or a folder around one of them."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from jinja2 import Template

from app_server.apps.application import Application
from app_server.apps.faults import CodePlace
from app_server.apps.hooks import Hooks, hooks_from
from app_server.apps.scripts.program import Program, new_module_name, read_program
from app_server.apps.scripts.template import LoadedTemplate, load_template, template_environment
from app_server.document.classes import forget as forget_classes
from app_server.document.pages.themes import Document, Theme, apply_theme, load_theme
from app_server.sources.imports import read_sources, tree_files
from app_server.sources.routes import route_for

log = logging.getLogger(__name__)


class CodeApplication(Application):
    """Runs a script or a notebook in a fresh module for each session.

    `path` is what was asked for, `main` the file to run, both absolute.
    """

    def __init__(self, path: Path, main: Path, place: CodePlace, argv: Sequence[str], route: str | None = None) -> None:
        super().__init__(route or route_for(path), place, folder=main.parent, argv=(str(main), *argv))
        self.path = path
        self._main = read_program(main, place)
        sources = read_sources({program.path: program.imported for program in self._programs()}, main.parent)
        self.imports = sources.imports
        self.modules = sources.modules
        self.isolation = self._main.isolation
        self.restore = self._main.restore
        self._files = sources.files
        self._helper_names = sources.helper_names

    @property
    def description(self) -> str:
        return self._main.docstring.partition("\n")[0].strip()

    def watch_paths(self) -> Iterable[Path]:
        return sorted(self._files)

    def _programs(self) -> list[Program]:
        return [self._main]

    def _package(self) -> ModuleType | None:
        """The package in which the code's relative imports are looked up."""
        return None

    def _fill(self, document: Document) -> None:
        module = self._main.new_module(self._package())
        # This puts the module in sys.modules too, for pickle and dataclasses; the document empties it at its end.
        document.modules.add(module)
        self._main.run(module)


class FolderApplication(CodeApplication):
    """Runs `main.py` or `main.ipynb` of a folder, and gives its documents the folder's theme and template.

    With `watched`, a changed theme or template applies from the next session on.
    """

    def __init__(
        self, path: Path, main: Path, place: CodePlace, argv: Sequence[str], route: str | None = None,
        *, watched: bool = False,
    ) -> None:  # fmt: skip
        self._init_file = _existing(path / "__init__.py")
        self._hooks_file = _existing(path / "app_hooks.py") or _existing(path / "server_lifecycle.py")
        self._init_program = read_program(self._init_file, place) if self._init_file else None
        self._hooks_program = read_program(self._hooks_file, place) if self._hooks_file else None
        super().__init__(path, main, place, argv, route)
        self.static_path = path / "static" if (path / "static").is_dir() else None
        self._prepared: tuple[ModuleType | None, Hooks] | None = None
        self._theme = self._load_theme(path / "theme.yaml", watched)
        self._template = self._load_template(path / "templates", watched)

    @property
    def hooks(self) -> Hooks:
        self.prepare()
        assert self._prepared is not None
        return self._prepared[1]

    def prepare(self) -> None:
        if self._prepared is None:
            with self._running():
                package = self._run_package()
                self._prepared = package, self._run_hooks(package)

    def watch_paths(self) -> Iterable[Path]:
        assert self.path is not None
        return sorted({*self._files, *tree_files(self.path)})

    def _programs(self) -> list[Program]:
        return [program for program in (self._main, self._init_program, self._hooks_program) if program is not None]

    def _package(self) -> ModuleType | None:
        return None if self._prepared is None else self._prepared[0]

    def _fill(self, document: Document) -> None:
        if self._theme is not None:
            apply_theme(document, self._theme.get())
        if self._template is not None:
            document.template = self._template.get()
        super()._fill(document)

    def _run_package(self) -> ModuleType | None:
        """Run `__init__.py` as a package of a unique name: two applications may both have a `helpers`."""
        if self._init_file is None:
            return None
        name = new_module_name()
        spec = importlib.util.spec_from_file_location(
            name, self._init_file, submodule_search_locations=[str(self._init_file.parent)]
        )
        assert spec is not None and spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
        try:
            spec.loader.exec_module(package)
        except BaseException:
            del sys.modules[name]
            forget_classes([name])
            raise
        return package

    def _run_hooks(self, package: ModuleType | None) -> Hooks:
        if self._hooks_program is None:
            return Hooks()
        module = self._hooks_program.new_module(package)
        sys.modules[module.__name__] = module
        try:
            self._hooks_program.run(module)
            file = self._hooks_program.path
            with_requests = file.name == "app_hooks.py"
            if not with_requests and "process_request" in vars(module):
                shown = self._place.name(str(file))
                log.warning("%s: process_request is only called in app_hooks.py. Rename the file", shown)
            return hooks_from(vars(module), self._place, str(file), with_requests=with_requests)
        except BaseException:
            del sys.modules[module.__name__]
            forget_classes([module.__name__])
            raise

    def _load_theme(self, file: Path, watched: bool) -> LoadedTemplate[Theme] | None:
        if not file.is_file():
            return None
        return LoadedTemplate(file, lambda: load_theme(file, shown=self._place.name(str(file))), watched=watched)

    def _load_template(self, folder: Path, watched: bool) -> LoadedTemplate[Template] | None:
        index = folder / "index.html"
        if not index.is_file():
            return None
        environment = template_environment(folder, watched=watched)
        return LoadedTemplate(
            index, lambda: load_template(environment, index.name, folder, self._place), watched=watched
        )


def _existing(file: Path) -> Path | None:
    return file if file.is_file() else None

"""What every application can do, whatever it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from app_server.apps.digest import digest_of
from app_server.apps.faults import CodePlace, application_error
from app_server.apps.helpers import make_importable
from app_server.apps.hooks import Hooks
from app_server.apps.running import process_state
from app_server.document.current import current_document, install
from app_server.document.pages.noop_output import noop_output
from app_server.document.pages.themes import Document
from app_server.errors import ApplicationError, AppServerError, from_keyboard
from app_server.settings import Restore


class Application(ABC):
    """Builds the documents of sessions.

    `route` is its place below the server's prefix, `path` what it was loaded from (None for a function), `static_path`
    the folder of files to serve below `<route>/static/`, `imports` the top-level modules from elsewhere that its
    sources name, `modules` the same with what they name of these, `isolation` how its sessions are isolated and
    `restore` what saved ones get back if its author says so, `metadata` what `<route>/metadata` answers: JSON, or a
    function that returns it.
    """

    route: str
    path: Path | None = None
    static_path: Path | None = None
    imports: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    isolation: str | None = None
    restore: Restore | None = None
    metadata: Any = None
    placeholder: str | None = None
    """What a page shows beside the document, as a template of it: for the application that is none."""
    _helper_names: frozenset[str] = frozenset()

    def __init__(
        self, route: str, place: CodePlace, *, folder: Path | None = None, argv: Sequence[str] | None = None
    ) -> None:
        self.route = route
        self._place = place
        self._folder = folder
        self._argv = argv
        self._name = place.name(place.main)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.route}>"

    @property
    def description(self) -> str:
        """One line that says what the application is, for the index page; empty if it does not say."""
        return ""

    @property
    def hooks(self) -> Hooks:
        """The lifecycle hooks; the first look prepares the application and may raise its `ApplicationError`."""
        return Hooks()

    def prepare(self) -> None:
        """Run what runs once in a process: the package's `__init__.py` and the module of hooks. Idempotent.

        Call it after the fork, before the first session; `hooks` and `build` see to it otherwise.
        """
        return

    def build(self, document: Document) -> None:
        """Run the application's code on a fresh document, with `curdoc()` meaning it.

        Whatever the code raises, `sys.exit()` included, becomes an `ApplicationError` with that as its cause; Ctrl-C
        passes. Synchronous, and not to overlap with another build in another thread.
        """
        self.prepare()
        with self._running(), current_document(document):
            self._fill(document)

    def process_request(self, request: Any) -> dict[str, Any]:
        """What `app_hooks.py` adds to the session's token for this request: a JSON object, empty by default."""
        function = self.hooks.process_request
        with self._blamed():
            extra = function(request)
        if isinstance(extra, dict):
            return extra
        what = f"process_request returned {type(extra).__name__}, not a dict"
        raise ApplicationError(what, where=self.fault_place(function), hint="Return {} if there is nothing to add")

    def watch_paths(self) -> Iterable[Path]:
        """The files whose change makes a developer's server start again, as they are now."""
        return ()

    @cached_property
    def sources(self) -> str:
        """A digest of the application's files as they are at the first look: after a release it is another."""
        return digest_of(self.watch_paths(), self._folder)

    def error_from(self, error: BaseException) -> ApplicationError:
        """What a hook or callback raised, with its line in this application; the caller raises it from `error`."""
        return application_error(error, self._place)

    @property
    def folder(self) -> Path | None:
        """Where its own modules are; None if it has none of its own."""
        return self._folder

    def make_helpers_importable(self) -> None:
        """Let the names of its helper modules mean its own, and not those of another application."""
        if self._folder is not None:
            make_importable(self._helper_names, self._folder)

    def fault_place(self, function: Any) -> str:
        """The file and line of a function of this application."""
        code = getattr(function, "__code__", None)
        return self._place.shown if code is None else self._place.line(code.co_filename, code.co_firstlineno)

    @abstractmethod
    def _fill(self, document: Document) -> None:
        """Run the code of one session."""

    @contextmanager
    def _running(self) -> Iterator[None]:
        """What holds while any of the application's code runs."""
        install()
        self.make_helpers_importable()
        with self._blamed(), process_state(self._folder, self._argv), noop_output(self._name):
            yield

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Turn what the application's code raises into its `ApplicationError`."""
        try:
            yield
        except AppServerError:
            raise
        except BaseException as error:
            if from_keyboard(error):
                raise
            raise application_error(error, self._place) from error

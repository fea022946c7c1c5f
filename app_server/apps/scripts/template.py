"""What `templates/` and `theme.yaml` of a folder give to its documents, read once or, for developers, when changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, Template, TemplateError, TemplateSyntaxError

from app_server.apps.faults import CodePlace
from app_server.errors import ApplicationError

T = TypeVar("T")


class LoadedTemplate(Generic[T]):
    """The value of a file: loaded at once, and again after a change if it is `watched`."""

    def __init__(self, path: Path, load: Callable[[], T], *, watched: bool) -> None:
        self._path = path
        self._load = load
        self._watched = watched
        self._stamp = self._now()
        self._value = load()

    def get(self) -> T:
        """The value as of now."""
        if self._watched and (stamp := self._now()) != self._stamp:
            self._value = self._load()
            self._stamp = stamp
        return self._value

    def _now(self) -> tuple[int, int]:
        try:
            stat = self._path.stat()
        except OSError:
            return (0, 0)
        return (stat.st_mtime_ns, stat.st_size)


def template_environment(folder: Path, *, watched: bool) -> Environment:
    """Where `index.html` and what it includes or imports are found: in `folder`.

    Nothing is escaped by itself: a page's template puts together HTML that others made, as it always has with Bokeh.
    """
    return Environment(loader=FileSystemLoader(folder), auto_reload=watched)


def load_template(environment: Environment, name: str, folder: Path, place: CodePlace) -> Template:
    """The compiled template, or an `ApplicationError` with the line that jinja2 does not understand."""
    try:
        return environment.get_template(name)
    except TemplateSyntaxError as error:
        where = place.line(error.filename or str(folder / name), error.lineno)
        what = f"the template does not parse: {(error.message or '').rstrip('.')}"
        raise ApplicationError(what, where=where, hint="Correct the template") from error
    except (TemplateError, OSError, UnicodeDecodeError) as error:
        what = f"the template cannot be read: {error}"
        raise ApplicationError(what, where=place.name(str(folder / name)), hint="Correct the template") from error

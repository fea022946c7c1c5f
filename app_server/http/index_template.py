"""The index page that an operator brings with --index: a Jinja template, or one of Tornado's as the stock server takes.

The tags of the template decide which of the two it is. Errors are reported at the start.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.log import app_log
from tornado.template import Loader, ParseError

from app_server.errors import OperatorError
from app_server.page import custom_index_page, index_text

_COMMENT = re.compile(r"\{#.*?#\}|\{%\s*raw\s*%\}.*?\{%\s*endraw\s*%\}", re.DOTALL)
_TORNADO_TAG = re.compile(r"\{%\s*(?:end\s*%\}|(?:module|apply|comment|while|try|whitespace)\b|raw\s+[^%\s])")
_GENERATED_LINE = re.compile(r"#\s+(\S+):([0-9]+)")


class OwnIndex(ABC):
    """A template that is given `items`, the sorted addresses of the applications, and `prefix`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def render(self, items: Sequence[str], prefix: str, namespace: Mapping[str, Any]) -> str:
        """The page; `namespace` is what Tornado gives its templates. OperatorError if the template fails."""


class JinjaIndex(OwnIndex):
    """Jinja's, which is rendered once at the start to see whether it can be."""

    def __init__(self, path: Path, items: Sequence[str], prefix: str) -> None:
        super().__init__(path)
        self.render(items, prefix, {})

    def render(self, items: Sequence[str], prefix: str, namespace: Mapping[str, Any]) -> str:
        """The page."""
        return custom_index_page(self.path, items, prefix)


class TornadoIndex(OwnIndex):
    """Tornado's, which is compiled with all that it extends and includes, and may ask for the request."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with _quietly():
                self._template = Loader(str(path.parent)).load(path.name)
        except ParseError as error:
            where = f"{path.parent / (error.filename or path.name)}:{error.lineno}"
            raise OperatorError(f"the index template is not valid: {error.message}", where=where) from None
        except SyntaxError as error:
            found = _GENERATED_LINE.search(error.text or "")
            where = f"{path.parent / found[1]}:{found[2]}" if found else str(path)
            raise OperatorError(f"the index template is not valid: {error.msg}", where=where) from None
        except OSError as error:
            raise OperatorError(f"the index template failed: {error}", where=str(path)) from None

    def render(self, items: Sequence[str], prefix: str, namespace: Mapping[str, Any]) -> str:
        """The page."""
        try:
            with _quietly():
                return self._template.generate(**{**namespace, "items": sorted(items), "prefix": prefix}).decode()
        except Exception as error:  # a template can do nearly anything
            raise OperatorError(f"the index template failed: {error}", where=str(self.path)) from error


def own_index(path: str, items: Sequence[str], prefix: str) -> OwnIndex:
    """The template of this file. OperatorError says what is wrong with it, and in which line."""
    file = Path(path)
    if is_tornado(index_text(file)):
        return TornadoIndex(file)
    try:
        return JinjaIndex(file, items, prefix)
    except OperatorError as refused:
        if refused.__cause__ is not None:  # it is Jinja's, and fails
            raise
        try:
            return TornadoIndex(file)  # Python in an expression, such as {{ [item for item in items] }}
        except OperatorError:
            raise refused from None


def is_tornado(text: str) -> bool:
    """Whether the template has a tag that Tornado knows and Jinja does not."""
    return _TORNADO_TAG.search(_COMMENT.sub("", text)) is not None


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Tornado from logging the Python that it has made of a template that is wrong: the error names the line."""
    before = app_log.level
    app_log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        app_log.setLevel(before)
